"""Octet stream -> frames of RTU or TCP, for octets as they arrive: in any pieces, with anything around.

Neither has a start octet, so any octet may begin a frame. One is taken where function, length and, on a
serial line, CRC agree. What happens to

- octets before a frame and between frames (rubbish, noise, text of a serial server): dropped;
- a damaged or half frame: it holds up nothing, because *the frame that is complete first wins*;
- octets that would be a frame of the other direction (the echo of a request): dropped, and since the length
  of an answer is another than that of its request, the answer behind is found;
- octets of a frame that is not complete: kept, at most one longest frame.

Sixteen bits of CRC leave a rest: rubbish makes a frame of its own once in 65,536 heads that fit. A TCP frame
has no check at all: half a frame takes the beginning of the next one for its rest, so whoever waits for an
answer looks for its transaction only (``framing.Receiver``). Each octet costs the same, whatever it is:
registers of the CRC are kept as octets come, and a check is one step. Whether a frame comes out depends on
the octets alone, never on how they were cut into pieces. Source: as ``rtu`` and ``tcp``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from meterwire.modbus.link import rtu, tcp
from meterwire.modbus.pdus.functions import DIRECTIONS, NEED_MORE, NONE, Direction
from meterwire.primitives import crc16


class Grammar(NamedTuple):
    """What a deframer knows of a kind of frame.

    Args:
        size: octets of the frame of a direction that stands at an index, ``NEED_MORE`` or ``NONE``.
        is_checked: a CRC ends it.
        octets_max: longest frame.

    """

    size: Callable[[bytes | bytearray, int, Direction], int]
    is_checked: bool
    octets_max: int


RTU: Final = Grammar(rtu.frame_octets, is_checked=True, octets_max=rtu.FRAME_OCTETS_MAX)
TCP: Final = Grammar(tcp.frame_octets, is_checked=False, octets_max=tcp.FRAME_OCTETS_MAX)


class Span(NamedTuple):
    """Where a frame stood in the stream.

    Args:
        start: number of octets before it, since the deframer was made.
        octets: of the frame.
        direction: what it is; where it could be either, a request.

    """

    start: int
    octets: bytes
    direction: Direction


class _Candidate(NamedTuple):
    """A frame that may still become one: where it begins and ends in the stream, the end 0 while unknown."""

    start: int
    end: int
    direction: Direction


class Deframer:
    """Find frames in a stream of octets; memory is bounded by one longest frame and one piece.

    Args:
        grammar: ``RTU`` or ``TCP``.
        directions: which frames are looked for; a requester takes answers only, a meter requests only.

    Attributes:
        skipped: octets that belonged to no frame, as far as that is decided.

    """

    __slots__ = ("_base", "_buffer", "_directions", "_grammar", "_open", "_registers", "_taken", "skipped")

    def __init__(self, grammar: Grammar, directions: tuple[Direction, ...] = DIRECTIONS) -> None:
        self._grammar = grammar
        self._directions = directions
        self._buffer = bytearray()
        self._registers = [0]  # registers[i]: CRC register after buffer[:i], begun at 0
        self._base = 0  # number of the buffer's first octet in the stream
        self._open: list[_Candidate] = []
        self._taken = 0  # all before this number came out, or was skipped
        self.skipped = 0

    def feed(self, octets: bytes) -> list[Span]:
        """Take octets as they came; give the frames that are complete with them.

        Never raises, whatever the octets.
        """
        end = self._base + len(self._buffer)
        self._take_in(octets)
        begun = [
            _Candidate(start, 0, direction)
            for start in range(end, end + len(octets))
            for direction in self._directions
        ]
        good, self._open = self._judged([*self._open, *begun])
        found = []
        for one in sorted(good, key=lambda one: (one.end, one.start)):
            if one.start >= self._taken:
                found.append(self._span(one))
                self.skipped += one.start - self._taken
                self._taken = one.end
        self._open = [one for one in self._open if one.start >= self._taken]
        self._forget()
        return found

    @property
    def pending(self) -> int:
        """Octets kept because a frame may still become complete."""
        return len(self._buffer)

    def clear(self) -> None:
        """Forget what is incomplete, as after a silent line or on a new connection."""
        self._open.clear()
        self._forget()

    def _take_in(self, octets: bytes) -> None:
        self._buffer += octets
        if self._grammar.is_checked:
            register = self._registers[-1]
            for octet in octets:
                register = crc16.step(register, octet)
                self._registers.append(register)

    def _judged(self, candidates: list[_Candidate]) -> tuple[list[_Candidate], list[_Candidate]]:
        """Those that are good frames, and those that may still become one."""
        good, still_open = [], []
        here = self._base + len(self._buffer)
        for start, known_end, direction in candidates:
            end = known_end
            if not end:
                size = self._grammar.size(self._buffer, start - self._base, direction)
                if size == NONE:
                    continue
                end = 0 if size == NEED_MORE else start + size
            if not end or end > here:
                still_open.append(_Candidate(start, end, direction))
            elif self._is_good(start - self._base, end - self._base):
                good.append(_Candidate(start, end, direction))
        return good, still_open

    def _is_good(self, start: int, end: int) -> bool:
        if not self._grammar.is_checked:
            return True
        register = self._registers[start] ^ crc16.START
        return self._registers[end] == crc16.ahead(register, end - start)

    def _span(self, one: _Candidate) -> Span:
        octets = bytes(self._buffer[one.start - self._base : one.end - self._base])
        return Span(one.start, octets, one.direction)

    def _forget(self) -> None:
        """Let go of octets that no candidate needs."""
        end = self._base + len(self._buffer)
        first = min((one.start for one in self._open), default=end)
        self.skipped += first - self._taken
        self._taken = first
        del self._buffer[: first - self._base]
        if self._grammar.is_checked:
            del self._registers[: first - self._base]
        self._base = first
