"""DL/T 698.45 link-layer frame: octets on the wire <-> ``Frame``.

``68H | L(2) | C | AF, address | CA | HCS(2) | user data | FCS(2) | 16H``; L counts what stands between
68H and 16H. The construct declaration is the reference in both directions; ``encode`` and ``decode``
are the hand-written fast path beside it, and a property test holds them equal.
Source: DL/T 698.45-2017, 7.1 (spec sections 1.1 to 1.6).
"""

from __future__ import annotations

import functools
import struct
from typing import Final, NamedTuple

from meterwire.dlt698.link import address as addresses
from meterwire.dlt698.link.address import ServerAddress
from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.primitives.fcs16 import RESIDUE, check_octets, register

START: Final = 0x68
END: Final = 0x16
PREAMBLE: Final = 0xFE
FUNCTION_LINK: Final = 1
"""Function code of LINK-Request and LINK-Response."""
FUNCTION_DATA: Final = 3
"""Function code of everything else."""

LENGTH_MAX: Final = 0x3FFF
"""Largest L: 14 bits."""
FRAME_OCTETS_MAX: Final = LENGTH_MAX + 2
"""Longest frame, 68H and 16H included."""
FRAME_OCTETS_MIN: Final = 12
FCS_OCTETS: Final = 2
"""Shortest frame: an address of one octet, no user data."""
PREAMBLE_MAX: Final = 16
"""Most FEH that we send before a frame; four is customary."""

_UNIT_KILOBYTE = 0x4000  # bit 14 of L
_FROM_SERVER, _STARTED_BY_CLIENT, _SEGMENTED, _RESERVED, _SCRAMBLED, _FUNCTION = 0x80, 0x40, 0x20, 0x10, 8, 7
_OFFSET = 0x33  # added to each octet of scrambled user data
_SCRAMBLE = bytes((octet + _OFFSET) & 0xFF for octet in range(256))
_UNSCRAMBLE = bytes((octet - _OFFSET) & 0xFF for octet in range(256))
_PREAMBLES = [b"\xfe" * count for count in range(PREAMBLE_MAX + 1)]
_HEADERS_KEPT = 8192


class Frame(NamedTuple):
    """One frame, unscrambled, without its FEH preamble.

    Args:
        server: address of the meter or terminal, whichever side sends.
        client: client address CA, 0..255; 0 = the client does not care to be known.
        user_data: an APDU, or a segment header and a piece of one; without the 33H offset.
        from_server: DIR, a meter or terminal sends.
        started_by_client: PRM, the client began this exchange (a report is begun by the server).
        function: function code 0..7; 1 = link management, 3 = user data.
        segmented: user data begins with a segment header.
        scrambled: SC, user data goes out with 33H added to each octet.
        reserved: bit 4 of C, as received; 0 when we send.

    Source: spec sections 1.1 and 1.2.

    """

    server: ServerAddress
    client: int
    user_data: bytes
    from_server: bool
    started_by_client: bool
    function: int = FUNCTION_DATA
    segmented: bool = False
    scrambled: bool = False
    reserved: bool = False

    def __repr__(self) -> str:
        """All but the user data, which may hold a secret."""
        shown = [f"{name}={getattr(self, name)!r}" for name in self._fields if name != "user_data"]
        return f"Frame({', '.join(shown)}, {len(self.user_data)} octets)"

    @property
    def control(self) -> int:
        """The control octet C."""
        return (
            self.from_server << 7
            | self.started_by_client << 6
            | self.segmented << 5
            | self.reserved << 4
            | self.scrambled << 3
            | self.function
        )


_CONTROLS = [
    (
        control & _FROM_SERVER != 0,
        control & _STARTED_BY_CLIENT != 0,
        control & _FUNCTION,
        control & _SEGMENTED != 0,
        control & _SCRAMBLED != 0,
        control & _RESERVED != 0,
    )
    for control in range(256)
]


def overhead_octets(server: ServerAddress) -> int:
    """Octets of a frame to or from ``server`` beside its user data."""
    return FRAME_OCTETS_MIN - 1 + len(server.digits) // 2


