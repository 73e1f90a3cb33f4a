"""A Modbus frame of a serial line: unit, PDU, CRC.

Nothing marks its beginning but silence, which serial servers and adapters swallow; so a frame is known by
its function, the length that follows from it, and its CRC.
Source: Modbus over serial line V1.02, 2.5.1 and 6.2.2.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import construct as c

from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.modbus.pdus import functions
from meterwire.modbus.pdus.functions import DIRECTIONS, NEED_MORE, NONE, Direction
from meterwire.primitives import crc16

BROADCAST: Final = 0
"""Unit of a request to everybody, which nobody answers."""
UNIT_MAX: Final = 247
OVERHEAD_OCTETS: Final = 3
"""Octets of a frame beside its PDU: unit, CRC."""
FRAME_OCTETS_MAX: Final = OVERHEAD_OCTETS + functions.PDU_OCTETS_MAX


class Frame(NamedTuple):
    """One frame.

    Args:
        unit: who is asked or answers, 1 to 247; 0: everybody.
        pdu: function and its fields.

    """

    unit: int
    pdu: bytes


_Declaration: Final[c.Construct[Any, Any]] = c.Struct(
    "body" / c.RawCopy(c.Struct("unit" / c.Byte, "pdu" / c.Bytes(c.this._params.pdu_octets))),
    "crc" / c.Checksum(c.Bytes(2), crc16.check_octets, c.this.body.data),
    c.Terminated,
)


def encode(frame: Frame) -> bytes:
    """Octets of one frame.

    Raises:
        LocalProtocolError: a unit outside 0..247, no PDU or one over 253 octets.

    """
    check(frame.unit, frame.pdu, unit_max=UNIT_MAX)
    built: bytes = _Declaration.build({"body": {"value": frame._asdict()}}, pdu_octets=len(frame.pdu))
    return built


def decode(octets: bytes) -> Frame:
    """Parse exactly one frame.

    Raises:
        RemoteProtocolError: too short, too long, no unit, or a wrong CRC; ``kind`` names which.

    """
    if not OVERHEAD_OCTETS < len(octets) <= FRAME_OCTETS_MAX:
        kind = "truncated" if len(octets) <= OVERHEAD_OCTETS else "length"
        sentence = f"{len(octets)} octets make no frame; it has 4 to {FRAME_OCTETS_MAX}"
        raise RemoteProtocolError(sentence, kind=kind, octets=octets, offset=len(octets))
    try:
        body = _Declaration.parse(octets, pdu_octets=len(octets) - OVERHEAD_OCTETS).body.value
    except c.ChecksumError:
        found, wanted = octets[-2:], crc16.check_octets(octets[:-2])
        sentence = f"the CRC is {found.hex(' ').upper()}, the octets make {wanted.hex(' ').upper()}"
        raise RemoteProtocolError(sentence, kind="crc", octets=octets, offset=len(octets) - 2) from None
    if body.unit > UNIT_MAX:
        sentence = f"unit {body.unit} is reserved; there are 0..{UNIT_MAX}"
        raise RemoteProtocolError(sentence, kind="unit", octets=octets, offset=0)
    return Frame(body.unit, body.pdu)


def frame_octets(octets: bytes | bytearray, start: int, direction: Direction) -> int:
    """Octets of the frame whose unit stands at ``start``; ``NEED_MORE`` or ``NONE``.

    Args:
        octets: a stream.
        start: index of the unit.
        direction: which of the two it would be.

    """
    unit = octets[start]
    if unit > UNIT_MAX or (unit == BROADCAST and direction == "reply"):
        return NONE
    size = functions.pdu_octets(octets, start + 1, direction)
    return size if size in (NEED_MORE, NONE) else size + OVERHEAD_OCTETS


def good_end(octets: bytes, start: int) -> tuple[int, Direction] | None:
    """Index after the good frame that begins at ``start``, and what it is; ``None``: none does.

    A frame that could be either (06H, and by chance others) is called a request.
    """
    for direction in DIRECTIONS:
        size = frame_octets(octets, start, direction)
        end = start + size
        if size > 0 and end <= len(octets) and crc16.crc16(octets[start:end]) == 0:
            return end, direction
    return None


def check(unit: int, pdu: bytes, *, unit_max: int) -> None:
    """Refuse what no frame can carry.

    Args:
        unit: who is asked or answers.
        pdu: function and its fields.
        unit_max: of this kind of frame.

    Raises:
        LocalProtocolError: what is out of its range.

    """
    if not 0 <= unit <= unit_max:
        raise LocalProtocolError(f"unit {unit} is outside 0..{unit_max}")
    if not 1 <= len(pdu) <= functions.PDU_OCTETS_MAX:
        raise LocalProtocolError(f"a PDU of {len(pdu)} octets is outside 1..{functions.PDU_OCTETS_MAX}")
