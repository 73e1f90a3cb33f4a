"""Looking at meters: when, how often, what they tell by each protocol, and that no reading is lost for it."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from meterlink.acquisition.looks import AGAIN_S, Looks
from meterlink.acquisition.reported import FREEZES_MAX, METERS_MAX, Reported
from meterlink.acquisition.sights import Mixed, SettlesElse, Sight
from meterlink.acquisition.unseen import LOOKS_MAX, Freeze
from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.choose import driver_for
from meterlink.drivers.looks import Looker
from meterlink.errors import BusFull, LineLost, MeterlinkError, ReplyTimeout
from meterlink.model.data_classes import DAILY_FREEZE, INSTANT, MONTHLY_FREEZE, DataClass
from meterlink.model.look import NOT_LOOKED, Look, SettlementDay
from meterlink.model.protocols import MeterProtocol
from meterlink.model.zone import CHINA_TIME
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from meterprofiles import generic
from metersim import Line as MeterLine
from metersim import Meter, Simulation, Station
from metersim.dlt645.meter import Answer
from metersim.dlt698 import Meter698
from metersim.plant.effects import begin
from metersim.plant.happenings import Happening
from meterwire.dlt645.link.frame import Frame
from meterwire.dlt645.link.functions import EDITIONS
from tests.support.simulated import Duplex

_ADDRESS = "000000000161"
_T = TypeVar("_T")
_NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
_FREEZE: Freeze = (DAILY_FREEZE, _NOON - timedelta(hours=12))


class _Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.passed = timedelta()

    def utc_now(self) -> datetime:
        return _NOON + self.passed

    def monotonic_s(self) -> float:
        return self.passed.total_seconds()


class _Looker:
    """Tells what was asked, and fails when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails: MeterlinkError | None = None
        self.fails_at = ""
        self.fails_times = 99
        self.number = _ADDRESS
        self.settles: SettlementDay | None = SettlementDay(1, 0)

    async def settles_on(self, address: str, priority: Priority) -> SettlementDay | None:
        self._note("settlement")
        return self.settles

    async def meter_number(self, address: str, priority: Priority) -> str | None:
        self._note("number")
        return self.number

    async def status_word(self, address: str, priority: Priority) -> int | None:
        self._note("word")
        return 4

    async def clock_ahead(self, address: str, priority: Priority) -> timedelta | None:
        self._note("clock")
        return timedelta(seconds=7)

    def _note(self, what: str) -> None:
        self.asked.append(what)
        if self.fails is not None and what.startswith(self.fails_at) and self.fails_times:
            self.fails_times -= 1
            raise self.fails


class _Bench:
    def __init__(self, numbered: Sequence[str] = ("m1",), reading_day: int | None = None) -> None:
        self.clock, self.looker = _Clock(), _Looker()
        self.settles_else: list[SettlesElse] = []
        self.shown: dict[str, Look] = {}
        self.mixed: list[Mixed] = []
        self.settled: list[tuple[str, list[Freeze]]] = []
        self.left: dict[str, list[Freeze]] = {}
        self.judged_anew: list[tuple[str, list[Freeze]]] = []
        sights = {
            name: Sight(
                address=_ADDRESS,
                looker=self.looker,
                number=_ADDRESS if name in numbered else "",
                reading_day=reading_day,
            )
            for name in ("m1", "m2")
        }
        self.reported = Reported()
        self.looks = Looks(
            sights,
            shown=self.shown,
            tell_mixed=self._tell_mixed,
            tell_settles_else=self._tell_settles_else,
            book=self,
            clock=self.clock,
            zone=CHINA_TIME,
            reported=self.reported,
        )

    async def _tell_mixed(self, mixed: Mixed) -> None:
        self.mixed.append(mixed)

    async def _tell_settles_else(self, found: SettlesElse) -> None:
        self.settles_else.append(found)

    async def judge_anew(self, meter: str, freezes: Sequence[Freeze]) -> None:
        self.judged_anew.append((meter, list(freezes)))

    async def settle(self, meter: str, freezes: Sequence[Freeze]) -> None:
        self.settled.append((meter, list(freezes)))

    async def unlooked(self, meters: Sequence[str], since: datetime) -> dict[str, list[Freeze]]:
        left = {meter: [one for one in self.left.get(meter, ()) if one[1] >= since] for meter in meters}
        return {meter: freezes for meter, freezes in left.items() if freezes}

    def keep(self, meter: str, slots: Sequence[datetime]) -> None:
        self.looks.kept(meter, DAILY_FREEZE, self.looks.unlooked(meter, DAILY_FREEZE, slots))

    async def quiet(self) -> list[str]:
        """What is asked while nothing else is to be done."""
        self.looker.asked.clear()
        while self.looks.again_at <= self.clock.monotonic_s():
            await self.looks.again()
        return list(self.looker.asked)

    async def asked(self, data_class: DataClass = DAILY_FREEZE, meter: str = "m1") -> list[str]:
        self.looker.asked.clear()
        await self.looks.renew(meter, data_class)
        return list(self.looker.asked)


