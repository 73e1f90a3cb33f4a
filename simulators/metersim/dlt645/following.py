"""Answers that are longer than a frame of the meter: cut into pieces, handed out in their order.

The first piece answers the read, with D5; each 12H (1997: 02H) gets the next one. A meter of 2007 numbers
them 1, 2, ... 255, 1, ... and gives the piece before once more when it is asked again by its number; any
other number is refused. Of load records it may want the parameters of the read again before the number. One
of 1997 has no numbers and gives whatever comes next. A new read forgets the old
answer.
Source: DL/T 645-2007, 7.1.4; spec sections 2.2, 2.6 and 9.1.
"""

from __future__ import annotations

from typing import Final

from meterwire.dlt645 import AbnormalReply, ReadFollowingReply, ReadFollowingRequest, ReadReply
from meterwire.dlt645.link.frame import DATA_OCTETS_MAX
from meterwire.dlt645.link.functions import READ_FOLLOWING, READ_FOLLOWING_1997, Edition
from meterwire.dlt645.messages.messages import next_sequence

FOLLOWING: Final[dict[Edition, int]] = {
    "dlt645-2007": READ_FOLLOWING,
    "dlt645-1997": READ_FOLLOWING_1997,
}
PIECE_OCTETS_MAX: Final = DATA_OCTETS_MAX - 5
"""Most data octets of a piece: what identifier and number leave of the standard's 200."""
OTHER_ERROR: Final = b"\x01"  # ERR bit 0; in 1997 "illegal data"


class LongAnswer:
    """The answer that a meter is giving in pieces.

    Args:
        protocol: whose numbers.
        piece_octets: most data octets that the meter puts into a frame, 1 to 195.
        repeat_selector: it wants the selector of the read in each 12H, and refuses one without.

    Raises:
        ValueError: ``piece_octets`` is out of range.

    """

    def __init__(
        self,
        protocol: Edition,
        *,
        piece_octets: int = PIECE_OCTETS_MAX,
        repeat_selector: bool = False,
    ) -> None:
        if not 1 <= piece_octets <= PIECE_OCTETS_MAX:
            raise ValueError(f"{piece_octets} octets in a piece: 1 to {PIECE_OCTETS_MAX} fit into a frame")
        self._protocol: Edition = protocol
        self._octets = piece_octets
        self._repeat_selector = repeat_selector
        self._selector = b""
        self._di = -1
        self._rest = b""
        self._last: ReadFollowingReply | None = None

    def first(self, whole: ReadReply, selector: bytes = b"") -> ReadReply:
        """The first piece of an answer; all of it, where it fits.

        Args:
            whole: the answer.
            selector: what the read carried behind its identifier.

        """
        self._di, self._last = whole.di, None
        self._selector = selector if self._repeat_selector else b""
        self._rest = whole.data[self._octets :]
        if not self._rest and not whole.has_following:
            return whole
        return whole._replace(data=whole.data[: self._octets], has_following=bool(self._rest))

    def forget(self) -> None:
        """The memory that held the rest was cleared."""
        self._di, self._rest, self._last = -1, b"", None

    def next(self, request: ReadFollowingRequest, address: str) -> ReadFollowingReply | AbnormalReply:
        """The piece that is asked for, or a refusal.

        Args:
            request: names the identifier of the first piece, and in 2007 the number of this one.
            address: the meter's own.

        """
        last, numbered = self._last, self._protocol == "dlt645-2007"
        mine = request.di == self._di and request.selector == self._selector
        if mine and numbered and last is not None and request.sequence == last.sequence:
            return last
        number = next_sequence(last.sequence if last else 0)
        if not mine or not self._rest or (numbered and request.sequence != number):
            return AbnormalReply(address=address, function=FOLLOWING[self._protocol], error_word=OTHER_ERROR)
        data, self._rest = self._rest[: self._octets], self._rest[self._octets :]
        piece = ReadFollowingReply(
            address=address,
            di=self._di,
            data=data,
            sequence=number if numbered else 0,
            has_following=bool(self._rest),
        )
        self._last = piece
        return piece
