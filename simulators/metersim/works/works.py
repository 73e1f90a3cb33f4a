"""The works of a meter whatever it speaks: (item, time) -> what it shows.

A pure function of seed, plate, load, history and clock: it can be asked for any moment that is past or now.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice, takewhile
from typing import Final, NamedTuple

from metersim.works.clock import MeterClock
from metersim.works.conditions import EVERYTHING, HISTORY_MAX, USUAL, Conditions, History, HistoryFull, Row
from metersim.works.controlled import Controlled, Wallet
from metersim.works.cost_control import PLAIN, CostControl
from metersim.works.demand import Demands, Largest
from metersim.works.events import EventLog
from metersim.works.flow import flow
from metersim.works.freezes import ORDERED, SETTLEMENT, TABLES, Freeze, settlement
from metersim.works.items import DEMANDS, ENERGIES, PRESENT_DEMANDS, REGISTERS, items_of, phase_items_of
from metersim.works.load import MEAN_KW, Load, course, phasors
from metersim.works.moments import INSTALLED_AT, of_us, to_us
from metersim.works.plate import Plate
from metersim.works.readings import POWER_MAX, Readings
from metersim.works.registers import (
    CAPACITY_TICKS,
    SIGNED_CAPACITY_TICKS,
    Jump,
    Registers,
    Span,
    ticks_of,
)
from metersim.works.status import StatusWords
from metersim.works.timetable import Timetable
from meterwire.item_value import Content

_COMBINED = {
    "combined_active_energy": ("forward_active_energy", "reverse_active_energy"),
    "combined_reactive_energy_1": ("reactive_energy_q1", "reactive_energy_q4"),
    "combined_reactive_energy_2": ("reactive_energy_q2", "reactive_energy_q3"),
}
"""Which registers a combined one adds: words 05, 41 and 14. Source: DL/T 645-2007, 04 00 06 01 to 03."""


_OF_THE_METER: Final = (
    "contact_open",
    "bridged_per_mille",
    "register_rate_per_mille",
    "cover_open",
    "terminal_cover_open",
    "clock_battery_low",
)
"""Conditions that a meter takes along when another one takes its place; the others are of the premises."""
_NUMBERS = ("meter_number", "customer_number")
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


class Works:
    """The works of one meter.

    Args:
        plate: who and what it is.
        seed: seed of the plant.
        load: what stands behind it.
        timetable: of its tariffs.
        since: when it was first switched on, aware; it counts, freezes and remembers from then on.
        clock_ahead: how far its clock is ahead of the true time, at most 400 days.
        clock_ahead_at: when it is so far ahead, aware; ``None``: at ``since``.
        drift_s_per_day: what its clock gains in a day, at most 600 s.
        conditions: what held when it was switched on.
        control: what its switch and its wallet are like.
        wallet: what its wallet begins with; only for a meter that has a local one.

    Attributes:
        clock: its clock.
        history: what happened to it.
        events: what it noted of that.
        memory: every control that it obeyed.
        switch: its switch.
        account: its wallet; ``None``: none.
        registers: its registers, as whole numbers.

    Raises:
        ClockOutOfRange: ``clock_ahead`` or ``drift_s_per_day`` is too far.
        ValueError: ``wallet`` without a character that has one.

    """

    def __init__(
        self,
        plate: Plate,
        *,
        seed: int,
        load: Load | None = None,
        timetable: Timetable | None = None,
        since: datetime = INSTALLED_AT,
        clock_ahead: timedelta = timedelta(),
        clock_ahead_at: datetime | None = None,
        drift_s_per_day: Decimal = Decimal(0),
        conditions: Conditions = USUAL,
        control: CostControl = PLAIN,
        wallet: Wallet | None = None,
    ) -> None:
        key = f"{seed}/{plate.address}"
        self._plates = [(to_us(since), plate)]
        self._when_exchanged: list[Callable[[], None]] = []
        self.since = since
        self.load = load or Load()
        self._load = phasors(self.load, plate, key)
        self._phases = plate.phase_names
        self.clock = MeterClock(
            since=since,
            ahead=clock_ahead,
            ahead_at=clock_ahead_at,
            drift_s_per_day=drift_s_per_day,
            coming=self._coming,
            moved=self._clock_set,
        )
        self.history = History(since, conditions, coming=self._coming, moved=self._happened)
        us = to_us(since)
        first = Span(us, flow(self._load, conditions, plate), self.clock.run(us))
        self._changed = since.astimezone(UTC), first.flow.powered
        self.registers = Registers(
            course=course(self.load, key),
            timetable=timetable or Timetable(),
            key=key,
            phases=plate.phase_names,
            first=first,
        )
        self._controlled = Controlled(
            control,
            clock=self.clock,
            plate=lambda: self.plate,
            energy=lambda at: self.registers.charged.tariffs(to_us(at)),
            current_a=self.current_a,
            moved=self._switched,
            wallet=wallet,
        )
        self.switch = self._controlled.switch
        self.memory = self._controlled.memory
        self.account = self._controlled.account
        self._demands = Demands(self.registers)
        self.events = self._event_log()
        self._status = StatusWords(self.events, self._control_bits)
        self._settlements = settlement(plate.settlement_day)
        self._readings = Readings(
            key=key,
            grid_key=str(seed),
            plate=plate,
            history=self.history,
            registers=self.registers,
        )

    def _event_log(self) -> EventLog:
        return EventLog(
            history=self.history,
            clock=self.clock,
            registers=self.registers,
            memory=self.memory,
            usual=self._load,
            plate=self._plate_at,
            since=self._since,
        )

    @property
    def plate(self) -> Plate:
        """Who and what the meter is that hangs there now."""
        return self._plates[-1][1]

    @property
    def hung_since(self) -> datetime:
        """When the meter that hangs there now was first switched on."""
        return of_us(self._plates[-1][0])

    def advance(self, at: datetime) -> datetime:
        """Bring everything that was delayed to ``at``; each meter does it before it answers.

        Args:
            at: true time, aware; a clock of the simulator that went back is waited for.

        Returns:
            ``at``, or the later time to which everything was brought before.

        """
        return self._controlled.advance(at)

    def exchange(self, at: datetime, *, meter_number: str) -> None:
        """Another meter of the same kind takes its place, under the same address.

        It comes with a clock that is right, a closed contact, a new wallet and registers at 0. Supply, load,
        wiring and what was done to them stay, and so does the memory of controls.

        Args:
            at: true time, aware, not before the last row of the history.
            meter_number: of the new one, 12 digits.

        Raises:
            OutOfOrder: ``at`` is before the last row.
            HistoryFull: no room for what happens.

        """
        self.advance(at)
        if len(self.history.rows) + 2 > HISTORY_MAX:  # both rows or none
            raise HistoryFull(f"a history of {HISTORY_MAX} rows is full: begin with a new meter")
        self.history.change(at, **{what: getattr(USUAL, what) for what in _OF_THE_METER})
        self.clock.exchange(at)
        self.history.happen(at, "meter_exchanged", meter_number=meter_number)
        self._controlled.exchange(at)
        self.switch, self.account = self._controlled.switch, self._controlled.account
        self._controlled.happened(powered=self.registers.spans[-1].flow.powered)
        for renew in self._when_exchanged:
            renew()

    def when_exchanged(self, renew: Callable[[], None]) -> None:
        """Have something called after each exchange: by who keeps keys, passwords or sessions of a meter."""
        self._when_exchanged.append(renew)

    def value(self, item: str, at: datetime) -> Decimal | None:
        """What the meter shows for ``item`` at ``at``; ``None`` when it has no such number.

        Args:
            item: of the catalogue, e.g. ``"forward_active_energy.t1"`` or ``"voltage.a"``.
            at: aware; past or now.

        """
        if (shown := _shown(item, self._phases)) is not None:
            return self._energy(shown, to_us(at))
        quantity, _, suffix = item.partition(".")
        if quantity in DEMANDS:
            return self._demand(quantity, suffix, to_us(at))
        if item in PRESENT_DEMANDS:
            if self.plate.phases == 1:
                return None  # as with the largest ones
            return _power(self._demands.present(item, to_us(at)))
        if item in _MONEY:
            return self._money(item, at)
        return self._readings.value(item, to_us(at))

    def content(self, item: str, at: datetime) -> Content:
        """What the meter shows for ``item``: number, text or time; ``None`` when it has no such item.

        Args:
            item: of the catalogue.
            at: aware; past or now.

        """
        if (shown := _shown(item, self._phases)) is not None:
            return self._energy(shown, to_us(at))  # asked for more often than all others together
        match item:
            case "communication_address" | "meter_number" | "customer_number":
                return self._text(item, to_us(at))
            case "meter_clock":
                return f"{self.clock.shows(at):%Y-%m-%d %H:%M:%S}"
        if item.startswith(_STATUS_WORD):
            number = item.removeprefix(_STATUS_WORD)
            return self._status.word(int(number), at) if number.isdecimal() else None
        quantity, _, suffix = item.partition(".")
        if quantity.endswith(_AT) and quantity.removesuffix(_AT) in DEMANDS:
            largest = self._largest(quantity.removesuffix(_AT), suffix, to_us(at))
            return None if largest is None else f"{self.clock.shows(of_us(largest.end_us)):%Y-%m-%d %H:%M}"
        return self.value(item, at)

    def status_word_3(self, at: datetime, *, authenticated: bool = False) -> int:
        """Status word 3, bit n of the number for bit n of the word, in whatever order a protocol sends them.

        Args:
            at: true time, aware; of the past there is only the contact.
            authenticated: whether somebody has proved to the meter who they are.

        """
        word = int(self._status.word(3, at) or "0", 16)
        return word | authenticated << _AUTHENTICATED_BIT

    def settled(self, item: str, number: int, at: datetime) -> Content:
        """What the so-manieth last settlement has kept of an item; ``None`` when it has none.

        Args:
            item: a register, a largest demand of the time before, or its time.
            number: 1 is the last one, up to 12.
            at: true time, aware.

        """
        if (freeze := self.freeze(SETTLEMENT, number, at)) is None:
            return None
        return self.content(
            item, freeze.taken_at - _MICROSECOND if "_max_demand" in item else freeze.taken_at
        )

    def freezes(self, name: str, at: datetime) -> Iterator[Freeze]:
        """A table of freezes, newest first.

        Args:
            name: ``curve``, ``hourly_freeze``, ``daily_freeze``, ``monthly_freeze``, ``yearly_freeze``,
                ``price_switch_freeze``, ``step_switch_freeze``, ``settlement``, ``instant_freeze`` or
                ``timed_freeze``; another one has no rows.
            at: true time, aware.

        """
        if name in ORDERED:
            return self._ordered(name, to_us(at))
        table = self._settlements if name == SETTLEMENT else TABLES.get(name)
        if table is None:
            return iter(())
        return table.rows(self.clock, at, since=self._kept_since(to_us(at)), powered=self.powered)

    def freeze(self, name: str, number: int, at: datetime) -> Freeze | None:
        """The so-manieth last freeze of a table, 1 is the newest; ``None`` when there is none."""
        return next(islice(self.freezes(name, at), number - 1, None), None) if number > 0 else None

    def drawn_kwh(self, at: datetime) -> Decimal:
        """What the customer really drew since the beginning, primary, whatever was recorded."""
        ratio = self.plate.ct_ratio * self.plate.pt_ratio
        return self.registers.drawn.energy(to_us(at)) * ratio / 36_000_000_000_000

    def powered(self, at: datetime) -> bool:
        """Whether it works at ``at``; without a voltage it says nothing."""
        changed_at, powered = self._changed
        return powered if at >= changed_at else self.registers.flow(to_us(at)).powered

    def current_a(self, at: datetime) -> Decimal:
        """The largest current of its phases, as its switch feels it."""
        return max(abs(self.value(f"current.{phase}", at) or Decimal(0)) for phase in self.plate.phase_names)

    def _energy(self, shown: _Shown, us: int) -> Decimal | None:
        registers, tariff, capacity = shown
        if not registers:
            return None
        ticks = 0
        for register, phase in registers:
            counter = self.registers.counter(register, phase)
            ticks += counter.tariffs(us)[tariff - 1] if tariff else counter.ticks(us)
        return Decimal(ticks % capacity).scaleb(-2)

    def _demand(self, quantity: str, suffix: str, us: int) -> Decimal | None:
        if not self._has_demand(quantity, suffix):
            return None
        largest = self._largest(quantity, suffix, us)
        return _power(largest.deciwatts if largest else 0)

    def _has_demand(self, quantity: str, suffix: str) -> bool:
        item = f"{quantity}.{suffix}" if suffix else quantity
        return self.plate.phases > 1 and item in items_of(quantity)

    def _largest(self, quantity: str, suffix: str, us: int) -> Largest | None:
        """The largest demand since the last settlement, or since it was cleared."""
        if not self._has_demand(quantity, suffix):
            return None
        tariff = int(suffix[1:]) if suffix else 0
        return self._demands.largest(quantity, tariff, self._demand_since(us), us)

    def _demand_since(self, us: int) -> int:
        settled = next(self.freezes(SETTLEMENT, of_us(us)), None)
        cleared = next(self.history.since_last(us, "demand_cleared", "registers_cleared"), None)
        begins = [
            self._since(us),
            *([settled.taken_at] if settled else []),
            *([cleared.at] if cleared else []),
        ]
        return to_us(max(begins))

    def _ordered(self, name: str, us: int) -> Iterator[Freeze]:
        """The freezes that somebody ordered, newest first."""
        rows = self.history.since_last(us, "frozen")
        kept = takewhile(lambda row: row.at >= self._kept_since(us), rows)
        named = [row for row in kept if row.details.get("table") == name]
        return (
            Freeze(len(named) - place, self.clock.shows(row.at), row.at)
            for place, row in enumerate(named[: ORDERED[name]])
        )

    def _plate_at(self, us: int) -> Plate:
        return next((plate for since, plate in reversed(self._plates) if since <= us), self._plates[0][1])

    def _since(self, us: int) -> datetime:
        """When the meter that hung there at ``us`` was first switched on."""
        return of_us(next((since for since, _ in reversed(self._plates) if since <= us), self._plates[0][0]))

    def _kept_since(self, us: int) -> datetime:
        """Since when the meter keeps freezes: since it hangs there, or was told to forget everything."""
        cleared = self.history.since_last(us, "registers_cleared")
        forgotten = next((row.at for row in cleared if EVERYTHING in row.details), None)
        return self._since(us) if forgotten is None else max(forgotten, self._since(us))

    def _text(self, item: str, us: int) -> str:
        plate = self._plate_at(us)
        return plate.address if item == "communication_address" else str(getattr(plate, item))

    def _switched(self, at: datetime, opened: bool) -> None:
        with self._controlled.advancing():  # what follows of this move comes after its row
            self.history.change(at, contact_open=opened)

    def _coming(self, at: datetime) -> None:
        self._controlled.before(at)

    def _clock_set(self, at: datetime) -> None:
        self._begin(to_us(at), None)

    def _happened(self, row: Row) -> None:
        jump = None
        if row.happened == "meter_exchanged":
            numbers = {what: text for what, text in row.details.items() if what in _NUMBERS}
            self._plates.append((to_us(row.at), replace(self.plate, **numbers)))  # type: ignore[arg-type]
        if row.happened in {"registers_cleared", "meter_exchanged", "register_set"}:
            ticks = {item: ticks_of(v) for item, v in row.details.items() if isinstance(v, Decimal)}
            jump = Jump(row.happened != "register_set", ticks)
        self._begin(to_us(row.at), jump)
        self._controlled.happened(powered=self.registers.spans[-1].flow.powered)

    def _money(self, item: str, at: datetime) -> Decimal | None:
        """What the wallet shows; it is asked for now alone, as it remembers no earlier balance."""
        if self.account is None or at < self._controlled.now:
            return None
        self.advance(at)
        match item:
            case "remaining_balance":
                return Decimal(self.account.remaining_cents(at)).scaleb(-2)
            case "overdraft_balance":
                return Decimal(self.account.overdraft_cents(at)).scaleb(-2)
        return Decimal(self.account.purchase_count)

    def _begin(self, us: int, jump: Jump | None) -> None:
        last = self.registers.spans[-1]
        flowing = flow(self._load, self.history.last.conditions, self.plate)
        us = max(us, last.from_us)
        self.registers.begin(Span(us, flowing, self.clock.run(us), jump))
        self._changed = of_us(us).astimezone(UTC), flowing.powered

    def _control_bits(self, at: datetime) -> int:
        """Bits of status word 3 that are not in the history; of the past there is only the contact."""
        if at < self._controlled.now:
            return self.history.at(at).contact_open << _COMMAND_BIT
        return self._controlled.status_bits()


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


def usual_works(
    address: str,
    *,
    seed: int,
    mean_kw: Decimal = MEAN_KW,
    since: datetime = INSTALLED_AT,
    clock_ahead: timedelta = timedelta(),
    control: CostControl = PLAIN,
) -> Works:
    """The works of a meter of three phases of which nothing else was said.

    Phase c feeds a tenth back, and each phase counts by its own direction, so that every register moves.

    Args:
        address: 12 digits.
        seed: seed of the plant.
        mean_kw: mean power of what is drawn, 0 to 10,000 kW.
        since: when it was first switched on, aware.
        clock_ahead: how far its clock is ahead of the true time then, at most 400 days.
        control: what its switch and its wallet are like.

    Raises:
        ValueError: a figure out of its range.

    """
    load = Load(mean_kw=mean_kw, feed_in_share=Decimal("0.1"))
    plate = Plate(address=address, sums="by_phase")
    return Works(plate, seed=seed, load=load, since=since, clock_ahead=clock_ahead, control=control)
