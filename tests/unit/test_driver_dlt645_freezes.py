"""Reading the last night of a DL/T 645 meter in several exchanges, and never of two nights at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from meterlink.drivers.base import StoredAnswer, StoredRecord
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.drivers.dlt645.identifiers import READS_MAX, freeze_tables
from meterlink.drivers.dlt645.numbered import NumberedReader
from meterlink.drivers.stored import StoredFindings
from meterlink.errors import BadAnswer, NoFreeze, Refused, UnknownItem
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.zone import CHINA_TIME
from meterprofiles import generic
from metersim import AnswerRecord, Meter, Simulation
from meterwire.dlt645 import Entry, ItemValue, dictionary
from tests.support.stored import ADDRESS, DAY, MIDNIGHT, accounted, read_memory, values_of

_ITEMS = ("forward_active_energy.*", "reverse_active_energy.*")
_TARIFFS = ("", ".t1", ".t2", ".t3", ".t4")
_STEP = timedelta(milliseconds=5)
_DELAY_MS = 20


def test_midnight_between_any_two_exchanges() -> None:
    """A bill over values of two days, or of one day under the date of another."""
    meter = Meter(ADDRESS, seed=7, growth_kw=Decimal(7200))
    names = [item.removesuffix(".*") + tariff for item in _ITEMS for tariff in _TARIFFS]
    exchanges = len(_ITEMS) + 2
    before_midnight: Counter[int] = Counter()
    for number in range(-3, exchanges * (timedelta(milliseconds=_DELAY_MS) // _STEP) + 3):
        given: list[AnswerRecord] = []
        answer = read_memory(
            meter,
            DAILY_FREEZE,
            _ITEMS,
            [MIDNIGHT, MIDNIGHT - DAY],
            profile=generic("dlt645-2007"),
            start=MIDNIGHT - number * _STEP,
            given=given,
        )
        before_midnight[sum(record.at < MIDNIGHT for record in given)] += 1
        nights = [record.slot for record in answer.records]
        expected = {night: {name: meter.value(name, night) for name in names} for night in nights}
        assert expected == values_of(answer)
        assert nights in ([MIDNIGHT, MIDNIGHT - DAY], [MIDNIGHT - DAY])
        assert (MIDNIGHT in nights) != (MIDNIGHT in answer.not_yet)
        assert answer.taken_at == given[-1].at
    assert set(range(exchanges + 1)) == set(before_midnight), "midnight did not fall into every gap"


# --- a meter that says what it is told to say -------------------------------------------------------------

_NOW = MIDNIGHT + timedelta(hours=9)
_TIME_DI, _FORWARD_DI, _REVERSE_DI = 0x05060001, 0x05060101, 0x05060201
_SECOND_TIME_DI, _SECOND_FORWARD_DI = _TIME_DI + 1, _FORWARD_DI + 1
_T0, _T1, _T2, _T3 = "0000211126", "0000221126", "0000231126", "0100231126"
_REFUSAL = "refuses"
_FIVE = "00000001" + "11111100" * 4


def _read(
    script: Mapping[int, Sequence[str]],
    items: Sequence[str] = ("forward_active_energy.*",),
    slot: datetime = MIDNIGHT,
) -> tuple[StoredAnswer, list[int]]:
    """What a meter's answers give that come in order for each identifier, and which were asked for."""
    asked: list[int] = []

    async def ask(entry: Entry) -> tuple[tuple[ItemValue, ...], datetime]:
        data = script[entry.di][asked.count(entry.di)]
        asked.append(entry.di)
        if data == _REFUSAL:
            raise Refused("meter refused: no such data", error_word=b"\x02", no_such=True)
        if data.startswith("?"):
            raise BadAnswer("meter answered with data that does not fit")
        return entry.decode(bytes.fromhex(data)), (_NOW + timedelta(seconds=len(asked))).astimezone(UTC)

    known = dictionary("dlt645-2007")
    table = freeze_tables(known)[DAILY_FREEZE]
    reader = NumberedReader(table, dictionary=known, ask=ask, zone=CHINA_TIME, meter="meter")
    found = StoredFindings(DAILY_FREEZE, items, [slot], _NOW.astimezone(UTC))

    async def program() -> StoredAnswer:
        with found.kept() as ended:
            await reader.read(found)
        return found.of(ended)

    answer = Simulation().run(program())
    accounted(answer, [slot])
    return answer, asked


def _night(answer: StoredAnswer) -> StoredRecord:
    """The one night that came."""
    [record] = answer.records
    return record


def test_the_time_is_read_before_and_after() -> None:
    """A freeze taken in between would go unnoticed."""
    answer, asked = _read({_TIME_DI: [_T1, _T1], _FORWARD_DI: [_FIVE]})
    assert [_TIME_DI, _FORWARD_DI, _TIME_DI] == asked
    night = _night(answer)
    assert MIDNIGHT == night.slot
    assert timedelta(0) == night.slot.utcoffset(), "slots are UTC"
    assert _NOW + timedelta(seconds=3) == answer.taken_at
    assert ["forward_active_energy", *(f"forward_active_energy.t{n}" for n in range(1, 5))] == [
        measured.item for measured in night.values
    ]
    assert Decimal("10000.00") == night.values[0].value


