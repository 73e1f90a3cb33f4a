"""What a meter shows beside its values: its number, its clock, its state, its settlement day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple


class SettlementDay(NamedTuple):
    """When a meter settles, each month.

    Args:
        day: of the month, 1 to 31.
        hour: of that day, 0 to 23.

    """

    day: int
    hour: int

    def __str__(self) -> str:
        return f"{self.day} {self.hour:02d}:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a meter showed when somebody looked; ``None``: nobody has, or it did not tell.

    Args:
        meter_number: its digits.
        clock_ahead: how far its clock was ahead of ours; negative: behind.
        clock_at: when that was seen; aware.
        status_word: status word 1, bit 0 the lowest.

    """

    meter_number: str | None = None
    clock_ahead: timedelta | None = None
    clock_at: datetime | None = None
    status_word: int | None = None


NOT_LOOKED: Final = Look()
"""Of a meter of which only values are known."""
