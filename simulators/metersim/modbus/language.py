"""Modbus on a line: its frames, its units, and what faults make of an answer."""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple

from meterwire.errors import RemoteProtocolError
from meterwire.modbus import (
    ExceptionReply,
    Framed,
    Framing,
    ReadReply,
    ReadRequest,
    Receiver,
    Reply,
    decode_request,
    encode,
    encode_pdu,
)
from meterwire.modbus.link import rtu
from meterwire.modbus.pdus.functions import REGISTER_READS

_CODES: Final = (0x01, 0x02, 0x04)
_REGISTER_OCTETS: Final = 2


class WordingModbus(NamedTuple):
    """An answer.

    Args:
        unit: who answers.
        transaction: of the request; on a serial line 0.
        framing: of the line.
        reply: what it says.

    """

    unit: int
    transaction: int
    framing: Framing
    reply: Reply

    def encode(self, preamble: int = 0) -> bytes:
        """The octets; what stands before them is noise to everybody."""
        return b"\xfe" * preamble + self._framed(self.reply)

    def can_be(self, fault: str) -> bool:
        """An answer names no identifier: another question can only have asked for fewer registers."""
        if fault == "other_identifier":
            return self._fewer() is not None
        return fault != "abnormal" or not isinstance(self.reply, ExceptionReply)

    def under_other_address(self, random: Random) -> bytes:
        """The same answer of another unit."""
        return self._replace(unit=(self.unit + random.randint(0, 245)) % rtu.UNIT_MAX + 1).encode()

    def with_other_identifier(self, random: Random) -> bytes:
        """An answer to a question for one register less."""
        del random
        fewer = self._fewer()
        assert fewer is not None, "asked only of answers that can be"
        return self._framed(fewer)

    def refused(self, random: Random, word: int | None = None) -> bytes:
        """An exception in its place; of a word over 255 its lowest octet."""
        code = random.choice(_CODES) if word is None else word & 0xFF
        assert not isinstance(self.reply, ExceptionReply), "asked only of answers that can be"
        return self._framed(ExceptionReply(self.reply.function, code))

    def in_pieces(self, octets: int) -> None:
        """Nothing: Modbus has no answers in pieces."""
        del octets

    def _fewer(self) -> ReadReply | None:
        reply = self.reply
        if not isinstance(reply, ReadReply) or reply.function not in REGISTER_READS:
            return None
        rest = reply.data[:-_REGISTER_OCTETS]
        return ReadReply(reply.function, rest) if rest else None

    def _framed(self, reply: Reply) -> bytes:
        return encode(Framed(self.unit, encode_pdu(reply), self.transaction), self.framing)


class LanguageModbus:
    """Modbus in one kind of frames; a request is a `Framed`.

    Args:
        framing: of the line.

    """

    has_end_octet: Final = False

    def __init__(self, framing: Framing) -> None:
        self.framing: Framing = framing

    def ear(self) -> Receiver:
        """An ear for a new connection."""
        return Receiver(self.framing, "request")

    def echo(self, request: Framed) -> bytes:
        """The octets of a request."""
        return encode(request, self.framing)

    def asked(self, request: Framed) -> str | None:
        """The unit that is asked; everybody's on a serial line is nobody's."""
        is_everybody = self.framing == "rtu" and request.unit == rtu.BROADCAST
        return None if is_everybody else f"{request.unit:012d}"

    def names(self, request: Framed) -> tuple[str, ...]:
        """The function (``03H``), and of reads the first register behind it in hex digits."""
        called = f"{request.pdu[0]:02X}H"
        try:
            message = decode_request(request.pdu)
        except RemoteProtocolError:
            return (called,)
        return (called, f"{message.start:04X}") if isinstance(message, ReadRequest) else (called,)


MODBUS: Final[dict[Framing, LanguageModbus]] = {"rtu": LanguageModbus("rtu"), "tcp": LanguageModbus("tcp")}
"""Meters of one line speak the same object."""
