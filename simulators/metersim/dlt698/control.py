"""The relay of a meter in DL/T 698.45: remote control 8000, guarantee 8001, its state in F205, 2040, 2041.

A verdict goes by DAR, and by the words 2040 (how the last order was carried out) and 2041 (why it was not).
Whether an order that is dropped under a guarantee is refused or taken is the meter's character.
Source: spec sections 1.4, 4.1, 4.2, 4.4 and 4.5 of control and prepayment.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from metersim.dlt698.circumstances import (
    DENIED,
    NOT_AUTHENTICATED,
    NOT_AUTHORISED,
    OTHER,
    OUT_OF_RANGE,
    SUSPENDED,
    TIME_TAG_INVALID,
    TYPE_UNFIT,
    WRONG_MAC,
    Circumstances,
    Done,
    Unfit,
    members,
    only_element,
)
from metersim.works.cost_control import CloseNumbers
from metersim.works.switch import DELAY_MAX, Command, Kind, Refusal, Switch
from meterwire.dlt698.apdus.parts import SUCCESS, ActionItem, Dar, SetItem
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import BitString, Data
from meterwire.dlt698.objects.bit_words import bit_words, word_bits

REMOTE_CONTROL: Final = 0x8000
GUARANTEE: Final = 0x8001
RELAYS: Final = 0xF205
EXECUTION_WORD: Final = 0x2040
ERROR_WORD: Final = 0x2041
TAGGED: Final = frozenset({REMOTE_CONTROL, GUARANTEE})
"""Their methods need a time tag. Source: spec section 4.1."""

_RELAY_LIST: Final = 2
_HOLDS, _CONNECTED = 1, 0
_TEN_THOUSANDTH: Final = Decimal("0.0001")
_REFUSED: Final[dict[str, Dar]] = {
    "meter_suspended": SUSPENDED,
    "mac_error": WRONG_MAC,
    "password_or_unauthorised": NOT_AUTHORISED,
    "identity_auth_failed": NOT_AUTHENTICATED,
    "command_expired": TIME_TAG_INVALID,
    "trip_refused_guarantee": DENIED,
    "auto_trip_refused_guarantee": DENIED,
    "auto_trip_zero_duration": OUT_OF_RANGE,
    "auto_trip_already_tripped": OTHER,
}
_CLOSE_KINDS: Final[dict[CloseNumbers, dict[object, Kind]]] = {
    "permit_direct": {0: "permit_close", 1: "direct_close"},
    "direct_permit": {0: "direct_close", 1: "permit_close"},
}
_LAST_CODES: Final[dict[bool, int]] = {True: 0x9A, False: 0x9B}
"""What a meter that shows its last command shows: tripped, or closed; the highest bit: it was carried out."""


class RelayPart:
    """The objects of the relay.

    Args:
        switch: what they move.
        password: for closing with a password; ``None``: nobody can.

    """

    objects: Final = frozenset({REMOTE_CONTROL, GUARANTEE, RELAYS, EXECUTION_WORD, ERROR_WORD})

    def __init__(self, switch: Switch, *, password: str | None) -> None:
        self._switch = switch
        self._password = password

    @property
    def obeys_everybody(self) -> bool:
        """Whether it obeys orders that go to everybody, as nobody may send them."""
        return self._switch.character.obeys_everybody

    @property
    def checks_expiry(self) -> bool:
        """Whether it looks at the end of an order's time, as its time tag tells it."""
        return self._switch.character.checks_expiry

    # --- attributes ---

    def read(self, oad: Oad, at: datetime) -> Data | None:
        """States and words, as of the last advance."""
        del at
        shown = _ATTRIBUTES.get((oad.oi, oad.attribute))
        return shown(self._switch) if shown else None

    def write(self, item: SetItem, how: Circumstances) -> Dar | None:
        """The current above which a trip waits, and how long."""
        del how
        if item.oad != Oad(REMOTE_CONTROL, 2, 0):
            return None
        current, minutes = members(item.data, "double-long-unsigned", "long-unsigned")
        wait = timedelta(minutes=minutes)
        if wait > DELAY_MAX:
            return OUT_OF_RANGE
        self._switch.trip_current_a = current * _TEN_THOUSANDTH
        self._switch.trip_wait = wait
        return SUCCESS

    # --- methods ---

    def act(self, item: ActionItem, how: Circumstances) -> Done | None:
        """Obey an order, or say why not."""
        match item.omd.oi, item.omd.method:
            case 0x8000, 127 | 128 as method:
                command = _plain("alarm_on" if method == 127 else "alarm_off", item.data)
            case 0x8001, 127 | 128 as method:
                command = _plain("guarantee_on" if method == 127 else "guarantee_off", item.data)
            case 0x8001, 129:
                _plain("guarantee_off", item.data)
                return Done()  # there is no automatic guarantee that could end
            case 0x8000, 129:
                command = _trip(only_element(item.data))
            case 0x8000, 130:
                relay, code = members(only_element(item.data), "OAD", "enum")
                command = self._close(relay, code)
            case 0x8000, 131:
                relay, code, password = members(only_element(item.data), "OAD", "enum", "visible-string")
                command = self._close(relay, code)
                self._check_password(password, how)
            case _:
                return None
        return Done(self._obeyed(command, how))

    def refuse(self, dar: Dar) -> None:
        """An order was refused before it came here; the error word tells it."""
        if dar == TIME_TAG_INVALID:
            self._switch.refuse("command_expired")
        elif dar == NOT_AUTHORISED:
            self._switch.refuse("password_or_unauthorised")

    def _obeyed(self, command: Command, how: Circumstances) -> Dar:
        if how.everybody and not self.obeys_everybody:
            self._switch.refuse("password_or_unauthorised")
            return DENIED
        verdict = self._switch.obey(command, how.at)
        return _REFUSED[verdict.cause] if isinstance(verdict, Refusal) else SUCCESS

    def _close(self, relay: object, code: object) -> Command:
        """A code beyond the two is refused: a meter that took it for "direct" would energise by mistake."""
        _check_relay(relay)
        kind = _CLOSE_KINDS[self._switch.character.close_numbers].get(code)
        if kind is None:
            raise Unfit(OUT_OF_RANGE)
        return Command(kind=kind, came_by="698.45")

    def _check_password(self, password: object, how: Circumstances) -> None:
        if how.everybody or self._password is None or password != self._password:
            self._switch.refuse("password_or_unauthorised")
            raise Unfit(NOT_AUTHORISED)


