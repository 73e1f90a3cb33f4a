"""A meter of Modbus: request and time in, answer out. No I/O and no clock of its own.

It answers reads of the registers that its map names, refuses others with exception 02H and other functions
with 01H, and says who it is. Requests to everybody it hears and does not answer; it has nothing to write.
Source: Modbus application protocol V1.1b3, sections 6.3, 6.4, 6.21 and 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final, NamedTuple

from meterprofiles import Profile
from metersim.modbus.language import MODBUS, LanguageModbus, WordingModbus
from metersim.modbus.registers import Filled, filled, image, values_in
from metersim.works.works import Works
from meterwire.errors import RemoteProtocolError
from meterwire.modbus import (
    READ_HOLDING_REGISTERS,
    READ_INPUT_REGISTERS,
    ExceptionReply,
    Framed,
    IdentificationReply,
    IdentificationRequest,
    ReadReply,
    ReadRequest,
    Reply,
    decode_request,
)
from meterwire.modbus.link import rtu
from meterwire.modbus.pdus.functions import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ILLEGAL_VALUE

_BASIC: Final = 1
"""Read code of the three objects that every device has, and its conformity level."""
_FUNCTIONS: Final = {"holding": READ_HOLDING_REGISTERS, "input": READ_INPUT_REGISTERS}
_MAKER: Final = b"metersim"


class Answer(NamedTuple):
    """What a meter says to one request.

    Args:
        address: the meter's own address.
        di: function and registers that were asked for.
        values: item to value, of what the registers carry; empty for a refusal.
        wording: how it is said.

    """

    address: str
    di: str
    values: Mapping[str, Decimal]
    wording: WordingModbus


class MeterModbus:
    """One meter.

    Args:
        address: 12 decimal digits, its unit: 1 to 247.
        profile: which model it is.
        works: what it measures with.

    Raises:
        ValueError: the address is no unit.

    """

    def __init__(self, address: str, *, profile: Profile, works: Works) -> None:
        if not 1 <= int(address) <= rtu.UNIT_MAX:
            raise ValueError(f"address {address}: a meter of Modbus is a unit of 1 to {rtu.UNIT_MAX}")
        assert profile.registers is not None, f"{profile.name} has a map, its loader says so"
        self.address = address
        self.profile = profile
        self.works = works
        self._map = profile.registers
        self._framing = MODBUS["tcp" if profile.protocol == "modbus-tcp" else "rtu"]

    @property
    def language(self) -> LanguageModbus:
        """What it speaks."""
        return self._framing

    def value(self, item: str, at: datetime) -> Decimal | None:
        """What it shows for an item at a time; ``None`` when its map has no such item."""
        return self.works.value(item, at) if self._map.wanted(item) else None

    def offered(self, at: datetime) -> dict[str, Decimal | str | None]:
        """Everything that it tells, with what its registers hold at ``at``."""
        return {one.row.item: one.value for one in self._rows(at) if one.value is not None}

    def hears(self, request: Framed) -> bool:
        """Whether a request is for it; those to everybody are never answered."""
        return request.unit == int(self.address)

    def answer(self, request: Framed, at: datetime) -> Answer | None:
        """What it says to a request at ``at``; ``None`` when it is silent."""
        at = self.works.advance(at)
        if not self.hears(request) or not self.works.powered(at):
            return None
        di, values = f"{request.pdu[0]:02X}H", MappingProxyType[str, Decimal]({})
        try:
            message = decode_request(request.pdu)
        except RemoteProtocolError as error:
            code = ILLEGAL_FUNCTION if error.kind == "function" else ILLEGAL_VALUE
            return self._said(request, ExceptionReply(request.pdu[0], code), di, values)
        if isinstance(message, ReadRequest):
            rows = self._rows(at)
            reply = self._read(message, rows)
            di = f"{di} {message.start:04X}+{message.count}"
            if isinstance(reply, ReadReply):
                return self._said(request, reply, di, values_in(rows, message.start, message.count))
            return self._said(request, reply, di, values)
        if isinstance(message, IdentificationRequest):
            return self._said(request, self._identification(message), di, values)
        return self._said(request, ExceptionReply(message.function, ILLEGAL_FUNCTION), di, values)

    def _said(self, request: Framed, reply: Reply, di: str, values: Mapping[str, Decimal]) -> Answer:
        framing = self._framing.framing
        return Answer(
            self.address, di, values, WordingModbus(request.unit, request.transaction, framing, reply)
        )

    def _rows(self, at: datetime) -> list[Filled]:
        return filled(self._map, lambda item: self.works.value(item, at), self._text)

    def _text(self, item: str) -> str:
        return self.profile.model.rstrip("*") if item == "meter_model" else self.works.plate.meter_number

    def _read(self, request: ReadRequest, rows: list[Filled]) -> ReadReply | ExceptionReply:
        if request.function != _FUNCTIONS[self._map.table]:
            return ExceptionReply(request.function, ILLEGAL_FUNCTION)
        held = image(self._map, rows)
        wanted = range(request.start, request.start + request.count)
        if any(address not in held for address in wanted):
            return ExceptionReply(request.function, ILLEGAL_ADDRESS)
        return ReadReply(request.function, b"".join(held[address] for address in wanted))

    def _identification(self, request: IdentificationRequest) -> Reply:
        if request.read_code != _BASIC:
            return ExceptionReply(request.function, ILLEGAL_VALUE)
        code = self.profile.model.rstrip("*").encode("ascii", "replace")
        objects = ((0, _MAKER), (1, code), (2, b"1"))
        return IdentificationReply(_BASIC, _BASIC, 0, 0, objects)
