"""Some nights through the whole daemon: the marks are what happened to the meters, no more.

What the meters showed on the nights before is in the journal already, as if the daemon had read it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest

from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.daemon.control_socket import owners
from meterlink.journal.journal import Journal
from meterlink.model.data_classes import DAILY_FREEZE, INSTANT
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.model.reading import Reading, Record
from meterlink.model.slot import LOOK_OF_DAY, lacking
from meterlink.orders.attention.alarms import Alarms
from meterlink.orders.people import Actor, Role
from metersim import FaultRule, Meter, Station
from metersim.dlt645.meter import Answer
from metersim.dlt698 import Meter698
from metersim.plant.effects import begin, end, lasts, strike
from metersim.plant.happenings import Happening
from metersim.works.moments import PLANT_TIME
from meterwire.dlt645.link.frame import Frame
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.sessions.report import ReportSession
from tests.support.agreement import repeated_keys
from tests.support.reports import freezes, told
from tests.support.simulated import START, Duplex, SimulatedGateway

_T = TypeVar("_T")
_ME = min(owners())
_ONCE = {"tries": 1, "timeout_s": 9, "count": 0, "since": ""}
_DAY = timedelta(days=1)
_NIGHT = datetime(2026, 11, 22, tzinfo=PLANT_TIME)
"""The newest midnight at the start, which is 11:00."""
_TOTAL = "forward_active_energy"
_ITEMS = (_TOTAL, *(f"{_TOTAL}.t{number}" for number in range(1, 5)))
_HOUSEHOLD_KW = Decimal("0.35")
_NIGHTS_BEFORE = 9
_FREEZE_DI = 0x05060101
_OTHER_NUMBER = "000000000099"


class _Odd(Meter):
    """A meter that fills its freeze with one octet on some days, shows another total, or is away.

    Args:
        address: of it.
        filling: octets by day.
        too_much: hundredths of a kWh by which its total is false.

    """

    def __init__(self, address: str, filling: Mapping[int, int], too_much: int = 0) -> None:
        super().__init__(address, seed=7, growth_kw=_HOUSEHOLD_KW)
        self._filling = filling
        self._too_much = too_much
        self.is_away = False

    def answer(self, frame: Frame, at: datetime) -> Answer | None:
        said = None if self.is_away else super().answer(frame, at)
        if said is None or said.di != _FREEZE_DI:
            return said
        head, values = said.frame.data[:4], said.frame.data[4:]
        octet = self._filling.get((at - _NIGHT) // _DAY)
        if octet is not None:
            values = bytes([octet]) * len(values)
        elif self._too_much:
            total = int(values[3::-1].hex()) + self._too_much
            values = bytes.fromhex(f"{total:08d}")[::-1] + values[4:]
        return said._replace(frame=said.frame._replace(data=head + values), values={})


class _Nights:
    """Meters, what happens to them, and what the journal has of it.

    Args:
        folder: for the journal.
        meters: by number.
        plans: as in the configuration; by default freezes.
        numbers: of the roster, by number; each has its address otherwise.

    """

    def __init__(
        self,
        folder: Path,
        meters: Sequence[Meter | Meter698],
        plans: Sequence[Mapping[str, object]] = ({"class": DAILY_FREEZE, "every_s": 3_600},),
        numbers: Mapping[int, str] | None = None,
    ) -> None:
        self.meters = meters
        self._due: list[tuple[timedelta, Happening, Meter | Meter698, bool]] = []
        expected = {meters[number].address: is_ for number, is_ in (numbers or {}).items()}
        self.gateway = SimulatedGateway(
            folder,
            [Station(meter=meter) for meter in meters],
            plans=plans,
            protocols={one.address: "dlt698.45" for one in meters if isinstance(one, Meter698)},
            meter_keys={
                one.address: {"meter_number": expected.get(one.address, one.address)} for one in meters
            },
        )

    def happens(self, number: int, day: float, what: str, *, days: float | None = None, **more: Any) -> None:
        """Let something happen to a meter so many days after the midnight before the start."""
        at = _NIGHT + day * _DAY
        happening = Happening(what=what, at=at, **more)
        assert (days is not None) == lasts(happening)
        self._due.append((at - START, happening, self.meters[number], False))
        if days is not None:
            self._due.append((at - START + days * _DAY, happening, self.meters[number], True))

    def read_before(self, numbers: Sequence[int]) -> None:
        """Put what some meters froze on the nights before into the journal."""

        async def keep() -> None:
            clock = self.gateway.clock
            async with Journal.open(self.gateway.folder / JOURNAL_FILE, clock=clock) as journal:
                for number in numbers:
                    for night in range(-_NIGHTS_BEFORE, 0):
                        await journal.keep(self._freeze(self.meters[number], _NIGHT + night * _DAY))

        asyncio.run(keep())

    def report_before(self, number: int) -> None:
        """Put what a meter froze at the newest midnight into the journal, as a terminal's report does."""

        async def keep() -> None:
            clock = self.gateway.clock
            async with Journal.open(self.gateway.folder / JOURNAL_FILE, clock=clock) as journal:
                record = self._freeze(self.meters[number], _NIGHT)
                assert await journal.keep_report([record], key="night", repeat_s=600.0)

        asyncio.run(keep())

    def _freeze(self, meter: Meter | Meter698, slot: datetime) -> Record:
        readings = tuple(
            Reading(
                meter=f"m{meter.address}",
                item=item,
                value=meter.value(item, slot),
                unit="kWh",
                slot=slot,
                taken_at=slot + timedelta(minutes=10),
            )
            for item in _ITEMS
        )
        return Record(meter=f"m{meter.address}", data_class=DAILY_FREEZE, readings=readings)

    def noted(self) -> list[str]:
        """What kept slots lack."""
        with closing(sqlite3.connect(self.gateway.folder / JOURNAL_FILE)) as db:
            found = db.execute("SELECT note FROM slot WHERE state = 1 AND note IS NOT NULL").fetchall()
        return [item for (note,) in found for item in sorted(lacking(note))]

    def run(self, nights: float) -> None:
        """Run until some hours behind the so many-th midnight."""
        self.gateway.run(
            seconds=((nights + 0.1) * _DAY - (START - _NIGHT)).total_seconds(), meanwhile=self._carry_out
        )
        self.gateway.check_database()
        assert [] == repeated_keys(self.kept()), "nothing comes late here"

    async def _carry_out(self) -> None:
        now = timedelta()
        for after, happening, meter, is_end in sorted(self._due, key=lambda one: one[0]):
            await asyncio.sleep((after - now).total_seconds())
            now = after
            if is_end:
                end(happening, (), meter.works, START + now)
            elif lasts(happening):
                begin(happening, meter.works, START + now)
            else:
                strike(happening, meter.works, START + now)

    def kept(self) -> list[Reading]:
        """All readings, in the order of keeping."""
        return [reading for row in self.gateway.rows() for reading in row.readings]

    def marks(self, number: int, item: str = _TOTAL) -> dict[int, Marks]:
        """The marks of a meter's nights since the start, where there are any; those that hold."""
        found = {
            (one.slot - _NIGHT) // _DAY: one.marks
            for one in self.kept()
            if (one.meter, one.item) == (f"m{self.meters[number].address}", item) and one.slot >= _NIGHT
        }
        assert set(range(max(found) + 1)) == set(found), "every night was kept"
        return {night: marks for night, marks in found.items() if marks}

    def alarms(self) -> list[str]:
        """The ids of the alarms that were raised."""
        return [alarm.id for alarm in self._of_alarms(lambda alarms: alarms.list(limit=10))]

    def counts(self) -> list[int]:
        """How often each of them was raised."""
        return [alarm.count for alarm in self._of_alarms(lambda alarms: alarms.list(limit=10))]

    def close(self, alarm_id: str) -> None:
        """A person says that the cause of an alarm is gone."""
        person = Actor(name="li", roles=frozenset({Role.INSPECTOR}))
        told = {"cause": "exchanged back", "owner": "li", "prevention": "none"}
        self._of_alarms(lambda alarms: alarms.close(alarm_id, person, **told))

    def _of_alarms(self, ask: Callable[[Alarms], Awaitable[_T]]) -> _T:
        async def told() -> _T:
            clock = self.gateway.clock
            path = self.gateway.folder / JOURNAL_FILE
            async with Journal.open(path, clock=clock, is_start=False) as journal:
                return await ask(Alarms(journal.acts, clock, zone=PLANT_TIME))

        return asyncio.run(told())