@pytest.mark.asyncio
async def test_once_a_day_and_the_number_once_a_week() -> None:
    """A look at each reading would halve what a line can read; without any no mix-up is seen."""
    bench, day = _Bench(), ["clock", "word"]
    assert [*day, "number"] == await bench.asked()
    assert [] == await bench.asked(MONTHLY_FREEZE)
    for passed in range(1, 15):
        bench.clock.passed = timedelta(days=passed)
        assert ([*day, "number"] if passed in {7, 14} else day) == await bench.asked()
        assert [] == await bench.asked()
    at = _NOON + timedelta(days=14)
    look = Look(meter_number=_ADDRESS, clock_ahead=timedelta(seconds=7), clock_at=at, status_word=4)
    assert {"m1": look} == bench.shown
    assert [] == bench.mixed


@pytest.mark.asyncio
async def test_the_settlement_day_is_looked_at_each_week_in_a_quiet_moment() -> None:
    """SCH-02: a meter that settles on another day than its account would be billed by the wrong register."""
    bench, settlement = _Bench(reading_day=5), []
    assert [] == await bench.asked(INSTANT, "m2")
    for passed in range(15):
        bench.clock.passed = timedelta(days=passed)
        assert "settlement" not in await bench.asked(meter="m2"), "no freeze behind it waits for that"
        settlement.append((await bench.quiet()).count("settlement"))
    assert [0, 7, 14] == [passed for passed, asked in enumerate(settlement) if asked]
    told = SettlesElse(meter="m2", shown=SettlementDay(1, 0), expected=SettlementDay(5, 0))
    assert [told] * 3 == bench.settles_else
    for settles, is_told in ((SettlementDay(5, 0), False), (SettlementDay(5, 8), True), (None, False)):
        bench.looks.forget()
        bench.settles_else.clear()
        bench.looker.settles = settles
        await bench.asked(meter="m2")
        assert ["settlement"] == await bench.quiet()
        assert is_told == bool(bench.settles_else)
        assert [] == await bench.quiet()


@pytest.mark.asyncio
async def test_on_a_line_that_is_never_quiet_the_settlement_day_comes_behind_the_next_freeze() -> None:
    """SCH-02: on a line with work day and night nobody would ever look."""
    bench = _Bench(reading_day=5)
    assert "settlement" not in await bench.asked(meter="m2")
    assert "settlement" not in await bench.asked(MONTHLY_FREEZE, "m2")
    bench.clock.passed = timedelta(days=1)
    assert [] == await bench.asked(INSTANT, "m2")
    assert ["clock", "word", "settlement"] == await bench.asked(meter="m2")
    assert [] == await bench.quiet()
    assert 1 == len(bench.settles_else)


@pytest.mark.parametrize("error", [ReplyTimeout("nothing"), LineLost("gone"), BusFull("full")])
@pytest.mark.asyncio
async def test_a_settlement_day_that_is_not_told_is_asked_for_again(error: MeterlinkError) -> None:
    """SCH-02: one lost answer would hide a wrong one for a week, or a dead line be asked for each of them."""
    bench = _Bench(reading_day=5)
    for meter in ("m1", "m2"):
        await bench.asked(meter=meter)
    bench.looker.fails = error
    asked = ["settlement"] * (2 if isinstance(error, ReplyTimeout) else 1)
    assert asked == await bench.quiet()
    assert AGAIN_S == bench.looks.again_at
    bench.looker.fails = None
    bench.looks.falls_silent("m1")
    bench.clock.passed = timedelta(seconds=AGAIN_S)
    assert ["settlement"] == await bench.quiet(), "who is silent costs no timeout more"
    bench.looks.answers("m1")
    bench.clock.passed *= 2
    assert ["settlement"] == await bench.quiet()
    assert {"m1", "m2"} == {one.meter for one in bench.settles_else}
    assert math.inf == bench.looks.again_at


