"""Frame of 1376.1: octets on the wire <-> ``Frame``.

``68H | L | L | 68H | C | A | AFN | SEQ | data units and auxiliary fields | CS | 16H``; L holds the protocol
id and the number of octets from C to CS. The construct declaration (``declarations``) is the reference in
both directions; ``encode`` and ``decode`` are the hand-written fast path beside it, and a property test holds
them equal.
Source: spec section B1.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.gdw1376.link.envelope import END, START, TAIL_OCTETS, good_end, tail_fault
from meterwire.primitives import bcd
from meterwire.primitives.checksum import sum8

OVERHEAD_OCTETS: Final = 8
"""Octets of a frame beside its user data: 68H, L, L, 68H, CS, 16H."""
HEAD_OCTETS: Final = 6
"""Octets up to the second 68H."""
LINK_OCTETS: Final = 8
"""Octets of user data that every frame has: C, A (five), AFN, SEQ."""
WIDE_OCTETS: Final = 2
"""What an address of seven octets has more."""
USER_OCTETS_MAX: Final = 0x3FFF
"""Longest user data: 14 bits."""
FRAME_OCTETS_MAX: Final = USER_OCTETS_MAX + OVERHEAD_OCTETS
BODY_OCTETS_MAX: Final = USER_OCTETS_MAX - LINK_OCTETS
"""Longest data part with its auxiliary fields."""

ID_2005: Final = 1
"""Protocol id of the 2005 generation (130-2005)."""
ID_2009: Final = 2
"""Protocol id of 376.1-2009 and 1376.1-2013."""
IDS: Final = frozenset({ID_2005, ID_2009})

_TERMINAL: Final = 2
_WIDE_TERMINAL: Final = 3
"""Octets of a terminal address A2."""
_START: Final = bytes((START,))
_AREA: Final = re.compile("[0-9A-F]*").fullmatch

BROADCAST: Final = 0xFFFF
"""Terminal address of every terminal, with the group flag."""


class Address(NamedTuple):
    """Of a terminal and of the master that speaks with it.

    Args:
        area: area code A1, 4 digits, highest first (6 in the wide form).
        terminal: terminal address A2, 1..65535; 0 is invalid, 65535 with ``group`` every terminal.
        master: number of the master (MSA), 0..127 (0..255 in the wide form).
        group: the address is of a group of terminals.

    """

    area: str
    terminal: int
    master: int = 0
    group: bool = False

    @property
    def is_wide(self) -> bool:
        """The form of seven octets, as some provinces have it."""
        return len(self.area) == 6

    def same_terminal(self, other: Address) -> bool:
        """Whether both are of one terminal, whichever master speaks."""
        return (self.area, self.terminal) == (other.area, other.terminal)


class Frame(NamedTuple):
    """One frame.

    Args:
        address: of the terminal, whichever side sends.
        afn: application function code, 0..255.
        from_terminal: DIR.
        started: PRM, the sender began this exchange.
        function: function code of C, 0..15.
        body: data units and auxiliary fields; it may hold a password, so ``repr`` leaves it out.
        attention: bit 5 of C: FCB from the master, ACD (an important event waits) from the terminal.
        fcv: bit 4 of C: FCB counts.
        has_time: TpV, a time tag ends the body.
        first: FIR.
        final: FIN.
        confirm: CON, the sender wants a confirmation.
        sequence: number of the exchange, 0..15.
        protocol_id: 1 or 2.

    """

    address: Address
    afn: int
    from_terminal: bool
    started: bool
    function: int
    body: bytes = b""
    attention: bool = False
    fcv: bool = False
    has_time: bool = False
    first: bool = True
    final: bool = True
    confirm: bool = False
    sequence: int = 0
    protocol_id: int = ID_2009

    def __repr__(self) -> str:
        """All but the body."""
        shown = [f"{name}={getattr(self, name)!r}" for name in self._fields if name != "body"]
        return f"Frame({', '.join(shown)}, {len(self.body)} octets)"


def encode(frame: Frame) -> bytes:
    """Octets of one frame.

    Args:
        frame: what to send.

    Raises:
        LocalProtocolError: a field outside its range, or more than fits into one frame.

    """
    address = frame.address
    wide = address.is_wide
    length = LINK_OCTETS + WIDE_OCTETS * wide + len(frame.body)
    if length > USER_OCTETS_MAX:
        raise LocalProtocolError(f"the user data has {length} octets, the limit is {USER_OCTETS_MAX}")
    _check(frame)
    control = frame.from_terminal << 7 | frame.started << 6 | frame.attention << 5 | frame.fcv << 4
    order = frame.has_time << 7 | frame.first << 6 | frame.final << 5 | frame.confirm << 4
    master = address.master if wide else address.master << 1 | address.group
    user_data = b"".join(
        (
            bytes((control | frame.function,)),
            bcd.octets(address.area),
            address.terminal.to_bytes(_WIDE_TERMINAL if wide else _TERMINAL, "little"),
            bytes((master, frame.afn, order | frame.sequence)),
            frame.body,
        )
    )
    field = (length << 2 | frame.protocol_id).to_bytes(2, "little")
    return b"".join((_START, field, field, _START, user_data, bytes((sum8(user_data), END))))


def _check(frame: Frame) -> None:
    address = frame.address
    digits = 6 if address.is_wide else 4
    if len(address.area) != digits or not _AREA(address.area):
        raise LocalProtocolError(f"area {address.area!r} is not 4 digits (6 in the wide form)")
    if address.is_wide and address.group:
        raise LocalProtocolError("an address of seven octets has no group flag")
    ranges = (
        (address.terminal, (1 << 4 * digits) - 1, "terminal"),
        (address.master, 255 if address.is_wide else 127, "master"),
        (frame.afn, 255, "AFN"),
        (frame.function, 15, "function"),
        (frame.sequence, 15, "sequence"),
    )
    for value, limit, name in ranges:
        if not 0 <= value <= limit:
            raise LocalProtocolError(f"{name} {value} is outside 0..{limit}")
    if frame.protocol_id not in IDS:
        raise LocalProtocolError(f"protocol id {frame.protocol_id} is neither 1 nor 2")


def decode(octets: bytes, *, wide: bool = False) -> Frame:
    """Parse exactly one frame.

    Args:
        octets: 68H to 16H.
        wide: the address has seven octets; a setting of the terminal, for the frame does not tell.

    Raises:
        RemoteProtocolError: ``kind`` says what is wrong: ``"no-frame"``, ``"truncated"``, ``"length"``,
            ``"second-start"``, ``"end"`` or ``"checksum"``; ``offset`` says where.

    """
    if frame_end(octets, 0) != len(octets) or user_octets(octets) < LINK_OCTETS + WIDE_OCTETS * wide:
        raise fault(octets, wide=wide)
    body = body_at(wide=wide)
    at = body - (_WIDE_TERMINAL if wide else _TERMINAL) - 3  # the terminal, the master, AFN and SEQ
    control, master, afn, order = octets[HEAD_OCTETS], octets[body - 3], octets[body - 2], octets[body - 1]
    address = Address(
        bcd.digits(octets[HEAD_OCTETS + 1 : at]),
        int.from_bytes(octets[at : body - 3], "little"),
        master if wide else master >> 1,
        not wide and bool(master & 1),
    )
    return Frame(
        address=address,
        afn=afn,
        from_terminal=control & 0x80 != 0,
        started=control & 0x40 != 0,
        function=control & 0x0F,
        body=octets[body:-TAIL_OCTETS],
        attention=control & 0x20 != 0,
        fcv=control & 0x10 != 0,
        has_time=order & 0x80 != 0,
        first=order & 0x40 != 0,
        final=order & 0x20 != 0,
        confirm=order & 0x10 != 0,
        sequence=order & 0x0F,
        protocol_id=octets[1] & 3,
    )


def body_at(*, wide: bool = False) -> int:
    """Index of the first octet of the body in a frame."""
    return HEAD_OCTETS + LINK_OCTETS + WIDE_OCTETS * wide


def user_octets(octets: bytes | bytearray, start: int = 0) -> int:
    """Octets of user data that the first L of a frame says."""
    return (octets[start + 1] | octets[start + 2] << 8) >> 2


# --- what a deframer asks ----------------------------------------------------------------------


def frame_size(octets: bytes | bytearray, start: int) -> int:
    """Octets of the frame whose head stands at ``start``; 0 when that is no head."""
    if octets[start + 5] != START or octets[start + 1 : start + 3] != octets[start + 3 : start + 5]:
        return 0
    size = user_octets(octets, start)
    return size + OVERHEAD_OCTETS if octets[start + 1] & 3 in IDS and size >= LINK_OCTETS else 0


def frame_end(octets: bytes, start: int) -> int:
    """Index after the good frame that begins at ``start``; -1 when none does."""
    if len(octets) < start + HEAD_OCTETS or octets[start] != START:
        return -1
    return good_end(octets, start, HEAD_OCTETS, frame_size(octets, start))


# --- refusals ----------------------------------------------------------------------------------


def fault(octets: bytes, *, wide: bool = False) -> RemoteProtocolError:
    """Say why ``octets`` are not exactly one frame, looking at the first 68H."""
    start = max(octets.find(START), 0)
    kind, offset, sentence = _head_fault(octets, start, wide) or _body_fault(octets, start)
    return RemoteProtocolError(sentence, kind=kind, octets=octets, offset=offset)


def _head_fault(octets: bytes, start: int, wide: bool) -> tuple[str, int, str] | None:
    size = len(octets) - start
    if not octets or octets[start] != START:
        return "no-frame", 0, "there is no start octet 68H"
    if size < HEAD_OCTETS:
        return "truncated", len(octets), f"the head ends after {size} of {HEAD_OCTETS} octets"
    if octets[start + 5] != START:
        return "second-start", start + 5, f"the second start octet is {octets[start + 5]:02X}H, not 68H"
    return _length_fault(octets, start, wide)


def _length_fault(octets: bytes, start: int, wide: bool) -> tuple[str, int, str] | None:
    first, second = octets[start + 1 : start + 3], octets[start + 3 : start + 5]
    if first != second:
        sentence = f"the two lengths differ: {first.hex().upper()} and {second.hex().upper()}"
        return "length", start + 3, sentence
    if first[0] & 3 not in IDS:
        return "length", start + 1, f"protocol id {first[0] & 3} is neither 1 nor 2"
    least = LINK_OCTETS + WIDE_OCTETS * wide
    if user_octets(octets, start) < least:
        asked = user_octets(octets, start)
        return "length", start + 1, f"L says {asked} octets of user data, the least is {least}"
    return None


def _body_fault(octets: bytes, start: int) -> tuple[str, int, str]:
    end = start + user_octets(octets, start) + OVERHEAD_OCTETS
    if len(octets) < end:
        asked, there = end - start, len(octets) - start
        return "truncated", len(octets), f"L asks for {asked} octets, there are {there}"
    if (wrong := tail_fault(octets, start, HEAD_OCTETS, end)) is not None:
        return wrong
    return "length", end, f"{len(octets) - (end - start)} octets stand around the frame"