def _household(number: int) -> Meter:
    return Meter(f"{number:012d}", seed=7, growth_kw=_HOUSEHOLD_KW)


def _household698(number: int) -> Meter698:
    return Meter698(f"{number:012d}", seed=7, growth_kw=_HOUSEHOLD_KW)


def test_f17_clocks_that_jump_and_drift(tmp_path: Path) -> None:
    """A freeze of a false midnight goes to the bill, or a sound one waits for a person."""
    meters = [_household698(n) if n == 2 else _household(n) for n in range(6)]
    plant = _Nights(tmp_path, meters)
    minutes = {1: 10, 2: -10, 3: 60, 4: 4}  # the third is somebody's summer time
    for number, ahead in minutes.items():
        plant.happens(number, 0.6, "clock_jump", by=timedelta(minutes=ahead))
        plant.happens(number, 1.6, "clock_jump", by=timedelta(minutes=-ahead))
    plant.happens(5, 0.5, "clock_drift", s_per_day=Decimal(250))
    plant.run(nights=2)
    off = {1: Marks.CLOCK_DEV}
    assert [{}, off, off, off, {}, {2: Marks.CLOCK_DEV}] == [plant.marks(n) for n in range(6)]


@pytest.mark.parametrize("silent", ["meter_status_word_1", "meter_number"])
def test_a_clock_that_is_off_is_marked_whatever_else_is_not_answered(tmp_path: Path, silent: str) -> None:
    """VEE-13: a meter that never tells its state would be billed by freezes of a false hour."""
    plant = _Nights(tmp_path, [_household(0)])
    plant.gateway.strikes.rules.add(FaultRule(what="silence", item=silent), at=START)
    plant.happens(0, 0.6, "clock_jump", by=timedelta(minutes=-20))
    plant.run(nights=2)
    [struck] = [one.struck for one in plant.gateway.strikes.rules.reports()]
    assert struck > 0
    assert {1: Marks.CLOCK_DEV, 2: Marks.CLOCK_DEV} == plant.marks(0)