@pytest.mark.asyncio
async def test_a_day_is_that_of_the_meters() -> None:
    """The look of the evening would be taken for that of the night's freeze."""
    bench = _Bench()
    bench.clock.passed = timedelta(hours=11, minutes=59)  # 23:59
    await bench.asked()
    bench.clock.passed = timedelta(hours=12, minutes=1)
    assert ["clock", "word"] == await bench.asked()


@pytest.mark.asyncio
async def test_values_of_the_moment_need_the_number_alone() -> None:
    """Their time is ours; and whose number nobody knows is not asked for it."""
    bench = _Bench()
    assert ["number"] == await bench.asked(INSTANT)
    assert [] == await bench.asked(INSTANT, "m2")
    assert ["clock", "word"] == await bench.asked(DAILY_FREEZE, "m2")


@pytest.mark.asyncio
async def test_another_meter_after_a_silence() -> None:
    """A meter that was exchanged overnight would be billed to its neighbour for a week, and nobody told."""
    bench = _Bench()
    await bench.asked()
    bench.looker.number = "000000000162"
    bench.looks.was_silent("m1")
    assert [] == await bench.asked(), "of one that is silent again and again it is not read each time"
    bench.clock.passed = timedelta(seconds=AGAIN_S)
    assert [] == await bench.asked(), "it was not silent"
    bench.looks.was_silent("m1")
    assert ["number"] == await bench.asked()
    assert "000000000162" == bench.shown["m1"].meter_number
    assert [Mixed(meter="m1", shown="000000000162", expected=_ADDRESS)] == bench.mixed
    bench.looks.forget()
    assert {} == bench.shown


@pytest.mark.asyncio
async def test_when_the_clock_is_set_back() -> None:
    """A number read in a year that never was would not be read again for that year."""
    bench = _Bench()
    bench.clock.passed = timedelta(days=400)
    await bench.asked()
    bench.clock.passed = timedelta()
    assert ["clock", "word", "number"] == await bench.asked()


@pytest.mark.parametrize("error", [ReplyTimeout("silent"), LineLost("gone"), BusFull("full")])
@pytest.mark.asyncio
async def test_a_look_that_fails_costs_no_reading(error: MeterlinkError) -> None:
    """The reading is there already; and a meter that fails to tell is not asked at each of its readings."""
    bench = _Bench()
    bench.looker.fails = error
    await bench.looks.renew("m1", DAILY_FREEZE)
    assert {} == bench.shown
    bench.looker.fails = None
    assert [] == await bench.asked()
    bench.clock.passed = timedelta(seconds=AGAIN_S)
    assert ["clock", "word", "number"] == await bench.asked()


@pytest.mark.parametrize("silent", ["clock", "word", "number", "settlement"])
@pytest.mark.asyncio
async def test_a_look_that_is_never_answered_costs_no_other(silent: str) -> None:
    """VEE-13, VEE-18: a meter that never tells its state or number would never be marked for its clock."""
    bench, since, once = _Bench(), timedelta(), ["number"]
    if silent == "settlement":  # which nothing has let it tell for a day
        bench, since, once = _Bench(reading_day=1), timedelta(days=1), ["settlement"]
        await bench.asked()
        bench.clock.passed = since
    bench.looker.fails, bench.looker.fails_at = ReplyTimeout("silent"), silent
    assert ["clock", "word", *once, silent] == await bench.asked()
    look = bench.shown["m1"]
    shown = {"clock": look.clock_ahead, "word": look.status_word, "number": look.meter_number}
    assert {silent} - {"settlement"} == {kind for kind, found in shown.items() if found is None}
    assert [] == await bench.asked(), "nobody asks again at each of its readings"
    bench.clock.passed = since + timedelta(days=1)
    assert {"clock", "word", silent} == set(await bench.asked())
    bench.looker.fails = None
    bench.clock.passed += timedelta(seconds=AGAIN_S)
    assert [silent] == await bench.asked()


