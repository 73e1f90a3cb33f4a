"""A month of freezes through the whole daemon: the marks are what happened to the meters, no more."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.model.reading import Reading
from metersim import Meter, Station
from metersim.dlt645.meter import Answer
from metersim.dlt698 import Meter698
from metersim.plant.effects import begin, end, lasts, strike
from metersim.plant.happenings import Happening
from metersim.works.moments import PLANT_TIME
from meterwire.dlt645.link.frame import Frame
from tests.support.agreement import repeated_keys
from tests.support.simulated import START, SimulatedGateway

_DAY = timedelta(days=1)
_NIGHT = datetime(2026, 11, 22, tzinfo=PLANT_TIME)
"""The newest midnight at the start, which is 11:00."""
_TOTAL = "forward_active_energy"
_ITEMS = (_TOTAL, *(f"{_TOTAL}.t{number}" for number in range(1, 5)))
_HOUSEHOLD_KW = Decimal("0.35")
_NIGHTS = 30
_FREEZE_DI = 0x05060101


class _Filled(Meter):
    """A meter that fills its freeze with one octet on some days."""

    def __init__(self, address: str, filling: Mapping[int, int]) -> None:
        super().__init__(address, seed=7, growth_kw=_HOUSEHOLD_KW)
        self._filling = filling

    def answer(self, frame: Frame, at: datetime) -> Answer | None:
        said = super().answer(frame, at)
        octet = self._filling.get((at - _NIGHT) // _DAY)
        if said is None or said.di != _FREEZE_DI or octet is None:
            return said
        data = said.frame.data[:4] + bytes([octet]) * len(said.frame.data[4:])
        return said._replace(frame=said.frame._replace(data=data), values={})


class _Month:
    """Meters, what happens to them, and what the journal has of it.

    Args:
        folder: for the journal.
        meters: by number.
        seed: of the gateway.

    """

    def __init__(self, folder: Path, meters: Sequence[Meter | Meter698], seed: int) -> None:
        self.meters = meters
        self._due: list[tuple[timedelta, Happening, Meter | Meter698, bool]] = []
        self.gateway = SimulatedGateway(
            folder,
            [Station(meter=meter) for meter in meters],
            seed=seed,
            plans=[{"class": DAILY_FREEZE, "every_s": 3_600}],
            protocols={one.address: "dlt698.45" for one in meters if isinstance(one, Meter698)},
            meter_keys={one.address: {"meter_number": one.address} for one in meters},
        )

    def happens(self, number: int, day: float, what: str, *, days: float | None = None, **more: Any) -> None:
        """Let something happen to a meter so many days after the midnight before the start."""
        at = _NIGHT + day * _DAY
        happening = Happening(what=what, at=at, **more)
        assert (days is not None) == lasts(happening)
        self._due.append((at - START, happening, self.meters[number], False))
        if days is not None:
            self._due.append((at - START + days * _DAY, happening, self.meters[number], True))

    def run(self, nights: int = _NIGHTS) -> None:
        self.gateway.run(
            seconds=((nights + 0.25) * _DAY - (START - _NIGHT)).total_seconds(), meanwhile=self._carry_out
        )
        self.gateway.check_database()
        assert [] == repeated_keys(self._kept()), "nothing comes late here"

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

    def _kept(self) -> list[Reading]:
        return [reading for row in self.gateway.rows() for reading in row.readings]

    def marks(self, number: int, item: str = _TOTAL) -> dict[int, Marks]:
        """The marks of a meter's nights, where there are any."""
        found = {
            (one.slot - _NIGHT) // _DAY: one.marks
            for one in self._kept()
            if (one.meter, one.item) == (f"m{self.meters[number].address}", item)
        }
        assert set(range(max(found) + 1)) == set(found), "every night was kept"
        return {night: marks for night, marks in found.items() if marks}

    def went_back(self, number: int, item: str) -> list[int]:
        """The nights that the plant itself says a register showed less than the night before."""
        shown = [self.meters[number].value(item, _NIGHT + night * _DAY) for night in range(_NIGHTS + 1)]
        return [night for night in range(1, len(shown)) if (shown[night] or 0) < (shown[night - 1] or 0)]


def _household(number: int) -> Meter:
    return Meter(f"{number:012d}", seed=7, growth_kw=_HOUSEHOLD_KW)


