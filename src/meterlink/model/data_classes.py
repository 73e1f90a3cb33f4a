"""What kinds of data a plan can ask for; the name of a kind is the measurement in the database."""

from __future__ import annotations

from typing import Final, Literal

DataClass = Literal["instant", "daily_freeze"]
"""Name of a kind as users write it. Source: decision 16."""

INSTANT: Final[DataClass] = "instant"
"""Values of the moment; their slot is the beginning of the plan's interval."""
DAILY_FREEZE: Final[DataClass] = "daily_freeze"
"""What registers showed when the meter's day began; their slot is that instant."""
