"""DL/T 645 link-layer frame: octets on the wire <-> ``Frame``.

The construct declaration is the reference in both directions; ``encode`` and ``decode`` are the
hand-written fast path beside it, and a property test holds them equal.
Source: DL/T 645-2007, 5.2 (the 1997 edition has the same frame).
"""

from __future__ import annotations

import functools
import re
from typing import Final, NamedTuple

import construct as c

from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.primitives import bcd
from meterwire.primitives.checksum import sum8
from meterwire.primitives.declared import parsed

START: Final = 0x68
END: Final = 0x16
PREAMBLE: Final = 0xFE
BROADCAST: Final = "999999999999"
WILDCARD: Final = "AAAAAAAAAAAA"

DATA_OCTETS_MAX: Final = 200
"""Longest DATA that we send. Received frames may use the whole length octet (some meters do)."""
PREAMBLE_MAX: Final = 16
"""Most FEH that we send before a frame; the standard says four."""
OVERHEAD_OCTETS: Final = 12
"""Octets of a frame without DATA: 68H, address, 68H, C, L, CS, 16H."""
FRAME_OCTETS_MAX: Final = OVERHEAD_OCTETS + 255
"""Longest frame that can arrive."""

_ADDRESS = re.compile("[0-9A-F]{12}").fullmatch
_ADDRESSES_KEPT = 8192
_OFFSET = 0x33  # 5.2.5: added to every DATA octet when sending, taken away on receipt.
_MASK = bytes((octet + _OFFSET) & 0xFF for octet in range(256))
_ENDS = [bytes((checksum, END)) for checksum in range(256)]
_PREAMBLES = [b"\xfe" * count for count in range(PREAMBLE_MAX + 1)]
_UNMASK = bytes((octet - _OFFSET) & 0xFF for octet in range(256))

_FUNCTION = 0x1F
_CONTROL = 0x1C
_CONTROLS = [
    (control & _FUNCTION, control & 0x80 != 0, control & 0x40 != 0, control & 0x20 != 0)
    for control in range(256)
]


class Frame(NamedTuple):
    """One frame, unmasked, without its FEH preamble.

    A ``NamedTuple``, because of frames there may be tens of thousands a second; fields are given by name.

    Args:
        address: meter address, 12 digits, highest first; ``"AAAAAAAAAAAA"`` matches any meter,
            ``"999999999999"`` is broadcast.
        function: function code D4..D0 of the control octet, 0..31, e.g. 11H = read data.
        data: DATA with the 33H offset taken away; 0 to 200 octets when sending, 255 when received. It may
            hold a password, so ``repr`` leaves it out.
        from_meter: D7, the frame is an answer.
        abnormal: D6, the meter refuses.
        has_following: D5, more data can be asked for with 12H.

    Source: DL/T 645-2007, 5.2.1 to 5.2.7.

    """

    address: str
    function: int
    data: bytes = b""
    from_meter: bool = False
    abnormal: bool = False
    has_following: bool = False

    def __repr__(self) -> str:
        """All but DATA."""
        address, function, _, from_meter, abnormal, has_following = self
        return f"Frame({address=}, {function=}, {from_meter=}, {abnormal=}, {has_following=})"

    @property
    def control(self) -> int:
        """The control octet C."""
        return self.function | self.from_meter << 7 | self.abnormal << 6 | self.has_following << 5


_new_tuple = tuple.__new__
"""What a NamedTuple's own constructor ends in, without the way there."""


def made(address: str, control: int, data: bytes) -> Frame:
    """A ``Frame``, made without the way through the class's own constructor.

    Args:
        address: 12 digits, highest first.
        control: the control octet C.
        data: DATA, unmasked.

    """
    function, from_meter, abnormal, has_following = _CONTROLS[control]
    return _new_tuple(Frame, (address, function, data, from_meter, abnormal, has_following))


