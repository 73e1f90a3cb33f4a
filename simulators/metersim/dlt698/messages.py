"""What a meter is told to show: the payment reminder 8002, general and important messages 8003, 8004.

Source: spec section 4.3 of control and prepayment.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from metersim.dlt698.circumstances import OUT_OF_RANGE, TYPE_UNFIT, Circumstances, Done, Unfit, members
from meterwire.dlt698.apdus.parts import ActionItem, Dar, SetItem
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import Data, DateTimeS

REMINDER: Final = 0x8002
GENERAL: Final = 0x8003
IMPORTANT: Final = 0x8004
MESSAGES_MAX: Final = 10
"""Messages of each kind."""
CHARACTERS_MAX: Final = 200
HOURS_OCTETS: Final = 3


class Reminder(NamedTuple):
    """A payment reminder: in which hours, bit 0 first, and what it says."""

    hours: bytes
    text: str


class Message(NamedTuple):
    """A message: when, and what it says."""

    at: DateTimeS
    text: str


class MessagePart:
    """Reminder and messages of one meter.

    Attributes:
        reminder: what it reminds of; ``None``: nothing.
        messages: by object, then by number.

    """

    objects: Final = frozenset({REMINDER, GENERAL, IMPORTANT})

    def __init__(self) -> None:
        self.reminder: Reminder | None = None
        self.messages: dict[int, dict[int, Message]] = {GENERAL: {}, IMPORTANT: {}}

    def read(self, oad: Oad, at: datetime) -> Data | None:
        """Whether it reminds; messages are not read back."""
        del at
        return Data("enum", int(self.reminder is not None)) if oad == Oad(REMINDER, 2, 0) else None

    def write(self, item: SetItem, how: Circumstances) -> Dar | None:
        """None: methods change them."""
        del item, how
        return None

    def act(self, item: ActionItem, how: Circumstances) -> Done | None:
        """Add or take away."""
        del how
        if item.omd.method not in {127, 128}:
            return None
        if item.omd.oi == REMINDER:
            self.reminder = _reminder(item.data) if item.omd.method == 127 else _no_reminder(item.data)
            return Done()
        kept = self.messages[item.omd.oi]
        if item.omd.method == 128:
            [number] = members(item.data, "unsigned")
            return Done(OUT_OF_RANGE) if kept.pop(number, None) is None else Done()
        number, at, text = members(item.data, "unsigned", "date_time_s", "visible-string")
        if number not in kept and len(kept) == MESSAGES_MAX:
            return Done(OUT_OF_RANGE)
        kept[number] = Message(at, _checked(text))
        return Done()


def _reminder(data: Data) -> Reminder:
    hours, text = members(data, "octet-string", "visible-string")
    if len(hours) != HOURS_OCTETS:
        raise Unfit(OUT_OF_RANGE)
    return Reminder(hours, _checked(text))


def _no_reminder(data: Data) -> Reminder | None:
    if data.type != "null":
        raise Unfit(TYPE_UNFIT)
    return None


def _checked(text: str) -> str:
    if len(text) > CHARACTERS_MAX:
        raise Unfit(OUT_OF_RANGE)
    return text
