"""What happens to a meter: time that passes, rows of its history, orders that it obeys, its exchange.

Whatever happens begins a new span of its registers; what was delayed comes before it, in the order of time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from metersim.works.clock import MeterClock
from metersim.works.conditions import EVERYTHING, HISTORY_MAX, USUAL, Conditions, History, HistoryFull, Row
from metersim.works.controlled import Controlled, Wallet
from metersim.works.cost_control import CostControl
from metersim.works.flow import flow
from metersim.works.load import Load, course, phasors
from metersim.works.moments import of_us, to_us
from metersim.works.plate import Plate
from metersim.works.registers import Jump, Registers, Span, ticks_of
from metersim.works.timetable import Timetable

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


class Life:
    """What happened to one meter so far, and what follows of it; `Works` says what each order takes.

    Args:
        plate: who and what it is.
        key: tells this meter from every other.
        load: what stands behind it.
        timetable: of its tariffs.
        clock: makes its clock, of what is told before and after each setting.
        conditions: what held when it was switched on.
        control: what its switch and its wallet are like.
        wallet: what its wallet begins with; ``None``: an account that nobody has opened yet.
        current_a: the largest current of a phase at a time, in A, as its switch feels it.

    Attributes:
        clock: its clock.
        history: the rows of what happened.
        usual: what flows behind it when nothing is wrong.
        registers: its registers, a span for each happening.
        controlled: its switch, its wallet, and its memory of controls.

    Raises:
        ClockOutOfRange: the clock is too far ahead, or drifts too much.
        ValueError: ``wallet`` without a character that has one.

    """

    def __init__(
        self,
        plate: Plate,
        *,
        key: str,
        load: Load,
        timetable: Timetable,
        clock: Callable[[Callable[[datetime], None], Callable[[datetime], None]], MeterClock],
        conditions: Conditions,
        control: CostControl,
        wallet: Wallet | None,
        current_a: Callable[[datetime], Decimal],
    ) -> None:
        self.clock = clock(self._coming, self._clock_set)
        since, us = self.clock.since, to_us(self.clock.since)
        self._plates = [(us, plate)]
        self._when_exchanged: list[Callable[[], None]] = []
        self._when_power_lost: list[Callable[[], None]] = []
        self.usual = phasors(load, plate, key)
        self.history = History(since, conditions, coming=self._coming, moved=self._happened)
        first = Span(us, flow(self.usual, conditions, plate), self.clock.run(us))
        self._changed = since.astimezone(UTC), first.flow.powered
        self.registers = Registers(
            course=course(load, key), timetable=timetable, key=key, phases=plate.phase_names, first=first
        )
        self.controlled = Controlled(
            control,
            clock=self.clock,
            plate=lambda: self.plate,
            energy=lambda at: self.registers.charged.tariffs(to_us(at)),
            current_a=current_a,
            moved=self._switched,
            wallet=wallet,
        )

    @property
    def plate(self) -> Plate:
        """Who and what the meter is that hangs there now."""
        return self._plates[-1][1]

    @property
    def hung_since(self) -> datetime:
        """When that meter was first switched on."""
        return of_us(self._plates[-1][0])

    def advance(self, at: datetime) -> datetime:
        """Bring everything that was delayed to ``at``; each meter does it before it answers."""
        return self.controlled.advance(at)

    def exchange(self, at: datetime, *, meter_number: str) -> None:
        """Another meter of the same kind takes its place, under the same address."""
        self.advance(at)
        if len(self.history.rows) + 2 > HISTORY_MAX:  # both rows or none
            raise HistoryFull(f"a history of {HISTORY_MAX} rows is full: begin with a new meter")
        self.history.change(at, **{what: getattr(USUAL, what) for what in _OF_THE_METER})
        self.clock.exchange(at)
        self.history.happen(at, "meter_exchanged", meter_number=meter_number)
        self.controlled.exchange(at)
        self.controlled.happened(powered=self.registers.spans[-1].flow.powered)
        for renew in self._when_exchanged:
            renew()

    def when_exchanged(self, renew: Callable[[], None]) -> None:
        """Have something called after each exchange: by who keeps keys, passwords or sessions of a meter."""
        self._when_exchanged.append(renew)

    def when_power_lost(self, forget: Callable[[], None]) -> None:
        """Have something called at each power cut: by who keeps what a meter has in its memory alone."""
        self._when_power_lost.append(forget)

    def powered(self, at: datetime) -> bool:
        """Whether it works at ``at``; without a voltage it says nothing."""
        changed_at, powered = self._changed
        return powered if at >= changed_at else self.registers.flow(to_us(at)).powered

    def plate_at(self, us: int) -> Plate:
        """Who and what the meter was that hung there at ``us``."""
        return next((plate for since, plate in reversed(self._plates) if since <= us), self._plates[0][1])

    def since(self, us: int) -> datetime:
        """When the meter that hung there at ``us`` was first switched on."""
        return of_us(next((since for since, _ in reversed(self._plates) if since <= us), self._plates[0][0]))

    def kept_since(self, us: int) -> datetime:
        """Since when the meter keeps freezes: since it hangs there, or was told to forget everything."""
        cleared = self.history.since_last(us, "registers_cleared")
        forgotten = next((row.at for row in cleared if EVERYTHING in row.details), None)
        return self.since(us) if forgotten is None else max(forgotten, self.since(us))

    def _switched(self, at: datetime, opened: bool) -> None:
        with self.controlled.advancing():  # what follows of this move comes after its row
            self.history.change(at, contact_open=opened)

    def _coming(self, at: datetime) -> None:
        self.controlled.before(at)

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
        self.controlled.happened(powered=self.registers.spans[-1].flow.powered)

    def _begin(self, us: int, jump: Jump | None) -> None:
        last = self.registers.spans[-1]
        flowing = flow(self.usual, self.history.last.conditions, self.plate)
        us = max(us, last.from_us)
        self.registers.begin(Span(us, flowing, self.clock.run(us), jump))
        self._changed = of_us(us).astimezone(UTC), flowing.powered
        if last.flow.powered and not flowing.powered:
            for forget in self._when_power_lost:
                forget()
