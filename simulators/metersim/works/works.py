"""The works of a meter whatever it speaks: what happens to it, and what it shows of that, put together.

What it shows is a pure function of seed, plate, load, history and clock: it can be asked for any moment that
is past or now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from metersim.works.account import Account
from metersim.works.clock import MeterClock
from metersim.works.conditions import USUAL, Conditions
from metersim.works.controlled import Wallet
from metersim.works.cost_control import PLAIN, CostControl
from metersim.works.display import Display
from metersim.works.events import EventLog
from metersim.works.freezes import Between, Freeze
from metersim.works.life import Life
from metersim.works.load import MEAN_KW, Load
from metersim.works.moments import INSTALLED_AT, to_us
from metersim.works.plate import Plate
from metersim.works.readings import Readings
from metersim.works.registers import TICK, TICKS_PER_KWH
from metersim.works.switch import Switch
from metersim.works.timetable import Timetable
from meterwire.item_value import Content


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
        self.since = since
        self.load = load or Load()
        self._life = Life(
            plate,
            key=key,
            load=self.load,
            timetable=timetable or Timetable(),
            clock=lambda coming, moved: MeterClock(
                since=since,
                ahead=clock_ahead,
                ahead_at=clock_ahead_at,
                drift_s_per_day=drift_s_per_day,
                coming=coming,
                moved=moved,
            ),
            conditions=conditions,
            control=control,
            wallet=wallet,
            current_a=self.current_a,
        )
        self.clock, self.history = self._life.clock, self._life.history
        self.registers, self.memory = self._life.registers, self._life.controlled.memory
        self.events = EventLog(
            history=self.history,
            clock=self.clock,
            registers=self.registers,
            memory=self.memory,
            usual=self._life.usual,
            plate=self._life.plate_at,
            since=self._life.since,
        )
        readings = Readings(
            key=key, grid_key=str(seed), plate=plate, history=self.history, registers=self.registers
        )
        self._display = Display(self._life, events=self.events, readings=readings)

    @property
    def plate(self) -> Plate:
        """Who and what the meter is that hangs there now."""
        return self._life.plate

    @property
    def hung_since(self) -> datetime:
        """When the meter that hangs there now was first switched on."""
        return self._life.hung_since

    @property
    def undisturbed(self) -> bool:
        """Whether nothing happened to it yet and nobody has set its clock: it has left out no freeze."""
        return len(self.history.rows) == 1 and not self.clock.was_set

    @property
    def switch(self) -> Switch:
        """The switch of the meter that hangs there now."""
        return self._life.controlled.switch

    @property
    def account(self) -> Account | None:
        """Its wallet; ``None``: it has none."""
        return self._life.controlled.account

    def advance(self, at: datetime) -> datetime:
        """Bring everything that was delayed to ``at``; each meter does it before it answers.

        Args:
            at: true time, aware; a clock of the simulator that went back is waited for.

        Returns:
            ``at``, or the later time to which everything was brought before.

        """
        return self._life.advance(at)

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
        self._life.exchange(at, meter_number=meter_number)

    def when_exchanged(self, renew: Callable[[], None]) -> None:
        """Have something called after each exchange: by who keeps keys, passwords or sessions of a meter."""
        self._life.when_exchanged(renew)

    def when_power_lost(self, forget: Callable[[], None]) -> None:
        """Have something called at each power cut: by who keeps what a meter has in its memory alone."""
        self._life.when_power_lost(forget)

    def value(self, item: str, at: datetime) -> Decimal | None:
        """What the meter shows for ``item`` at ``at``; ``None`` when it has no such number.

        Args:
            item: of the catalogue, e.g. ``"forward_active_energy.t1"`` or ``"voltage.a"``.
            at: aware; past or now.

        """
        return self._display.value(item, at)

    def content(self, item: str, at: datetime) -> Content:
        """What the meter shows for ``item``: number, text or time; ``None`` when it has no such item.

        Args:
            item: of the catalogue.
            at: aware; past or now.

        """
        return self._display.content(item, at)

    def status_word_3(self, at: datetime, *, authenticated: bool = False) -> int:
        """Status word 3, bit n of the number for bit n of the word, in whatever order a protocol sends them.

        Args:
            at: true time, aware; of the past there is only the contact.
            authenticated: whether somebody has proved to the meter who they are.

        """
        return self._display.status_word_3(at, authenticated=authenticated)

    def settled(self, item: str, number: int, at: datetime) -> Content:
        """What the so-manieth last settlement has kept of an item; ``None`` when it has none.

        Args:
            item: a register, a largest demand of the time before, or its time.
            number: 1 is the last one, up to 12.
            at: true time, aware.

        """
        return self._display.settled(item, number, at)

    def freezes(self, name: str, at: datetime, between: Between | None = None) -> Iterator[Freeze]:
        """A table of freezes, newest first.

        Args:
            name: ``curve``, ``hourly_freeze``, ``daily_freeze``, ``monthly_freeze``, ``yearly_freeze``,
                ``price_switch_freeze``, ``step_switch_freeze``, ``settlement``, ``instant_freeze`` or
                ``timed_freeze``; another one has no rows.
            at: true time, aware.
            between: only those that carry such times; ``None``: all.

        """
        return self._display.freezes(name, at, between)

    def freeze(self, name: str, number: int, at: datetime) -> Freeze | None:
        """The so-manieth last freeze of a table, 1 is the newest; ``None`` when there is none."""
        return self._display.freeze(name, number, at)

    def drawn_kwh(self, at: datetime) -> Decimal:
        """What the customer really drew less what was fed in, primary, whatever was recorded."""
        ratio = self.plate.ct_ratio * self.plate.pt_ratio
        return self.registers.drawn.energy(to_us(at)) * ratio / (TICK * TICKS_PER_KWH)

    def powered(self, at: datetime) -> bool:
        """Whether it works at ``at``; without a voltage it says nothing."""
        return self._life.powered(at)

    def current_a(self, at: datetime) -> Decimal:
        """The largest current of its phases, as its switch feels it."""
        return max(abs(self.value(f"current.{phase}", at) or Decimal(0)) for phase in self.plate.phase_names)


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
