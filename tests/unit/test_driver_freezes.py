"""When a freeze was taken, as its meter says: an instant, or none that could be true."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from meterlink.drivers.freezes import AHEAD_MAX, freeze_instant
from meterlink.errors import NoFreeze
from meterlink.model.zone import CHINA_TIME

_NOW = datetime(2026, 11, 22, 9, tzinfo=CHINA_TIME)


def test_how_far_ahead_a_freeze_may_be() -> None:
    """Meters' clocks are minutes ahead; one that is years ahead would poison the database."""
    latest = (_NOW + AHEAD_MAX).replace(tzinfo=None)
    who = {"zone": CHINA_TIME, "now": _NOW, "who": "meter"}
    assert _NOW + AHEAD_MAX == freeze_instant(latest, **who)  # type: ignore[arg-type]
    for moment in (
        latest + timedelta(minutes=1),
        None,
    ):
        with pytest.raises(NoFreeze, match="meter: its time"):
            freeze_instant(moment, **who)  # type: ignore[arg-type]


def test_the_key_of_a_freeze_is_its_minute() -> None:
    """A meter that freezes some seconds behind the minute would have no freezes, or one night two rows."""
    moment = datetime.fromisoformat("2026-11-22T00:12:59.999999")
    found = freeze_instant(moment, zone=CHINA_TIME, now=_NOW, who="meter")
    assert datetime(2026, 11, 22, 0, 12, tzinfo=CHINA_TIME) == found


@pytest.mark.parametrize(("moment", "hours"), [("0001-01-01T00:00", 8), ("9999-12-31T23:59", -8)])
def test_a_freeze_at_an_end_of_the_calendar_is_none(moment: str, hours: int) -> None:
    """Such an instant does not exist in UTC; making it would end the line's part, and its neighbours wait."""
    zone = timezone(timedelta(hours=hours))
    with pytest.raises(NoFreeze, match="end of the calendar"):
        freeze_instant(datetime.fromisoformat(moment), zone=zone, now=_NOW, who="meter")
