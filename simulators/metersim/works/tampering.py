"""The ways of stealing, each in a strength of 0 to 1, as what they do to a meter's conditions.

What a meter then shows follows from `flow`; at full strength each meets the detection formula of its rule, at
strength 0 nothing is changed. Three of the methods are no lasting condition: somebody bypasses the meter
every second day, switches the power off and on, or programs the meter without an order. Those are made up of
other happenings (`metersim.plant.series`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from metersim.works.conditions import FULL, USUAL, Conditions
from metersim.works.plate import PHASES

_UNDER_VOLTAGE_PER_MILLE: Final = 150
_MAGNET_PER_MILLE: Final = 700
_CROSSED_DEG: Final = 120


class Method(StrEnum):
    """A way of stealing; each names the rule that finds it."""

    VOLTAGE_LEAD_REMOVED = "THEFT-01"
    VOLTAGE_REDUCED = "THEFT-02"
    CT_SHORTED = "THEFT-03"
    CT_OPEN = "THEFT-04"
    SHUNTED = "THEFT-05"
    SHUNTED_THREE_PHASE = "THEFT-06"
    WRONG_SEQUENCE = "THEFT-07"
    CT_REVERSED = "THEFT-08"
    REGISTER_BLOCKED = "THEFT-09"
    BYPASSED = "THEFT-10"
    LOSS_LINKED = "THEFT-11"
    MAGNET = "THEFT-12"
    SUDDEN_DROP = "THEFT-13"
    POWER_CYCLED = "THEFT-14"
    PROGRAMMED = "THEFT-15"
    USED_AFTER_TRIP = "THEFT-16"


def tampered(
    method: Method | str, strength: Decimal | float, *, phase: str = "a", before: Conditions = USUAL
) -> Conditions:
    """Conditions with a way of stealing.

    Args:
        method: which, or its rule, e.g. ``"THEFT-03"``.
        strength: 0 (nothing) to 1 (as far as it goes).
        phase: where, for what concerns one phase; a meter of one phase has phase a only.
        before: what held before.

    Raises:
        ValueError: no such method or phase, ``strength`` out of range, or a method that is no lasting
            condition.

    """
    per_mille = _per_mille(strength)
    if phase not in PHASES:
        raise ValueError(f"phase {phase!r}: write a, b or c")
    change = _CHANGES.get(Method(method))
    if change is None:
        raise ValueError(f"{Method(method).value} is no lasting condition: it is made up of several")
    changes: Mapping[str, Any] = change(before, PHASES.index(phase), per_mille)
    return replace(before, **changes) if per_mille else before


def _per_mille(strength: Decimal | float) -> int:
    if not 0 <= strength <= 1:
        raise ValueError(f"a strength of {strength}: write 0 to 1")
    return round(strength * FULL)


def _part_of(whole: int, per_mille: int) -> int:
    """Rounded up, so that the least strength takes something, too."""
    return -(-whole * per_mille // FULL)


def _of_phase(figures: tuple[int, int, int], number: int, figure: int) -> tuple[int, ...]:
    return (*figures[:number], figure, *figures[number + 1 :])


def _voltage_removed(before: Conditions, number: int, per_mille: int) -> Mapping[str, object]:
    return {"voltage_per_mille": _of_phase(before.voltage_per_mille, number, FULL - per_mille)}


def _voltage_reduced(before: Conditions, number: int, per_mille: int) -> Mapping[str, object]:
    left = FULL - _part_of(_UNDER_VOLTAGE_PER_MILLE, per_mille)
    return {"voltage_per_mille": _of_phase(before.voltage_per_mille, number, left)}


def _current_shunted(before: Conditions, number: int, per_mille: int) -> Mapping[str, object]:
    return {"current_per_mille": _of_phase(before.current_per_mille, number, FULL - per_mille)}


def _current_open(before: Conditions, number: int, per_mille: int) -> Mapping[str, object]:
    """A lead that is loose carries less; one that is off carries nothing."""
    return {
        **_current_shunted(before, number, per_mille),
        "current_open": before.current_open | ({PHASES[number]} if per_mille == FULL else set()),
    }


def _crossed(before: Conditions, number: int, per_mille: int) -> Mapping[str, object]:
    """The currents of two phases change places: one is turned forward, the other one back."""
    angle = _part_of(_CROSSED_DEG, per_mille)
    other = (number + 1) % len(PHASES)
    angles = _of_phase(before.angle_deg, number, angle)
    return {
        "angle_deg": (*angles[:other], -angle, *angles[other + 1 :]),
        "current_reversed": True,
    }


def _reversed(before: Conditions, number: int, per_mille: int) -> Mapping[str, object]:
    """A part of the turns of a CT is reversed: it takes away twice its share, and beyond a half all turns."""
    left = FULL - 2 * per_mille
    return {
        "angle_deg": _of_phase(before.angle_deg, number, 180 if left < 0 else before.angle_deg[number]),
        "current_per_mille": _of_phase(before.current_per_mille, number, abs(left)),
    }


def _blocked(_: Conditions, __: int, per_mille: int) -> Mapping[str, object]:
    return {"register_rate_per_mille": FULL - per_mille, "cover_open": True}


def _bypassed(_: Conditions, __: int, per_mille: int) -> Mapping[str, object]:
    return {"bypassed_per_mille": per_mille}


def _magnet(before: Conditions, _: int, per_mille: int) -> Mapping[str, object]:
    left = FULL - _part_of(_MAGNET_PER_MILLE, per_mille)
    return {
        "magnetic_field": True,
        "current_per_mille": tuple(figure * left // FULL for figure in before.current_per_mille),
    }


def _bridged(_: Conditions, __: int, per_mille: int) -> Mapping[str, object]:
    return {"bridged_per_mille": per_mille}


_CHANGES: Final[dict[Method, Callable[[Conditions, int, int], Mapping[str, object]]]] = {
    Method.VOLTAGE_LEAD_REMOVED: _voltage_removed,
    Method.VOLTAGE_REDUCED: _voltage_reduced,
    Method.CT_SHORTED: _current_shunted,
    Method.CT_OPEN: _current_open,
    Method.SHUNTED: _current_shunted,
    Method.SHUNTED_THREE_PHASE: _current_shunted,
    Method.WRONG_SEQUENCE: _crossed,
    Method.CT_REVERSED: _reversed,
    Method.REGISTER_BLOCKED: _blocked,
    Method.BYPASSED: _bypassed,
    Method.MAGNET: _magnet,
    Method.SUDDEN_DROP: _bypassed,
    Method.USED_AFTER_TRIP: _bridged,
}
