"""What a journal has done and what it is at: numbers that it notes and others only read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

STUCK_S: Final = 60.0
"""A disk that takes longer for one group of changes does not work any more."""


@dataclass(slots=True)
class JournalWork:
    """Of one journal since its start.

    Attributes:
        commits: groups of changes that were written.
        changes: in them.
        refused: changes that were not kept.
        trouble: why the last group was not kept as a whole; empty: it was.
        in_hand: what waits for the disk.
        since_s: monotonic time at which the disk last got something to do, or had done something.

    """

    commits: int = 0
    changes: int = 0
    refused: int = 0
    trouble: str = ""
    in_hand: int = 0
    since_s: float = 0.0

    @contextmanager
    def waiting(self, now_s: float) -> Iterator[None]:
        """Something waits for the disk until the end of the block; ``done`` says that it got it.

        Args:
            now_s: monotonic.

        """
        if self.in_hand == 0:
            self.since_s = now_s
        self.in_hand += 1
        try:
            yield
        finally:
            self.in_hand -= 1

    def done(self, now_s: float) -> None:
        """The disk has done something."""
        self.since_s = now_s

    def note(self, changes: int, refused: int, trouble: str) -> None:
        """A group of changes came back."""
        self.commits += 1
        self.changes += changes - refused
        self.refused += refused
        self.trouble = trouble

    def is_stuck(self, now_s: float) -> bool:
        """Whether the disk has something to do and has not done anything for too long.

        Args:
            now_s: monotonic.

        """
        return self.in_hand > 0 and now_s - self.since_s > STUCK_S