@pytest.mark.parametrize("number", [0, 1])
def test_a_freeze_that_was_kept_before_its_clock_was_told_is_marked_after_all(
    tmp_path: Path, number: int
) -> None:
    """VEE-13: the freeze of a night in which the meter's answers were lost would go to the bill as sound."""
    meters: list[Meter | Meter698] = [_household(0), _household698(1)]
    plant = _Nights(tmp_path, meters)
    for item in ("meter_date", "meter_clock"):
        midnight = _NIGHT + _DAY - START
        between = (midnight, midnight + timedelta(minutes=90))  # the meter takes it at 00:20
        rule = FaultRule(what="silence", meter=meters[number].address, item=item, between=between)
        plant.gateway.strikes.rules.add(rule, at=START)
    plant.happens(number, 0.6, "clock_jump", by=timedelta(minutes=-20))
    plant.happens(number, 1.6, "clock_jump", by=timedelta(minutes=20))
    plant.gateway.run(seconds=(1.1 * _DAY - (START - _NIGHT)).total_seconds(), meanwhile=plant._carry_out)
    assert sum(one.struck for one in plant.gateway.strikes.rules.reports()) > 0
    assert {1: Marks.CLOCK_DEV | Marks.RESTATED} == plant.marks(number)
    kept = [one.marks for one in plant.kept() if one.meter.endswith(f"{number}") and one.slot > _NIGHT]
    assert [NO_MARKS] * len(_ITEMS) == kept[: len(_ITEMS)], "kept at once, and marked an hour later"
    assert [Marks.CLOCK_DEV | Marks.RESTATED] * len(_ITEMS) == kept[len(_ITEMS) :]
    [stored] = {
        fields["marks"]
        for (measurement, tags, at), fields in plant.gateway.sink.points.items()
        if (measurement, at) == (DAILY_FREEZE, int((_NIGHT + _DAY).timestamp()))
        and f"m{meters[number].address}" in str(tags)
    }
    assert int(Marks.CLOCK_DEV | Marks.RESTATED) == stored


