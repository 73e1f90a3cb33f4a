"""What is due when: slots of an interval, counted from midnight UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DATA_CLASS = "instant"
"""Data class of what an interval plan reads: values of the moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Items that are read once in each interval.

    Args:
        name: what people call it.
        every_s: length of an interval in whole seconds; slots begin at its multiples.
        items: what to read, one exchange each.
        tries: how often a silent meter is asked for one slot.

    """

    name: str
    every_s: int
    items: tuple[str, ...]
    tries: int = 2

    def slot_at(self, now: datetime) -> datetime:
        """The slot that ``now`` belongs to: its beginning."""
        seconds = int(now.timestamp()) // self.every_s * self.every_s
        return datetime.fromtimestamp(seconds, UTC)

    def end_of(self, slot: datetime) -> datetime:
        """The first instant after a slot."""
        return slot + timedelta(seconds=self.every_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A meter on a line, as acquisition knows it.

    Args:
        meter: our id.
        address: its communication address, 12 digits.

    """

    meter: str
    address: str


def is_kept(item: str, kept: set[str]) -> bool:
    """Whether an item is among those already kept; a block (``voltage.*``) when one of its items is."""
    if item in kept:
        return True
    base, star, _ = item.rpartition("*")
    return bool(star) and any(name == base.rstrip(".") or name.startswith(base) for name in kept)