@pytest.mark.parametrize("silent", ["clock", "word", "number"])
@pytest.mark.asyncio
async def test_one_lost_answer_leaves_nothing_unseen(silent: str) -> None:
    """A freeze is kept right behind its look: what is not there then is not in its marks."""
    bench = _Bench()
    bench.looker.fails, bench.looker.fails_at, bench.looker.fails_times = ReplyTimeout("lost"), silent, 1
    assert ["clock", "word", "number", silent] == await bench.asked()
    look = Look(meter_number=_ADDRESS, clock_ahead=timedelta(seconds=7), clock_at=_NOON, status_word=4)
    assert {"m1": look} == bench.shown


@pytest.mark.parametrize("silent", ["clock", "word"])
@pytest.mark.asyncio
async def test_a_freeze_that_was_kept_unseen_is_judged_once_its_meter_was_looked_at(silent: str) -> None:
    """VEE-13, VEE-18: no freeze of that day comes any more behind which to look: it stayed unmarked."""
    bench, freeze = _Bench(), (DAILY_FREEZE, _NOON - timedelta(hours=12))
    bench.looker.fails, bench.looker.fails_at, bench.looker.fails_times = ReplyTimeout("lost"), silent, 2
    assert {"clock", "word", "number"} == set(await bench.asked())
    assert math.inf == bench.looks.again_at
    bench.keep("m1", [freeze[1], _NOON - timedelta(days=2)])
    assert AGAIN_S == bench.looks.again_at
    await bench.looks.again()
    assert [] == await bench.asked(INSTANT)
    bench.clock.passed = timedelta(seconds=AGAIN_S)
    bench.looker.asked.clear()
    await bench.looks.again()
    assert [silent] == bench.looker.asked
    assert [("m1", [freeze])] == bench.judged_anew == bench.settled
    assert math.inf == bench.looks.again_at
    bench.keep("m1", [freeze[1]])
    assert math.inf == bench.looks.again_at, "nothing is missing"


@pytest.mark.asyncio
async def test_a_meter_whose_freezes_are_reported_alone_is_looked_at() -> None:
    """VEE-13, VEE-18: no plan reads such freezes, so nobody came to look, and they stayed unmarked."""
    bench, freeze = _Bench(), _FREEZE
    bench.reported.note("m1", freeze)
    bench.reported.note("of another line", freeze)
    assert ["clock", "word", "number"] == await bench.quiet()
    assert [("m1", [freeze])] == bench.judged_anew == bench.settled
    bench.reported.note("m1", (MONTHLY_FREEZE, freeze[1]))
    bench.reported.note("m2", (DAILY_FREEZE, _NOON - timedelta(hours=25)))
    assert [] == await bench.quiet(), "one was judged as it was kept, and of the other nobody knows any more"
    assert {"of another line": {freeze}} == bench.reported.take(["of another line"])


@pytest.mark.asyncio
async def test_a_reported_freeze_whose_meter_is_silent_is_looked_at_a_few_times() -> None:
    """A meter that never tells its clock would be asked for ever, or not again within the day."""
    bench, freeze = _Bench(numbered=()), _FREEZE
    bench.looker.fails, bench.looker.fails_at = ReplyTimeout("nothing"), "clock"
    asked = []
    bench.reported.note("m1", freeze)
    for hour in range(10):
        bench.clock.passed = timedelta(seconds=hour * AGAIN_S)
        asked.append(await bench.quiet())
    assert LOOKS_MAX == sum(bool(one) for one in asked)
    assert ([("m1", [freeze])], []) == (bench.judged_anew, bench.settled)


def test_reported_freezes_that_nobody_takes_do_not_pile_up() -> None:
    """A terminal whose line nobody reads would fill the memory of the gateway."""
    reported, slots = Reported(), [_NOON + timedelta(days=n) for n in range(FREEZES_MAX + 3)]
    for slot in slots:
        reported.note("m1", (DAILY_FREEZE, slot))
    for number in range(METERS_MAX + 1):
        reported.note(f"x{number}", (DAILY_FREEZE, _NOON))
    assert {(DAILY_FREEZE, slot) for slot in slots[3:]} == reported.take(["m1"])["m1"]
    assert reported.is_for([f"x{METERS_MAX - 2}"])
    assert not reported.is_for([f"x{METERS_MAX - 1}"])


