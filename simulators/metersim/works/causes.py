"""What causes the events of a meter, and whether a cause holds: predicates over conditions and what flows.

All but the loads are constant while conditions stay, so an event begins and ends with a row of the history. A
cause is judged against what is usual for this meter: a meter that always feeds back has no reversal, and one
whose phases always differ has no unbalance. Limits are those that meters leave the factory with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from metersim.works.conditions import Conditions
from metersim.works.flow import Flow
from metersim.works.load import Phasor
from metersim.works.plate import PHASES, Plate

VOLTAGE_LOSS_PER_MILLE: Final = 780
UNDER_VOLTAGE_PER_MILLE: Final = 900
OVER_VOLTAGE_PER_MILLE: Final = 1100
ALL_VOLTAGE_LOSS_PER_MILLE: Final = 600
CURRENT_LOSS_PER_MILLE: Final = 50
VOLTAGE_UNBALANCE_PERCENT: Final = 30
CURRENT_UNBALANCE_PERCENT: Final = 30
SEVERE_UNBALANCE_PERCENT: Final = 90
LOW_POWER_FACTOR_PERCENT: Final = 50


class Scene(NamedTuple):
    """What a cause is judged by.

    Args:
        conditions: that hold.
        flow: what flows.
        usual: what the load draws while nothing is wrong, phase by phase.
        plate: of the meter.

    """

    conditions: Conditions
    flow: Flow
    usual: tuple[Phasor, ...]
    plate: Plate


def _is_lost(scene: Scene, number: int) -> bool:
    """A voltage is gone or low, while current flows."""
    low = scene.conditions.voltage_per_mille[number] < VOLTAGE_LOSS_PER_MILLE
    return scene.flow.powered and low and _is_fed(scene, number) and _carries(scene, number)


def _is_low(scene: Scene, number: int) -> bool:
    voltage = scene.conditions.voltage_per_mille[number]
    low = VOLTAGE_LOSS_PER_MILLE <= voltage < UNDER_VOLTAGE_PER_MILLE
    return scene.flow.powered and low and _is_fed(scene, number)


def _is_high(scene: Scene, number: int) -> bool:
    high = scene.conditions.voltage_per_mille[number] > OVER_VOLTAGE_PER_MILLE
    return scene.flow.powered and high and _is_fed(scene, number)


def _is_out(scene: Scene, number: int) -> bool:
    """A phase is not fed: no voltage and no current."""
    return scene.flow.powered and not _is_fed(scene, number)


def _has_no_current(scene: Scene, number: int) -> bool:
    little = scene.conditions.current_per_mille[number] < CURRENT_LOSS_PER_MILLE
    flows = _carries(scene, number) and not _is_cut(scene, number)
    return scene.flow.powered and scene.plate.phases > 1 and little and flows


def _is_cut(scene: Scene, number: int) -> bool:
    return scene.flow.powered and PHASES[number] in scene.conditions.current_open


def _is_reversed(scene: Scene, number: int) -> bool:
    return scene.flow.measured[number].active < 0 <= scene.usual[number].active


def _is_fed(scene: Scene, number: int) -> bool:
    return PHASES[number] not in scene.conditions.without_supply


def _carries(scene: Scene, number: int) -> bool:
    return bool(scene.flow.line[number].apparent)


def _all_lost(scene: Scene) -> bool:
    """No voltage reaches the meter, while current flows through it."""
    numbers = range(scene.plate.phases)
    gone = all(scene.conditions.voltage_per_mille[n] < ALL_VOLTAGE_LOSS_PER_MILLE for n in numbers)
    return scene.plate.phases > 1 and gone and any(_carries(scene, n) for n in numbers)


def _voltages_differ(scene: Scene) -> bool:
    voltages = [
        scene.conditions.voltage_per_mille[number] if _is_fed(scene, number) else 0
        for number in range(scene.plate.phases)
    ]
    return scene.flow.powered and _percent(voltages) > VOLTAGE_UNBALANCE_PERCENT


def _currents_differ(scene: Scene) -> bool:
    return _beyond(scene, CURRENT_UNBALANCE_PERCENT)


def _currents_differ_much(scene: Scene) -> bool:
    return _beyond(scene, SEVERE_UNBALANCE_PERCENT)


def _beyond(scene: Scene, limit_percent: int) -> bool:
    measured = [phasor.apparent for phasor in scene.flow.measured]
    usual = [phasor.apparent for phasor in scene.usual]
    return scene.flow.powered and _percent(measured) > max(limit_percent, _percent(usual))


def _percent(figures: list[int]) -> int:
    """How much smaller the smallest of several is than the largest."""
    largest = max(figures)
    return 100 * (largest - min(figures)) // largest if largest else 0


def _has_low_factor(scene: Scene) -> bool:
    active = abs(sum(phasor.active for phasor in scene.flow.measured))
    apparent = sum(phasor.apparent for phasor in scene.flow.measured)
    return 100 * active < LOW_POWER_FACTOR_PERCENT * apparent


def _feeds_back(scene: Scene) -> bool:
    usual = sum(phasor.active for phasor in scene.usual)
    return sum(phasor.active for phasor in scene.flow.measured) < 0 <= usual


def _flows_though_open(scene: Scene) -> bool:
    """The contact is open by its switch, and current flows all the same: it is stuck, or bridged."""
    flows = any(_carries(scene, number) for number in range(scene.plate.phases))
    return scene.flow.powered and scene.conditions.contact_open and flows


PHASE_CAUSES: Final[dict[str, Callable[[Scene, int], bool]]] = {
    "voltage_loss": _is_lost,
    "under_voltage": _is_low,
    "over_voltage": _is_high,
    "phase_loss": _is_out,
    "current_loss": _has_no_current,
    "current_cut": _is_cut,
    "flow_reversal": _is_reversed,
}
"""Events that each phase has by itself."""
CAUSES: Final[dict[str, Callable[[Scene], bool]]] = {
    "power_down": lambda scene: not scene.flow.powered,
    "all_voltage_loss": _all_lost,
    "voltage_sequence": lambda scene: scene.plate.phases > 1 and scene.conditions.voltage_reversed,
    "current_sequence": lambda scene: scene.plate.phases > 1 and scene.conditions.current_reversed,
    "voltage_unbalance": _voltages_differ,
    "current_unbalance": _currents_differ,
    "severe_current_unbalance": _currents_differ_much,
    "low_power_factor": _has_low_factor,
    "total_flow_reversal": _feeds_back,
    "cover_open": lambda scene: scene.conditions.cover_open,
    "terminal_cover_open": lambda scene: scene.conditions.terminal_cover_open,
    "magnetic_field": lambda scene: scene.conditions.magnetic_field,
    "relay_malfunction": _flows_though_open,
}
"""Events that last as long as their cause."""


def holds(kind: str, scene: Scene) -> bool:
    """Whether the cause of an event holds.

    Args:
        kind: of `CAUSES`, or of `PHASE_CAUSES` with a phase behind: ``voltage_loss.a``.
        scene: what it is judged by.

    """
    name, _, phase = kind.partition(".")
    if not phase:
        return name in CAUSES and CAUSES[name](scene)
    known = name in PHASE_CAUSES and phase in scene.plate.phase_names
    return known and PHASE_CAUSES[name](scene, PHASES.index(phase))
