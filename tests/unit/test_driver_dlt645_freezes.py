"""Reading a freeze of a DL/T 645 meter in several exchanges, and never of two days at once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import FreezeAnswer
from meterlink.drivers.dlt645 import Dlt645Driver
from meterlink.drivers.dlt645_freezes import READS_MAX, FreezeReader, freeze_tables
from meterlink.drivers.freezes import AHEAD_MAX, freeze_instant
from meterlink.errors import BadAnswer, NoFreeze, Refused, UnknownItem
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.zone import CHINA_TIME
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from metersim import AnswerRecord, Meter, Simulation, Station
from metersim import Line as MeterLine
from meterwire.dlt645 import Entry, ItemValue, dictionary
from tests.support.simulated import Duplex

_ADDRESS = "000000000161"
_MIDNIGHT = datetime(2026, 11, 22, tzinfo=CHINA_TIME)
_ITEMS = ("forward_active_energy.*", "reverse_active_energy.*")
_TARIFFS = ("", ".t1", ".t2", ".t3", ".t4")
_STEP = timedelta(milliseconds=5)
_DELAY_MS = 20


def _read_at(start: datetime, meter: Meter) -> tuple[FreezeAnswer, list[AnswerRecord]]:
    """Read the freeze of a simulated meter from ``start`` on; what came, and what the meter answered."""
    simulation = Simulation(start=start)
    given: list[AnswerRecord] = []

    async def program() -> FreezeAnswer:
        near, far = memory_line()

        async def opener() -> ByteStream:
            return near

        station = Station(meter=meter, reply_delay_ms=_DELAY_MS)
        meters = MeterLine([station], clock=simulation.clock, record=given.append)
        line = Line("line1", opener=opener, timing=Timing(), rng=random.Random(1))
        driver = Dlt645Driver(simulation.clock)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(line.run()), group.create_task(meters.serve(Duplex(far)))]
            answer = await driver.read_freeze(line, _ADDRESS, DAILY_FREEZE, _ITEMS, priority=Priority.BILLING)
            for task in tasks:
                task.cancel()
        return answer

    return simulation.run(program()), given


def test_midnight_between_any_two_exchanges() -> None:
    """A bill over values of two days, or of one day under the date of another."""
    meter = Meter(_ADDRESS, seed=7, growth_kw=Decimal(7200))
    exchanges = len(_ITEMS) + 2
    before_midnight: Counter[int] = Counter()
    for number in range(-3, exchanges * (timedelta(milliseconds=_DELAY_MS) // _STEP) + 3):
        answer, given = _read_at(_MIDNIGHT - number * _STEP, meter)
        before_midnight[sum(record.at < _MIDNIGHT for record in given)] += 1
        names = [item.removesuffix(".*") + tariff for item in _ITEMS for tariff in _TARIFFS]
        expected = {name: meter.value(name, answer.frozen_at) for name in names}
        assert expected == {measured.item: measured.value for measured in answer.values}
        assert answer.frozen_at in {_MIDNIGHT, _MIDNIGHT - timedelta(days=1)}
        assert answer.taken_at == given[-1].at
    assert set(range(exchanges + 1)) == set(before_midnight), "midnight did not fall into every gap"


# --- a meter that says what it is told to say -------------------------------------------------------------

_NOW = _MIDNIGHT + timedelta(hours=9)
_TIME_DI, _FORWARD_DI, _REVERSE_DI = 0x05060001, 0x05060101, 0x05060201
_T0, _T1, _T2, _T3 = "0000211126", "0000221126", "0100221126", "0200221126"
_REFUSAL = "refuses"
_FIVE = "00000001" + "11111100" * 4


def _read(
    script: Mapping[int, Sequence[str]],
    items: Sequence[str] = ("forward_active_energy.*",),
    known: datetime | None = None,
) -> tuple[FreezeAnswer, list[int]]:
    """What a meter's answers give that come in order for each identifier, and which were asked for."""
    asked: list[int] = []

    async def ask(entry: Entry) -> tuple[tuple[ItemValue, ...], datetime]:
        data = script[entry.di][asked.count(entry.di)]
        asked.append(entry.di)
        if data == _REFUSAL:
            raise Refused("meter refused: no such data", error_word=b"\x02")
        if data.startswith("?"):
            raise BadAnswer("meter answered with data that does not fit")
        return entry.decode(bytes.fromhex(data)), (_NOW + timedelta(seconds=len(asked))).astimezone(UTC)

    reader = FreezeReader(
        freeze_tables(dictionary("dlt645-2007"))[DAILY_FREEZE],
        ask=ask,
        zone=CHINA_TIME,
        meter="meter",
    )
    return Simulation().run(reader.read(items, known)), asked


def test_the_time_is_read_before_and_after() -> None:
    """A freeze taken in between would go unnoticed."""
    answer, asked = _read({_TIME_DI: [_T1, _T1], _FORWARD_DI: [_FIVE]})
    assert [_TIME_DI, _FORWARD_DI, _TIME_DI] == asked
    assert _MIDNIGHT == answer.frozen_at
    assert timedelta(0) == answer.frozen_at.utcoffset(), "slots are UTC"
    assert _NOW + timedelta(seconds=3) == answer.taken_at
    assert ["forward_active_energy", *(f"forward_active_energy.t{n}" for n in range(1, 5))] == [
        measured.item for measured in answer.values
    ]
    assert Decimal("10000.00") == answer.values[0].value


