"""Security modes (object F101): how strongly a request has to be protected, for each object.

A mode is a word of four digits: read, write, action, proxy. Each is a set of protections; a request is
taken when its own is at least as strong as the weakest of them. Modes that are set for one object go before
the meter's defaults. As long as they are not enforced, everything is taken, as laboratories like it.
Source: spec section 5.3 of control and prepayment.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from metersim.dlt698.circumstances import (
    NO_SUCH_OBJECT,
    OUT_OF_RANGE,
    SECURITY_MISMATCH,
    TYPE_UNFIT,
    Circumstances,
    Done,
    Strength,
    Unfit,
    members,
)
from meterwire.dlt698.apdus.parts import SUCCESS, ActionItem, Dar, SetItem
from meterwire.dlt698.axdr.selection import Oad, Omd
from meterwire.dlt698.axdr.values import Data

SECURITY_MODES: Final = 0xF101
EXPLICIT_MAX: Final = 64
"""Objects with a mode of their own."""

Access = Literal["read", "write", "action"]

_SHIFTS: Final[dict[Access, int]] = {"read": 12, "write": 8, "action": 4}
_SINGLE: Final = {
    0x202C: 0x8004,
    0x4000: 0x8184,
    0x4001: 0x8104,
    0x4002: 0x8404,
    0x4003: 0x8400,
    0x4018: 0x8000,
    0x4019: 0x8500,
    0x401A: 0x8000,
    0x401B: 0x8500,
    0x401C: 0x8100,
    0x401D: 0x8100,
    0x401E: 0x8100,
    0x5000: 0x8140,
    0xF100: 0x8414,
    0xF101: 0x8124,
}
_BY_HIGH_DIGITS: Final = {
    "0": 0x8004,
    "1": 0x8000,
    "2": 0x8080,
    "3": 0x8110,
    "4": 0x8110,
    "5": 0x8110,
    "6": 0x8887,
    "8": 0x8110,
}
_OTHERS: Final = 0x8110
PLAIN_METHODS: Final = frozenset({Omd(0x8000, 131, 0), Omd(0xF100, 11, 0), Omd(0xF100, 12, 0)})
"""They carry their own proof, and are taken in plain whatever the mode."""


class Modes:
    """The modes of one meter, and the object that holds them.

    Args:
        enforced: whether they hold from the beginning.

    """

    objects: Final = frozenset({SECURITY_MODES})

    def __init__(self, *, enforced: bool = False) -> None:
        self.enforced = enforced
        self._explicit: dict[int, int] = {}

    def mode(self, oi: int) -> int:
        """The mode of an object."""
        if (found := self._explicit.get(oi)) is not None:
            return found
        return _SINGLE.get(oi) or _BY_HIGH_DIGITS.get(f"{oi:04X}"[0], _OTHERS)

    def refusal(self, oi: int, access: Access, strength: Strength) -> Dar | None:
        """DAR 20 when the protection is too weak."""
        if not self.enforced:
            return None
        allowed = self.mode(oi) >> _SHIFTS[access] & 0xF
        return None if strength <= allowed else SECURITY_MISMATCH

    def read(self, oad: Oad, at: datetime) -> Data | None:
        """Whether they are enforced, and the explicit ones."""
        del at
        if oad.attribute == 2:
            return Data("enum", int(self.enforced))
        if oad.attribute == 3:
            return Data("array", tuple(_as_data(oi, mode) for oi, mode in self._explicit.items()))
        return None

    def write(self, item: SetItem, how: Circumstances) -> Dar | None:
        """Enforce them or not, or replace the explicit ones."""
        del how
        if item.oad == Oad(SECURITY_MODES, 2, 0):
            if item.data.type != "enum":
                return TYPE_UNFIT
            if item.data.value not in {0, 1}:
                return OUT_OF_RANGE
            self.enforced = bool(item.data.value)
            return SUCCESS
        if item.oad == Oad(SECURITY_MODES, 3, 0):
            self._explicit = _kept(_modes(item.data))
            return SUCCESS
        return None

    def act(self, item: ActionItem, how: Circumstances) -> Done | None:
        """Add one or several explicit modes, or take one away."""
        del how
        match item.omd.method:
            case 127:
                self._explicit = _kept({**self._explicit, **_modes(Data("array", (item.data,)))})
            case 128:
                if item.data.type != "OI":
                    raise Unfit(TYPE_UNFIT)
                if self._explicit.pop(item.data.value, None) is None:
                    return Done(NO_SUCH_OBJECT)
            case 129:
                self._explicit = _kept({**self._explicit, **_modes(item.data)})
            case _:
                return None
        return Done()


def _as_data(oi: int, mode: int) -> Data:
    return Data("structure", (Data("OI", oi), Data("long-unsigned", mode)))


def _modes(data: Data) -> dict[int, int]:
    if data.type != "array":
        raise Unfit(TYPE_UNFIT)
    found = {}
    for element in data.value:
        oi, mode = members(element, "OI", "long-unsigned")
        found[oi] = mode
    return found


def _kept(modes: dict[int, int]) -> dict[int, int]:
    if len(modes) > EXPLICIT_MAX:
        raise Unfit(OUT_OF_RANGE)
    return modes