@pytest.mark.parametrize("silent", ["", "clock", "word"])
@pytest.mark.asyncio
async def test_a_freeze_that_an_earlier_start_kept_unseen_is_judged_too(silent: str) -> None:
    """VEE-13, VEE-18: a daemon that is killed within the hour would leave it without its mark for good."""
    bench = _Bench()
    freeze: Freeze = (DAILY_FREEZE, _NOON - timedelta(hours=12))
    bench.left = {"m1": [freeze, (DAILY_FREEZE, _NOON - timedelta(days=2))], "m2": []}
    await bench.looks.recall()
    if silent:
        bench.looker.fails, bench.looker.fails_at = ReplyTimeout("lost"), silent
    both = ["clock", "word", *([silent] if silent else [])]
    assert both == [one for one in await bench.quiet() if one != "number"]
    assert [("m1", [freeze])] == bench.judged_anew
    assert ([] if silent else bench.judged_anew) == bench.settled
    bench.looker.fails = None
    bench.clock.passed = timedelta(seconds=AGAIN_S)
    assert ([silent] if silent else []) == await bench.quiet()
    assert [("m1", [freeze])] == bench.settled


@pytest.mark.asyncio
async def test_what_a_meter_never_tells_is_given_up_for_the_day() -> None:
    """A timeout an hour of each such meter would take a line's time for nothing."""
    bench = _Bench()
    bench.looker.fails, bench.looker.fails_at = ReplyTimeout("silent"), "word"
    await bench.asked()
    bench.keep("m1", [_NOON])
    asked = 0
    for hour in range(1, 12):
        bench.clock.passed = timedelta(seconds=hour * AGAIN_S)
        bench.looker.asked.clear()
        await bench.looks.again()
        asked += len(bench.looker.asked)
    assert asked == LOOKS_MAX
    assert math.inf == bench.looks.again_at
    assert [] == bench.judged_anew
    bench.keep("m2", [bench.clock.utc_now()])
    bench.clock.passed += timedelta(days=2)
    await bench.looks.again()
    assert math.inf == bench.looks.again_at, "the day of that freeze is over"


@pytest.mark.asyncio
async def test_a_meter_that_falls_silent_is_not_looked_at_twice() -> None:
    """Each look costs the line a timeout; a meter that tells nothing would take twice as many."""
    bench = _Bench()
    bench.looker.fails = ReplyTimeout("silent")
    assert ["clock", "word", "number"] == await bench.asked()
    bench.looker.fails = LineLost("gone")
    bench.clock.passed = timedelta(seconds=AGAIN_S)
    assert ["clock"] == await bench.asked(), "what the line does not carry is not asked"


# --- what meters tell --------------------------------------------------------------------------------


def _looked(meter: Meter | Meter698, protocol: MeterProtocol, start: datetime = _NOON) -> Look:
    """What a simulated meter tells."""

    async def look(looker: Looker) -> Look:
        return Look(
            meter_number=await looker.meter_number(_ADDRESS, Priority.BILLING),
            clock_ahead=await looker.clock_ahead(_ADDRESS, Priority.BILLING),
            status_word=await looker.status_word(_ADDRESS, Priority.BILLING),
        )

    return _told(meter, protocol, start, look)


def _settles_on(meter: Meter | Meter698, protocol: MeterProtocol) -> SettlementDay | None:
    return _told(meter, protocol, _NOON, lambda looker: looker.settles_on(_ADDRESS, Priority.CURVE))


