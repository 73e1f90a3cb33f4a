"""Settlements of a DL/T 645 meter: by its own clock and days, and never under the month of another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterlink.drivers.base import StoredAnswer
from meterlink.drivers.dlt645.identifiers import READS_MAX
from meterlink.drivers.dlt645.settlements import SettlementReader
from meterlink.drivers.stored import StoredFindings
from meterlink.errors import BadAnswer, NoFreeze, Refused, ReplyTimeout
from meterlink.model.data_classes import MONTHLY_FREEZE
from meterlink.model.zone import CHINA_TIME
from meterprofiles import generic
from metersim import AnswerRecord, Meter, Simulation
from meterwire.dlt645 import Entry, ItemValue, dictionary
from tests.support.stored import ADDRESS, accounted, read_memory, values_of

_NOW = datetime(2026, 11, 22, 9, 30, tzinfo=CHINA_TIME)
_STEP = timedelta(milliseconds=5)
_NO_SUCH = b"\x02"
_REFUSED = "refused"
_Clock = Callable[[], datetime]


def _first(year: int, month: int, day: int = 1, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=CHINA_TIME)


def _read(
    slots: Sequence[datetime],
    *,
    days: Sequence[str] = ("0100", "9999", "9999"),
    shown: _Clock = lambda: _NOW,
    held: int = 12,
    instead: dict[str, str] | None = None,
) -> tuple[StoredAnswer, list[str]]:
    """What comes of a meter with these settlement days, whose registers tell the number of a settlement."""
    asked: list[str] = []

    async def ask(entry: Entry) -> tuple[tuple[ItemValue, ...], datetime]:
        asked.append(entry.item)
        said = (instead or {}).get(entry.item) or _said(entry.item, days, shown(), held)
        if said == _REFUSED:
            raise Refused("no such data", error_word=_NO_SUCH, no_such=True)
        return entry.decode(bytes.fromhex(said)[::-1]), _NOW.astimezone(UTC)

    reader = SettlementReader(
        "dlt645-2007", dictionary=dictionary("dlt645-2007"), ask=ask, zone=CHINA_TIME, meter="meter"
    )
    found = StoredFindings(MONTHLY_FREEZE, ("forward_active_energy",), slots, _NOW.astimezone(UTC))

    async def program() -> StoredAnswer:
        with found.kept() as ended:
            await reader.read(found)
        return found.of(ended)

    answer = Simulation().run(program())
    accounted(answer, slots)
    return answer, asked


def _said(item: str, days: Sequence[str], shown: datetime, held: int) -> str:
    """The octets of an item, highest first."""
    if item.startswith("settlement_day_"):
        return days[int(item[-1]) - 1]
    if item == "meter_date":
        return f"{shown:%y%m%d}{shown.isoweekday() % 7:02d}"
    if item == "meter_time":
        return f"{shown:%H%M%S}"
    number = int(item.rpartition(".")[2])
    return f"{number:06d}00" if number <= held else _REFUSED


def _numbers(answer: StoredAnswer) -> dict[datetime, int]:
    """Which number came under which slot."""
    found = {slot: values["forward_active_energy"] for slot, values in values_of(answer).items()}
    return {slot.astimezone(CHINA_TIME): int(value) for slot, value in found.items()}  # type: ignore[call-overload]


def test_settlements_are_counted_back_over_all_days_that_are_set() -> None:
    """With two days a month each second bill would be of half a month before."""
    slots = [_first(2026, 11), _first(2026, 10, 15), _first(2026, 10), _first(2026, 11, 15)]
    answer, _ = _read(slots, days=("0100", "1500", "9999"))
    expected = {_first(2026, 11, 15): 1, _first(2026, 11): 2, _first(2026, 10, 15): 3, _first(2026, 10): 4}
    assert expected == _numbers(answer)


def test_a_day_that_a_month_does_not_have_is_left_out() -> None:
    """The thirty-first of June would shift all months before it."""
    answer, _ = _read([_first(2026, 10, 31), _first(2026, 8, 31)], days=("3100", "9999", "9999"))
    assert {_first(2026, 10, 31): 1, _first(2026, 8, 31): 2} == _numbers(answer)


def test_the_hour_counts() -> None:
    """A settlement at eight in the morning is none of midnight."""
    answer, _ = _read([_first(2026, 11, 1, 8), _first(2026, 10)], days=("0108", "FFFF", "0000"))
    assert {_first(2026, 11, 1, 8): 1, _first(2026, 10, 1, 8): 2} == _numbers(answer)
    assert {_first(2026, 10)} == set(answer.gone)


def test_what_is_set_otherwise_than_planned_comes_under_its_own_time() -> None:
    """A bill of the first would hold the registers of the twenty-fifth."""
    answer, _ = _read([_first(2026, 11), _first(2026, 10)], days=("2500", "9999", "9999"))
    assert {_first(2026, 11)} == set(answer.not_yet)
    assert {_first(2026, 10)} == set(answer.gone)
    assert "2026-10-25 00:00" in answer.gone[_first(2026, 10)]
    assert {_first(2026, 10, 25): 1} == _numbers(answer)


def test_what_it_does_not_hold_is_gone() -> None:
    """It would be asked for each night for the rest of the meter's life."""
    answer, _ = _read([_first(2026, 11), _first(2026, 9), _first(2025, 11), _first(2024, 1)], held=2)
    assert {_first(2026, 11): 1} == _numbers(answer)
    assert {_first(2026, 9), _first(2025, 11), _first(2024, 1)} == set(answer.gone)


