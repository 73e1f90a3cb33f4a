"""The time for all meters of a line: a meter takes it when it is not far from its own.

Source: DL/T 645-2007, 7.2; DL/T 645-1997, 6; spec section 2.4.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from metersim.works.moments import PLANT_TIME
from metersim.works.works import Works
from meterwire.dlt645.messages.time_and_terminals import BroadcastTime

BROADCAST_STEP_MAX: Final = timedelta(minutes=5)
"""A broadcast sets a clock that is no further away, once a day of it. Source: DL/T 645-2007, 7.2."""


def take_broadcast_time(works: Works, request: BroadcastTime, at: datetime) -> None:
    """Set the clock if it is not far away, and no broadcast did today; nobody answers.

    Args:
        works: of the meter.
        request: to it or to all.
        at: true time, to which everything was brought.

    """
    clock = works.clock
    shown = clock.shows(at)
    try:
        given = datetime.fromisoformat(request.clock).replace(tzinfo=PLANT_TIME)
    except ValueError:  # of no calendar
        return
    own = (one for one in clock.settings if one.at > works.hung_since)
    today = any(one.broadcast and one.after.date() == shown.date() for one in own)
    if abs(given - shown) <= BROADCAST_STEP_MAX and not today:
        clock.set(given, at, broadcast=True)