def _household698(number: int) -> Meter698:
    return Meter698(f"{number:012d}", seed=7, growth_kw=_HOUSEHOLD_KW)


@pytest.mark.parametrize("seed", range(2))
def test_f17_clocks_that_jump_and_drift(tmp_path: Path, seed: int) -> None:
    """A freeze of a false midnight goes to the bill, or a sound one waits for a person."""
    day = random.Random(seed).randint(3, 8)
    month = _Month(tmp_path, [_household(0), _household(1), _household698(2), _household(3)], seed)
    for number, by in ((1, timedelta(minutes=10)), (2, timedelta(minutes=-10))):
        month.happens(number, day + 0.6, "clock_jump", by=by)
        month.happens(number, day + 3.6, "clock_jump", by=-by)
        month.happens(number, day + 8.6, "clock_jump", by=timedelta(hours=1))  # somebody's summer time
        month.happens(number, day + 10.6, "clock_jump", by=timedelta(hours=-1))
        month.happens(number, day + 12.6, "clock_jump", by=timedelta(minutes=4))  # within what is allowed
    month.happens(3, day, "clock_drift", s_per_day=Decimal(200))
    month.run()
    off = dict.fromkeys((day + 1, day + 2, day + 3, day + 9, day + 10), Marks.CLOCK_DEV)
    assert {} == month.marks(0)
    assert [off] * 2 == [month.marks(number) for number in (1, 2)]
    # Just after the second midnight it is 400 s ahead.
    assert dict.fromkeys(range(day + 2, _NIGHTS + 1), Marks.CLOCK_DEV) == month.marks(3)


@pytest.mark.parametrize("seed", range(2))
def test_f18_registers_that_roll_over_are_reset_or_exchanged(tmp_path: Path, seed: int) -> None:
    """A roll-over taken for a fault stops a bill; a reset or another meter unseen makes a false one."""
    rng = random.Random(seed)
    reset, exchange, back, fast = (rng.randint(9, 25) for _ in range(4))
    meters = [_household(n) for n in range(5)]
    month = _Month(tmp_path, [*meters, _household698(5)], seed)
    left = Decimal(rng.randint(60, 120))
    for number in (0, 5):
        month.happens(number, 0.6, "register_rollover", left_kwh=left)
    month.happens(1, reset + 0.5, "registers_reset")
    month.happens(2, exchange + 0.5, "meter_exchange", meter_number="000000000099")
    month.happens(3, back + 0.1, "registers_backward", days=1, rate=Decimal(3))
    month.happens(4, fast + 0.1, "registers_runaway", days=1, rate=Decimal(10))
    month.happens(4, fast + 3.5, "clock_battery_low", days=2)
    month.run()
    for number in (0, 5):
        (night,) = month.went_back(number, _TOTAL)
        assert {night: Marks.ROLL_OVER} == month.marks(number)
    assert {reset + 1: Marks.REG_BACK} == month.marks(1)
    assert {back + 1: Marks.REG_BACK} == month.marks(3)
    faults = {night: Marks.METER_FAULT for night in (fast + 4, fast + 5) if night <= _NIGHTS}
    assert {fast + 1: Marks.SUDDEN_CHANGE, **faults} == month.marks(4)
    number_read = next(day for day in range(7, 36, 7) if day > exchange)  # each week since the start
    mixed = dict.fromkeys(range(number_read, _NIGHTS + 1), Marks.METER_MIXED)
    assert {exchange + 1: Marks.REG_BACK | mixed.pop(exchange + 1, NO_MARKS), **mixed} == month.marks(2)
    for number in (1, 2, 3):
        for item in _ITEMS:
            found = month.marks(number, item).items()
            went_back = [night for night, marks in found if Marks.REG_BACK in marks]
            assert month.went_back(number, item) == went_back, item


def test_f21_values_of_ff_and_ee(tmp_path: Path) -> None:
    """What is no number must not be billed as one, and the next night must not suffer from it."""
    month = _Month(tmp_path, [_Filled("000000000000", {3: 0xFF, 4: 0xEE})], seed=1)
    month.run(nights=7)
    for item in _ITEMS:
        assert {3: Marks.ABSENT, 4: Marks.INVALID_DIGITS} == month.marks(0, item)
