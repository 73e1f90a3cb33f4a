"""What is due when: slots of an interval, counted from midnight UTC, and the newest freeze."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from meterlink.model.data_classes import INSTANT, DataClass

FREEZE_SETTLE = timedelta(minutes=5)
"""A freeze is expected this long after its instant: so far a meter's clock may be behind before anybody sets
it, and concentrators wait as long. Source: field practice, sections 7 and 8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Items that are read, or looked for, once in each interval.

    Args:
        name: what people call it.
        every_s: length of an interval in whole seconds; intervals begin at its multiples.
        items: what to read.
        tries: how often a silent meter is asked in one interval.
        data_class: values of the moment, or what the meter froze.

    """

    name: str
    every_s: int
    items: tuple[str, ...]
    tries: int = 2
    data_class: DataClass = INSTANT

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


def newest_daily_freeze(now: datetime, zone: tzinfo) -> datetime:
    """The newest daily freeze that a meter with a sound clock has taken by ``now``: its instant.

    Args:
        now: wall time, aware.
        zone: what the meters' clocks show; without daylight saving time.

    """
    local = (now - FREEZE_SETTLE).astimezone(zone)
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def is_kept(item: str, kept: set[str]) -> bool:
    """Whether an item is among those already kept; a block (``voltage.*``) when one of its items is."""
    if item in kept:
        return True
    base, star, _ = item.rpartition("*")
    return bool(star) and any(name == base.rstrip(".") or name.startswith(base) for name in kept)
