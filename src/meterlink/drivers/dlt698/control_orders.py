"""Orders as methods of DL/T 698.45: one form of each, out of tables.

Of every order there is one form: one relay, one element, no delay and no limit of our own, and a time tag
that ends where the order's deadline stands by the meter's clock. The number of a close is 0 or 1, because
there are meters that take every other one for "at once" (fact 2).
Source: control-and-prepayment, sections 4.1, 4.2, 4.6, 4.7 and 5.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta, tzinfo
from typing import Final

from meterlink.drivers.control import Command
from meterlink.model.order import OrderKind
from meterwire.dlt698.apdus.parts import ActionItem, TimeTag
from meterwire.dlt698.axdr.selection import Oad, Omd, SidMac, Ti
from meterwire.dlt698.axdr.values import NULL, Data, DateTimeS

RELAY: Final = Oad(0xF205, 2, 1)
"""The one relay of a meter. 00 for "all" is never sent: a terminal computes with it unchecked."""
PERMIT, DIRECT = 0, 1
TOP_UP: Final = 1
"""Of a wallet operation; 0 opens an account, 2 takes money out."""
LEVEL: Final = 4
"""Ciphertext and MAC: what meters want for control and wallet by default. Source: section 5.3."""
TASK_SWITCH, TASK_OTHER = 8, 3
"""Task types of an encryption machine: a trip or close; any other data. Source: section 5.1."""
TAG_UNITS_MAX: Final = 65_535
"""Most seconds, or minutes, of a time tag."""

_MINUTE: Final = timedelta(minutes=1)
_SECOND: Final = timedelta(seconds=1)
_UNIT_SECOND, _UNIT_MINUTE = 0, 1
_CENTS_MAX: Final = 0xFFFF_FFFF

METHODS: Final[Mapping[OrderKind, Omd]] = {
    OrderKind.TRIP: Omd(0x8000, 129),
    OrderKind.PERMIT_CLOSE: Omd(0x8000, 130),
    OrderKind.DIRECT_CLOSE: Omd(0x8000, 130),
    OrderKind.ALARM_ON: Omd(0x8000, 127),
    OrderKind.ALARM_OFF: Omd(0x8000, 128),
    OrderKind.GUARANTEE_ON: Omd(0x8001, 127),
    OrderKind.GUARANTEE_OFF: Omd(0x8001, 128),
    OrderKind.TOP_UP: Omd(0xF100, 6),
}
CLOSE_UNDER_PASSWORD: Final = Omd(0x8000, 131)
TASKS: Final[Mapping[OrderKind, int]] = dict.fromkeys(OrderKind, TASK_OTHER) | {
    OrderKind.TRIP: TASK_SWITCH,
    OrderKind.PERMIT_CLOSE: TASK_SWITCH,
    OrderKind.DIRECT_CLOSE: TASK_SWITCH,
}
_CLOSES: Final[Mapping[OrderKind, int]] = {OrderKind.PERMIT_CLOSE: PERMIT, OrderKind.DIRECT_CLOSE: DIRECT}


def check(command: Command) -> None:
    """Refuse what has no form here, before anything is asked of a meter.

    Raises:
        ValueError: times that a tag cannot hold, or a top-up that does not say all.

    """
    if command.valid_for % _SECOND or command.expires_at.microsecond:
        raise ValueError("an order is valid for whole seconds, until a whole second")
    if not _SECOND <= command.valid_for <= TAG_UNITS_MAX * _SECOND:
        raise ValueError(f"an order is valid for 1 to {TAG_UNITS_MAX} s: 0 would be for ever")
    if command.kind is OrderKind.TOP_UP:
        amount, count, customer = command.amount_cents, command.purchase_count, command.customer_number
        if amount is None or count is None or not 1 <= amount <= _CENTS_MAX or not 1 <= count <= _CENTS_MAX:
            raise ValueError("a top-up names its amount and its purchase count, 1 or more each")
        if not _twelve_digits(customer) or not _twelve_digits(command.meter_number):
            raise ValueError("a top-up names customer and meter by 12 digits each")


def action_item(command: Command, *, proof: SidMac | None = None, password: str | None = None) -> ActionItem:
    """The method and its parameter.

    Args:
        command: checked.
        proof: of money; a top-up has one, nothing else has.
        password: of a close in plain: the method that carries one.

    """
    close = _CLOSES.get(command.kind)
    if close is not None:
        members = [Data("OAD", RELAY), Data("enum", close)]
        if password is None:
            return ActionItem(METHODS[command.kind], _one(members))
        return ActionItem(CLOSE_UNDER_PASSWORD, _one([*members, Data("visible-string", password)]))
    if command.kind is OrderKind.TRIP:
        at_once = [Data("unsigned", 0), Data("long-unsigned", 0), Data("bool", False)]
        return ActionItem(METHODS[command.kind], _one([Data("OAD", RELAY), *at_once]))
    if command.kind is OrderKind.TOP_UP:
        assert proof is not None, "money is proved"
        return ActionItem(METHODS[command.kind], _purchase(command, proof))
    return ActionItem(METHODS[command.kind], NULL)


def time_tag(command: Command, zone: tzinfo) -> TimeTag:
    """When it counts as sent by the meter's clock, and for how long it holds: until ``expires_at``.

    Args:
        command: checked.
        zone: what the meter's clock shows.

    """
    sent_at = (command.expires_at - command.valid_for).astimezone(zone)
    if command.valid_for % _MINUTE:
        return TimeTag(DateTimeS.of(sent_at), Ti(_UNIT_SECOND, command.valid_for // _SECOND))
    return TimeTag(DateTimeS.of(sent_at), Ti(_UNIT_MINUTE, command.valid_for // _MINUTE))


def _one(members: list[Data]) -> Data:
    """An array of one structure: meters take no more, and of several one may be done and the next refused."""
    return Data("array", (Data("structure", tuple(members)),))


def _purchase(command: Command, proof: SidMac) -> Data:
    members = (
        Data("integer", TOP_UP),
        Data("double-long-unsigned", command.amount_cents),
        Data("double-long-unsigned", command.purchase_count),
        Data("octet-string", bytes.fromhex(command.customer_number)),
        Data("SID_MAC", proof),
        Data("octet-string", bytes.fromhex(command.meter_number)),
    )
    return Data("structure", members)


def _twelve_digits(text: str) -> bool:
    return len(text) == 12 and text.isascii() and text.isdecimal()
