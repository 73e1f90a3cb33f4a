"""Octet stream -> frames of 1376.1 or 1376.2, for octets as they arrive: in any pieces, with anything around.

A frame is taken where its head holds (1376.1: both 68H and two equal lengths; 1376.2: 68H and a possible
length) and its checksum and 16H agree. What happens to

- octets before a frame (rubbish, FEH, text of a serial server, other protocols): dropped;
- a damaged or half frame: it holds up nothing, because *the frame that is complete first wins*;
- octets of a frame that is not complete: kept, at most one longest frame, and never looked at again.

Each octet costs the same, whatever it is: a candidate is noted once with the place where it would end, sums
of octets are kept as they come, and so its check is one comparison. Whether a frame comes out depends on the
octets alone, never on how they were cut into pieces.
Source: spec sections A2, B1 and E3.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import accumulate
from typing import Final, NamedTuple

from meterwire.gdw1376.link import module_frame, terminal_frame
from meterwire.gdw1376.link.envelope import END, START


class Grammar(NamedTuple):
    """What a deframer knows of a protocol.

    Args:
        head_octets: octets of a head; the checksum begins behind them.
        size: octets of the frame whose head stands at an index, 0 when that is no head.
        octets_max: longest frame that is taken.

    """

    head_octets: int
    size: Callable[[bytearray, int], int]
    octets_max: int


TERMINAL: Final = Grammar(
    terminal_frame.HEAD_OCTETS, terminal_frame.frame_size, terminal_frame.FRAME_OCTETS_MAX
)
"""1376.1."""
MODULE: Final = Grammar(module_frame.HEAD_OCTETS, module_frame.frame_size, module_frame.FRAME_OCTETS_MAX)
"""1376.2."""


class Span(NamedTuple):
    """Where a frame stood in the stream.

    Args:
        start: number of octets before it, since the deframer was made.
        octets: 68H to 16H.

    """

    start: int
    octets: bytes

    def __repr__(self) -> str:
        """All but the octets, which may hold a password."""
        return f"Span({self.start}, {len(self.octets)} octets)"


class Deframer:
    """Find frames in a stream of octets; memory is bounded by two longest frames.

    Args:
        grammar: ``TERMINAL`` or ``MODULE``.

    Attributes:
        skipped: octets that belonged to no frame, as far as that is decided.

    """

    __slots__ = ("_base", "_buffer", "_candidates", "_grammar", "_looked_at", "_sums", "_taken", "skipped")

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._buffer = bytearray()
        self._sums = bytearray(1)  # sums[i]: of buffer[:i], modulo 256
        self._base = 0  # number of the buffer's first octet in the stream
        self._candidates: list[tuple[int, int]] = []  # heap of (end, start), numbers in the stream
        self._looked_at = 0  # starts before this number are noted, or none
        self._taken = 0  # end of the last frame that came out
        self.skipped = 0

    def feed(self, octets: bytes) -> list[Span]:
        """Take octets as they came; give the frames that are complete with them.

        Never raises, whatever the octets.
        """
        self._sums += bytes(total & 0xFF for total in accumulate(octets, initial=self._sums[-1]))[1:]
        self._buffer += octets
        self._note_candidates()
        found = []
        while self._candidates and self._candidates[0][0] <= self._base + len(self._buffer):
            end, start = heapq.heappop(self._candidates)
            if start >= self._taken and self._is_good(start - self._base, end - self._base):
                found.append(Span(start, bytes(self._buffer[start - self._base : end - self._base])))
                self.skipped += start - self._taken
                self._taken = end
        self._forget()
        return found

    @property
    def pending(self) -> int:
        """Octets of the longest frame that may still become complete."""
        starts = [start for _, start in self._candidates if start >= self._taken]
        first = min([*starts, max(self._looked_at, self._taken)])
        return self._base + len(self._buffer) - first

    def clear(self) -> None:
        """Forget what is incomplete, as after a silent line or on a new connection."""
        end = self._base + len(self._buffer)
        self.skipped += end - self._taken
        self._base = self._taken = self._looked_at = end
        self._buffer.clear()
        self._sums = bytearray(1)
        self._candidates.clear()

    def _note_candidates(self) -> None:
        buffer, grammar, base = self._buffer, self._grammar, self._base
        last = len(buffer) - grammar.head_octets
        start = buffer.find(START, max(self._looked_at, self._taken) - base)
        while 0 <= start <= last:
            size = grammar.size(buffer, start)
            if 0 < size <= grammar.octets_max:
                heapq.heappush(self._candidates, (base + start + size, base + start))
            start = buffer.find(START, start + 1)
        self._looked_at = base + (start if start >= 0 else len(buffer))

    def _is_good(self, start: int, end: int) -> bool:
        if self._buffer[end - 1] != END:
            return False
        total = self._sums[end - 2] - self._sums[start + self._grammar.head_octets]
        return total & 0xFF == self._buffer[end - 2]

    def _forget(self) -> None:
        """Let go of octets that no candidate needs; seldom, so that it costs little for each octet."""
        if self._candidates and len(self._buffer) < 2 * self._grammar.octets_max:
            return
        starts = [start for _, start in self._candidates if start >= self._taken]
        self._candidates = [one for one in self._candidates if one[1] >= self._taken]
        heapq.heapify(self._candidates)
        first = min([*starts, max(self._looked_at, self._taken)])
        del self._buffer[: first - self._base]
        del self._sums[: first - self._base]
        self._base = first
