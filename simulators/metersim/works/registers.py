"""A meter's registers, exact at every instant: power times time, cut into ticks for the tariff in force.

Energy is counted in microseconds of parts of a deciwatt, as whole numbers. A register's ticks (0.01 kWh) are
pulses: the total is all of them, and each goes to the tariff that is in force when it comes; so the tariffs
add up to the total at every instant, and the slope of a register is the power. While conditions stay and the
clock does not drift, a register takes whole ticks in a cycle of four weeks, so what a tariff took in a cycle
is worked out once. A change of conditions begins a new span, which carries the fraction of a tick over.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from metersim.works.clock import Run
from metersim.works.draw import draw
from metersim.works.flow import REGISTERS, Flow
from metersim.works.load import CYCLE_DAYS, CYCLE_WEIGHT, PARTS, TICK_QUARTERS, Course
from metersim.works.moments import DAY_US, QUARTER_US
from metersim.works.plate import PHASES
from metersim.works.timetable import TARIFFS, Timetable

TICKS_PER_KWH: Final = 100
TICK: Final = TICK_QUARTERS * PARTS * QUARTER_US
"""0.01 kWh in microseconds of parts of a deciwatt."""
CAPACITY_TICKS: Final = 10**8
"""999999.99 kWh, then 0 again."""
SIGNED_CAPACITY_TICKS: Final = 8 * 10**7
"""Combined energies have a sign bit: 799999.99 kWh."""

_FIRST_TICKS_MAX: Final = 100_000
_NO_TICKS: Final = (0,) * len(TARIFFS)

assert CYCLE_WEIGHT * QUARTER_US % TICK == 0, "a cycle would not be a whole number of ticks"


class Jump(NamedTuple):
    """Registers are not carried over into a span.

    Args:
        cleared: all of them begin at 0.
        ticks: by item, e.g. ``forward_active_energy.t1``, what they begin at.

    """

    cleared: bool
    ticks: Mapping[str, int]


class Span(NamedTuple):
    """What holds from one change to the next.

    Args:
        from_us: true time.
        flow: what flows.
        run: how the meter's clock runs.
        jump: registers that begin anew with it.

    """

    from_us: int
    flow: Flow
    run: Run
    jump: Jump | None = None


class _Base(NamedTuple):
    """A register at the beginning of a span: energy, and the ticks of its tariffs."""

    energy: int
    tariffs: tuple[int, ...]


class _Begun(NamedTuple):
    """A span as one register goes through it: how it began, its rate, and the integral at that moment."""

    energy: int
    tariffs: tuple[int, ...]
    rate: int
    integral: int


class Counter:
    """One register.

    Args:
        item: its item, e.g. ``forward_active_energy`` or ``forward_active_energy.a``; empty: it is no
            register that anybody could set or clear.
        registers: which it belongs to.
        rate: what of a flow it takes.
        first: ticks of its tariffs when it was switched on.

    """

    __slots__ = ("_begun", "_days", "_first", "_item", "_rate", "_registers", "_shown")

    def __init__(
        self, item: str, registers: Registers, rate: Callable[[Flow], int], first: tuple[int, ...]
    ) -> None:
        self._item, self._registers, self._rate, self._first = item, registers, rate, first
        self._begun: list[_Begun] = []
        self._days: dict[int, array[int]] = {}
        self._shown: tuple[int, tuple[int, ...]] | None = None

    def energy(self, us: int) -> int:
        """In microseconds of parts of a deciwatt, of which `TICK` are 0.01 kWh."""
        number, us = self._registers.span_at(us)
        return self._energy(number, us)

    def ticks(self, us: int) -> int:
        """Of all tariffs."""
        number, us = self._registers.span_at(us)
        return self._energy(number, us) // TICK

    def tariffs(self, us: int) -> tuple[int, ...]:
        """Ticks of each tariff."""
        if self._shown is None or self._shown[0] != us:
            number, inside = self._registers.span_at(us)
            self._shown = us, self._tariffs(number, inside)
        return self._shown[1]

    def forget(self) -> None:
        """A span was added: what was said of later moments does not hold any more."""
        self._shown = None

    def _energy(self, number: int, us: int) -> int:
        begun = self._begun
        energy, _, rate, integral = begun[number] if number < len(begun) else self._span(number)
        return energy + rate * (self._registers.course.integral(us) - integral) if rate else energy

    def _tariffs(self, number: int, us: int) -> tuple[int, ...]:
        span = self._registers.spans[number]
        _, base, rate, _ = self._span(number)
        if not rate:
            return base
        day = (us - span.from_us) // DAY_US
        taken = list(base)
        self._walk(number, span.from_us + day * DAY_US, us, taken)
        cycles = 0
        if not span.run.drift_us_per_day:
            cycles, day = divmod(day, CYCLE_DAYS)
        days = self._whole_days(number, CYCLE_DAYS if cycles else day)
        for tariff in range(len(TARIFFS)):
            taken[tariff] += days[day * len(TARIFFS) + tariff]
            if cycles:
                taken[tariff] += cycles * days[CYCLE_DAYS * len(TARIFFS) + tariff]
        return tuple(taken)

    def _whole_days(self, number: int, days: int) -> array[int]:
        """What the tariffs took in the first so many days of a span, one sum after the other."""
        known = self._days.setdefault(number, array("q", _NO_TICKS))
        start = self._registers.spans[number].from_us
        for day in range(len(known) // len(TARIFFS) - 1, days):
            taken = list(known[-len(TARIFFS) :])
            self._walk(number, start + day * DAY_US, start + (day + 1) * DAY_US, taken)
            known.extend(taken)
        return known

    def _walk(self, number: int, from_us: int, until_us: int, taken: list[int]) -> None:
        """Give each tick of a time inside a span to the tariff in force."""
        run = self._registers.spans[number].run
        before = self._energy(number, from_us) // TICK
        while from_us < until_us:
            tariff, changes_at = self._registers.timetable.in_force(run.shows(from_us))
            from_us = min(until_us, max(run.when(changes_at), from_us + 1))
            after = self._energy(number, from_us) // TICK
            taken[tariff - 1] += after - before
            before = after

    def _span(self, number: int) -> _Begun:
        """A register is worked out span by span, each one once."""
        while len(self._begun) <= number:
            span = self._registers.spans[len(self._begun)]
            integral = self._registers.course.integral(span.from_us)
            self._begun.append(_Begun(*self._next_base(len(self._begun)), self._rate(span.flow), integral))
        return self._begun[number]

    def _next_base(self, number: int) -> _Base:
        span = self._registers.spans[number]
        if number:
            before = _Base(self._energy(number - 1, span.from_us), self._tariffs(number - 1, span.from_us))
        else:
            before = _Base(sum(self._first) * TICK, self._first)
        return before if span.jump is None or not self._item else self._jumped(before, span, span.jump)

    def _jumped(self, before: _Base, span: Span, jump: Jump) -> _Base:
        if jump.cleared:
            before = _Base(0, _NO_TICKS)
        tariffs = tuple(
            jump.ticks.get(f"{self._item}.t{tariff}", before.tariffs[number])
            for number, tariff in enumerate(TARIFFS)
        )
        if (total := jump.ticks.get(self._item)) is not None:
            in_force, _ = self._registers.timetable.in_force(span.run.shows(span.from_us))
            tariffs = _shared(total, tariffs, in_force)
        elif tariffs == before.tariffs:
            return before
        return _Base(sum(tariffs) * TICK, tariffs)


def _shared(total: int, tariffs: tuple[int, ...], in_force: int) -> tuple[int, ...]:
    """A total that somebody set, cut into tariffs as the one before was; the one in force takes what is left.

    No tariff may fall below 0 for it: that would show as nearly all of a register's capacity.
    """
    parts = [max(ticks, 0) for ticks in tariffs]
    whole = sum(parts) or 1
    parts = [total * ticks // whole for ticks in parts]
    parts[in_force - 1] += total - sum(parts)
    return tuple(parts)


class Registers:
    """All registers of one meter.

    Args:
        course: of its load.
        timetable: of its tariffs.
        key: tells this meter from every other.
        phases: that it measures.
        first: the first span.

    """

    def __init__(
        self, *, course: Course, timetable: Timetable, key: str, phases: tuple[str, ...], first: Span
    ) -> None:
        self.course = course
        self.timetable = timetable
        self.spans = [first]
        self._starts = [first.from_us]
        self._key = key
        self._phases = phases
        self._counters: dict[str, Counter] = {}

    def begin(self, span: Span) -> None:
        """A new span begins; not before the last one."""
        assert span.from_us >= self._starts[-1], "spans come in order of time"
        self.spans.append(span)
        self._starts.append(span.from_us)
        for counter in self._counters.values():
            counter.forget()

    def span_at(self, us: int) -> tuple[int, int]:
        """Number of the span, and the moment; the beginning of all for what is before it."""
        starts = self._starts
        if us >= starts[-1]:  # now, as most are asked
            return len(starts) - 1, us
        us = max(us, starts[0])
        return bisect_right(starts, us) - 1, us

    def flow(self, us: int) -> Flow:
        """What flows at a moment."""
        return self.spans[self.span_at(us)[0]].flow

    def counter(self, register: str, phase: str = "") -> Counter:
        """One register.

        Args:
            register: one of `flow.REGISTERS`.
            phase: a, b or c; empty: the total of all.

        """
        item = f"{register}.{phase}" if phase else register
        if (counter := self._counters.get(item)) is None:
            counter = self._counters[item] = self._made(item, REGISTERS.index(register), phase)
        return counter

    @property
    def drawn(self) -> Counter:
        """What the customer really drew, with what the meter did not see; export is negative."""
        if "drawn" not in self._counters:
            self._counters["drawn"] = Counter("", self, _drawn, _NO_TICKS)
        return self._counters["drawn"]

    @property
    def charged(self) -> Counter:
        """What a wallet charges for: forward energy since the beginning, never cleared or turned back."""
        if "charged" not in self._counters:
            self._counters["charged"] = Counter("", self, lambda flow: max(flow.total[0], 0), _NO_TICKS)
        return self._counters["charged"]

    def _made(self, item: str, number: int, phase: str) -> Counter:
        key = f"{self._key}/{item}/first"
        if phase:
            place = PHASES.index(phase)
            first = (draw(key, 0, _FIRST_TICKS_MAX), 0, 0, 0)
            return Counter(item, self, lambda flow: flow.by_phase[place][number], first)
        firsts = tuple(draw(key, tariff, _FIRST_TICKS_MAX) for tariff in TARIFFS)
        return Counter(item, self, lambda flow: flow.total[number], firsts)


def _drawn(flow: Flow) -> int:
    return sum(phasor.active for phasor in flow.drawn)


def ticks_of(kwh: Decimal) -> int:
    """Ticks of an energy.

    Args:
        kwh: 0 to 999,999.99 kWh or kvarh.

    Raises:
        ValueError: outside that.

    """
    ticks = int(kwh * TICKS_PER_KWH)
    if not 0 <= ticks < CAPACITY_TICKS:
        raise ValueError(f"a register of {kwh} kWh: it holds 0 to 999999.99")
    return ticks
