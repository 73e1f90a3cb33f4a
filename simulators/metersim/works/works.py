"""The works of a meter whatever it speaks: (item, time) -> what it shows.

A pure function of seed, plate, load, history and clock: it can be asked for any moment that is past or now.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from metersim.works.clock import MeterClock
from metersim.works.conditions import USUAL, Conditions, History, Row
from metersim.works.controlled import Controlled
from metersim.works.cost_control import REMOTE, CostControl
from metersim.works.events import EventLog, Stretch
from metersim.works.flow import flow
from metersim.works.items import ENERGIES, REGISTERS, items_of, phase_items_of
from metersim.works.load import MEAN_KW, Load, course, phasors
from metersim.works.moments import INSTALLED_AT, to_us
from metersim.works.plate import Plate
from metersim.works.readings import Readings
from metersim.works.registers import (
    CAPACITY_TICKS,
    SIGNED_CAPACITY_TICKS,
    Counter,
    Jump,
    Registers,
    Span,
    ticks_of,
)
from metersim.works.timetable import Timetable
from meterwire.item_value import Content

_COMBINED = {
    "combined_active_energy": ("forward_active_energy", "reverse_active_energy"),
    "combined_reactive_energy_1": ("reactive_energy_q1", "reactive_energy_q4"),
    "combined_reactive_energy_2": ("reactive_energy_q2", "reactive_energy_q3"),
}
"""Which registers a combined one adds: words 05, 41 and 14. Source: DL/T 645-2007, 04 00 06 01 to 03."""


class Works:
    """The works of one meter.

    Args:
        plate: who and what it is.
        seed: seed of the plant.
        load: what stands behind it.
        timetable: of its tariffs.
        since: when it was first switched on, aware; it counts, freezes and remembers from then on.
        clock_ahead: how far its clock is ahead of the true time then, at most 400 days.
        drift_s_per_day: what its clock gains in a day, at most 600 s.
        conditions: what held when it was switched on.
        control: what its switch and its wallet are like.
        preset_cents: money that its wallet begins with, where it has one.

    Attributes:
        switch: its switch.
        memory: every control that it obeyed.
        account: its wallet; ``None``: it has none.

    Raises:
        ClockOutOfRange: ``clock_ahead`` or ``drift_s_per_day`` is too far.

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
        drift_s_per_day: Decimal = Decimal(0),
        conditions: Conditions = USUAL,
        control: CostControl = REMOTE,
        preset_cents: int = 0,
    ) -> None:
        key = f"{seed}/{plate.address}"
        load = load or Load()
        self.plate = plate
        self.since = since
        self.load = load
        self._load = phasors(load, plate, key)
        self.clock = MeterClock(
            since=since, ahead=clock_ahead, drift_s_per_day=drift_s_per_day, moved=self._clock_set
        )
        self.history = History(since, conditions, before=self._before, moved=self._happened)
        self.events = EventLog(self._stretches)
        us = to_us(since)
        self.registers = Registers(
            course=course(load, key),
            timetable=timetable or Timetable(),
            key=key,
            phases=plate.phase_names,
            first=Span(us, flow(self._load, conditions, plate), self.clock.run(us)),
        )
        self._readings = Readings(
            key=key,
            grid_key=str(seed),
            plate=lambda: self.plate,
            history=self.history,
            registers=self.registers,
        )

        self._controlled = Controlled(
            control,
            clock=self.clock,
            customer_number=plate.customer_number,
            energy=self._counted,
            current_a=self.current_a,
            moved=self._switched,
            preset_cents=preset_cents,
        )
        self.switch = self._controlled.switch
        self.memory = self._controlled.memory
        self.account = self._controlled.account

    def advance(self, at: datetime) -> datetime:
        """Bring everything that was delayed to ``at``; each meter does it before it answers.

        Args:
            at: true time, aware; a clock of the simulator that went back is waited for.

        Returns:
            ``at``, or the later time to which everything was brought before.

        """
        return self._controlled.advance(at)

    def value(self, item: str, at: datetime) -> Decimal | None:
        """What the meter shows for ``item`` at ``at``; ``None`` when it has no such number.

        Args:
            item: of the catalogue, e.g. ``"forward_active_energy.t1"`` or ``"voltage.a"``.
            at: aware; past or now.

        """
        quantity, _, suffix = item.partition(".")
        if quantity in REGISTERS:
            return self._register(quantity, suffix, item, to_us(at))
        return self._readings.value(item, to_us(at))

    def content(self, item: str, at: datetime) -> Content:
        """What the meter shows for ``item``: number, text or time; ``None`` when it has no such item.

        Args:
            item: of the catalogue.
            at: aware; past or now.

        """
        match item:
            case "communication_address":
                return self.plate.address
            case "meter_number":
                return self.plate.meter_number
            case "customer_number":
                return self.plate.customer_number
            case "meter_clock":
                return f"{self.clock.shows(at):%Y-%m-%d %H:%M:%S}"
        return self.value(item, at)

    def drawn_kwh(self, at: datetime) -> Decimal:
        """What the customer really drew since the beginning, primary, whatever was recorded."""
        ratio = self.plate.ct_ratio * self.plate.pt_ratio
        return self.registers.drawn.energy(to_us(at)) * ratio / 36_000_000_000_000

    def powered(self, at: datetime) -> bool:
        """Whether it works at ``at``; without a voltage it says nothing."""
        return self.registers.flow(to_us(at)).powered

    def current_a(self, at: datetime) -> Decimal:
        """The largest current of its phases, as its switch feels it."""
        return max(abs(self.value(f"current.{phase}", at) or Decimal(0)) for phase in self.plate.phase_names)

    def _register(self, quantity: str, suffix: str, item: str, us: int) -> Decimal | None:
        phases = self.plate.phase_names
        if len(phases) == 1 and quantity not in ENERGIES:
            return None  # what the meters of households count
        if suffix and item not in items_of(quantity) and item not in phase_items_of(quantity, phases):
            return None
        parts = _COMBINED.get(quantity, (quantity,))
        phase = suffix if suffix in phases else ""
        ticks = sum(_ticks(self.registers.counter(part, phase), suffix, us) for part in parts)
        return Decimal(ticks % (SIGNED_CAPACITY_TICKS if len(parts) > 1 else CAPACITY_TICKS)).scaleb(-2)

    def _counted(self, at: datetime) -> tuple[int, ...]:
        """Hundredths of a kWh by tariffs, without rolling over."""
        return self.registers.counter("forward_active_energy").tariffs(to_us(at))

    def _switched(self, at: datetime, opened: bool) -> None:
        self.history.change(at, contact_open=opened)

    def _before(self, at: datetime) -> None:
        self._controlled.before(at)

    def _clock_set(self, at: datetime) -> None:
        self._begin(to_us(at), None)

    def _happened(self, row: Row) -> None:
        jump = None
        if row.happened in {"registers_cleared", "meter_exchanged", "register_set"}:
            ticks = {item: ticks_of(v) for item, v in row.details.items() if isinstance(v, Decimal)}
            jump = Jump(row.happened != "register_set", ticks)
        counted = self._counted(row.at) if jump else None
        self._begin(to_us(row.at), jump)
        self._controlled.happened(row.at, powered=self.powered(row.at), counted=counted)

    def _begin(self, us: int, jump: Jump | None) -> None:
        last = self.registers.spans[-1]
        flowing = flow(self._load, self.history.last.conditions, self.plate)
        us = max(us, last.from_us)
        self.registers.begin(Span(us, flowing, self.clock.run(us), jump))

    def _stretches(self, kind: str, until: datetime) -> Iterator[Stretch]:
        if kind == "clock_set":
            for setting in self.clock.settings:
                if setting.at <= until and not setting.broadcast:
                    yield setting.at, setting.at


def usual_works(
    address: str,
    *,
    seed: int,
    mean_kw: Decimal = MEAN_KW,
    since: datetime = INSTALLED_AT,
    clock_ahead: timedelta = timedelta(),
    control: CostControl = REMOTE,
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


def _ticks(counter: Counter, suffix: str, us: int) -> int:
    """The tariff's own register (``"t1"``), or the total when none is named."""
    return counter.tariffs(us)[int(suffix[1:]) - 1] if suffix.startswith("t") else counter.ticks(us)
