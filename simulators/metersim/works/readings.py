"""What a meter measures at a moment: voltages, currents, powers, factors, angles, out of what flows.

In every phase U · I · cosφ = P within the last digit, and the slope of the registers is the power. A power
between two digits is shown as the one below in some quarters of an hour and as the one above in others, so
that what is shown adds up to what the registers take, over any time. Voltages differ from second to second,
and the currents with them.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import isqrt
from typing import Final

from metersim.works.conditions import FULL, History
from metersim.works.draw import draw
from metersim.works.flow import Flow
from metersim.works.items import CONSTANTS, HARMONICS, items_of
from metersim.works.load import PARTS, Phasor
from metersim.works.moments import QUARTER_US, SECOND_US
from metersim.works.plate import PHASES, Plate
from metersim.works.registers import Registers

POWER_MAX: Final = 799_999
"""79.9999 kW, kvar, kVA: what a meter shows at most."""
CURRENT_MAX: Final = 799_999
"""799.999 A."""

VOLTAGE_LOW_PER_MILLE: Final = 973
_VOLTAGE_SPREAD_PER_MILLE: Final = 56
_ANGLES: Final = {False: (0, 2400, 1200), True: (0, 1200, 2400)}
"""Of the voltages of a, b, c, in 0.1 degree; in the wrong order."""


class Moment:
    """What a meter's measuring elements see at one moment.

    Args:
        us: the moment.
        flow: what flows then.
        weight: of the load's shape then.

    """

    __slots__ = ("_before", "flow", "us", "weight")

    def __init__(self, us: int, registers: Registers) -> None:
        number, inside = registers.span_at(us)
        self.us = us
        self.flow: Flow = registers.spans[number].flow
        self.weight = registers.course.weight(inside)
        self._before = registers.course.weights_before(inside)

    def power(self, parts: int) -> int:
        """A power in 0.1 W, as it is shown.

        Args:
            parts: the power for each unit of weight, in parts of 0.1 W.

        """
        return parts * (self._before + self.weight) // PARTS - parts * self._before // PARTS


class Readings:
    """The measuring half of a meter.

    Args:
        key: tells this meter from every other.
        grid_key: tells its grid from every other; it has one frequency.
        plate: of the meter.
        history: of the meter.
        registers: of the meter.

    """

    def __init__(
        self, *, key: str, grid_key: str, plate: Plate, history: History, registers: Registers
    ) -> None:
        self._key, self._grid_key = key, grid_key
        self._plate, self._history, self._registers = plate, history, registers
        self._quantities: dict[str, Callable[[Moment, str], Decimal]] = {
            "voltage": self._voltage,
            "voltage_angle": self._voltage_angle,
            "current": self._current,
            "active_power": self._active_power,
            "mean_active_power": self._active_power,
            "reactive_power": self._reactive_power,
            "apparent_power": self._apparent_power,
            "power_factor": self._power_factor,
            "phase_angle": self._phase_angle,
            "frequency": self._frequency,
            "neutral_current": self._neutral_current,
        }

    def value(self, item: str, us: int) -> Decimal | None:
        """What the meter shows for ``item``; ``None`` when it has no such item.

        Args:
            item: e.g. ``"voltage.a"``.
            us: the moment.

        """
        name, _, suffix = item.partition(".")
        if not self.measures(name) or item not in items_of(name, self._plate.phase_names):
            return None
        if name in CONSTANTS:
            return CONSTANTS[name]
        moment = Moment(us, self._registers)
        if name in HARMONICS:
            return self._harmonic(moment, name, suffix)
        return self._quantities[name](moment, suffix)

    def measures(self, quantity: str) -> bool:
        """Whether it is one of these that are measured."""
        return quantity in self._quantities or quantity in HARMONICS or quantity in CONSTANTS

    def decivolts(self, phase: str, us: int) -> int:
        """The voltage at a phase's terminal."""
        return self._decivolts(us, PHASES.index(phase))

    def _voltage(self, moment: Moment, phase: str) -> Decimal:
        return _scaled(self._decivolts(moment.us, PHASES.index(phase)), 1)

    def _voltage_angle(self, moment: Moment, phase: str) -> Decimal:
        reversed_ = self._history.at_us(moment.us).voltage_reversed
        return _scaled(_ANGLES[reversed_][PHASES.index(phase)], 1)

    def _current(self, moment: Moment, phase: str) -> Decimal:
        number = PHASES.index(phase)
        shown = min(self._milliamperes(moment, number), CURRENT_MAX)
        return _scaled(-shown if moment.flow.measured[number].active < 0 else shown, 3)

    def _active_power(self, moment: Moment, phase: str) -> Decimal:
        return _power(sum(moment.power(phasor.active) for phasor in _of(moment, phase)))

    def _reactive_power(self, moment: Moment, phase: str) -> Decimal:
        return _power(sum(moment.power(phasor.reactive) for phasor in _of(moment, phase)))

    def _apparent_power(self, moment: Moment, phase: str) -> Decimal:
        return _power(sum(moment.power(phasor.apparent) for phasor in _of(moment, phase)))

    def _power_factor(self, moment: Moment, phase: str) -> Decimal:
        phasors = _of(moment, phase)
        active = sum(phasor.active for phasor in phasors)
        apparent = sum(phasor.apparent for phasor in phasors)
        shown = _divided(abs(active) * 1000, apparent) if apparent and moment.weight else 1000
        return _scaled(-shown if active < 0 and moment.weight else shown, 3)

    def _phase_angle(self, moment: Moment, phase: str) -> Decimal:
        return _scaled(moment.flow.angles[PHASES.index(phase)] if moment.weight else 0, 1)

    def _frequency(self, moment: Moment, _: str) -> Decimal:
        if not moment.flow.powered:
            return _scaled(0, 2)
        return _scaled(4990 + draw(f"{self._grid_key}/frequency", moment.us // SECOND_US, 21), 2)

    def _neutral_current(self, moment: Moment, _: str) -> Decimal:
        """What flows back: of one phase all that its line carries, of three what does not cancel out."""
        if not moment.flow.powered:
            return _scaled(0, 3)
        currents = [self._line_current(moment, number) for number in range(len(moment.flow.line))]
        if len(currents) == 1:
            return _scaled(min(currents[0], CURRENT_MAX), 3)
        a, b, c = currents
        return _scaled(min(isqrt(a * a + b * b + c * c - a * b - b * c - c * a), CURRENT_MAX), 3)

    def _harmonic(self, moment: Moment, name: str, suffix: str) -> Decimal:
        phase, _, order = suffix.partition(".h")
        part = 50 + draw(f"{self._key}/{name[:7]}.{suffix}", moment.us // QUARTER_US, 200)
        percent = _scaled(part // int(order), 2)
        if not name.endswith("_value"):
            return percent
        whole = self._voltage if name.startswith("voltage") else self._current
        return (abs(whole(moment, phase)) * percent / 100).quantize(Decimal("0.01"))

    def _decivolts(self, us: int, number: int) -> int:
        conditions = self._history.at_us(us)
        phase = PHASES[number]
        if phase in conditions.without_supply:
            return 0
        return self._grid_decivolts(us, phase) * conditions.voltage_per_mille[number] // FULL

    def _grid_decivolts(self, us: int, phase: str) -> int:
        spread = draw(f"{self._key}/voltage.{phase}", us // SECOND_US, _VOLTAGE_SPREAD_PER_MILLE)
        return int(self._plate.voltage_v * 10) * (VOLTAGE_LOW_PER_MILLE + spread) // FULL

    def _milliamperes(self, moment: Moment, number: int) -> int:
        """The current of the apparent power that is shown; without a voltage, of what flows in the line."""
        flow = moment.flow
        decivolts = self._decivolts(moment.us, number)
        if not flow.powered:
            return 0
        if decivolts and (apparent := flow.measured[number].apparent):
            return _divided(apparent * moment.weight * 1000, decivolts * PARTS)
        conditions = self._history.at_us(moment.us)
        if PHASES[number] in conditions.current_open:
            return 0
        return self._line_current(moment, number) * conditions.current_per_mille[number] // FULL

    def _line_current(self, moment: Moment, number: int) -> int:
        volts = self._grid_decivolts(moment.us, PHASES[number])
        return _divided(moment.flow.line[number].apparent * moment.weight * 1000, volts * PARTS)


def _of(moment: Moment, phase: str) -> tuple[Phasor, ...]:
    """The phase's own phasor, or all when none is named."""
    measured = moment.flow.measured
    return (measured[PHASES.index(phase)],) if phase else measured


def _power(deciwatts: int) -> Decimal:
    return _scaled(max(-POWER_MAX, min(deciwatts, POWER_MAX)), 4)


def _divided(dividend: int, divisor: int) -> int:
    """Rounded to the nearest whole; neither is negative."""
    return (2 * dividend + divisor) // (2 * divisor)


def _scaled(number: int, decimals: int) -> Decimal:
    return Decimal(number).scaleb(-decimals)
