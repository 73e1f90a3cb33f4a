"""What flows through a meter while its conditions stay: power for each unit of weight, as whole numbers.

The load's phasors go through what lies between the customer and the measuring element: supply, switch,
bypass, shorted or turned circuits. What is left is what the meter shows and counts. All is proportional
to the weight of the load's shape, so that one set of figures holds until the next change.
"""

from __future__ import annotations

from math import atan2, cos, degrees, radians, sin
from typing import Final, NamedTuple

from metersim.works.conditions import FULL, Conditions
from metersim.works.load import Phasor
from metersim.works.plate import PHASES, Plate

REGISTERS: Final = (
    "forward_active_energy",
    "reverse_active_energy",
    "reactive_energy_q1",
    "reactive_energy_q2",
    "reactive_energy_q3",
    "reactive_energy_q4",
    "forward_apparent_energy",
    "reverse_apparent_energy",
)
"""Counted by themselves, in all and for each phase; combined energies are made of these."""
POWERED_FROM_PER_MILLE: Final = 600
"""A meter works while one of its voltages is at least so high."""

_PRECISION: Final = 1_000_000
_NOTHING: Final = Phasor(0, 0)
_NOTHING_COUNTED: Final = (0,) * len(REGISTERS)

Rates = tuple[int, ...]
"""One for each of `REGISTERS`."""


class Flow(NamedTuple):
    """What flows, for each unit of weight.

    Args:
        powered: the meter works.
        measured: what its measuring elements see, phase by phase.
        drawn: what the customer really draws, phase by phase, with what flows around the meter.
        line: what flows behind the meter's terminals, phase by phase, before its current circuits.
        total: what all registers take; ``power`` is the same while they count as they should.
        by_phase: what the registers of the phases take.
        power: what the registers would take, for the demands.
        angles: between voltage and current, in 0.1 degree, 0 to 3599.

    """

    powered: bool
    measured: tuple[Phasor, ...]
    drawn: tuple[Phasor, ...]
    line: tuple[Phasor, ...]
    total: Rates
    by_phase: tuple[Rates, ...]
    power: Rates
    angles: tuple[int, ...]


def flow(load: tuple[Phasor, ...], conditions: Conditions, plate: Plate) -> Flow:
    """What flows under these conditions.

    Args:
        load: phasors of each phase for each unit of weight.
        conditions: what holds.
        plate: of the meter.

    """
    numbers = range(len(load))
    powered = is_powered(conditions, plate)
    drawn = tuple(_drawn(load[number], PHASES[number], conditions) for number in numbers)
    line = tuple(_part(phasor, FULL - conditions.bypassed_per_mille) for phasor in drawn)
    measured = tuple(
        _measured(line[number], number, conditions) if powered else _NOTHING for number in numbers
    )
    power = _counted(measured, plate)
    by_phase = tuple(_directed(phasor) for phasor in measured)
    rate = conditions.register_rate_per_mille
    return Flow(
        powered,
        measured,
        drawn,
        line,
        _at_rate(power, rate),
        tuple(_at_rate(each, rate) for each in by_phase),
        power,
        tuple(_angle(phasor) for phasor in measured),
    )


def is_powered(conditions: Conditions, plate: Plate) -> bool:
    """Whether one of the meter's voltages is high enough for it to work."""
    return any(
        phase not in conditions.without_supply and voltage >= POWERED_FROM_PER_MILLE
        for phase, voltage in zip(plate.phase_names, conditions.voltage_per_mille, strict=False)
    )


def _drawn(load: Phasor, phase: str, conditions: Conditions) -> Phasor:
    if phase in conditions.without_supply:
        return _NOTHING
    drawn = _part(load, conditions.load_per_mille)
    return _part(drawn, conditions.bridged_per_mille) if conditions.contact_open else drawn


def _measured(line: Phasor, number: int, conditions: Conditions) -> Phasor:
    """What the measuring element of a phase makes of the power that flows through its line."""
    part = conditions.voltage_per_mille[number] * conditions.current_per_mille[number]
    if PHASES[number] in conditions.current_open:
        part = 0
    turned = _turned(line, conditions.angle_deg[number])
    return Phasor(_rounded(turned.active * part, FULL * FULL), _rounded(turned.reactive * part, FULL * FULL))


def _turned(phasor: Phasor, angle_deg: int) -> Phasor:
    if not angle_deg:
        return phasor
    c = round(cos(radians(angle_deg)) * _PRECISION)
    s = round(sin(radians(angle_deg)) * _PRECISION)
    return Phasor(
        _rounded(phasor.active * c - phasor.reactive * s, _PRECISION),
        _rounded(phasor.active * s + phasor.reactive * c, _PRECISION),
    )


def _part(phasor: Phasor, per_mille: int) -> Phasor:
    if per_mille == FULL:
        return phasor
    return Phasor(_rounded(phasor.active * per_mille, FULL), _rounded(phasor.reactive * per_mille, FULL))


def _counted(measured: tuple[Phasor, ...], plate: Plate) -> Rates:
    """What the registers of all phases take."""
    apparent = sum(phasor.apparent for phasor in measured)
    if plate.sums == "by_phase":
        each = [_directed(phasor) for phasor in measured]
        return tuple(map(sum, zip(*each, strict=True)))
    whole = Phasor(sum(one.active for one in measured), sum(one.reactive for one in measured))
    return _directed(whole, apparent)


def _directed(phasor: Phasor, apparent: int | None = None) -> Rates:
    """The registers that a phasor feeds: by the sign of its active power, and by its quadrant."""
    active, reactive = phasor
    apparent = phasor.apparent if apparent is None else apparent
    if not active and not reactive:
        return _NOTHING_COUNTED
    forward = active >= 0
    quadrant = (1 if forward else 2) if reactive >= 0 else (4 if forward else 3)
    quadrants = tuple(abs(reactive) if quadrant == each else 0 for each in (1, 2, 3, 4))
    return (
        max(active, 0),
        max(-active, 0),
        *quadrants,
        apparent if forward else 0,
        0 if forward else apparent,
    )


def _at_rate(rates: Rates, per_mille: int) -> Rates:
    return rates if per_mille == FULL else tuple(_rounded(rate * per_mille, FULL) for rate in rates)


def _angle(phasor: Phasor) -> int:
    return round(degrees(atan2(phasor.reactive, phasor.active)) * 10) % 3600


def _rounded(dividend: int, divisor: int) -> int:
    """To the nearest whole, halves away from zero."""
    whole = (2 * abs(dividend) + divisor) // (2 * divisor)
    return whole if dividend >= 0 else -whole
