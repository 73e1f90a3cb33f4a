"""How long a frame may be obeyed, told in the meter's own time. Source: decision 23.

The deadline of an order is in our time, and the meter looks at its own clock: what stands in the frame is the
deadline moved by how far the two are apart. It is never later than the deadline, and never more than five
minutes ahead: a frame that was delayed, stored or recorded is worth nothing soon (fact 10).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from meterlink.drivers.control import ClockLook

FRAME_LIFE_MAX: Final = timedelta(minutes=5)
"""Longest time in which a meter may obey a frame. Source: decision 22 (b)."""
FRAME_LIFE_MIN: Final = timedelta(seconds=2)
"""With less left before the deadline nothing is sent: the frame would be on its way when it passes."""


class Expiry(NamedTuple):
    """Until when a meter may obey.

    Attributes:
        at: by the meter's own clock; whole seconds.
        valid_for: from the sending on; whole seconds.

    """

    at: datetime
    valid_for: timedelta


def expiry(deadline_at: datetime, now: datetime, clock: ClockLook | None) -> Expiry | None:
    """Until when a frame that leaves now may be obeyed; ``None``: it is too late to send any.

    Args:
        deadline_at: of the order, by our clock.
        now: by our clock.
        clock: what the meter's clock showed; ``None``: it cannot be read, and ours is taken for it.

    """
    until = min(deadline_at, now + FRAME_LIFE_MAX)
    offset = timedelta()
    if clock is not None:
        offset = clock.offset
        until -= clock.error  # the clock may be slower than it looked
    left = timedelta(seconds=(until - now) // timedelta(seconds=1))
    if left < FRAME_LIFE_MIN:
        return None
    return Expiry((until + offset).replace(microsecond=0), left)
