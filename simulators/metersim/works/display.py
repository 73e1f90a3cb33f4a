"""What a meter shows: (item, time) -> number, text or time, read off what its life has left behind.

Nothing here changes the meter; it can be asked for any moment that is past or now.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice, takewhile
from typing import Final, NamedTuple

from metersim.works.demand import Demands, Largest
from metersim.works.events import EventLog
from metersim.works.freezes import (
    INSTANT,
    ORDERED,
    SETTLEMENT,
    TABLES,
    TIMED,
    Between,
    Freeze,
    settlement,
    timed,
)
from metersim.works.items import DEMANDS, ENERGIES, PRESENT_DEMANDS, REGISTERS, items_of, phase_items_of
from metersim.works.life import Life
from metersim.works.moments import of_us, to_us
from metersim.works.readings import POWER_MAX, Readings
from metersim.works.registers import CAPACITY_TICKS, SIGNED_CAPACITY_TICKS
from metersim.works.status import StatusWords
from meterwire.item_value import Content

_COMBINED = {
    "combined_active_energy": ("forward_active_energy", "reverse_active_energy"),
    "combined_reactive_energy_1": ("reactive_energy_q1", "reactive_energy_q4"),
    "combined_reactive_energy_2": ("reactive_energy_q2", "reactive_energy_q3"),
}
"""Which registers a combined one adds: words 05, 41 and 14. Source: DL/T 645-2007, 04 00 06 01 to 03."""
_AT = "_at"
_COMMAND_BIT = 6
_AUTHENTICATED_BIT = 13
_STATUS_WORD = "meter_status_word_"
_MONEY = ("remaining_balance", "overdraft_balance", "purchase_count")
_MICROSECOND = timedelta(microseconds=1)
_REGISTERS_KEPT: Final = 1_024
"""Items of which it is remembered what they count; there are 200 of them for each number of phases."""


class _Shown(NamedTuple):
    """How an item of energy is read off the registers.

    Args:
        registers: which are added, each with its phase; empty: a meter of these phases counts no such item.
        tariff: 1 to 4; 0 for all of them.
        capacity: ticks at which it shows 0 again.

    """

    registers: tuple[tuple[str, str], ...]
    tariff: int
    capacity: int


class Display:
    """What one meter shows; `Works` says what each question takes.

    Args:
        life: of the meter.
        events: that it noted.
        readings: its measuring elements.

    """

    def __init__(self, life: Life, *, events: EventLog, readings: Readings) -> None:
        self._life = life
        self._clock, self._history, self._registers = life.clock, life.history, life.registers
        self._phases = life.plate.phase_names
        self._readings = readings
        self._demands = Demands(life.registers)
        self._status = StatusWords(events, self._control_bits)
        self._settlements = settlement(life.plate.settlement_day)

    def value(self, item: str, at: datetime) -> Decimal | None:
        """What the meter shows for ``item`` at ``at``; ``None`` when it has no such number."""
        if (shown := _shown(item, self._phases)) is not None:
            return self._energy(shown, to_us(at))
        quantity, _, suffix = item.partition(".")
        if quantity in DEMANDS:
            return self._demand(quantity, suffix, to_us(at))
        if item in PRESENT_DEMANDS:
            if self._life.plate.phases == 1:
                return None  # as with the largest ones
            return _power(self._demands.present(item, to_us(at)))
        if item in _MONEY:
            return self._money(item, at)
        return self._readings.value(item, to_us(at))

    def content(self, item: str, at: datetime) -> Content:
        """What the meter shows for ``item``: number, text or time; ``None`` when it has no such item."""
        if (shown := _shown(item, self._phases)) is not None:
            return self._energy(shown, to_us(at))  # asked for more often than all others together
        match item:
            case "communication_address" | "meter_number" | "customer_number":
                return self._text(item, to_us(at))
            case "meter_clock":
                return f"{self._clock.shows(at):%Y-%m-%d %H:%M:%S}"
        if item.startswith(_STATUS_WORD):
            number = item.removeprefix(_STATUS_WORD)
            return self._status.word(int(number), at) if number.isdecimal() else None
        quantity, _, suffix = item.partition(".")
        if quantity.endswith(_AT) and quantity.removesuffix(_AT) in DEMANDS:
            largest = self._largest(quantity.removesuffix(_AT), suffix, to_us(at))
            return None if largest is None else f"{self._clock.shows(of_us(largest.end_us)):%Y-%m-%d %H:%M}"
        return self.value(item, at)

    def status_word_3(self, at: datetime, *, authenticated: bool = False) -> int:
        """Status word 3, bit n of the number for bit n of the word."""
        word = int(self._status.word(3, at) or "0", 16)
        return word | authenticated << _AUTHENTICATED_BIT

    def settled(self, item: str, number: int, at: datetime) -> Content:
        """What the so-manieth last settlement has kept of an item; ``None`` when it has none."""
        if (freeze := self.freeze(SETTLEMENT, number, at)) is None:
            return None
        return self.content(
            item, freeze.taken_at - _MICROSECOND if "_max_demand" in item else freeze.taken_at
        )

    def freezes(self, name: str, at: datetime, between: Between | None = None) -> Iterator[Freeze]:
        """A table of freezes, or those of it that carry such times, newest first."""
        if name in ORDERED:
            found = self._ordered(to_us(at)) if name == INSTANT else islice(self._timed(at), ORDERED[TIMED])
            return (one for one in found if between is None or between.begin <= one.frozen_at < between.end)
        table = self._settlements if name == SETTLEMENT else TABLES.get(name)
        if table is None:
            return iter(())
        table = replace(table, depth=self._life.plate.depth(name, table.depth))
        return table.rows(
            self._clock,
            at,
            since=self._life.kept_since(to_us(at)),
            powered=self._life.powered,
            between=between,
        )

    def freeze(self, name: str, number: int, at: datetime) -> Freeze | None:
        """The so-manieth last freeze of a table, 1 is the newest; ``None`` when there is none."""
        return next(islice(self.freezes(name, at), number - 1, None), None) if number > 0 else None

    def _energy(self, shown: _Shown, us: int) -> Decimal | None:
        registers, tariff, capacity = shown
        if not registers:
            return None
        ticks = 0
        for register, phase in registers:
            counter = self._registers.counter(register, phase)
            ticks += counter.tariffs(us)[tariff - 1] if tariff else counter.ticks(us)
        return Decimal(ticks % capacity).scaleb(-2)

    def _demand(self, quantity: str, suffix: str, us: int) -> Decimal | None:
        if not self._has_demand(quantity, suffix):
            return None
        largest = self._largest(quantity, suffix, us)
        return _power(largest.deciwatts if largest else 0)

    def _has_demand(self, quantity: str, suffix: str) -> bool:
        item = f"{quantity}.{suffix}" if suffix else quantity
        return self._life.plate.phases > 1 and item in items_of(quantity)

    def _largest(self, quantity: str, suffix: str, us: int) -> Largest | None:
        """The largest demand since the last settlement, or since it was cleared."""
        if not self._has_demand(quantity, suffix):
            return None
        tariff = int(suffix[1:]) if suffix else 0
        return self._demands.largest(quantity, tariff, self._demand_since(us), us)

    def _demand_since(self, us: int) -> int:
        settled = next(self.freezes(SETTLEMENT, of_us(us)), None)
        cleared = next(self._history.since_last(us, "demand_cleared", "registers_cleared"), None)
        begins = [
            self._life.since(us),
            *([settled.taken_at] if settled else []),
            *([cleared.at] if cleared else []),
        ]
        return to_us(max(begins))

    def _ordered(self, us: int) -> Iterator[Freeze]:
        """The freezes that somebody ordered, newest first."""
        rows = self._history.since_last(us, "frozen")
        kept = takewhile(lambda row: row.at >= self._life.kept_since(us), rows)
        named = [row for row in kept if row.details.get("table") == INSTANT]
        return (
            Freeze(len(named) - place, self._clock.shows(row.at), row.at)
            for place, row in enumerate(named[: ORDERED[INSTANT]])
        )

    def _timed(self, at: datetime) -> Iterator[Freeze]:
        """Those that patterns brought, newest first: each pattern held until the next was ordered.

        A clear of the meter forgets them, but not the pattern.
        """
        life = self._life
        since, kept_since = life.since(to_us(at)), life.kept_since(to_us(at))
        until = at
        for row in self._history.since_last(to_us(at), "frozen"):
            if row.at < since:
                return
            if row.details.get("table") != TIMED:
                continue
            begins = max(row.at, kept_since)
            if begins < until:
                table = timed(str(row.details["pattern"]))
                yield from table.rows(self._clock, until, since=begins, powered=life.powered)
            until = row.at

    def _text(self, item: str, us: int) -> str:
        plate = self._life.plate_at(us)
        return plate.address if item == "communication_address" else str(getattr(plate, item))

    def _money(self, item: str, at: datetime) -> Decimal | None:
        """What the wallet shows; it is asked for now alone, as it remembers no earlier balance."""
        account = self._life.controlled.account
        if account is None or at < self._life.controlled.now:
            return None
        self._life.advance(at)
        match item:
            case "remaining_balance":
                return Decimal(account.remaining_cents(at)).scaleb(-2)
            case "overdraft_balance":
                return Decimal(account.overdraft_cents(at)).scaleb(-2)
        return Decimal(account.purchase_count)

    def _control_bits(self, at: datetime) -> int:
        """Bits of status word 3 that are not in the history; of the past there is only the contact."""
        if at < self._life.controlled.now:
            return self._history.at(at).contact_open << _COMMAND_BIT
        return self._life.controlled.status_bits()


@functools.lru_cache(_REGISTERS_KEPT)
def _shown(item: str, phases: tuple[str, ...]) -> _Shown | None:
    """How an item is read off the registers of a meter of these phases; ``None``: it is no energy."""
    quantity, _, suffix = item.partition(".")
    if quantity not in REGISTERS:
        return None
    capacity = SIGNED_CAPACITY_TICKS if quantity in _COMBINED else CAPACITY_TICKS
    household = len(phases) == 1 and quantity not in ENERGIES  # what the meters of households do not count
    known = not suffix or item in items_of(quantity) or item in phase_items_of(quantity, phases)
    if household or not known:
        return _Shown((), 0, capacity)
    phase = suffix if suffix in phases else ""
    parts = _COMBINED.get(quantity, (quantity,))
    tariff = int(suffix[1:]) if suffix.startswith("t") else 0
    return _Shown(tuple((part, phase) for part in parts), tariff, capacity)


def _power(deciwatts: int) -> Decimal:
    return Decimal(max(-POWER_MAX, min(deciwatts, POWER_MAX))).scaleb(-4)
