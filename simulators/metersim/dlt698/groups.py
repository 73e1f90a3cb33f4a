"""Group addresses of a meter, object 4005: what is sent to one of them it hears, and does not answer.

Source: spec sections 1.3 and 6.6.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from metersim.dlt698.circumstances import OUT_OF_RANGE, TYPE_UNFIT, Circumstances, Done
from meterwire.dlt698.apdus.parts import SUCCESS, ActionItem, Dar, SetItem
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.link.address import ADDRESS_OCTETS_MAX, AddressKind, ServerAddress

GROUPS: Final = 0x4005
GROUPS_MAX: Final = 16
"""Groups that one meter belongs to."""


class GroupPart:
    """The groups of one meter.

    Attributes:
        addresses: of its groups; the same set all the time.

    """

    objects: Final = frozenset({GROUPS})

    def __init__(self) -> None:
        self.addresses: set[ServerAddress] = set()

    def read(self, oad: Oad, at: datetime) -> Data | None:
        """The addresses, lowest first."""
        del at
        if oad.attribute != 2:
            return None
        digits = sorted(address.digits for address in self.addresses)
        return Data("array", tuple(Data("octet-string", bytes.fromhex(one)) for one in digits))

    def write(self, item: SetItem, how: Circumstances) -> Dar | None:
        """Other groups in place of all that it had."""
        del how
        if item.oad != Oad(GROUPS, 2, 0):
            return None
        if item.data.type != "array" or any(one.type != "octet-string" for one in item.data.value):
            return TYPE_UNFIT
        octets = [one.value for one in item.data.value]
        if len(octets) > GROUPS_MAX or any(not 1 <= len(one) <= ADDRESS_OCTETS_MAX for one in octets):
            return OUT_OF_RANGE
        self.addresses.clear()
        self.addresses.update(ServerAddress(one.hex().upper(), AddressKind.GROUP) for one in octets)
        return SUCCESS

    def act(self, item: ActionItem, how: Circumstances) -> Done | None:
        """None: they are written."""
        del item, how
        return None
