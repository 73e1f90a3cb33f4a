"""Octet stream -> frames, for octets as they arrive: in any pieces, with anything around the frames.

A header check (HCS) guards length and address, so a start is decided after 24 octets at most: where it is
wrong the 68H was none; where it is right the whole frame is waited for, and nothing inside it is looked at.
So a 645 or 698.45 frame that travels in the payload of a good frame never comes out by itself. What
happens to

- octets before a frame (FEH preamble of any length, rubbish, frames of other protocols): dropped;
- a frame with a damaged header: dropped, the search goes on one octet after its 68H;
- a frame with a good header whose rest is damaged or cut short: the octets that its length asks for are
  waited for, then it is dropped and the search goes on one octet after its 68H. The frames behind it
  come out then, and so does a whole frame from its payload: a receiver tells it by its address. Where
  nothing follows, ``give_up`` ends the wait (a line silent for 500 ms inside a frame);
- octets of a frame not yet complete: kept, less than one longest frame.

While a header is not complete, a whole frame that ends inside it comes out; so a stray 68H delays nothing.
Whether a frame comes out depends on the octets alone, never on how they were cut into pieces.
Source: spec section 1.1, stream resynchronisation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from meterwire.dlt698.link.frame import (
    FRAME_OCTETS_MAX,
    FRAME_OCTETS_MIN,
    PREAMBLE,
    START,
    Frame,
    body_is_good,
    frame_at,
    frame_size,
    header_end,
)

_NEED_MORE = -2
_NOTHING_WHOLE = 0


class Found(NamedTuple):
    """A frame with its octets.

    Args:
        frame: the frame.
        octets: 68H to 16H.
        preamble: number of FEH octets directly in front.

    """

    frame: Frame
    octets: bytes
    preamble: int

    def __repr__(self) -> str:
        """All but the octets, which may hold a secret."""
        return f"Found({self.frame}, {len(self.octets)} octets, preamble={self.preamble})"


class Deframer:
    """Find frames in a stream of octets; memory is bounded by one frame.

    Args:
        frame_octets_max: longest frame that is waited for, 12 to 16385 octets.
        kilobytes: accept L in kilobytes.

    Attributes:
        skipped: octets that belonged to no frame, FEH not counted.

    """

    __slots__ = ("_buffer", "_frame_octets_max", "_kilobytes", "_needed", "_preamble", "skipped")

    def __init__(self, *, frame_octets_max: int = FRAME_OCTETS_MAX, kilobytes: bool = False) -> None:
        self._buffer = bytearray()
        self._frame_octets_max = frame_octets_max
        self._kilobytes = kilobytes
        self._needed = 0
        self._preamble = 0
        self.skipped = 0

    def feed(self, octets: bytes) -> list[Frame]:
        """Take octets as they came from the line; give the frames that are now complete.

        Never raises, whatever the octets.
        """
        self._buffer += octets
        buffer = self._buffer
        return [frame_at(buffer, start, end) for start, end, _ in self._spans()]

    def feed_found(self, octets: bytes) -> list[Found]:
        """As ``feed``; each frame with its octets and the length of its preamble."""
        self._buffer += octets
        buffer = self._buffer
        return [
            Found(frame_at(buffer, start, end), bytes(buffer[start:end]), preamble)
            for start, end, preamble in self._spans()
        ]

    @property
    def pending(self) -> int:
        """Octets kept because a frame may still become complete."""
        return len(self._buffer)

    def give_up(self) -> list[Frame]:
        """Give up the frame that is incomplete, as after a silent line; the frames behind its start."""
        frames: list[Frame] = []
        while self._buffer:
            self._drop(0, 1)
            del self._buffer[:1]
            self._needed = 0
            frames += self.feed(b"")
        self._preamble = 0
        return frames

    def _spans(self) -> Iterator[tuple[int, int, int]]:
        """Start, end and preamble of each whole frame; drops what is done with when exhausted."""
        buffer = self._buffer
        done = 0
        if len(buffer) < self._needed:
            return
        self._needed = 0
        start, end = self._next(0, len(buffer))
        while end != _NOTHING_WHOLE:
            self._drop(done, start)
            yield start, end, self._preamble
            done, self._preamble = end, 0
            start, end = self._next(done, len(buffer))
        self._drop(done, start)
        del buffer[:start]

    def _next(self, at: int, limit: int) -> tuple[int, int]:
        """Start and end of the first whole frame; without one, what must be kept from, and 0."""
        buffer, keep_from = self._buffer, -1
        start = buffer.find(START, at, limit)
        while start >= 0:
            data_at = header_end(buffer, start, self._kilobytes)
            if data_at == _NEED_MORE or data_at > limit:
                keep_from = start if keep_from < 0 else keep_from
            elif data_at > 0 and (end := self._end(start)):
                if data_at - start > FRAME_OCTETS_MIN and (inner := self._next(start + 1, data_at))[1]:
                    return inner
                if end > limit:
                    self._needed = end - start if keep_from < 0 else 0
                    return (start if keep_from < 0 else keep_from), _NOTHING_WHOLE
                if body_is_good(buffer, data_at, end):
                    return start, end
            start = buffer.find(START, start + 1, limit)
        return (limit if keep_from < 0 else keep_from), _NOTHING_WHOLE

    def _end(self, start: int) -> int:
        """End of the frame whose good header is at ``start``; 0 when it is longer than we take."""
        size = frame_size(self._buffer, start, self._kilobytes)
        return start + size if size <= self._frame_octets_max else 0

    def _drop(self, start: int, end: int) -> None:
        """Count ``buffer[start:end]`` as belonging to no frame."""
        dropped = self._buffer[start:end]
        self.skipped += len(dropped) - dropped.count(PREAMBLE)
        closing = len(dropped) - len(dropped.rstrip(b"\xfe"))
        self._preamble = closing + (self._preamble if closing == len(dropped) else 0)