def _plain(kind: Kind, data: Data) -> Command:
    if data.type != "null":
        raise Unfit(TYPE_UNFIT)
    return Command(kind=kind, came_by="698.45")


def _trip(element: Data) -> Command:
    relay, delay_min, limit_min, auto_close = members(element, "OAD", "unsigned", "long-unsigned", "bool")
    _check_relay(relay)
    delay = timedelta(minutes=delay_min)
    if not limit_min:
        return Command(kind="trip", delay=delay, came_by="698.45")
    return Command(
        kind="trip_auto_direct_close" if auto_close else "trip_auto_permit_close",
        delay=delay,
        reclose_after=timedelta(minutes=limit_min),
        came_by="698.45",
    )


def _check_relay(relay: object) -> None:
    """Meters take any index of the list of relays: they have one."""
    if not isinstance(relay, Oad) or (relay.oi, relay.attribute) != (RELAYS, _RELAY_LIST):
        raise Unfit(OUT_OF_RANGE)


def _protection(switch: Switch) -> Data:
    limit = int(switch.trip_current_a / _TEN_THOUSANDTH)
    wait = switch.trip_wait // timedelta(minutes=1)
    return Data("structure", (Data("double-long-unsigned", limit), Data("long-unsigned", wait)))


def _relay_bits(on: bool) -> Data:
    """Relay 1 is the most significant bit."""
    return Data("bit-string", BitString.of(f"{int(on)}0000000"))


def _command_bits(switch: Switch) -> Data:
    """The command as this kind of meter shows it; one that nobody has ordered about shows no code yet."""
    match switch.character.command_bits:
        case "first":
            return _relay_bits(switch.command_open)
        case "last":
            return Data("bit-string", BitString.of(f"0000000{int(switch.command_open)}"))
        case "command_code":
            code = _LAST_CODES[switch.command_open] if switch.last_execution else 0
            return Data("bit-string", BitString.of(f"{code:08b}"))


def _relay_unit(is_open: bool) -> Data:
    return Data(
        "structure",
        (
            Data("visible-string", "relay"),
            Data("enum", int(is_open)),
            Data("enum", _HOLDS),
            Data("enum", _CONNECTED),
        ),
    )


def _word(word: str, name: str | None) -> Data:
    number = sum(1 << bit.place for bit in bit_words()[word] if bit.name == name)
    return Data("bit-string", word_bits(number, 16))


_ATTRIBUTES: Final[dict[tuple[int, int], Callable[[Switch], Data]]] = {
    (REMOTE_CONTROL, 2): _protection,
    (REMOTE_CONTROL, 3): lambda switch: _relay_bits(switch.contact_open),
    (REMOTE_CONTROL, 4): lambda switch: _relay_bits(switch.alarm),
    (REMOTE_CONTROL, 5): _command_bits,
    (GUARANTEE, 2): lambda switch: Data("enum", int(switch.guarantee)),
    (GUARANTEE, 3): lambda _: Data("long-unsigned", 0),
    (GUARANTEE, 4): lambda _: Data("long-unsigned", 0),
    (GUARANTEE, 5): lambda _: Data("array", ()),
    (RELAYS, 2): lambda switch: Data("array", (_relay_unit(switch.contact_open),)),
    (EXECUTION_WORD, 2): lambda switch: _word("execution", switch.last_execution),
    (ERROR_WORD, 2): lambda switch: _word("control_error", switch.last_cause),
}