@pytest.mark.parametrize("number", [0, 1])
def test_a_freeze_of_a_daemon_that_was_killed_before_its_clock_was_told_is_marked_after_all(
    tmp_path: Path, number: int
) -> None:
    """VEE-13: whatever was to be looked at yet would be forgotten, and the freeze go to the bill as sound."""
    meters: list[Meter | Meter698] = [_household(0), _household698(1)]
    plant = _Nights(tmp_path, meters)
    midnight = _NIGHT + _DAY - START
    for item in ("meter_date", "meter_clock"):
        between = (midnight, midnight + timedelta(minutes=90))
        rule = FaultRule(what="silence", meter=meters[number].address, item=item, between=between)
        plant.gateway.strikes.rules.add(rule, at=START)
    plant.happens(number, 0.6, "clock_jump", by=timedelta(minutes=-20))
    killed_s = (midnight + timedelta(minutes=70)).total_seconds()
    plant.gateway.run(seconds=killed_s, meanwhile=plant._carry_out, kill=True)
    assert {} == plant.marks(number)
    assert [LOOK_OF_DAY] == plant.noted()
    for seconds in (600, 5_400):
        plant.gateway.run(seconds=seconds, kill=True)
    assert {1: Marks.CLOCK_DEV | Marks.RESTATED} == plant.marks(number)
    assert [] == plant.noted()


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("is_told_late", [False, True])
def test_a_freeze_that_was_reported_is_marked_by_the_looks_of_its_plan(
    tmp_path: Path, number: int, *, is_told_late: bool
) -> None:
    """VEE-13: a terminal reports a night before anybody looks, and it would go to the bill as sound."""
    meters: list[Meter | Meter698] = [_household(0), _household698(1)]
    plant = _Nights(tmp_path, meters)
    plant.report_before(number)
    if is_told_late:  # the plan's own looks are not answered, and the daemon is killed
        for item in ("meter_date", "meter_clock"):
            rule = FaultRule(
                what="silence",
                meter=meters[number].address,
                item=item,
                between=(timedelta(), timedelta(minutes=50)),
            )
            plant.gateway.strikes.rules.add(rule, at=START)
    off = Happening(what="clock_jump", at=START, by=timedelta(minutes=-20))
    strike(off, meters[number].works, START)
    plant.gateway.run(seconds=1_200, kill=True)
    if is_told_late:
        assert {} == plant.marks(number)
        assert [LOOK_OF_DAY] == plant.noted()
        plant.gateway.run(seconds=5_400, kill=True)
    assert {0: Marks.CLOCK_DEV | Marks.RESTATED} == plant.marks(number)
    assert {} == plant.marks(1 - number)
    told = [one for one in plant.kept() if one.meter.endswith(f"{number}") and one.item == _TOTAL]
    assert 2 == len(told), "as it was reported, and with its mark: it is not read a third time"
    assert [] == plant.noted()


