"""Older freezes of a DL/T 645 meter: the right night under each slot, whatever its numbers do meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterlink.drivers.base import StoredAnswer
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.drivers.dlt645.identifiers import READS_MAX, freeze_tables
from meterlink.drivers.dlt645.numbered import NUMBER_MAX, PROVED_TOGETHER_MAX, NumberedReader
from meterlink.drivers.stored import StoredFindings
from meterlink.errors import BadAnswer, BusFull, MeterlinkError, NoFreeze, Refused, ReplyTimeout, UnknownItem
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, EVENT, MONTHLY_FREEZE
from meterlink.model.marks import Marks
from meterlink.model.zone import CHINA_TIME
from meterprofiles import generic
from metersim import AnswerRecord, Meter, Simulation
from meterwire.dlt645 import Entry, ItemValue, dictionary
from tests.support.stored import ADDRESS, DAY, MIDNIGHT, accounted, read_memory, values_of

_ITEMS = ("forward_active_energy.*",)
_NOW = (MIDNIGHT + timedelta(hours=9)).astimezone(UTC)
_STEP = timedelta(milliseconds=5)
_NO_SUCH, _OTHER = b"\x02", b"\x01"
_Says = Callable[[str, int], "str | Exception"]
"""What a meter says: of a quantity and number the octets, or how it fails."""


def _octets(at: datetime) -> str:
    return f"{at:%M%H%d%m}{at:%y}"


def _value(night: datetime) -> str:
    """A register that tells its night: month and day before the point."""
    return bytes.fromhex(f"{night:%m%d}0000")[::-1].hex()


def _number(night: datetime) -> Decimal:
    return Decimal(f"{night:%m%d}00.00")


def _read(
    says: _Says, slots: Sequence[datetime], items: Sequence[str] = _ITEMS
) -> tuple[StoredAnswer, list[tuple[str, int]]]:
    """What comes of a meter that says so, and what it was asked."""
    asked: list[tuple[str, int]] = []

    async def ask(entry: Entry) -> tuple[tuple[ItemValue, ...], datetime]:
        quantity, number = entry.item.partition("@")[0], entry.di & 0xFF
        asked.append((quantity, number))
        said = says(quantity, number)
        if isinstance(said, Exception):
            raise said
        return entry.decode(bytes.fromhex(said)), _NOW

    known = dictionary("dlt645-2007")
    table = freeze_tables(known)[DAILY_FREEZE]
    reader = NumberedReader(table, dictionary=known, ask=ask, zone=CHINA_TIME, meter="meter")
    found = StoredFindings(DAILY_FREEZE, items, slots, _NOW)

    async def program() -> StoredAnswer:
        with found.kept() as ended:
            await reader.read(found)
        return found.of(ended)

    answer = Simulation().run(program())
    accounted(answer, slots)
    return answer, asked


def _holding(nights: Sequence[datetime]) -> _Says:
    """A meter that holds these nights, newest first."""

    def says(quantity: str, number: int) -> str | Exception:
        if number > len(nights):
            return Refused("no such data", error_word=_NO_SUCH, no_such=True)
        night = nights[number - 1]
        return _octets(night) if quantity == "frozen_at" else _value(night)

    return says


def _nights(*back: int) -> list[datetime]:
    return [MIDNIGHT - n * DAY for n in back]


def _slots_of(answer: StoredAnswer) -> list[datetime]:
    return [record.slot for record in answer.records]


def _is_true(answer: StoredAnswer) -> None:
    """Each register tells the night under which it stands."""
    found = {slot: values["forward_active_energy"] for slot, values in values_of(answer).items()}
    assert {slot: _number(slot.astimezone(CHINA_TIME)) for slot in found} == found


# --- midnight ---------------------------------------------------------------------------------------------


def test_midnight_between_any_two_exchanges_of_many_nights() -> None:
    """All of a week's registers would slip by a night, each under the date of its neighbour."""
    meter = Meter(ADDRESS, seed=7, growth_kw=Decimal(7200))
    slots = [MIDNIGHT - n * DAY for n in (0, 1, 2, 5)]
    falls: Counter[int] = Counter()
    for number in range(-3, 48):
        given_: list[AnswerRecord] = []
        answer = read_memory(
            meter,
            DAILY_FREEZE,
            _ITEMS,
            slots,
            profile=generic("dlt645-2007"),
            start=MIDNIGHT - number * _STEP,
            given=given_,
        )
        falls[sum(record.at < MIDNIGHT for record in given_)] += 1
        for slot, values in values_of(answer).items():
            assert {item: meter.value(item, slot) for item in values} == values
        assert {MIDNIGHT - DAY, MIDNIGHT - 2 * DAY, MIDNIGHT - 5 * DAY} <= {*_slots_of(answer)}
        assert MIDNIGHT in {*_slots_of(answer), *answer.not_yet}
    assert set(range(9)) <= set(falls), "midnight did not fall into every gap"


