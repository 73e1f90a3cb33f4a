"""Since when a contact is closed that somebody else has closed: by the meter's record, or since the look.

Source: CTRL-16, CTRL-19.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from meterlink.drivers.control import Standing
from meterlink.model.act import Act
from meterlink.model.payload import time_in, time_out

CLOSED_AT: Final = "closed_at"
"""Where the body of an act tells it."""


def told_since(standing: Standing, looked_at: datetime, *, open_at: datetime | None = None) -> dict[str, Any]:
    """What the body of an act says of it.

    Args:
        standing: shows the contact closed.
        looked_at: when it was looked at; a record from later is of a clock that is wrong.
        open_at: when the contact was last seen open; a record from before that is not of this closing.

    """
    recorded = standing.closes.occurred_at
    if recorded is None or recorded > looked_at or (open_at is not None and recorded < open_at):
        recorded = looked_at
    return {CLOSED_AT: time_out(recorded)}


def closed_since(act: Act, cause_at: datetime) -> datetime:
    """When current was back, by the act that proves it; by its own time where that tells nothing better.

    A record from before the wait is that of an earlier closing, or of a meter whose clock is wrong.

    Args:
        act: proves that the contact is closed.
        cause_at: when the wait began.

    """
    if CLOSED_AT not in act.body:
        return act.at
    closed_at = time_in(act.body[CLOSED_AT])
    return closed_at if cause_at < closed_at <= act.at else act.at
