"""A seeded plant over months, as billing meets it: what customers really used, and what came of it and when.

Freezes are missed and come late or never, are wrong at first and corrected, registers roll over, meters are
exchanged at noon. The model knows the truth; the journal knows what it was told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Final

from meterlink.billing.days import end_of
from meterlink.model.marks import Marks
from meterlink.model.zone import CHINA_TIME
from meterlink.roster.exchange import Exchange
from tests.support.billing import FIRST_DAY, TOTAL, Plant

CAPACITY: Final = Decimal(1_000_000)
"""Of a register of DL/T 645-2007: XXXXXX.XX."""
ITEMS: Final = (TOTAL, f"{TOTAL}.t1")
_NIGHT: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


@dataclass
class Customer:
    """One customer with the meter that stands there.

    Args:
        number: of his first meter.
        area: where he is.
        multiplier: of his meters, for ever.
        registers: what the meter that stands there shows, by item.

    """

    number: int
    area: str
    multiplier: Decimal
    registers: dict[str, Decimal]
    used: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(ITEMS, Decimal(0)))
    meter: str = ""
    exchanges: int = 0
    truth: dict[date, tuple[str, dict[str, Decimal]]] = field(default_factory=dict)
    """By day, the meter that stood there at its end, and what had been used by then."""
    told: set[date] = field(default_factory=set)
    """Days of which the journal has the true freeze."""

    def __post_init__(self) -> None:
        self.meter = f"m{self.number}"

    def use(self, rng: Random) -> None:
        """Half a day goes by."""
        share = Decimal(rng.randrange(1_000)) / 100
        half = (share / 2).quantize(Decimal("0.01"))
        for item, counted in zip(ITEMS, (share, half), strict=True):
            self.used[item] += counted
            self.registers[item] = (self.registers[item] + counted) % CAPACITY


@dataclass
class Months:
    """The plant at work.

    Args:
        plant: with an empty journal.
        rng: of everything.

    """

    plant: Plant
    rng: Random
    customers: list[Customer] = field(default_factory=list)
    late: list[tuple[date, Customer, date, str, dict[str, Decimal]]] = field(default_factory=list)
    exchanges: int = 0
    corrected: int = 0

    async def begin(self) -> None:
        """Put four customers into two areas; the register of one is about to roll over."""
        self.plant.after(FIRST_DAY - 2 * _DAY)
        for number, ratio in enumerate(("1", "30", "0.5", "0.000001"), start=1):
            start = Decimal("999950.00") if number == 1 else Decimal("50.00")
            one = Customer(number, f"area{number % 2}", Decimal(ratio), dict.fromkeys(ITEMS, start))
            await self.plant.put(number, area=one.area, ct=ratio)
            self.customers.append(one)

    async def day(self, day: date) -> None:
        """A day goes by, and the night in which its freezes are read."""
        for one in self.customers:
            one.use(self.rng)
            if one.number > 1 and self.rng.random() < 0.04:
                await self._exchange(one, day)
            one.use(self.rng)
            one.truth[day] = (one.meter, dict(one.used))
        self.plant.clock.now = end_of(day, CHINA_TIME) + _NIGHT
        for one in self.customers:
            await self._read(one, day)
        for due, one, of, meter, registers in [entry for entry in self.late if entry[0] <= day]:
            self.late.remove((due, one, of, meter, registers))
            await self.plant.keep(meter, of, registers, marks=Marks.BACKFILL, late=(due - of) + _NIGHT)
            one.told.add(of)

    async def _read(self, one: Customer, day: date) -> None:
        chance = self.rng.random()
        registers = dict(one.registers)
        if chance < 0.04:
            return  # never read, and gone from the meter's memory
        if chance < 0.16:
            due = day + self.rng.randrange(1, 7) * _DAY
            self.late.append((due, one, day, one.meter, registers))
            return
        if chance < 0.22:
            wrong = {item: max(value - Decimal("0.25"), Decimal(0)) for item, value in registers.items()}
            await self.plant.keep(one.meter, day, wrong)
            await self.plant.keep(one.meter, day, registers, marks=Marks.CONFLICT)
            self.corrected += 1
        else:
            await self.plant.keep(one.meter, day, registers)
        one.told.add(day)

    async def _exchange(self, one: Customer, day: date) -> None:
        at = self.plant.clock.now = end_of(day, CHINA_TIME) - timedelta(hours=12)
        first = dict.fromkeys(ITEMS, Decimal(self.rng.randrange(500)) / 100)
        one.exchanges += 1
        new = f"n{one.number}x{one.exchanges}"
        exchange = Exchange(
            old=one.meter,
            new=new,
            meter_number=f"{one.number:06d}{one.exchanges:06d}",
            removed_at=at,
            installed_at=at,
            last=dict(one.registers),
            first=first,
        )
        await self.plant.book.exchange(exchange, actor="li")
        one.meter, one.registers = new, dict(first)
        self.exchanges += 1