def encode(frame: Frame, *, preamble: int = 0) -> bytes:
    """Octets of one frame; L in bytes.

    Args:
        frame: what to send.
        preamble: number of FEH octets in front, 0 to 16.

    Raises:
        LocalProtocolError: an address that cannot be sent, a client address, function or preamble out of
            range, or more than fits into one frame.

    """
    data = frame.user_data.translate(_SCRAMBLE) if frame.scrambled else frame.user_data
    middle = _control_and_addresses(frame.control, frame.server, frame.client, frame.function)
    length = len(middle) + len(data) + 6
    if length > LENGTH_MAX or not 0 <= preamble <= PREAMBLE_MAX:
        raise _refusal(length, preamble)
    header = struct.pack("<H", length) + middle
    return b"%bh%b%b%b%b\x16" % (
        _PREAMBLES[preamble],
        header,
        check_octets(register(header)),
        data,
        check_octets(register(data, RESIDUE)),
    )


@functools.lru_cache(_HEADERS_KEPT)
def _control_and_addresses(control: int, server: ServerAddress, client: int, function: int) -> bytes:
    if not 0 <= function <= _FUNCTION:
        raise LocalProtocolError(f"function {function} is outside 0..7")
    if not 0 <= client <= 0xFF:
        raise LocalProtocolError(f"client address {client} is outside 0..255")
    return b"%c%b%c" % (control, server.octets, client)


def _refusal(length: int, preamble: int) -> LocalProtocolError:
    if length > LENGTH_MAX:
        return LocalProtocolError(
            f"L would be {length}, the limit is {LENGTH_MAX}: send the APDU in segments"
        )
    return LocalProtocolError(f"a preamble of {preamble} is outside 0..{PREAMBLE_MAX}")


def decode(octets: bytes, *, kilobytes: bool = False) -> Frame:
    """Parse exactly one frame; FEH in front of it are skipped.

    Args:
        octets: the frame, with or without preamble.
        kilobytes: accept L in kilobytes (bit 14); such a frame is a whole number of them.

    Raises:
        RemoteProtocolError: ``kind`` says what is wrong (``"short"``, ``"start"``, ``"length"``, ``"end"``,
            ``"trailing"``, ``"hcs"`` or ``"fcs"``, looked at in this order), ``offset`` says where.

    """
    body = octets.lstrip(b"\xfe")
    size = len(body)
    if size < FRAME_OCTETS_MIN or body[0] != START or frame_size(body, 0, kilobytes) != size:
        raise fault(octets, kilobytes=kilobytes)
    data_at = 9 + (body[4] & 0xF)
    if (
        body[-1] != END
        or data_at > size - 3
        or register(body[1:data_at]) != RESIDUE
        or register(body[data_at:-1], RESIDUE) != RESIDUE
    ):
        raise fault(octets, kilobytes=kilobytes)
    return _made(body, 0, data_at, size)


def _made(octets: bytes | bytearray, start: int, data_at: int, end: int) -> Frame:
    from_server, by_client, function, segmented, scrambled, reserved = _CONTROLS[octets[start + 3]]
    data = bytes(octets[data_at : end - 3])
    return Frame(
        addresses.from_octets(bytes(octets[start + 4 : data_at - 3])),
        octets[data_at - 3],
        data.translate(_UNSCRAMBLE) if scrambled else data,
        from_server,
        by_client,
        function,
        segmented,
        scrambled,
        reserved,
    )


# --- what a deframer asks ----------------------------------------------------------------------


def frame_size(octets: bytes | bytearray, start: int, kilobytes: bool) -> int:
    """Octets of the frame whose L follows ``start``; 0 when L is one that we do not accept."""
    length = octets[start + 1] | octets[start + 2] << 8
    if length <= LENGTH_MAX:
        return length + 2
    between = (length & LENGTH_MAX) << 10
    return between + 2 if kilobytes and length < 0x8000 and between <= LENGTH_MAX else 0


def header_end(octets: bytes | bytearray, start: int, kilobytes: bool) -> int:
    """Index of the user data behind a good header at ``start``; -1: there is none; -2: too early to say."""
    size = len(octets) - start
    if size < 5:
        return -1 if size > 2 and not frame_size(octets, start, kilobytes) else -2
    data_at = start + 9 + (octets[start + 4] & 0xF)
    if data_at + 3 > start + frame_size(octets, start, kilobytes):
        return -1
    if len(octets) < data_at:
        return -2
    return data_at if register(octets[start + 1 : data_at]) == RESIDUE else -1


