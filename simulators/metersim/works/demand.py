"""Largest demands: the mean power of any 15 whole minutes in a time, found without looking at every minute.

A window of 15 minutes slides from minute to minute. Power is constant in a quarter of an hour, so while
conditions stay the mean is a straight line between the ends of quarters, and the largest one stands at such
an end, or at the first or last window. Where conditions change within a window, its minutes are looked at one
by one. A window lies in the time that is asked for, and the meter works all the while: after its power comes
back, and after a reset, the first window is a new one. Minutes are those of the true time; the metering
element counts them by itself, and only the moment that it notes is the clock's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from metersim.works.flow import REGISTERS, Flow
from metersim.works.load import PARTS
from metersim.works.moments import MINUTE_US, QUARTER_US
from metersim.works.registers import Registers

PERIOD_US: Final = QUARTER_US
SLIDE_US: Final = MINUTE_US

_INDEX: Final = {
    "forward_active_max_demand": (0,),
    "reverse_active_max_demand": (1,),
    "reactive_max_demand_q1": (2,),
    "reactive_max_demand_q2": (3,),
    "reactive_max_demand_q3": (4,),
    "reactive_max_demand_q4": (5,),
    "combined_reactive_max_demand_1": (2, 5),
    "combined_reactive_max_demand_2": (3, 4),
    "forward_apparent_max_demand": (6,),
    "reverse_apparent_max_demand": (7,),
}
"""Places in `flow.REGISTERS` that a demand adds."""

assert len(REGISTERS) == 1 + max(index for places in _INDEX.values() for index in places)


def _active(flow: Flow) -> int:
    return sum(phasor.active for phasor in flow.measured)


def _reactive(flow: Flow) -> int:
    return sum(phasor.reactive for phasor in flow.measured)


def _apparent(flow: Flow) -> int:
    return sum(phasor.apparent for phasor in flow.measured)


_PRESENT: Final[dict[str, Callable[[Flow], int]]] = {
    "active_demand": _active,
    "reactive_demand": _reactive,
    "apparent_demand": _apparent,
}


class Largest(NamedTuple):
    """The largest demand of a time.

    Args:
        energy: of its 15 minutes, as registers count it.
        end_us: when they ended; of several the first.

    """

    energy: int
    end_us: int

    @property
    def deciwatts(self) -> int:
        """Its mean power, in 0.1 W, 0.1 var or 0.1 VA, cut."""
        return self.energy // (PARTS * PERIOD_US)


class _Known(NamedTuple):
    """What is known of a demand up to a minute."""

    from_us: int
    until_us: int
    spans: int
    largest: Largest | None


class Demands:
    """Finds largest demands.

    Args:
        registers: of the meter.

    """

    def __init__(self, registers: Registers) -> None:
        self._registers = registers
        self._known: dict[tuple[str, int], _Known] = {}

    def largest(self, name: str, tariff: int, from_us: int, until_us: int) -> Largest | None:
        """The largest demand of a time; ``None`` when no window ended in it, or nothing was drawn.

        Args:
            name: e.g. ``forward_active_max_demand``.
            tariff: 1 to 4; 0: of all.
            from_us: when the time began.
            until_us: when it ended.

        """
        spans = len(self._registers.spans)
        known = self._known.get((name, tariff))
        fresh = from_us
        best: Largest | None = None
        if (
            known is not None
            and (from_us, spans) == (known.from_us, known.spans)
            and known.until_us <= until_us
        ):
            fresh, best = known.until_us, known.largest
        rate = _rate(name)
        for start, end in self._working(from_us, until_us):
            low = max(start + PERIOD_US, fresh + 1 if fresh > from_us else from_us)
            for first, last in self._in_force(tariff, low, end):
                best = self._best(rate, first, last, best)
        if until_us >= from_us:
            self._known[name, tariff] = _Known(from_us, until_us, spans, best)
        return best

    def _working(self, from_us: int, until_us: int) -> Iterator[tuple[int, int]]:
        """Stretches in which the meter worked."""
        start: int | None = None
        for from_, until, flow in self._pieces(from_us, until_us):
            if flow.powered and start is None:
                start = from_
            if not flow.powered and start is not None:
                yield start, from_
                start = None
            last = until
        if start is not None:
            yield start, last

    def _pieces(self, from_us: int, until_us: int) -> Iterator[tuple[int, int, Flow]]:
        """What flowed from when to when."""
        spans = self._registers.spans
        number, from_us = self._registers.span_at(from_us)
        while from_us < until_us:
            end = spans[number + 1].from_us if number + 1 < len(spans) else until_us
            if end > from_us:
                yield from_us, min(end, until_us), spans[number].flow
            from_us, number = max(from_us, end), number + 1

    def _in_force(self, tariff: int, low: int, high: int) -> Iterator[tuple[int, int]]:
        """Ends of windows that belong to a tariff: from when to when, both in whole minutes.

        A window belongs to the tariff of its last moment.
        """
        first = _ceil(low)
        if not tariff:
            if first <= high:
                yield first, high // SLIDE_US * SLIDE_US
            return
        while first <= high:
            number, _ = self._registers.span_at(first - 1)
            run = self._registers.spans[number].run
            in_force, changes_at = self._registers.timetable.in_force(run.shows(first - 1))
            last = min(high, max(run.when(changes_at), first), self._end_of(number)) // SLIDE_US * SLIDE_US
            last = max(last, first)
            if in_force == tariff:
                yield first, last
            first = last + SLIDE_US

    def _end_of(self, number: int) -> int:
        spans = self._registers.spans
        return spans[number + 1].from_us if number + 1 < len(spans) else spans[number].from_us + (1 << 62)

    def _best(
        self, rate: Callable[[Flow], int], first: int, last: int, best: Largest | None
    ) -> Largest | None:
        """The largest of windows that end in whole minutes from first to last."""
        for from_us, until_us, flow in self._pieces(first - PERIOD_US, last + 1):
            low, high = max(first, _ceil(from_us + 1)), min(last, until_us // SLIDE_US * SLIDE_US)
            inside = from_us + PERIOD_US
            for end in range(low, min(high + 1, inside), SLIDE_US):
                best = self._larger(rate, end, best)
            low = max(low, _ceil(inside))
            if low <= high and (taken := rate(flow)):
                best = self._inside(taken, low, high, best)
        return best

    def _inside(self, rate: int, low: int, high: int, best: Largest | None) -> Largest | None:
        """The same where conditions stay in all windows."""
        course = self._registers.course
        candidates = [low, high]
        quarter, end = -(-low // QUARTER_US), high // QUARTER_US + 1
        if quarter < end:
            _, heaviest = course.heaviest(quarter - 1, end - 1)
            candidates.append((heaviest + 1) * QUARTER_US)
        for moment in sorted(candidates):
            energy = rate * (course.integral(moment) - course.integral(moment - PERIOD_US))
            if energy and (best is None or energy > best.energy):
                best = Largest(energy, moment)
        return best

    def present(self, name: str, us: int) -> int:
        """The mean of the last 15 whole minutes, in 0.1 W, 0.1 var or 0.1 VA, towards zero; with its sign.

        Args:
            name: ``active_demand``, ``reactive_demand`` or ``apparent_demand``.
            us: the moment.

        """
        energy = self._energy(_PRESENT[name], us // SLIDE_US * SLIDE_US)
        mean = abs(energy) // (PARTS * PERIOD_US)
        return mean if energy >= 0 else -mean

    def _energy(self, rate: Callable[[Flow], int], end: int) -> int:
        """Of the window that ends there."""
        course = self._registers.course
        return sum(
            rate(flow) * (course.integral(until_us) - course.integral(from_us))
            for from_us, until_us, flow in self._pieces(end - PERIOD_US, end)
        )

    def _larger(self, rate: Callable[[Flow], int], end: int, best: Largest | None) -> Largest | None:
        energy = self._energy(rate, end)
        return Largest(energy, end) if energy and (best is None or energy > best.energy) else best


def _rate(name: str) -> Callable[[Flow], int]:
    places = _INDEX[name]
    return lambda flow: sum(flow.power[place] for place in places)


def _ceil(us: int) -> int:
    return -(-us // SLIDE_US) * SLIDE_US
