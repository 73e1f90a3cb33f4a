"""A seeded plant over months, as billing meets it: what customers really used, and what came of it and when.

Freezes are missed and come late or never, are wrong at first and corrected, registers roll over, meters are
exchanged at any hour, at midnight and near a roll-over too. A register loses what it showed, transformers are
changed for some days and nobody tells what the register showed, or tells it late; a house gets another
customer, a silent meter is exchanged. The model knows the truth; the journal knows what it was told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import Final

from meterlink.billing.days import end_of
from meterlink.model.marks import Marks
from meterlink.model.zone import CHINA_TIME
from meterlink.roster.exchange import Exchange
from meterlink.roster.saying import Saying
from meterlink.roster.turns import Turn
from tests.support.billing import FIRST_DAY, TOTAL, Plant

CAPACITY: Final = Decimal(1_000_000)
"""Of a register of DL/T 645-2007: XXXXXX.XX."""
ITEMS: Final = (TOTAL, f"{TOTAL}.t1")
SILENT: Final = 24
"""The day, counted from the first, on which a meter falls silent; on the next one it is exchanged."""
_NIGHT: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


@dataclass
class Customer:
    """One customer with the meter that stands there.

    Args:
        number: of his first meter.
        area: where he is.
        multiplier: of the meter that stands there.
        registers: what the meter that stands there shows, by item.
        used: what he used, multiplied, by item.
        breaks: when something happened over which nobody can tell what was used.
        silent: days on which his meter does not answer, nor remembers them.

    """

    number: int
    area: str
    multiplier: Decimal
    registers: dict[str, Decimal]
    used: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(ITEMS, Decimal(0)))
    meter: str = ""
    meters: list[str] = field(default_factory=list)
    breaks: list[datetime] = field(default_factory=list)
    silent: set[date] = field(default_factory=set)
    truth: dict[date, tuple[str, dict[str, Decimal]]] = field(default_factory=dict)
    """By day, the meter that stood there at its end, and what had been used by then."""
    ratios: dict[date, Decimal] = field(default_factory=dict)
    """By day, by what its freeze is multiplied, whenever that was told."""
    told: set[date] = field(default_factory=set)
    """Days of which the journal has the true freeze."""

    def __post_init__(self) -> None:
        self.meter = f"m{self.number}"
        self.meters.append(self.meter)

    def use(self, rng: Random) -> None:
        """Half a day goes by."""
        share = Decimal(rng.randrange(1_000)) / 100
        half = (share / 2).quantize(Decimal("0.01"))
        for item, counted in zip(ITEMS, (share, half), strict=True):
            self.used[item] += counted * self.multiplier
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

    noons: dict[date, list[Callable[[datetime], Awaitable[None]]]] = field(default_factory=dict)
    """By day, what happens at its noon beside what chance brings."""

    async def begin(self) -> None:
        """Put the customers into two areas; the register of one is about to roll over."""
        self.plant.after(FIRST_DAY - 2 * _DAY)
        for number, ratio in enumerate(("1", "30", "0.5", "0.000001", "1", "30", "30", "1"), start=1):
            start = {1: "999950.00", 5: "995000.00"}.get(number, "50.00")
            one = Customer(number, f"area{number % 2}", Decimal(ratio), dict.fromkeys(ITEMS, Decimal(start)))
            await self._put(one)
            self.customers.append(one)
        *_, resets, borrows, changes, dies = self.customers
        self._at_noon(self.rng.randrange(8, 20), partial(self._reset, resets))
        first = self.rng.randrange(4, 12)
        self._at_noon(first, partial(self._untold_ratio, borrows, "40"))
        self._at_noon(first + self.rng.randrange(2, 6), partial(self._untold_ratio, borrows, "30"))
        first = self.rng.randrange(4, 12)
        self._at_noon(first, partial(self._late_ratio, changes, first + self.rng.randrange(1, 4)))
        self._at_noon(self.rng.randrange(18, 28), partial(self._moves, changes))
        dies.silent.update(FIRST_DAY + n * _DAY for n in (SILENT, SILENT + 1))
        self._at_noon(SILENT + 1, partial(self._exchange, dies))

    def _at_noon(self, day: int, event: Callable[[datetime], Awaitable[None]]) -> None:
        self.noons.setdefault(FIRST_DAY + day * _DAY, []).append(event)

    async def day(self, day: date) -> None:
        """A day goes by, and the night in which its freezes are read."""
        noon = self.plant.clock.now = end_of(day, CHINA_TIME) - timedelta(hours=12)
        for one in self.customers[:4]:
            if self.rng.random() < 0.02:  # at the very midnight at which the day begins
                await self._exchange(one, end_of(day - _DAY, CHINA_TIME))
        for one in self.customers:
            one.use(self.rng)
        for event in self.noons.pop(day, []):
            await event(noon)
        for one in self.customers[:4]:
            # The first one's register rolls over within the first days: an exchange falls before or behind.
            if self.rng.random() < (0.12 if one.number == 1 and day < FIRST_DAY + 8 * _DAY else 0.04):
                at = end_of(day, CHINA_TIME) - timedelta(minutes=self.rng.randrange(1, 24 * 60))
                self.plant.clock.now = max(noon, at)
                await self._exchange(one, at)
        for one in self.customers:
            one.use(self.rng)
            one.truth[day] = (one.meter, dict(one.used))
            one.ratios[day] = one.multiplier
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
        if chance < 0.04 or day in one.silent:
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

    async def _exchange(self, one: Customer, at: datetime) -> None:
        first = dict.fromkeys(ITEMS, Decimal(self.rng.randrange(500)) / 100)
        number = len(one.meters)
        new = f"n{one.number}x{number}"
        exchange = Exchange(
            old=one.meter,
            new=new,
            meter_number=f"{one.number:06d}{number:06d}",
            removed_at=at,
            installed_at=at,
            last=dict(one.registers),
            first=first,
        )
        await self.plant.book.exchange(exchange, actor="li")
        one.meter, one.registers = new, dict(first)
        one.meters.append(new)
        self.exchanges += 1

    async def _reset(self, one: Customer, at: datetime) -> None:
        """The meter loses what it showed."""
        one.registers = dict.fromkeys(ITEMS, Decimal(0))
        one.breaks.append(at)

    async def _untold_ratio(self, one: Customer, ratio: str, at: datetime) -> None:
        """Other transformers; nobody looked at the register."""
        one.multiplier = Decimal(ratio)
        one.breaks.append(at)
        await self._put(one)

    async def _late_ratio(self, one: Customer, told_on: int, at: datetime) -> None:
        """Other transformers; somebody tells of it days later, with the register of that moment."""
        one.multiplier = Decimal(40)
        turn = Turn(meter=one.meter, at=at, ct=one.multiplier, registers=dict(one.registers))

        async def tell(_: datetime) -> None:
            await self.plant.book.turn(turn, actor="li")

        self._at_noon(told_on, tell)

    async def _moves(self, one: Customer, at: datetime) -> None:
        """Another customer moves in."""
        one.breaks.append(at)
        await self._put(one, customer_number=f"{one.number + 90:012d}", saying=Saying.NEW_CUSTOMERS)

    async def _put(self, one: Customer, *, saying: Saying = Saying.NOTHING, **keys: str) -> None:
        told = {"area": one.area, "ct": str(one.multiplier), "customer_number": f"{one.number:012d}"}
        await self.plant.put(one.number, saying=saying, **{**told, **keys})