def encode(frame: Frame, *, preamble: int = 0) -> bytes:
    """Octets of one frame.

    Args:
        frame: what to send.
        preamble: number of FEH octets in front, 0 to 16.

    Raises:
        LocalProtocolError: an address that is not 12 hexadecimal digits, a function outside
            0..31, DATA over 200 octets, a preamble out of range, or a control request (1CH) to more
            than one meter: every relay of the line would move.

    """
    address, function, data, from_meter, abnormal, has_following = frame
    size = len(data)
    in_range = 0 <= function <= _FUNCTION and size <= DATA_OCTETS_MAX and 0 <= preamble <= PREAMBLE_MAX
    if not in_range or function == _CONTROL:
        _check(frame, preamble)
    control = function | from_meter << 7 | abnormal << 6 | has_following << 5
    body = b"%bh%c%c%b" % (_start_and_address(address), control, size, data.translate(_MASK))
    return _PREAMBLES[preamble] + body + _ENDS[sum(body) & 0xFF]


@functools.lru_cache(_ADDRESSES_KEPT)
def _start_and_address(address: str) -> bytes:
    if not _ADDRESS(address):
        sentence = f"address {address!r} is not 12 digits; pad a shorter one with leading 0"
        raise LocalProtocolError(sentence)
    return b"h" + bytes.fromhex(address)[::-1]


@functools.lru_cache(_ADDRESSES_KEPT)
def _digits_of(address: bytes) -> str:
    return bcd.digits(address)


def decode(octets: bytes) -> Frame:
    """Parse exactly one frame; FEH in front of it are skipped.

    Raises:
        RemoteProtocolError: no start, wrong second start, length, checksum or end octet, or
            octets after the frame; ``kind`` names which, ``offset`` says where.

    """
    body = octets.lstrip(b"\xfe")
    size = len(body)
    if (
        size < OVERHEAD_OCTETS
        or body[0] != START
        or body[7] != START
        or size != OVERHEAD_OCTETS + body[9]
        or body[-1] != END
        or body[-2] != sum(body[:-2]) & 0xFF
    ):
        raise fault(octets, len(octets) - size)
    return made(_digits_of(body[1:7]), body[8], body[10:-2].translate(_UNMASK))


def frame_end(octets: bytes, start: int) -> int:
    """Index after the good frame that begins at ``start``; -1: none does; -2: it may, more is needed."""
    size = len(octets)
    if size < start + 10:
        wrong = (size > start and octets[start] != START) or (size > start + 7 and octets[start + 7] != START)
        return -1 if wrong else -2
    if octets[start] != START or octets[start + 7] != START:
        return -1
    end = start + OVERHEAD_OCTETS + octets[start + 9]
    if size < end:
        return -2
    good = octets[end - 1] == END and octets[end - 2] == sum(octets[start : end - 2]) & 0xFF
    return end if good else -1


def frame_at(octets: bytes, start: int, end: int) -> Frame:
    """The frame in ``octets[start:end]``, which ``frame_end`` found good."""
    return made(
        _digits_of(octets[start + 1 : start + 7]),
        octets[start + 8],
        octets[start + 10 : end - 2].translate(_UNMASK),
    )


def fault(octets: bytes, start: int = 0) -> RemoteProtocolError:
    """Say why no frame, or not exactly one, stands at ``start``."""
    kind, offset, sentence = _header_fault(octets, start) or _body_fault(octets, start)
    return RemoteProtocolError(sentence, kind=kind, octets=octets, offset=offset)


def _header_fault(octets: bytes, start: int) -> tuple[str, int, str] | None:
    size = len(octets)
    if size <= start:
        return "truncated" if size else "no-frame", size, "there is no octet of a frame"
    if octets[start] != START:
        return "no-frame", start, f"the start octet is {octets[start]:02X}H, not 68H"
    if size > start + 7 and octets[start + 7] != START:
        second = octets[start + 7]
        return "second-start", start + 7, f"the second start octet is {second:02X}H, not 68H"
    if size < start + 10:
        return "truncated", size, f"the header ends after {size - start} of 10 octets"
    return None


