"""What happenings do to the works of a meter.

What lasts is a function from conditions to conditions, so that what two happenings do to one meter can be
told apart when one of them ends; the others are rows of its history and its clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Protocol, runtime_checkable

from metersim.plant.happenings import Happening
from metersim.plant.series import series
from metersim.works.conditions import FULL, USUAL, Conditions
from metersim.works.flow import REGISTERS as COUNTED
from metersim.works.items import REGISTERS
from metersim.works.plate import PHASES
from metersim.works.registers import CAPACITY_TICKS
from metersim.works.tampering import Method, tampered
from metersim.works.timetable import TARIFFS
from metersim.works.works import Works

REGISTER_DECIMALS: Final = 2
REGISTER_STEP: Final = Decimal(1).scaleb(-REGISTER_DECIMALS)
CAPACITY: Final = CAPACITY_TICKS * REGISTER_STEP
"""Where a register begins again at 0."""
_ROLLOVER_ITEM: Final = "forward_active_energy"
_LEFT: Final = Decimal(1)
_OPERATOR_CODE: Final = "99999999"
_AS_IT_IS: Final[Mapping[str, Decimal]] = MappingProxyType({})


@runtime_checkable
class Affected(Protocol):
    """A meter that something can happen to."""

    @property
    def address(self) -> str:
        """12 digits."""

    @property
    def works(self) -> Works:
        """What it measures with."""


class CannotHappen(ValueError):
    """A meter cannot have this happen to it; the message says why."""


def check_can_have(happening: Happening, works: Works) -> None:
    """See that a meter has what a happening is about, as far as its model says so.

    Args:
        happening: what, also one that is made up of others.
        works: of the meter.

    Raises:
        CannotHappen: it would change nothing: the meter has no such phase, or no relay.

    """
    plate = works.plate
    named = happening.phases or happening.phase or ""
    if named and not set(named) & set(plate.phase_names):
        raise CannotHappen(
            f"{happening.what} of phase {named}: meter {plate.address} has phase {''.join(plate.phase_names)}"
        )
    if happening.theft == Method.WRONG_SEQUENCE and plate.phases == 1:
        raise CannotHappen(f"{happening.theft}: meter {plate.address} has one phase, which cannot be crossed")
    about_relay = happening.what == "relay_stuck" or happening.theft == Method.USED_AFTER_TRIP
    if about_relay and not works.switch.character.has_relay:
        raise CannotHappen(f"{happening.theft or happening.what}: meter {plate.address} has no relay")


def strike(happening: Happening, works: Works, at: datetime) -> None:
    """Let something happen that does not last.

    Args:
        happening: what.
        works: of the meter.
        at: true time, now.

    Raises:
        ValueError: the meter cannot have it; the message says why.

    """
    _AT_ONCE[happening.what](happening, works, at)


def lasts(happening: Happening) -> bool:
    """Whether it changes what holds from then on."""
    return happening.what in _LASTING and series(happening) is None


def begin(happening: Happening, works: Works, at: datetime) -> None:
    """What holds changes.

    Raises:
        ValueError: the meter cannot have it; the message says why.

    """
    change = _LASTING[happening.what]
    works.history.become(at, change(happening, works.history.last.conditions))


def end(happening: Happening, others: Iterable[Happening], works: Works, at: datetime) -> None:
    """What it changed is as usual again, but for what others that last have changed.

    Args:
        happening: what ends.
        others: what lasts on this meter, the oldest first.
        works: of the meter.
        at: true time, now.

    Raises:
        ValueError: the meter's history is full.

    """
    changed = _LASTING[happening.what](happening, USUAL)
    left = USUAL
    for other in others:
        left = _LASTING[other.what](other, left)
    back = {
        each.name: getattr(left, each.name)
        for each in fields(Conditions)
        if getattr(changed, each.name) != getattr(USUAL, each.name)
    }
    works.history.change(at, **back)


# --- what does not last ---------------------------------------------------------------------------


def _clock_jump(happening: Happening, works: Works, at: datetime) -> None:
    assert happening.by is not None, "checked when it was made"
    works.clock.go_wrong(at, by=happening.by)


def _clock_drift(happening: Happening, works: Works, at: datetime) -> None:
    works.clock.go_wrong(at, drift_s_per_day=happening.s_per_day)


def _register_set(happening: Happening, works: Works, at: datetime) -> None:
    assert happening.item is not None and happening.value is not None, "checked when it was made"
    _set(works, at, happening.item, happening.value)


def _rollover(happening: Happening, works: Works, at: datetime) -> None:
    """A tariff rolls over together with its total: the other tariffs give way."""
    left = _LEFT if happening.left_kwh is None else happening.left_kwh
    item = happening.item or _ROLLOVER_ITEM
    _set(works, at, item, CAPACITY - left, dict.fromkeys(_other_tariffs(works, item, at), Decimal(0)))


def _set(
    works: Works, at: datetime, item: str, value: Decimal, others: Mapping[str, Decimal] = _AS_IT_IS
) -> None:
    register = item.partition(".")[0]
    if register not in REGISTERS or works.value(item, at) is None:
        raise CannotHappen(f"{item}: meter {works.plate.address} has no such register")
    if register not in COUNTED:
        raise CannotHappen(f"{item}: no register of its own, it adds others; set those")
    if not 0 <= value < CAPACITY:
        raise CannotHappen(f"{item}: a register shows 0 to {CAPACITY - REGISTER_STEP}, not {value}")
    if value % REGISTER_STEP:
        raise CannotHappen(f"{item}: a register shows {REGISTER_DECIMALS} decimals, not {value}")
    total = value + sum(({**_other_tariffs(works, item, at), **others}).values())
    if total >= CAPACITY:
        raise CannotHappen(
            f"{item}: with {value} its tariffs would add up to {total}, and {register} shows "
            f"{CAPACITY - REGISTER_STEP} at most; set the other tariffs lower first"
        )
    works.history.happen(at, "register_set", **{item: value, **others})


def _other_tariffs(works: Works, item: str, at: datetime) -> dict[str, Decimal]:
    """What the other tariffs of a register show; empty for an item that is no tariff."""
    register, _, suffix = item.partition(".")
    tariffs = [f"t{tariff}" for tariff in TARIFFS]
    if suffix not in tariffs:
        return {}
    others = (f"{register}.{tariff}" for tariff in tariffs if tariff != suffix)
    return {other: shown for other in others if (shown := works.value(other, at)) is not None}


def _reset(_: Happening, works: Works, at: datetime) -> None:
    works.history.happen(at, "registers_cleared")


def _demand_reset(_: Happening, works: Works, at: datetime) -> None:
    works.history.happen(at, "demand_cleared", operator_code=_OPERATOR_CODE)


def _programming(happening: Happening, works: Works, at: datetime) -> None:
    works.history.happen(at, "programmed", operator_code=happening.operator_code or _OPERATOR_CODE)


def _exchange(happening: Happening, works: Works, at: datetime) -> None:
    number = happening.meter_number or works.plate.address
    works.exchange(at, meter_number=number)


_AT_ONCE: Final[dict[str, Callable[[Happening, Works, datetime], None]]] = {
    "clock_jump": _clock_jump,
    "clock_drift": _clock_drift,
    "register_set": _register_set,
    "register_rollover": _rollover,
    "registers_reset": _reset,
    "demand_reset": _demand_reset,
    "meter_exchange": _exchange,
    "programming": _programming,
}


# --- what lasts -----------------------------------------------------------------------------------


def _no_battery(_: Happening, before: Conditions) -> Conditions:
    return replace(before, clock_battery_low=True)


def _rate(usual: int) -> Callable[[Happening, Conditions], Conditions]:
    def change(happening: Happening, before: Conditions) -> Conditions:
        rate = usual * FULL if happening.rate is None else int(happening.rate * FULL)
        return replace(before, register_rate_per_mille=-abs(rate) if usual < 0 else rate)

    return change


def _outage(_: Happening, before: Conditions) -> Conditions:
    return replace(before, without_supply=frozenset(PHASES))


def _phase_loss(happening: Happening, before: Conditions) -> Conditions:
    return replace(before, without_supply=before.without_supply | frozenset(happening.phases or ""))


def _tampering(happening: Happening, before: Conditions) -> Conditions:
    strength = Decimal(1) if happening.strength is None else happening.strength
    return tampered(happening.theft or "", strength, phase=happening.phase or "a", before=before)


def _relay_stuck(happening: Happening, before: Conditions) -> Conditions:
    strength = Decimal(1) if happening.strength is None else happening.strength
    return replace(before, bridged_per_mille=round(strength * FULL))


_LASTING: Final[dict[str, Callable[[Happening, Conditions], Conditions]]] = {
    "clock_battery_low": _no_battery,
    "registers_stuck": _rate(0),
    "registers_backward": _rate(-1),
    "registers_runaway": _rate(10),
    "power_outage": _outage,
    "phase_loss": _phase_loss,
    "tampering": _tampering,
    "relay_stuck": _relay_stuck,
    "reboot": _outage,
}
