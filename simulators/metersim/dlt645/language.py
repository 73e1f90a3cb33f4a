"""DL/T 645 on a line: its frames, its addresses, and what faults make of an answer."""

from __future__ import annotations

import functools
from random import Random
from typing import Final, NamedTuple

from metersim.dlt645.following import PIECE_OCTETS_MAX, LongAnswer
from meterwire.dlt645 import (
    BROADCAST,
    AbnormalReply,
    Deframer,
    Frame,
    ReadFollowingRequest,
    ReadReply,
    dictionary,
    encode,
    from_frame,
    to_frame,
)
from meterwire.dlt645.link.functions import DI_OCTETS, READ, READ_1997, READS, WRITES, edition
from meterwire.errors import RemoteProtocolError

_NEIGHBOUR_DI = (0x00030000, 0x00000300)  # forward <-> reverse energy, voltage a <-> b, and the like
_ERROR_WORDS = (0x01, 0x02, 0x04)
_READ_ADDRESS = 0x13
_OCTET_MAX = 0xFF


class Wording645(NamedTuple):
    """An answer.

    Args:
        frame: as the meter says it.

    """

    frame: Frame

    def encode(self, preamble: int = 0) -> bytes:
        """The octets."""
        return encode(self.frame, preamble=preamble)

    def can_be(self, fault: str) -> bool:
        """An address answer carries no identifier and has no refusal; a refusal carries no identifier."""
        if fault == "other_identifier":
            return self.frame.function == READ and not self.frame.abnormal
        return fault != "abnormal" or self.frame.function != _READ_ADDRESS

    def under_other_address(self, random: Random) -> bytes:
        """The same answer of another meter."""
        other = (int(self.frame.address) + random.randint(1, 10**6)) % 10**12
        return encode(self.frame._replace(address=f"{other:012d}"))

    def with_other_identifier(self, random: Random) -> bytes:
        """An answer to another question."""
        data = self.frame.data
        di = int.from_bytes(data[:4], "little") ^ random.choice(_NEIGHBOUR_DI)
        return encode(self.frame._replace(data=di.to_bytes(4, "little") + data[4:]))

    def refused(self, random: Random, word: int | None = None) -> bytes:
        """A refusal in its place; a word over 255 goes out as two octets, lowest first."""
        number = random.choice(_ERROR_WORDS) if word is None else word
        octets = number.to_bytes(2 if number > _OCTET_MAX else 1, "little")
        address, function = self.frame.address, self.frame.function
        return encode(to_frame(AbnormalReply(address=address, function=function, error_word=octets)))

    def in_pieces(self, octets: int) -> Pieces645 | None:
        """The answer to a read in pieces; ``None`` when it is none, or short, or in pieces already."""
        frame = self.frame
        if frame.function not in {READ, READ_1997} or frame.abnormal or frame.has_following:
            return None
        message = from_frame(frame)
        assert isinstance(message, ReadReply), "that is what these functions carry"
        return Pieces645(message, frame.function, octets) if len(message.data) > octets else None


class Pieces645:
    """An answer to a read that a fault has cut up.

    Args:
        whole: the answer.
        function: of its frame.
        octets: most data octets in a piece, 1 to 195.

    """

    def __init__(self, whole: ReadReply, function: int, octets: int) -> None:
        self._edition = edition(function)
        self._address = whole.address
        self._long = LongAnswer(self._edition, piece_octets=min(octets, PIECE_OCTETS_MAX))
        self.first = Wording645(to_frame(self._long.first(whole), self._edition))
        """The piece that answers the question."""
        self.given = False
        """Whether the last piece was given."""

    def next(self, request: Frame) -> Wording645 | None:
        """The piece that is asked for, or a refusal; ``None`` when something else is asked for."""
        try:
            message = from_frame(request)
        except RemoteProtocolError:
            return None
        if not isinstance(message, ReadFollowingRequest):
            return None
        piece = to_frame(self._long.next(message, self._address), self._edition)
        self.given = not piece.has_following and not piece.abnormal
        return Wording645(piece)


class Language645:
    """DL/T 645, both editions; a request is a `Frame`."""

    has_end_octet: Final = True

    def ear(self) -> Deframer:
        """An ear for a new connection."""
        return Deframer()

    def echo(self, request: Frame) -> bytes:
        """The octets of a request."""
        return encode(request)

    def asked(self, request: Frame) -> str | None:
        """The meter that is asked; none by itself with a wildcard or the broadcast address."""
        several = "A" in request.address or request.address == BROADCAST
        return None if several else request.address

    def names(self, request: Frame) -> tuple[str, ...]:
        """The function (``11H``), and of reads and writes the identifier and its items."""
        return _names(request.function, request.data[:4])


@functools.lru_cache(maxsize=4_096)
def _names(function: int, begin: bytes) -> tuple[str, ...]:
    called = f"{function:02X}H"
    octets = DI_OCTETS[edition(function)]
    if function not in READS | WRITES or len(begin) < octets:
        return (called,)
    digits = begin[:octets][::-1].hex().upper()
    entry = dictionary(edition(function)).by_di(int(digits, 16))
    if entry is None:
        return called, digits
    _, at, period = entry.item.partition("@")
    return called, digits, entry.item, *(f"{item}{at}{period}" for item in entry.items)


DLT645: Final = Language645()
