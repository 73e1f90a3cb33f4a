"""Programming from the meter's side (14H, 18H): what is written under which level.

A write is a row of the meter's history; its events are the records of it.

In plain under levels 02 and 04 with their password; under 99H with a MAC behind; under 98H in cipher.
What a security module guards is not written under a password, but by meters that take everything in plain.
Source: DL/T 645-2007, 7.5 and 7.9; control-and-prepayment, 2.3; spec section 6.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from metersim.dlt645.control import PLAIN_LEVELS
from metersim.dlt645.parameters import Parameter, parameters_of
from metersim.dlt645.passwords import Passwords
from metersim.security.failures import NotAccepted
from metersim.security.identity import Identity645
from metersim.works.works import Works
from meterwire.dlt645 import AbnormalReply, Dictionary, Entry
from meterwire.dlt645.messages.command import Acknowledgement
from meterwire.dlt645.messages.programming import ChangePasswordReply, ChangePasswordRequest, WriteRequest
from meterwire.dlt645.messages.secrets import MAC_OCTETS
from meterwire.errors import RemoteProtocolError
from meterwire.item_value import Content

WRITE: Final = 0x14
CHANGE_PASSWORD: Final = 0x18
ERR_OTHER: Final = b"\x01"
ERR_NO_DATA: Final = b"\x02"
ERR_PASSWORD: Final = b"\x04"

_PASSWORD_DI: Final = 0x04000C00
"""04 00 0C 01 is the password of level 0, 04 00 0C 0A that of level 9."""


class _Refused(Exception):
    """An ERR octet."""

    def __init__(self, err: bytes) -> None:
        super().__init__()
        self.err = err


class Levels(NamedTuple):
    """Password levels of a dialect.

    Args:
        cipher: under which data is enciphered; ``None``: there is none.
        mac: under which a MAC follows it.

    """

    cipher: int | None
    mac: int | None


class Programming:
    """Where the parameters of one meter are written.

    Args:
        address: the meter's own.
        works: its clock and its character.
        dictionary: its identifiers.
        passwords: its passwords.
        identity: the identity authentication of its security module.
        levels: of its dialect.

    """

    def __init__(
        self,
        address: str,
        works: Works,
        *,
        dictionary: Dictionary,
        passwords: Passwords,
        identity: Callable[[], Identity645],
        levels: Levels,
    ) -> None:
        self._address = address
        self._works = works
        self._dictionary = dictionary
        self._parameters = parameters_of(works)
        self._passwords = passwords
        self._identity = identity
        self._levels = levels

    def write(self, request: WriteRequest, at: datetime) -> Acknowledgement | AbnormalReply:
        """Take a write (14H).

        Args:
            request: to this meter.
            at: true time.

        """
        try:
            entry, parameter = self._row(request.di)
            before = self._works.clock.shows(at)
            content = self._content(entry, self._opened(request, parameter, before))
            if self._works.history.is_full:
                raise _Refused(ERR_OTHER)
            parameter.write(content, at)
        except _Refused as refused:
            return self._refusal(WRITE, refused.err)
        except ValueError:
            return self._refusal(WRITE, ERR_OTHER)
        self._works.history.happen(
            at,
            "programmed",
            event_at=_text(before),
            operator_code=request.operator_code,
            written_di=f"{request.di:08X}",
        )
        return Acknowledgement(address=self._address, function=WRITE)

    def change_password(
        self, request: ChangePasswordRequest, at: datetime
    ) -> ChangePasswordReply | AbnormalReply:
        """Take a new password (18H) under the old one, or under that of a higher level.

        Args:
            request: to this meter.
            at: true time.

        """
        changed = request.di - _PASSWORD_DI - 1
        if changed != request.new_level or request.level > changed:
            return self._refusal(CHANGE_PASSWORD, ERR_PASSWORD)
        if not self._passwords.check(request.level, request.password, self._works.clock.shows(at)):
            return self._refusal(CHANGE_PASSWORD, ERR_PASSWORD)
        try:
            self._passwords.change(changed, request.new_password)
        except ValueError:
            return self._refusal(CHANGE_PASSWORD, ERR_OTHER)
        return ChangePasswordReply(
            address=self._address, new_level=request.new_level, new_password=request.new_password
        )

    def unreadable(self, function: int) -> AbnormalReply:
        """The answer to a request whose data does not fit."""
        return self._refusal(function, ERR_OTHER)

    def data(self, entry: Entry, at: datetime) -> tuple[bytes, dict[str, Decimal]] | None:
        """The data of an identifier of 645 that is a parameter; ``None``: it is none.

        Args:
            entry: any identifier.
            at: when it is asked for, aware.

        Returns:
            the octets behind the identifier, and the numbers in them by item.

        """
        if (content := self.content(entry.item, at)) is None:
            return None
        numbers = {entry.item: content} if isinstance(content, Decimal) else {}
        return entry.encode([content]), numbers

    def content(self, item: str, at: datetime) -> Content:
        """What a parameter holds; ``None``: it is none of this meter's."""
        parameter = self._parameters.get(item)
        return None if parameter is None else parameter.read(at)

    def _row(self, di: int) -> tuple[Entry, Parameter]:
        entry = self._dictionary.by_di(di)
        parameter = self._parameters.get(entry.item) if entry else None
        if entry is None or parameter is None:
            raise _Refused(ERR_NO_DATA)
        return entry, parameter

    def _opened(self, request: WriteRequest, parameter: Parameter, shown: datetime) -> bytes:
        """The data, wire order, once who wrote it has proved that they may."""
        if request.level in PLAIN_LEVELS:
            free = parameter.guard == "password" or self._works.switch.character.plain_orders == "all"
            if not free or not self._passwords.check(request.level, request.password, shown):
                raise _Refused(ERR_PASSWORD)
            return request.payload
        data, mac = request.payload[:-MAC_OCTETS], request.payload[-MAC_OCTETS:][::-1]
        try:
            if request.level == self._levels.mac and parameter.guard != "cipher":
                self._identity().check_parameter(data[::-1], mac, shown)
                return data
            if request.level == self._levels.cipher:
                di, inside = self._identity().open_parameter(data[::-1], mac, shown)
                if di == request.di.to_bytes(4, "big"):
                    return inside[::-1]
        except NotAccepted:
            raise _Refused(ERR_PASSWORD) from None
        raise _Refused(ERR_PASSWORD)

    def _content(self, entry: Entry, data: bytes) -> Content:
        try:
            (value,) = entry.decode(data)
        except RemoteProtocolError:
            raise _Refused(ERR_OTHER) from None
        if value.problem is not None or value.content is None:
            raise _Refused(ERR_OTHER)
        return value.content

    def _refusal(self, function: int, err: bytes) -> AbnormalReply:
        return AbnormalReply(address=self._address, function=function, error_word=err)


def _text(shown: datetime) -> str:
    return f"{shown:%Y-%m-%d %H:%M:%S}"
