"""Which items are registers of energy: what a meter shows when it is taken out."""

from __future__ import annotations

import re
from typing import Final

from meterlink.drivers.near import near
from meterlink.errors import UnknownItem
from meterwire import catalogue

_TARIFF: Final = re.compile("t[1-9][0-9]?")


def check_register(item: str) -> None:
    """Refuse what is no register.

    Args:
        item: ``forward_active_energy``, or of one tariff, ``forward_active_energy.t1``.

    Raises:
        UnknownItem: it is none; the message has names near it.

    """
    name, dot, tariff = item.partition(".")
    registers = [one.name for one in catalogue.quantities().values() if one.kind == "register"]
    if name not in registers or (dot and not _TARIFF.fullmatch(tariff)):
        raise UnknownItem(f"{item[:64]!r} is no register{near(name, registers)}")
