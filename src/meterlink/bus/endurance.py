"""How much a line bears of a terminal that sends without end, or nothing that anybody can read.

Who is known may still be broken, or somebody else who has learned the address. What he sends costs the
processor time of everybody, so it has limits, and beyond them his connection ends; his neighbours' go on. A
terminal in the field comes nowhere near: it tells a few frames a heartbeat, and some hundred kilooctets at
most when a night's freezes are told at once.

- *Rubbish*: octets of no frame, one after the other.
- *No frame for long*: something comes, but nothing whole. It is as silent as one that sends nothing.
- *Unasked*: what comes of its own accord may come in a burst, and then so fast. What answers a question may
  be more.
"""

from __future__ import annotations

from typing import Final

RUBBISH_OCTETS_MAX: Final = 32_768
"""Octets of no frame; the longest frame of any protocol, of Q/GDW 1376.1, has half of it."""
UNASKED_OCTETS_MAX: Final = 131_072
"""What a terminal may tell at once: a night's reports, or an answer of many frames that comes too late."""
UNASKED_OCTETS_PER_S: Final = 4_096
"""And so much each second: more than mobile networks let a terminal tell that waits for confirmations."""
FRAME_OCTETS_LEAST: Final = 512
"""A frame counts as so many octets at least: it is frames that cost time, however short they are. So a burst
has 256 of them, and then come eight a second."""
ANSWER_OCTETS_MAX: Final = 1_048_576
"""What may come at once while somebody asks: 64 frames of 16 kilooctets, the most of one answer."""
ANSWER_OCTETS_PER_S: Final = 65_536
PIECE_OCTETS: Final = 4_096
"""Who fills a piece has more to say: others get their turn before it is heard."""


class _Bucket:
    """Octets that may come at once, and so many more each second."""

    def __init__(self, most: int, per_s: int, now_s: float) -> None:
        self._most, self._per_s = most, per_s
        self._left, self._at_s = float(most), now_s

    def takes(self, octets: int, now_s: float) -> bool:
        self._left = min(self._left + (now_s - self._at_s) * self._per_s, self._most) - octets
        self._at_s = now_s
        return self._left >= 0


class Endurance:
    """What one connection has sent.

    Args:
        now_s: loop time, as for the others.

    """

    def __init__(self, now_s: float) -> None:
        self._rubbish = 0
        self._framed_at_s = now_s
        self._unasked = _Bucket(UNASKED_OCTETS_MAX, UNASKED_OCTETS_PER_S, now_s)
        self._answers = _Bucket(ANSWER_OCTETS_MAX, ANSWER_OCTETS_PER_S, now_s)

    def heard(self, octets: int, *, frames: int, answers: bool, now_s: float, idle_limit_s: float) -> str:
        """Why the connection is to end after some octets; empty: it goes on.

        Args:
            octets: that came.
            frames: whole ones that they made, with what came before.
            answers: among them are some that somebody waits for.
            now_s: loop time.
            idle_limit_s: a terminal without a frame for longer is gone.

        """
        if frames:
            self._rubbish, self._framed_at_s = 0, now_s
        else:
            self._rubbish += octets
        if self._rubbish > RUBBISH_OCTETS_MAX:
            return f"{self._rubbish} octets of no frame, more than {RUBBISH_OCTETS_MAX}"
        if now_s - self._framed_at_s > idle_limit_s:
            return f"nothing but rubbish came for {idle_limit_s:g} s"
        weight = max(octets, FRAME_OCTETS_LEAST * frames)
        if not answers and not self._unasked.takes(weight, now_s):
            return f"more than {UNASKED_OCTETS_MAX} octets unasked, and {UNASKED_OCTETS_PER_S} a second"
        if answers and not self._answers.takes(weight, now_s):
            return f"more than {ANSWER_OCTETS_MAX} octets of answers, and {ANSWER_OCTETS_PER_S} a second"
        return ""