def test_what_was_read_of_another_freeze_is_thrown_away() -> None:
    """Values of yesterday under the time of today."""
    other = "00000002" + "11111100" * 4
    answer, asked = _read({_TIME_DI: [_T0, _T1, _T1], _FORWARD_DI: [_FIVE, other]})
    assert 5 == len(asked)
    assert (_MIDNIGHT, Decimal("20000.00")) == (answer.frozen_at, answer.values[0].value)
    assert 5 == len(answer.values)


def test_a_freeze_that_changes_for_ever_ends() -> None:
    """One meter with a mad clock would hold the line all night."""
    times = [_T0, _T1, _T2, _T3]
    assert READS_MAX == len(times) - 1
    with pytest.raises(BadAnswer, match="took a new freeze"):
        _read({_TIME_DI: times, _FORWARD_DI: [_FIVE] * READS_MAX})


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


def test_how_far_ahead_a_freeze_may_be() -> None:
    """Meters' clocks are minutes ahead; one that is years ahead would poison the database."""
    latest = (_NOW + AHEAD_MAX).replace(tzinfo=None)
    who = {"zone": CHINA_TIME, "now": _NOW, "who": "meter"}
    assert _NOW + AHEAD_MAX == freeze_instant(latest, **who)  # type: ignore[arg-type]
    for moment in (
        latest + timedelta(minutes=1),
        latest.replace(second=1),
        latest.replace(microsecond=1),
        None,
    ):
        with pytest.raises(NoFreeze, match="meter: its time"):
            freeze_instant(moment, **who)  # type: ignore[arg-type]


@pytest.mark.parametrize(("moment", "hours"), [("0001-01-01T00:00", 8), ("9999-12-31T23:59", -8)])
def test_a_freeze_at_an_end_of_the_calendar_is_none(moment: str, hours: int) -> None:
    """Such an instant does not exist in UTC; making it would end the line's part, and its neighbours wait."""
    zone = timezone(timedelta(hours=hours))
    with pytest.raises(NoFreeze, match="end of the calendar"):
        freeze_instant(datetime.fromisoformat(moment), zone=zone, now=_NOW, who="meter")


def test_a_freeze_that_is_known_is_not_read_again() -> None:
    """A meter whose clock has stopped would be read whole four times an hour, for nothing."""
    answer, asked = _read({_TIME_DI: [_T1]}, known=_MIDNIGHT)
    assert [_TIME_DI] == asked
    assert (_MIDNIGHT, ()) == (answer.frozen_at, answer.values)


def test_what_was_known_is_left_for_what_is_new() -> None:
    """A freeze taken while its predecessor was looked at must not pass for that one."""
    answer, _ = _read({_TIME_DI: [_T1, _T1], _FORWARD_DI: [_FIVE]}, known=_MIDNIGHT - timedelta(days=1))
    assert (_MIDNIGHT, 5) == (answer.frozen_at, len(answer.values))


def test_each_item_has_its_own_fate() -> None:
    """A single-phase meter without a reverse register would have no freezes at all."""
    items = ("forward_active_energy.*", "reverse_active_energy", "active_power.*")
    script = {_TIME_DI: [_T1, _T1], _FORWARD_DI: [_FIVE], _REVERSE_DI: [_REFUSAL], 0x05061001: ["?"]}
    answer, _ = _read(script, items)
    assert 5 == len(answer.values)
    assert {"reverse_active_energy"} == set(answer.refused)
    assert {"active_power.*"} == set(answer.unfit)


def test_only_what_was_asked_for_comes() -> None:
    """One identifier brings five values: whoever wants the total pays for no more series."""
    script = {_TIME_DI: [_T1, _T1], _FORWARD_DI: [_FIVE]}
    answer, asked = _read(script, ("forward_active_energy.t2", "forward_active_energy"))
    assert ["forward_active_energy", "forward_active_energy.t2"] == [each.item for each in answer.values]
    assert 1 == asked.count(_FORWARD_DI)
    answer, _ = _read(script, ("forward_active_energy", "forward_active_energy.t5"))
    assert ["forward_active_energy.t5"] == list(answer.refused), "the meter has four tariffs"


def test_a_demand_comes_without_the_time_of_its_maximum() -> None:
    """What is no number cannot stand in a reading."""
    script = {_TIME_DI: [_T1, _T1], 0x05060901: [("003500" + "1530211126") * 5]}
    answer, _ = _read(script, ("forward_active_max_demand.*",))
    assert [Decimal("0.3500")] * 5 == [each.value for each in answer.values]


def test_what_is_no_freeze_is_refused_before_the_line_is_used() -> None:
    """A bug of ours must not become a question to a meter."""
    driver = Dlt645Driver(Simulation().clock)
    assert {DAILY_FREEZE} == driver.freezes
    with pytest.raises(UnknownItem, match="no 'voltage' in a daily_freeze"):
        driver.check_freeze(DAILY_FREEZE, "voltage")


def test_a_meter_without_the_supplements_keeps_no_daily_freeze() -> None:
    """A plan would ask an old meter every night for what its makers never heard of."""
    assert not freeze_tables(dictionary("dlt645-2007", "standard"))
    assert not freeze_tables(dictionary("dlt645-1997"))
    assert [DAILY_FREEZE] == list(freeze_tables(dictionary()))
