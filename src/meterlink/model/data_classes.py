"""What kinds of data a plan can ask for; the name of a kind is the measurement in the database."""

from __future__ import annotations

from typing import Final, Literal

DataClass = Literal["instant", "status", "daily_freeze", "monthly_freeze", "curve", "event"]
"""Name of a kind as users write it. Source: decision 16."""

INSTANT: Final = "instant"
"""Values of the moment; their slot is the beginning of the plan's interval."""
DAILY_FREEZE: Final = "daily_freeze"
"""What registers showed when the meter's day began; their slot is that instant."""
MONTHLY_FREEZE: Final = "monthly_freeze"
"""What registers showed at the meter's settlement of a month; their slot is that instant."""
CURVE: Final = "curve"
"""Values at each quarter of an hour or hour; their slot is the instant, with which an interval begins."""
STATUS: Final = "status"
"""Words of state; their slot is the beginning of the plan's interval."""
EVENT: Final = "event"
"""What a meter or terminal recorded of its own accord; it stands under the time at which it happened. The
slots of a plan are those in which the meter's memory is looked into."""

FREEZES: Final[tuple[DataClass, ...]] = (DAILY_FREEZE, MONTHLY_FREEZE)
"""Their slot is the instant that ends the day or month that they are of. Source: decision 11."""
