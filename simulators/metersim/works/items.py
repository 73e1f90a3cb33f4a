"""The items of the catalogue that a meter here has, and their order in a block."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from metersim.works.plate import PHASES
from metersim.works.timetable import TARIFFS

ENERGIES: Final = ("combined_active_energy", "forward_active_energy", "reverse_active_energy")
REACTIVE_ENERGIES: Final = (
    "combined_reactive_energy_1",
    "combined_reactive_energy_2",
    "reactive_energy_q1",
    "reactive_energy_q2",
    "reactive_energy_q3",
    "reactive_energy_q4",
)
APPARENT_ENERGIES: Final = ("forward_apparent_energy", "reverse_apparent_energy")
REGISTERS: Final = (*ENERGIES, *REACTIVE_ENERGIES, *APPARENT_ENERGIES)
"""Energies by tariffs; all but the first one also by phases."""
DEMANDS: Final = (
    "forward_active_max_demand",
    "reverse_active_max_demand",
    "combined_reactive_max_demand_1",
    "combined_reactive_max_demand_2",
    "reactive_max_demand_q1",
    "reactive_max_demand_q2",
    "reactive_max_demand_q3",
    "reactive_max_demand_q4",
    "forward_apparent_max_demand",
    "reverse_apparent_max_demand",
)
"""By tariffs; each with ``_at`` behind is its time."""
POWERS: Final = ("active_power", "reactive_power", "apparent_power", "power_factor")
PHASE_QUANTITIES: Final = ("voltage", "current", "phase_angle", "voltage_angle")
HARMONICS: Final = (
    "voltage_harmonic",
    "current_harmonic",
    "voltage_harmonic_value",
    "current_harmonic_value",
)
"""As parts of the fundamental, or in volts and amperes: which of them a meter has says its dictionary."""
ORDERS: Final = (3, 5, 7)
PRESENT_DEMANDS: Final = ("active_demand", "reactive_demand", "apparent_demand")
PRESENT: Final = ("frequency", "neutral_current", *PRESENT_DEMANDS)
CONSTANTS: Final = {"demand_period": Decimal(15), "slide_time": Decimal(1), "holiday_count": Decimal(7)}
QUANTITIES: Final = (
    *REGISTERS,
    *POWERS,
    *PHASE_QUANTITIES,
    "mean_active_power",
    *PRESENT,
    *HARMONICS,
    *CONSTANTS,
)
"""All numbers that a meter here measures or has as a parameter, but the largest demands."""


def items_of(quantity: str, phases: tuple[str, ...] = PHASES) -> tuple[str, ...]:
    """The items of ``quantity`` that a meter here has, in the order of a block.

    Args:
        quantity: e.g. ``"voltage"``; one that it does not measure has no items.
        phases: that it measures.

    """
    if quantity in REGISTERS or quantity.removesuffix("_at") in DEMANDS:
        return (quantity, *(f"{quantity}.t{tariff}" for tariff in TARIFFS))
    if quantity in POWERS or quantity == "mean_active_power":
        return (quantity, *(f"{quantity}.{phase}" for phase in phases))
    if quantity in PHASE_QUANTITIES:
        return tuple(f"{quantity}.{phase}" for phase in phases)
    if quantity in HARMONICS:
        return tuple(f"{quantity}.{phase}.h{order}" for phase in phases for order in ORDERS)
    return (quantity,) if quantity in QUANTITIES else ()


def phase_items_of(quantity: str, phases: tuple[str, ...] = PHASES) -> tuple[str, ...]:
    """The registers of each phase; they have no tariffs."""
    if quantity in REGISTERS and quantity != "combined_active_energy":
        return tuple(f"{quantity}.{phase}" for phase in phases)
    return ()