def test_a_meter_that_freezes_for_ever_is_given_up() -> None:
    """One meter with a mad clock would hold its line all night."""
    count = 0

    def says(quantity: str, number: int) -> str:
        nonlocal count
        count += quantity == "frozen_at" and number == 1
        night = MIDNIGHT - (30 - count + number) * DAY
        return _octets(night) if quantity == "frozen_at" else _value(night)

    answer, asked = _read(says, _nights(40))
    assert {MIDNIGHT - 40 * DAY} == set(answer.unfit_slots)
    assert READS_MAX + 1 == asked.count(("frozen_at", 1))


# --- which number it is -----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    held=st.sets(st.integers(0, 200), min_size=1, max_size=NUMBER_MAX),
    asked=st.sets(st.integers(-2, 210), min_size=1, max_size=30),
)
def test_any_nights_that_a_meter_has_missed(held: set[int], asked: set[int]) -> None:
    """Where a meter stood without power, the n-th last freeze is not that of n days ago."""
    nights = _nights(*sorted(held))
    slots = _nights(*asked)
    answer, questions = _read(_holding(nights), slots)
    _is_true(answer)
    assert {MIDNIGHT - n * DAY for n in held & asked} == set(_slots_of(answer))
    assert {MIDNIGHT - n * DAY for n in asked if n < min(held)} == set(answer.not_yet)
    assert not answer.unfit_slots
    of_times = [number for quantity, number in questions if quantity == "frozen_at" and number > 1]
    assert len(of_times) == len(set(of_times)), "a time that is known was asked for again"


def test_a_young_meter_is_not_asked_for_each_night_it_never_had() -> None:
    """Sixty questions of nothing, for each of its slots."""
    _, asked = _read(_holding(_nights(0, 1)), _nights(*range(2, 62)))
    assert 20 >= len(asked)


def test_a_freeze_at_another_minute_comes_under_its_own_time() -> None:
    """A meter set to freeze at five past would have no history, or one under times that are not true."""
    late = timedelta(minutes=5)
    answer, _ = _read(_holding([night + late for night in _nights(0, 1, 2, 3)]), _nights(0, 1, 2))
    assert [MIDNIGHT + late - n * DAY for n in range(3)] == _slots_of(answer)
    assert set(_nights(0, 1, 2)) == set(answer.gone)
    assert "froze at" in answer.gone[MIDNIGHT.astimezone(UTC)]
    far, _ = _read(_holding([night + timedelta(hours=2) for night in _nights(0, 1, 2)]), _nights(1))
    assert (0, 1) == (len(far.records), len(far.gone)), "two hours are another time of day"


@pytest.mark.parametrize(
    "said",
    ["0000000000", "FFFFFFFFFF", Refused("no such data", error_word=_NO_SUCH, no_such=True)],
)
def test_what_was_never_taken_is_gone(said: str | Exception) -> None:
    """Makes say in three ways that there is nothing; each would be looked for again and again."""

    def says(quantity: str, number: int) -> str | Exception:
        return _holding(_nights(0, 1))(quantity, number) if number < 3 else said

    answer, _ = _read(says, _nights(0, 1, 4))
    assert 2 == len(answer.records)
    assert {MIDNIGHT - 4 * DAY} == set(answer.gone)


