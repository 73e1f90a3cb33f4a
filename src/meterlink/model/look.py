"""What a meter shows beside its values: its number, its clock, its state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final


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
