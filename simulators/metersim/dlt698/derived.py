"""Variables that follow from what the works measure: distortion, unbalance, load rate, month, present price.

Means over a minute are the powers of the moment: here power is constant in a quarter of an hour. Harmonics
of orders that the load has not are 0, and their total is the root of the sum of squares.
Source: spec section 6.3.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Final

from metersim.works.items import ORDERS
from metersim.works.moments import to_us
from metersim.works.works import Works
from meterwire.item_value import Content

_CENT: Final = Decimal("0.01")
_MEANS: Final = {"mean_reactive_power": "reactive_power", "mean_apparent_power": "apparent_power"}
_DISTORTIONS: Final = {
    "voltage_distortion": "voltage_harmonic",
    "current_distortion": "current_harmonic",
}
_HARMONICS: Final = frozenset(_DISTORTIONS.values())
_BATTERY_V: Final = {False: Decimal("3.60"), True: Decimal("2.40")}
"""The clock's battery, good and empty."""
_MONTHLY: Final = "monthly_freeze"


def derived(works: Works, key: str, at: datetime) -> Content:
    """What a meter shows for a variable that its works have no name for; ``None``: it has no such variable.

    Args:
        works: of the meter.
        key: e.g. ``voltage_distortion.a``.
        at: true time, aware; past or now.

    """
    quantity, _, suffix = key.partition(".")
    if quantity in _MEANS:
        return works.value(key.replace(quantity, _MEANS[quantity], 1), at)
    if quantity in _DISTORTIONS and suffix:
        return _total(works, f"{_DISTORTIONS[quantity]}.{suffix}", at)
    if quantity in _HARMONICS:
        return _harmonic(works, key, at)
    shown = _SINGLE.get(key)
    return shown(works, at) if shown else None


def items_of_derived(quantity: str) -> tuple[str, ...]:
    """The items of a quantity that is derived, but for arrays along orders; others have none."""
    if quantity in _MEANS:
        return (quantity, *(f"{quantity}.{phase}" for phase in "abc"))
    if quantity in _DISTORTIONS:
        return tuple(f"{quantity}.{phase}" for phase in "abc")
    if quantity in _HARMONICS:
        orders = ("", *(f".h{order}" for order in range(2, max(ORDERS) + 1)))
        return tuple(f"{quantity}.{phase}{order}" for phase in "abc" for order in orders)
    return ()


def _total(works: Works, phase_item: str, at: datetime) -> Decimal | None:
    parts = [works.value(f"{phase_item}.h{order}", at) for order in ORDERS]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return sum((part * part for part in known), Decimal(0)).sqrt().quantize(_CENT)


def _harmonic(works: Works, key: str, at: datetime) -> Decimal | None:
    """Of an order, or the total; an order between those of the load is 0."""
    phase_item, _, order = key.partition(".h")
    if not order:
        return _total(works, phase_item, at)
    if int(order) in ORDERS:
        return works.value(key, at)
    has_phase = works.value(f"{phase_item}.h{ORDERS[0]}", at) is not None
    return Decimal(0) if has_phase and 1 < int(order) < max(ORDERS) else None


def _unbalance(quantity: str) -> Callable[[Works, datetime], Content]:
    """How much smaller the smallest of three is than the largest, in percent; of one phase none."""

    def rate(works: Works, at: datetime) -> Content:
        if works.plate.phases == 1:
            return None
        figures = [abs(works.value(f"{quantity}.{p}", at) or Decimal(0)) for p in works.plate.phase_names]
        largest = max(figures)
        return (100 * (largest - min(figures)) / largest).quantize(_CENT) if largest else Decimal(0)

    return rate


def _load_rate(works: Works, at: datetime) -> Content:
    """Of the power that Imax makes at the nominal voltage in all phases, in percent."""
    plate = works.plate
    full_kw = plate.max_current_a * plate.voltage_v * plate.phases / 1000
    power = works.value("active_power", at)
    return None if power is None else (100 * abs(power) / full_kw).quantize(_CENT)


def _month(works: Works, at: datetime) -> Content:
    """Combined active energy since the month began, or since the meter was switched on or cleared."""
    now = works.value("combined_active_energy", at)
    begun = works.freeze(_MONTHLY, 1, at)
    then = works.value("combined_active_energy", begun.taken_at) if begun else Decimal(0)
    return None if now is None or then is None else max(now - then, Decimal(0))


def _price(works: Works, at: datetime) -> Content:
    if works.account is None:
        return None
    tariff, _ = works.registers.timetable.in_force(to_us(works.clock.shows(at)))
    return works.account.prices[tariff - 1]


_SINGLE: Final[dict[str, Callable[[Works, datetime], Content]]] = {
    "voltage_unbalance_rate": _unbalance("voltage"),
    "current_unbalance_rate": _unbalance("current"),
    "load_rate": _load_rate,
    "month_consumption": _month,
    "price": _price,
    "tariff_price": _price,
    "clock_battery_voltage": lambda works, at: _BATTERY_V[works.history.at(at).clock_battery_low],
}
