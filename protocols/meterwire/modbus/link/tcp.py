"""A Modbus frame of a TCP connection: the MBAP header, and a PDU.

No check guards it, TCP does; a head is known by its zeros and by a length that agrees with the function.
Source: Modbus messaging on TCP/IP implementation guide V1.0b, 3.1.3.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import construct as c

from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.modbus.link.rtu import check
from meterwire.modbus.pdus import functions
from meterwire.modbus.pdus.functions import DIRECTIONS, NEED_MORE, NONE, Direction

UNIT_MAX: Final = 255
"""FFH (and 00H) mean the device itself, where no gateway stands before it."""
HEAD_OCTETS: Final = 7
LENGTH_MAX: Final = 1 + functions.PDU_OCTETS_MAX
"""Most octets that follow the length: unit and PDU."""
FRAME_OCTETS_MAX: Final = HEAD_OCTETS + functions.PDU_OCTETS_MAX
TRANSACTIONS: Final = 65_536
_ZEROS_AT, _LENGTH_AT, _UNIT_AT = 2, 4, 6


class Frame(NamedTuple):
    """One frame.

    Args:
        transaction: which request and answer belong together, 0 to 65,535.
        unit: who is asked or answers, behind a gateway; 0 to 255.
        pdu: function and its fields.

    """

    transaction: int
    unit: int
    pdu: bytes


_Declaration: Final[c.Construct[Any, Any]] = c.Struct(
    "transaction" / c.Int16ub,
    c.Const(b"\x00\x00"),
    "body" / c.Prefixed(c.Int16ub, c.Struct("unit" / c.Byte, "pdu" / c.GreedyBytes)),
    c.Terminated,
)


def encode(frame: Frame) -> bytes:
    """Octets of one frame.

    Raises:
        LocalProtocolError: a transaction outside 0..65,535, a unit outside 0..255, no PDU or one over 253
            octets.

    """
    check(frame.unit, frame.pdu, unit_max=UNIT_MAX)
    if not 0 <= frame.transaction < TRANSACTIONS:
        raise LocalProtocolError(f"transaction {frame.transaction} is outside 0..{TRANSACTIONS - 1}")
    body = {"unit": frame.unit, "pdu": frame.pdu}
    built: bytes = _Declaration.build({"transaction": frame.transaction, "body": body})
    return built


def decode(octets: bytes) -> Frame:
    """Parse exactly one frame.

    Raises:
        RemoteProtocolError: too short, no zeros where they belong, or a wrong length.

    """
    if len(octets) <= HEAD_OCTETS:
        sentence = f"{len(octets)} octets make no frame; it has 8 to {FRAME_OCTETS_MAX}"
        raise RemoteProtocolError(sentence, kind="truncated", octets=octets, offset=len(octets))
    if any(octets[_ZEROS_AT:_LENGTH_AT]):
        sentence = "the protocol identifier is not 0"
        raise RemoteProtocolError(sentence, kind="protocol", octets=octets, offset=_ZEROS_AT)
    length = int.from_bytes(octets[_LENGTH_AT:_UNIT_AT], "big")
    if length != len(octets) - _UNIT_AT or length > LENGTH_MAX:
        sentence = f"the length says {length} octets, {len(octets) - _UNIT_AT} follow it"
        raise RemoteProtocolError(sentence, kind="length", octets=octets, offset=_LENGTH_AT)
    frame = _Declaration.parse(octets)
    return Frame(frame.transaction, frame.body.unit, frame.body.pdu)


def frame_octets(octets: bytes | bytearray, start: int, direction: Direction) -> int:
    """Octets of the frame whose head stands at ``start``; ``NEED_MORE`` or ``NONE``.

    Args:
        octets: a stream.
        start: index of the transaction.
        direction: which of the two it would be.

    """
    if any(octets[start + _ZEROS_AT : start + _LENGTH_AT]):
        return NONE
    if len(octets) <= start + HEAD_OCTETS:
        return NEED_MORE
    length = int.from_bytes(octets[start + _LENGTH_AT : start + _UNIT_AT], "big")
    size = functions.pdu_octets(octets, start + HEAD_OCTETS, direction)
    if size == NEED_MORE and len(octets) < start + _UNIT_AT + length <= start + FRAME_OCTETS_MAX:
        return NEED_MORE
    return HEAD_OCTETS + size if size > 0 and length == 1 + size else NONE


def good_end(octets: bytes, start: int) -> tuple[int, Direction] | None:
    """Index after the frame that begins at ``start``, and what it is; ``None``: none does."""
    for direction in DIRECTIONS:
        size = frame_octets(octets, start, direction)
        if size > 0 and start + size <= len(octets):
            return start + size, direction
    return None