def test_what_was_read_of_another_freeze_is_thrown_away() -> None:
    """Values of one night under the time of its neighbour."""
    other = "00000002" + "11111100" * 4
    script = {
        _TIME_DI: [_T0, _T1, _T1],
        _FORWARD_DI: [other],
        _SECOND_TIME_DI: [_T0],
        _SECOND_FORWARD_DI: [_FIVE],
    }
    answer, asked = _read(script, slot=MIDNIGHT - DAY)
    first = [_TIME_DI, _FORWARD_DI, _TIME_DI]
    assert [*first, _SECOND_TIME_DI, _SECOND_FORWARD_DI, _TIME_DI] == asked
    night = _night(answer)
    assert (MIDNIGHT - DAY, Decimal("10000.00")) == (night.slot, night.values[0].value)
    assert 5 == len(night.values)


def test_a_freeze_that_changes_for_ever_ends() -> None:
    """One meter with a mad clock would hold the line all night."""
    times = [_T0, _T1, _T2, _T3]
    assert READS_MAX == len(times) - 1
    script = {
        _TIME_DI: times,
        _FORWARD_DI: [_FIVE],
        _SECOND_TIME_DI: [_T0, _T1],
        _SECOND_FORWARD_DI: [_FIVE],
        _SECOND_TIME_DI + 1: [_T0],
        _SECOND_FORWARD_DI + 1: [_FIVE],
    }
    answer, asked = _read(script, slot=MIDNIGHT - DAY)
    assert (READS_MAX + 1, READS_MAX) == (
        asked.count(_TIME_DI),
        sum(_FORWARD_DI <= di < _FORWARD_DI + READS_MAX for di in asked),
    )
    [reason] = answer.unfit_slots.values()
    assert "took a new freeze each time" in reason
    assert () == answer.records


@pytest.mark.parametrize(
    "time",
    [
        "0000000000",  # never taken
        "FFFFFFFFFF",
        "0000311126",  # 31 November
        "0000221326",
        "0024221126",  # no such hour
        "00002A1126",
        "0000241126",  # more than a day ahead
        "0000221199",
        _REFUSAL,
    ],
)
@pytest.mark.parametrize("after", [False, True])
def test_a_time_that_cannot_be_true_is_no_freeze(time: str, after: bool) -> None:
    """It would become the key of readings for ever."""
    times = [_T1, time] if after else [time]
    with pytest.raises(NoFreeze):
        _read({_TIME_DI: times, _FORWARD_DI: [_FIVE]})


def test_a_night_that_is_not_there_yet_costs_one_question() -> None:
    """A meter whose clock has stopped would be read whole four times an hour, for nothing."""
    answer, asked = _read({_TIME_DI: [_T0]})
    assert [_TIME_DI] == asked
    assert ([MIDNIGHT], ()) == (list(answer.not_yet), answer.records)


def test_each_item_has_its_own_fate() -> None:
    """A single-phase meter without a reverse register would have no freezes at all."""
    items = ("forward_active_energy.*", "reverse_active_energy", "active_power.*")
    script = {_TIME_DI: [_T1, _T1], _FORWARD_DI: [_FIVE], _REVERSE_DI: [_REFUSAL], 0x05061001: ["?"]}
    answer, _ = _read(script, items)
    night = _night(answer)
    assert 5 == len(night.values)
    assert {"reverse_active_energy"} == set(night.refused) == set(answer.refused)
    assert {"active_power.*"} == set(night.unfit) == set(answer.unfit)


def test_only_what_was_asked_for_comes() -> None:
    """One identifier brings five values: whoever wants the total pays for no more series."""
    script = {_TIME_DI: [_T1, _T1], _FORWARD_DI: [_FIVE]}
    answer, asked = _read(script, ("forward_active_energy.t2", "forward_active_energy"))
    assert ["forward_active_energy", "forward_active_energy.t2"] == [
        each.item for each in _night(answer).values
    ]
    assert 1 == asked.count(_FORWARD_DI)
    answer, _ = _read(script, ("forward_active_energy", "forward_active_energy.t5"))
    assert ["forward_active_energy.t5"] == list(answer.refused), "the meter has four tariffs"


def test_a_demand_comes_without_the_time_of_its_maximum() -> None:
    """What is no number cannot stand in a reading."""
    script = {_TIME_DI: [_T1, _T1], 0x05060901: [("003500" + "1530211126") * 5]}
    answer, _ = _read(script, ("forward_active_max_demand.*",))
    assert [Decimal("0.3500")] * 5 == [each.value for each in _night(answer).values]


def test_what_is_no_freeze_is_refused_before_the_line_is_used() -> None:
    """A bug of ours must not become a question to a meter."""
    driver = Dlt645Driver(Simulation().clock)
    with pytest.raises(UnknownItem, match="no 'voltage' in a daily_freeze"):
        driver.check_stored(DAILY_FREEZE, "voltage")


def test_a_meter_without_the_supplements_keeps_no_daily_freeze() -> None:
    """A plan would ask an old meter every night for what its makers never heard of."""
    assert not freeze_tables(dictionary("dlt645-2007", "standard"))
    assert not freeze_tables(dictionary("dlt645-1997"))
    assert [DAILY_FREEZE] == list(freeze_tables(dictionary()))