def test_a_meter_of_one_day_has_no_other_ones() -> None:
    """Meters that refuse the second and third settlement day would have no settlements at all."""
    answer, _ = _read(
        [_first(2026, 11)], instead=dict.fromkeys(("settlement_day_2", "settlement_day_3"), _REFUSED)
    )
    assert {_first(2026, 11): 1} == _numbers(answer)


@pytest.mark.parametrize(
    ("instead", "failure"),
    [
        ({"settlement_day_1": "9999"}, NoFreeze),
        ({"settlement_day_1": _REFUSED}, NoFreeze),
        ({"settlement_day_1": "0A00"}, BadAnswer),
        ({"meter_date": _REFUSED}, NoFreeze),
        ({"meter_date": "26113102"}, BadAnswer),
        ({"meter_time": "250000"}, BadAnswer),
        ({"meter_date": "26112401"}, NoFreeze),
    ],
)
def test_without_day_or_clock_nobody_knows_what_they_are_of(
    instead: dict[str, str], failure: type[Exception]
) -> None:
    """Registers would be filed under months that were made up."""
    with pytest.raises(failure):
        _read([_first(2026, 11)], instead=instead)


def test_a_clock_that_is_behind_has_settlements_of_its_own_time() -> None:
    """The time that counts is the one that the meter goes by: it has not settled this month yet."""
    answer, _ = _read([_first(2026, 11), _first(2026, 10)], shown=lambda: _NOW - timedelta(days=30))
    assert {_first(2026, 10): 1} == _numbers(answer)
    assert {_first(2026, 11)} == set(answer.not_yet)


def test_a_meter_that_settles_for_ever_is_given_up() -> None:
    """A clock that runs by months would hold the line all night."""
    count = 0

    def shown() -> datetime:
        nonlocal count
        count += 1
        return _first(2024, 1) + timedelta(days=11 * count)

    with pytest.raises(BadAnswer, match=f"each of the {READS_MAX} times"):
        _read([_first(2024, 1)], shown=shown)


def test_a_settlement_between_any_two_exchanges() -> None:
    """All months would slip by one, each register under the month of its neighbour."""
    meter = Meter(ADDRESS, seed=7, growth_kw=Decimal(7200))
    settles = _first(2026, 11)
    slots = [settles, _first(2026, 10), _first(2026, 9)]
    falls: Counter[int] = Counter()
    for number in range(-3, 60):
        exchanges: list[AnswerRecord] = []
        start = settles - number * _STEP
        try:
            answer = read_memory(
                meter,
                MONTHLY_FREEZE,
                ("forward_active_energy.*",),
                slots,
                profile=generic("dlt645-2007"),
                start=start,
                given=exchanges,
            )
        except BadAnswer as error:  # within a minute of it nothing is sure
            assert "settled each" in str(error)
            falls[sum(record.at < settles for record in exchanges)] += 1
            continue
        falls[sum(record.at < settles for record in exchanges)] += 1
        for slot, values in values_of(answer).items():
            assert {item: meter.value(item, slot) for item in values} == values
    assert set(range(9)) <= set(falls), "it did not fall into every gap"


@settings(deadline=None, max_examples=150)
@given(
    said=st.dictionaries(
        st.sampled_from(["settlement_day_1", "settlement_day_2", "meter_date", "meter_time"]),
        st.one_of(st.binary(min_size=1, max_size=4).map(bytes.hex), st.just(_REFUSED)),
    ),
    month=st.integers(1, 11),
)
def test_garbage_never_breaks_it(said: dict[str, str], month: int) -> None:
    """Whatever a broken meter sends for its clock or days ends in an error that has a name."""
    sizes = {"settlement_day_1": 4, "settlement_day_2": 4, "meter_date": 8, "meter_time": 6}
    fitting = {item: (text * 4)[: sizes[item]] if text != _REFUSED else text for item, text in said.items()}
    try:
        answer, _ = _read([_first(2026, month)], instead=fitting)
    except (NoFreeze, BadAnswer, ReplyTimeout):
        return
    for slot, number in _numbers(answer).items():
        assert slot <= _NOW + timedelta(days=1)
        assert 1 <= number <= 12