def _told(
    meter: Meter | Meter698,
    protocol: MeterProtocol,
    start: datetime,
    look: Callable[[Looker], Awaitable[_T]],
) -> _T:
    """What somebody finds who looks at a simulated meter."""
    simulation = Simulation(start=start)

    async def program() -> _T:
        near, far = memory_line()

        async def opener() -> ByteStream:
            return near

        meters = MeterLine(
            [Station(meter=meter, reply_delay_ms=100)], clock=simulation.clock, record=lambda _: None
        )
        line = Line("line1", opener=opener, timing=Timing(), rng=random.Random(1))
        driver = driver_for(generic(protocol), simulation.clock, random_octets=random.Random(1).randbytes)
        looker = Looker(driver=driver, line=line, clock=simulation.clock, zone=CHINA_TIME)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(line.run()), group.create_task(meters.serve(Duplex(far)))]
            found = await look(looker)
            for task in tasks:
                task.cancel()
        return found

    return simulation.run(program())


def _meter(protocol: MeterProtocol, ahead: timedelta = timedelta()) -> Meter | Meter698:
    if protocol == "dlt698.45":
        return Meter698(_ADDRESS, seed=1, clock_ahead=ahead)
    assert protocol in EDITIONS, "the others have no clock"
    return Meter(_ADDRESS, seed=1, clock_ahead=ahead, protocol=protocol)


@pytest.mark.parametrize("ahead_s", [0, 301, -86_401])
@pytest.mark.parametrize("protocol", ["dlt645-2007", "dlt645-1997", "dlt698.45"])
def test_every_protocol_tells(protocol: MeterProtocol, ahead_s: int) -> None:
    """Meters of one protocol would never be marked."""
    look = _looked(_meter(protocol, timedelta(seconds=ahead_s)), protocol)
    assert _ADDRESS == look.meter_number
    assert look.clock_ahead is not None
    assert abs(look.clock_ahead.total_seconds() - ahead_s) < 1
    assert (None if protocol == "dlt645-1997" else 0) == look.status_word


@pytest.mark.parametrize("protocol", ["dlt645-2007", "dlt698.45"])
def test_an_empty_battery_is_bit_2(protocol: MeterProtocol) -> None:
    """A word read from its other end would call every second meter broken."""
    meter = _meter(protocol)
    begin(Happening(what="clock_battery_low", at=_NOON), meter.works, _NOON)
    assert 1 << 2 == _looked(meter, protocol).status_word


@pytest.mark.parametrize("milliseconds", range(-400, 100, 50))
def test_date_and_time_on_two_sides_of_midnight(milliseconds: int) -> None:
    """A sound clock would be a day behind, and its freezes rejected."""
    midnight = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
    look = _looked(_meter("dlt645-2007"), "dlt645-2007", midnight + timedelta(milliseconds=milliseconds))
    assert look.clock_ahead is not None
    assert abs(look.clock_ahead.total_seconds()) < 1


class _Mute(Meter):
    """A meter that refuses what is not measured, or answers it with EEH."""

    def __init__(self, fill: int | None) -> None:
        super().__init__(_ADDRESS, seed=1)
        self._fill = fill

    def answer(self, frame: Frame, at: datetime) -> Answer | None:
        said = super().answer(frame, at)
        assert said is not None
        if self._fill is None:
            return said._replace(frame=said.frame._replace(data=b"\x02", abnormal=True))
        data = said.frame.data[:4] + bytes([self._fill]) * len(said.frame.data[4:])
        return said._replace(frame=said.frame._replace(data=data))


@pytest.mark.parametrize("protocol", ["dlt645-2007", "dlt645-1997", "dlt698.45"])
def test_each_protocol_tells_when_it_settles(protocol: MeterProtocol) -> None:
    """SCH-02: meters of one protocol would all be taken for right, or all for wrong."""
    assert SettlementDay(1, 0) == _settles_on(_meter(protocol), protocol)


@pytest.mark.parametrize("fill", [None, 0xEE, 0xFF, 0x99, 0x66])
def test_what_a_meter_does_not_tell_of_its_settlement_is_no_mismatch(fill: int | None) -> None:
    """SCH-02: a day that is not in use, 9999, would raise an alarm each week."""
    assert _settles_on(_Mute(fill), "dlt645-2007") is None


@pytest.mark.parametrize("fill", [None, 0xEE, 0xFF])
def test_what_a_meter_does_not_tell_is_not_known(fill: int | None) -> None:
    """A refusal would be a wrong number, and digits that are none a clock of another century."""
    look = _looked(_Mute(fill), "dlt645-2007")
    assert NOT_LOOKED == look