def test_a_freeze_that_comes_by_a_report_alone_is_marked(tmp_path: Path) -> None:
    """VEE-13: where no plan reads freezes nobody would look at the meter, and the bill take it as sound."""
    meter = _household698(0)
    plant = _Nights(tmp_path, [meter], plans=[{"class": INSTANT, "items": ["frequency"], "every_s": 3_600}])
    frozen: dict[str, Decimal | str | None] = {
        "freeze_number": Decimal(7),
        "frozen_at": f"{_NIGHT:%Y-%m-%d %H:%M:%S}",
        _TOTAL: Decimal("12.34"),
    }
    notification = told(freezes(frozen, items=[_TOTAL]))

    async def speaks(duplex: Duplex) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(plant.gateway.serve_stations(duplex))
            await asyncio.sleep(60)
            session = ReportSession(notification, server=ServerAddress(meter.address))
            await duplex.send(session.octets_to_send())

    plant.gateway.serve = speaks
    strike(Happening(what="clock_jump", at=START, by=timedelta(minutes=-20)), meter.works, START)
    plant.gateway.run(seconds=900)
    assert {0: Marks.CLOCK_DEV | Marks.RESTATED} == plant.marks(0)


def test_a_reported_freeze_of_another_meter_is_marked(tmp_path: Path) -> None:
    """VEE-10: what a terminal reports of a meter that hangs in another's place would go to its customer."""
    plant = _Nights(tmp_path, [_household(0), _household(1)], numbers={0: _OTHER_NUMBER})
    plant.report_before(0)
    plant.gateway.run(seconds=1_200)
    assert {0: Marks.METER_MIXED | Marks.RESTATED} == plant.marks(0)
    assert {} == plant.marks(1)


def test_f18_registers_that_roll_over_are_reset_or_exchanged(tmp_path: Path) -> None:
    """A roll-over taken for a fault stops a bill; a reset or another meter unseen makes a false one."""
    meters = [_household698(n) if n == 1 else _household(n) for n in range(7)]
    plant = _Nights(tmp_path, meters, numbers={6: _OTHER_NUMBER})
    plant.read_before(range(2, 7))
    for number in (0, 1):
        plant.happens(number, 0.6, "register_rollover", left_kwh=Decimal(7))
    plant.happens(2, 0.5, "registers_reset")
    plant.happens(3, 0.5, "registers_backward", days=0.5, rate=Decimal(3))
    plant.happens(4, 0.5, "registers_runaway", days=0.5, rate=Decimal(10))
    plant.happens(5, 0.5, "clock_battery_low", days=1)
    plant.run(nights=2)
    rolled, back = {2: Marks.ROLL_OVER}, {1: Marks.REG_BACK}
    told = {1: Marks.SUDDEN_CHANGE}
    fault, mixed = {1: Marks.METER_FAULT}, dict.fromkeys(range(3), Marks.METER_MIXED)
    assert [rolled, rolled, back, back, told, fault, mixed] == [plant.marks(n) for n in range(7)]
    low = [f"FRZ_LOW:-:2026-11-{day}" for day in (21, 22)]
    assert [*low, "METER_MIXED:m000000000006:2026-11-22"] == plant.alarms(), "what is suspect is not valid"


def test_a_mixed_meter_is_one_alarm_however_often_the_daemon_starts(tmp_path: Path) -> None:
    """Each restart would count the same mix-up once more, and a fleet that restarts would look like theft."""
    plans = [{"class": INSTANT, "every_s": 3_600, "items": [_TOTAL]}]
    plant = _Nights(tmp_path, [_household(0)], plans=plans, numbers={0: _OTHER_NUMBER})
    for _ in range(3):
        plant.gateway.run(seconds=3_700)
    plant.gateway.run(seconds=2 * 86_400)  # and no more on a later day
    plant.gateway.run(seconds=3_700)
    first = "METER_MIXED:m000000000000:2026-11-22"
    assert ([first], [1]) == (plant.alarms(), plant.counts())
    plant.close(first)
    plant.gateway.run(seconds=3_700)
    again = "METER_MIXED:m000000000000:2026-11-24"
    assert ([again], [1]) == (plant.alarms(), plant.counts()), "closed, and still another meter"
    plant.gateway.run(seconds=8 * 86_400)
    assert [again, "METER_MIXED:m000000000000:2026-12-01"] == plant.alarms(), "a week passed, and it still is"
    assert [1, 1] == plant.counts()


