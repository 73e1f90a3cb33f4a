"""Octet stream -> frames, for octets as they arrive: in any pieces, with anything around the frames.

A frame is taken where 68H, a second 68H seven octets on, the length, the checksum and 16H agree;
16H alone ends nothing and 68H alone starts nothing, both occur inside frames. What happens to

- octets before a frame (FEH preamble of any length, rubbish, text of a serial server): dropped;
- a damaged frame: the search goes on one octet after its first 68H, so that nothing which
  follows is lost; a length octet that was made too large does not hold up the frames behind it,
  because *the frame that is complete first wins*;
- a damaged frame that makes another good one with octets behind it (length, 16H and checksum right by
  chance): given as that; eight bits of checksum leave this rest, one case in the test's 73,000;
- octets of a frame not yet complete: kept, at most ``FRAME_OCTETS_MAX``.

Whether a frame comes out depends on the octets alone, never on how they were cut into pieces.
Source: DL/T 645-2007, 5.2.
"""

from __future__ import annotations

from meterwire.dlt645.link.frame import START, Frame, frame_at, frame_end

_NEED_MORE = -2


class Deframer:
    """Find frames in a stream of octets; memory is bounded by one frame.

    ``skipped`` counts the octets that belonged to no frame (preambles included).
    """

    __slots__ = ("_kept", "skipped")

    def __init__(self) -> None:
        self._kept = b""
        self.skipped = 0

    def feed(self, octets: bytes) -> list[Frame]:
        """Take octets as they came from the line; give the frames that are now complete.

        Never raises, whatever the octets.
        """
        if not self._kept:
            start = octets.find(START)
            # With the two 68H of one header and no third nothing else can begin in these octets.
            if octets.count(START) == 2 and frame_end(octets, start) == len(octets):
                self.skipped += start
                return [frame_at(octets, start, len(octets))]
        self._kept += octets
        frames: list[Frame] = []
        while (span := self._first_complete()) is not None:
            start, end = span
            frames.append(frame_at(self._kept, start, end))
            self.skipped += start
            self._kept = self._kept[end:]
        return frames

    @property
    def pending(self) -> int:
        """Octets kept because a frame may still become complete."""
        return len(self._kept)

    def clear(self) -> None:
        """Forget an incomplete frame, as after a silent line (more than 500 ms between octets)."""
        self.skipped += len(self._kept)
        self._kept = b""

    def _first_complete(self) -> tuple[int, int] | None:
        """The good frame that ends first; without one, drop what can start none."""
        kept = self._kept
        best: tuple[int, int] | None = None
        keep_from = -1
        start = kept.find(START)
        while start >= 0 and (best is None or start < best[1]):
            end = frame_end(kept, start)
            if end > 0 and (best is None or end < best[1]):
                best = (start, end)
            elif end == _NEED_MORE and keep_from < 0:
                keep_from = start
            start = kept.find(START, start + 1)
        if best is None:
            dropped = len(kept) if keep_from < 0 else keep_from
            self.skipped += dropped
            self._kept = kept[dropped:]
        return best