def _body_fault(octets: bytes, start: int) -> tuple[str, int, str]:
    size = len(octets)
    end = start + OVERHEAD_OCTETS + octets[start + 9]
    if size < end:
        return "truncated", size, f"L asks for {end - start} octets, there are {size - start}"
    if octets[end - 1] != END:
        return "end", end - 1, f"the end octet is {octets[end - 1]:02X}H, not 16H"
    found, wanted = octets[end - 2], sum8(octets[start : end - 2])
    if found != wanted:
        return "checksum", end - 2, f"the checksum is {found:02X}H, the octets add up to {wanted:02X}H"
    return "length", end, f"{size - end} octets follow the frame"


def goes_to_many(address: str) -> bool:
    """Whether more than one meter may take a request as its own: broadcast, or a digit A."""
    return "A" in address or address == BROADCAST


def _check(frame: Frame, preamble: int) -> None:
    _start_and_address(frame.address)
    if not 0 <= frame.function <= _FUNCTION:
        raise LocalProtocolError(f"function {frame.function} is outside 0..31")
    if frame.function == _CONTROL and not frame.from_meter and goes_to_many(frame.address):
        raise LocalProtocolError(f"a control request must not go to address {frame.address}")
    if len(frame.data) > DATA_OCTETS_MAX:
        raise LocalProtocolError(f"DATA has {len(frame.data)} octets, the limit is {DATA_OCTETS_MAX}")
    if not 0 <= preamble <= PREAMBLE_MAX:
        raise LocalProtocolError(f"a preamble of {preamble} is outside 0..{PREAMBLE_MAX}")


# --- the declaration ---------------------------------------------------------------------------


def _unmasked(octets: bytes, _context: c.Container[object]) -> bytes:
    return bytes((octet - _OFFSET) % 256 for octet in octets)


def _masked(data: bytes, _context: c.Container[object]) -> bytes:
    return bytes((octet + _OFFSET) % 256 for octet in data)


def _digits(octets: bytes, _context: c.Container[object]) -> str:
    return bcd.digits(octets)


def _octets(address: str, _context: c.Container[object]) -> bytes:
    return bcd.octets(address)


_Body = c.Struct(
    c.Const(b"\x68"),
    "address" / c.ExprAdapter(c.Bytes(6), _digits, _octets),  # A0..A5, lowest first
    c.Const(b"\x68"),
    "control"
    / c.BitStruct(
        "from_meter" / c.Flag,
        "abnormal" / c.Flag,
        "has_following" / c.Flag,
        "function" / c.BitsInteger(5),
    ),
    "data" / c.Prefixed(c.Byte, c.ExprAdapter(c.GreedyBytes, _unmasked, _masked)),  # L, then DATA
)
_Declaration = c.Struct(
    "preamble" / c.GreedyRange(c.Const(b"\xfe")),
    "body" / c.RawCopy(_Body),
    "cs" / c.Checksum(c.Byte, sum8, c.this.body.data),
    c.Const(b"\x16"),
    c.Terminated,
)


def reference_decode(octets: bytes) -> Frame:
    """``decode`` by the declaration.

    Raises:
        RemoteProtocolError: the octets are not exactly one frame.

    """
    body = parsed(_Declaration, octets).body.value
    return Frame(
        address=body.address,
        function=body.control.function,
        data=body.data,
        from_meter=body.control.from_meter,
        abnormal=body.control.abnormal,
        has_following=body.control.has_following,
    )


def reference_encode(frame: Frame, *, preamble: int = 0) -> bytes:
    """``encode`` by the declaration.

    Raises:
        LocalProtocolError: as ``encode``.

    """
    _check(frame, preamble)
    control = {
        "from_meter": frame.from_meter,
        "abnormal": frame.abnormal,
        "has_following": frame.has_following,
        "function": frame.function,
    }
    body = {"address": frame.address, "control": control, "data": frame.data}
    built: bytes = _Declaration.build({"preamble": [b"\xfe"] * preamble, "body": {"value": body}})
    return built