def body_is_good(octets: bytes | bytearray, data_at: int, end: int) -> bool:
    """Whether FCS and end octet of the frame behind a good header are right."""
    return octets[end - 1] == END and register(octets[data_at : end - 1], RESIDUE) == RESIDUE


def frame_at(octets: bytes | bytearray, start: int, end: int) -> Frame:
    """The frame in ``octets[start:end]``, which was found good."""
    return _made(octets, start, start + 9 + (octets[start + 4] & 0xF), end)


class Checks(NamedTuple):
    """What a good frame holds beside its fields, for people who look at octets.

    Args:
        preamble: FEH octets in front.
        length: L, its unit bit taken away.
        in_kilobytes: bit 14 of L.
        hcs: header check value.
        fcs: frame check value.
        user_data_at: index of the first octet of user data, preamble included.

    """

    preamble: int
    length: int
    in_kilobytes: bool
    hcs: int
    fcs: int
    user_data_at: int


def checks(octets: bytes) -> Checks:
    """The remaining fields of octets that ``decode`` accepts."""
    start = len(octets) - len(octets.lstrip(b"\xfe"))
    (length,) = struct.unpack_from("<H", octets, start + 1)
    data_at = start + 9 + (octets[start + 4] & 0xF)
    (hcs,) = struct.unpack_from("<H", octets, data_at - 2)
    (fcs,) = struct.unpack_from("<H", octets, len(octets) - 3)
    return Checks(start, length & LENGTH_MAX, length & _UNIT_KILOBYTE != 0, hcs, fcs, data_at)


# --- refusals ----------------------------------------------------------------------------------


def fault(octets: bytes, *, kilobytes: bool = False) -> RemoteProtocolError:
    """Say why ``octets`` are not exactly one frame."""
    start = len(octets) - len(octets.lstrip(b"\xfe"))
    kind, offset, sentence = _length_fault(octets, start, kilobytes) or _check_fault(octets, start, kilobytes)
    return RemoteProtocolError(sentence, kind=kind, octets=octets, offset=offset)


def _length_fault(octets: bytes, start: int, kilobytes: bool) -> tuple[str, int, str] | None:
    size = len(octets) - start
    if size and octets[start] != START:
        return "start", start, f"the start octet is {octets[start]:02X}H, not 68H"
    if size < FRAME_OCTETS_MIN:
        return "short", len(octets), f"there are {size} octets, the shortest frame has {FRAME_OCTETS_MIN}"
    asked = frame_size(octets, start, kilobytes)
    if not asked:
        field = octets[start + 2 : start : -1].hex().upper()
        return "length", start + 1, f"L is {field}H: bits 14 and 15 must be 0"
    if size < asked:
        return "length", start + 1, f"L asks for {asked} octets, there are {size}"
    return None


def _check_fault(octets: bytes, start: int, kilobytes: bool) -> tuple[str, int, str]:
    end = start + frame_size(octets, start, kilobytes)
    if octets[end - 1] != END:
        return "end", end - 1, f"the end octet is {octets[end - 1]:02X}H, not 16H"
    if len(octets) > end:
        return "trailing", end, f"{len(octets) - end} octets follow the frame"
    data_at = start + 9 + (octets[start + 4] & 0xF)
    if data_at > end - 3:
        return "length", start + 4, f"the address has {data_at - start - 8} octets, more than L leaves for it"
    header = octets[start + 1 : data_at - 2]
    if register(octets[start + 1 : data_at]) != RESIDUE:
        return "hcs", data_at - 2, _disagree("header check", octets[data_at - 2 : data_at], header)
    found = octets[end - 3 : end - 1]
    return "fcs", end - 3, _disagree("frame check", found, octets[start + 1 : end - 3])


def _disagree(name: str, found: bytes, covered: bytes) -> str:
    wanted = check_octets(register(covered))
    return f"the {name} is {found[::-1].hex().upper()}H, the octets give {wanted[::-1].hex().upper()}H"