@pytest.mark.parametrize(
    "said",
    [
        "0000311126",  # 31 November
        "00002A1126",
        "0000241199",  # in times to come
        Refused("other error", error_word=_OTHER),
        BadAnswer("data that does not fit"),
        "0000231126",  # newer than the newest
    ],
)
def test_a_time_that_cannot_be_trusted_never_says_gone(said: str | Exception) -> None:
    """One disturbed answer would end all tries for a night that the meter still holds."""

    def says(quantity: str, number: int) -> str | Exception:
        return (
            said if (quantity, number) == ("frozen_at", 3) else _holding(_nights(*range(9)))(quantity, number)
        )

    answer, _ = _read(says, _nights(1, 2, 3))
    assert set(_nights(1, 3)) == set(_slots_of(answer))
    assert set(_nights(2)) == set(answer.unfit_slots)


# --- what is in it ----------------------------------------------------------------------------------------


def test_each_item_of_each_night_has_its_own_fate() -> None:
    """One register that a meter lacks, or garbles once, would cost the others their history."""
    full = _holding(_nights(0, 1, 2))

    def says(quantity: str, number: int) -> str | Exception:
        if quantity == "reverse_active_energy":
            return Refused("no such data", error_word=_NO_SUCH, no_such=True)
        if quantity == "combined_reactive_energy_1":
            return "FFFFFFFF" if number == 2 else "0000A100"
        if (quantity, number) == ("forward_active_energy", 2):
            return BadAnswer("too short")
        return full(quantity, number)

    items = ("forward_active_energy", "reverse_active_energy", "combined_reactive_energy_1")
    answer, _ = _read(says, _nights(0, 1, 2), items)
    assert ["reverse_active_energy"] == list(answer.refused)
    assert ["forward_active_energy"] == list(answer.unfit)
    newest, middle, _ = answer.records
    assert ({}, {"forward_active_energy": "too short"}) == (newest.unfit, middle.unfit)
    marks = [value.marks for record in answer.records for value in record.values if "reactive" in value.item]
    assert [Marks.INVALID_DIGITS, Marks.ABSENT, Marks.INVALID_DIGITS] == marks
    assert {DAILY_FREEZE} == {value.period for record in answer.records for value in record.values}


# --- what ends it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [ReplyTimeout("silent"), BusFull("full")])
def test_what_came_before_silence_is_kept(failure: MeterlinkError) -> None:
    """On a bad line a long memory would begin anew each time, and never end."""
    full = _holding(_nights(*range(40)))
    count = 0

    def says(quantity: str, number: int) -> str | Exception:
        nonlocal count
        count += 1
        return failure if count > 4 * PROVED_TOGETHER_MAX else full(quantity, number)

    slots = _nights(*range(40))
    answer, _ = _read(says, slots)
    assert failure is answer.cut_short
    assert slots[:PROVED_TOGETHER_MAX] == _slots_of(answer)[:PROVED_TOGETHER_MAX]
    assert not answer.gone and not answer.unfit_slots, "nothing is known of what was not asked"
    count = 4 * PROVED_TOGETHER_MAX
    with pytest.raises(type(failure)):
        _read(says, slots)