def test_f21_values_that_are_none_and_sums_that_are_false(tmp_path: Path) -> None:
    """What is no number must not be billed as one, and the next night must not suffer from it."""
    meters = [_Odd("000000000000", {1: 0xFF, 2: 0xEE}), _Odd("000000000001", {}, too_much=7)]
    plant = _Nights(tmp_path, meters)
    plant.run(nights=3)
    for item in _ITEMS:
        assert {1: Marks.ABSENT, 2: Marks.INVALID_DIGITS} == plant.marks(0, item)
        assert dict.fromkeys(range(4), Marks.TARIFF_SUM) == plant.marks(1, item)


def test_a_meter_that_was_exchanged_while_it_was_away(tmp_path: Path) -> None:
    """Its readings would be its neighbour's for a week, and nobody would be told."""
    meter, name = _Odd("000000000000", {}), "m000000000000"
    plant = _Nights(tmp_path, [meter], plans=[{"class": INSTANT, "every_s": 900, "items": [_TOTAL]}])
    told: list[Mapping[str, Any]] = []

    async def exchanged() -> None:
        await asyncio.sleep(7_000)
        meter.is_away = True
        exchange = Happening(what="meter_exchange", at=START, meter_number=_OTHER_NUMBER)
        strike(exchange, meter.works, START)
        await asyncio.sleep(1_800)
        meter.is_away = False
        await asyncio.sleep(300)
        ask = plant.gateway.ask
        slot = (START + timedelta(seconds=9_000)).isoformat()
        told.append(await ask(_ME, "collection.why", meter=name, slot=slot))
        read = await ask(_ME, "read.begin", meter=name, items=[_TOTAL, "voltage.a"], **_ONCE)
        told.append(await ask(_ME, "read.follow", id=read["id"], wait_s=9))

    plant.gateway.run(seconds=10_000, meanwhile=exchanged)
    found = [reading.marks for row in plant.gateway.rows() for reading in row.readings]
    assert [NO_MARKS] * 8 == found[:8]
    assert [Marks.METER_MIXED | Marks.REG_BACK, Marks.METER_MIXED] == found[8:]
    assert ["METER_MIXED:m000000000000:2026-11-22"] == plant.alarms()
    why, read = told
    assert ["reg_back", "meter_mixed"] == why["found"][0]["marks"]
    assert "the meter that answers has another number than in the roster" in why["found"][0]["en"]
    assert "应答电能表表号与档案不符" in why["found"][0]["zh"]
    assert [["meter_mixed"]] * 2 == [item["values"][0]["marks"] for item in read["items"]]


def test_a_reset_that_backfill_finds_is_on_its_own_day(tmp_path: Path) -> None:
    """The gateway was off for a night: a reset would stay on the wrong one, in the database too."""
    meter = _household(0)
    plant = _Nights(tmp_path, [meter])
    plant.gateway.run(seconds=60)
    now = START + timedelta(seconds=60)
    strike(Happening(what="registers_reset", at=now), meter.works, now)
    plant.gateway.sim.run(asyncio.sleep(1.6 * _DAY.total_seconds()))
    plant.gateway.run(seconds=600)
    first = {one.slot: one.marks for one in reversed(plant.kept()) if one.item == _TOTAL}
    assert {0: NO_MARKS, 2: Marks.REG_BACK} == {
        (slot - _NIGHT) // _DAY: marks for slot, marks in first.items() if not marks & Marks.BACKFILL
    }
    assert {1: Marks.REG_BACK | Marks.BACKFILL, 2: Marks.RESTATED} == plant.marks(0)
    [stored] = [
        fields["marks"]
        for (measurement, _, at), fields in plant.gateway.sink.points.items()
        if (measurement, at) == (DAILY_FREEZE, int((_NIGHT + 2 * _DAY).timestamp()))
    ]
    assert int(Marks.RESTATED) == stored
