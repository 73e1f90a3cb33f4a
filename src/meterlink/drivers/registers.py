"""Which items are registers, which of them only count up, and where those begin again at 0."""

from __future__ import annotations

import functools
import re
from decimal import Decimal
from typing import Final

from meterlink.drivers.near import near
from meterlink.errors import UnknownItem
from meterlink.model.protocols import MeterProtocol
from meterwire import catalogue

_TARIFF: Final = "t[1-9][0-9]?"
DISPLAYED: Final = Decimal(10) ** 6
"""Where a register of energy with six digits before the point begins again at 0: those of DL/T 645 have no
other, and those of meters of 698.45 have the same display. Source: DL/T 645-2007, table A.1: XXXXXX.XX."""
WIDTH_698: Final = Decimal(2**32).scaleb(-2)
"""Where one of 698.45 does whose meter counts as far as the field is wide: double-long-unsigned with two
decimals. Source: DL/T 698.45, class 1, attribute 2."""
_ENERGY_UNITS: Final = frozenset({"kWh", "kvarh", "kVAh"})
_COUNT_BOTH_WAYS: Final = frozenset(
    {
        "active_energy",
        "associated_energy",
        "combined_active_energy",
        "combined_reactive_energy_1",
        "combined_reactive_energy_2",
    }
)
"""What a setting of the meter makes of several registers, with signs."""


def check_register(item: str) -> None:
    """Refuse what is no register.

    Args:
        item: ``forward_active_energy``, or of one tariff, ``forward_active_energy.t1``.

    Raises:
        UnknownItem: it is none; the message has names near it.

    """
    if not re.fullmatch(pattern(), item):
        name = item.partition(".")[0]
        en, zh = near(name, _registers())
        raise UnknownItem(f"{item[:64]!r} is no register{en}", f"{item[:64]!r} 不是示数{zh}")


@functools.cache
def pattern() -> str:
    """What ``check_register`` takes, as a regular expression."""
    return rf"^(?:{'|'.join(_registers())})(?:\.{_TARIFF})?$"


def _registers() -> list[str]:
    return sorted(one.name for one in catalogue.quantities().values() if one.kind == "register")


def capacities(protocol: MeterProtocol, quantity: str) -> tuple[Decimal, ...]:
    """Where a register may begin again at 0, in its unit; none: it is no energy, or does not only count up.

    Args:
        protocol: of the meter.
        quantity: an item without its dimensions.

    """
    return _capacities(protocol) if quantity in _counters() else ()


def _capacities(protocol: MeterProtocol) -> tuple[Decimal, ...]:
    if protocol in {"modbus-rtu", "modbus-tcp"}:
        return ()  # each maker has registers of his own width, and no map says where they begin again
    return (DISPLAYED, WIDTH_698) if protocol == "dlt698.45" else (DISPLAYED,)


@functools.cache
def _counters() -> frozenset[str]:
    return frozenset(
        one.name
        for one in catalogue.quantities().values()
        if one.kind == "register" and "tariff" in one.dimensions and one.unit in _ENERGY_UNITS
    ).difference(_COUNT_BOTH_WAYS)