@pytest.mark.parametrize("lost", range(3, 17))
def test_one_lost_answer_costs_one_night_and_not_those_before_it(lost: int) -> None:
    """Where one answer in ten is lost, nobody ever reads eight nights in one go."""
    full = _holding(_nights(*range(9)))
    count = 0

    def says(quantity: str, number: int) -> str | Exception:
        nonlocal count
        count += 1
        return ReplyTimeout("lost") if count == lost else full(quantity, number)

    slots = _nights(*range(8))
    answer, asked = _read(says, slots)
    assert isinstance(answer.cut_short, ReplyTimeout)
    assert ("frozen_at", 1) == asked[-1], "what came is proved"
    assert slots[: (lost - 1) // 2] == _slots_of(answer), "of the newest the time is known already"
    _is_true(answer)


def test_a_meter_without_any_freeze_says_so() -> None:
    """Its slots are not gone: it may take its first freeze tonight."""
    with pytest.raises(NoFreeze):
        _read(_holding([]), _nights(0, 1))


@settings(deadline=None, max_examples=150)
@given(
    script=st.dictionaries(
        st.tuples(st.sampled_from(["frozen_at", "forward_active_energy"]), st.integers(1, 12)),
        st.lists(
            st.one_of(
                st.integers(-2, 14).map(lambda n: _octets(MIDNIGHT - n * DAY)),
                st.binary(min_size=5, max_size=5).map(bytes.hex),
                st.sampled_from(["", "FFFFFFFFFF", "0000000000", "?", "!", "~"]),
            ),
            min_size=1,
            max_size=3,
        ),
    ),
    asked=st.sets(st.integers(-1, 13), min_size=1),
)
def test_garbage_never_makes_a_record_of_another_time(
    script: Mapping[tuple[str, int], list[str]], asked: set[int]
) -> None:
    """Whatever a broken meter sends, a night may be missing, but none may hold another one's registers."""
    told: dict[datetime, set[int]] = {}
    counts: Counter[tuple[str, int]] = Counter()

    def says(quantity: str, number: int) -> str | Exception:
        given_ = script.get((quantity, number), ["~"])
        said = given_[min(counts[quantity, number], len(given_) - 1)]
        counts[quantity, number] += 1
        failures = {
            "?": BadAnswer("does not fit"),
            "!": ReplyTimeout("silent"),
            "~": Refused("no", error_word=_NO_SUCH, no_such=True),
            "": Refused("other", error_word=_OTHER),
        }
        if said in failures:
            return failures[said]
        if quantity != "frozen_at":
            return f"{number:02d}000000"[:8]  # a register that tells its number
        for n in range(-2, 15):
            if said == _octets(MIDNIGHT - n * DAY):
                told.setdefault(MIDNIGHT - n * DAY, set()).add(number)
        return said

    try:
        answer, _ = _read(says, _nights(*asked), ("forward_active_energy",))
    except (NoFreeze, BadAnswer, ReplyTimeout):
        return
    for record in answer.records:
        for value in record.values:
            assert value.value is not None
            assert int(value.value * 100) in told[record.slot], "the meter never said that of this number"


# --- what can be asked ------------------------------------------------------------------------------------


def test_what_no_memory_holds_is_refused_before_the_line_is_used() -> None:
    """A bug of ours must not become a question to a meter."""
    driver = Dlt645Driver(Simulation().clock)
    assert {DAILY_FREEZE, MONTHLY_FREEZE, CURVE} == set(driver.stored)
    assert (62, 86_400, False) == (
        driver.stored[DAILY_FREEZE].records,
        driver.stored[DAILY_FREEZE].every_s,
        driver.stored[DAILY_FREEZE].is_sure,
    )
    driver.check_stored(MONTHLY_FREEZE, "forward_active_max_demand.*")
    for data_class, item in (
        (DAILY_FREEZE, "voltage"),
        (MONTHLY_FREEZE, "voltage.a"),
        (MONTHLY_FREEZE, "forward_active_max_demand_at"),
        (CURVE, "forward_active_max_demand"),
        (EVENT, "forward_active_energy"),
    ):
        with pytest.raises(UnknownItem, match=data_class):
            driver.check_stored(data_class, item)  # type: ignore[arg-type]


def test_meters_of_1997_have_last_months_and_nothing_else() -> None:
    """They would be asked each night for what nobody ever built into them."""
    old = Dlt645Driver(Simulation().clock, profile=generic("dlt645-1997"))
    assert [MONTHLY_FREEZE] == list(old.stored)
    assert 2 == old.stored[MONTHLY_FREEZE].records
