"""Days and times that people name: one way to read them, and none that a sum of days runs over."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from meterlink.acquisition.explaining import slot_of, spans_of
from meterlink.config.meters import MeterSettings
from meterlink.errors import BadRequest
from meterlink.model.days import day_in, moment_in, within
from meterlink.model.zone import CHINA_TIME
from meterlink.roster.cells import Time
from meterlink.roster.faults import CellRefused

_EDGES = ["9999-12-31", "9999-12-30", "0001-01-01", "3000-01-01", "1999-12-31"]


@pytest.mark.parametrize("text", ["2026-11-23", "20261123", "2026-W48-1"])
def test_a_day_is_the_same_however_it_is_written(text: str) -> None:
    """Without its dashes a day was taken for its first instant: the answer was of the night before."""
    assert date(2026, 11, 23) == day_in(text)
    assert datetime(2026, 11, 24, tzinfo=CHINA_TIME) == slot_of(text, CHINA_TIME)


def test_a_time_is_no_day() -> None:
    """The point of a curve at midnight would be answered by the freeze of the next night."""
    midnight = datetime(2026, 11, 23, tzinfo=CHINA_TIME)
    for text in ("2026-11-23T00:00", "20261123T0000", "2026-11-22T16:00Z", "2026-11-23 00:00"):
        assert midnight == slot_of(text, CHINA_TIME)


@pytest.mark.parametrize("text", [*_EDGES, "99991231", "2026-02-30", "", "x" * 99, "2026-11", "\ud800"])
def test_what_is_no_day_is_said_in_both_languages(text: str) -> None:
    """A command would end in the words of the language it is written in, and not of those who read it."""
    for ask in (day_in, lambda text: slot_of(text, CHINA_TIME)):
        with pytest.raises(BadRequest) as refused:
            ask(text)
        assert "write a da" in str(refused.value) and "请写" in refused.value.said("zh")
        assert len(str(refused.value)) < 200


@pytest.mark.parametrize("text", [f"{edge}T00:00" for edge in _EDGES] + ["0001-01-01T00:00+14:00", "25:00"])
def test_a_time_at_the_edge_is_none(text: str) -> None:
    """Its zone, its second since 1970 or the day behind it cannot be worked out."""
    assert moment_in(text, CHINA_TIME) is None
    with pytest.raises(BadRequest, match="2000 to 2999"):
        slot_of(text, CHINA_TIME)


@pytest.mark.parametrize("hours", [-14, 0, 8, 14])
@pytest.mark.parametrize("day", [date(2000, 1, 1), date(2999, 12, 31)])
def test_the_first_and_last_day_have_spans_in_every_zone(day: date, hours: int) -> None:
    """The limits would not keep from what they are for."""
    zone = timezone(timedelta(hours=hours))
    assert day == within(day)
    for span in spans_of(day, zone):
        assert timedelta(days=1) == span.until.astimezone(UTC) - span.since.astimezone(UTC)


def test_a_time_of_the_roster_can_be_shown_again() -> None:
    """The roster could not be exported any more behind a meter that stays in service for ever."""
    for text in ("9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+14:00"):
        with pytest.raises(CellRefused):
            Time().read(text, CHINA_TIME)
    for text in ("9999-12-31", "9999-12-31 23:59:59", "2026-11-22 10:30:00"):
        assert text == Time().write(Time().read(text, CHINA_TIME), CHINA_TIME)
    told_elsewhere = Time().read("9999-12-31T23:59:59", UTC)
    assert told_elsewhere == Time().write(told_elsewhere, CHINA_TIME)


def test_a_time_of_the_configuration_that_utc_does_not_have() -> None:
    """Checking a configuration ended in a traceback."""
    with pytest.raises(ValidationError, match="no time in UTC"):
        MeterSettings.model_validate(
            {"id": "m1", "address": "1", "line": "x", "in_service_since": "0001-01-01T00:00:00+08:00"}
        )
