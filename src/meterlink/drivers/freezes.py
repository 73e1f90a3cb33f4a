"""What a meter says of its freeze, checked: its civil time -> instant, or no freeze; its items, sorted.

The instant becomes the key of readings for ever. So what is no time of the calendar, or more than a day
ahead, is never made into one. DL/T 645 tells the minute of a freeze, and 698.45 its second too: the key is
the minute in which it was taken, so that one night is one row, whichever protocol tells it (decision 11).
Nothing is too old: who knows how long a meter stood without power? A clock that is years behind therefore
gives readings of years ago.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from meterlink.drivers.base import Measured
from meterlink.errors import ClockFarAhead, NoFreeze

AHEAD_MAX = timedelta(days=1)
"""A meter's clock may be ahead of ours; a freeze later than this was taken by a clock that is lost."""


def freeze_instant(moment: datetime | None, *, zone: tzinfo, now: datetime, who: str) -> datetime:
    """The instant at which a freeze was taken, to the minute.

    Args:
        moment: what the meter says, in its civil time without zone; ``None`` when it is no time at all.
        zone: what the meter's clock shows.
        now: our wall time, aware.
        who: the meter and its freeze, for the message.

    Raises:
        NoFreeze: the time is missing, at an end of the calendar, or later than our clock by more than a day.

    """
    if moment is None:
        raise NoFreeze(f"{who}: its time is absent or none of the calendar")
    try:
        instant = moment.replace(second=0, microsecond=0, tzinfo=zone).astimezone(UTC)
    except OverflowError:
        raise NoFreeze(f"{who}: its time {moment} is at an end of the calendar: look at its clock") from None
    if instant - now > AHEAD_MAX:
        raise ClockFarAhead(f"{who}: its time {moment} lies more than a day ahead: look at both clocks")
    return instant


class FreezeFindings:
    """What a meter brought of its freeze, refused, or sent so that it did not fit: by item."""

    def __init__(self) -> None:
        self.values: list[Measured] = []
        self.refused: dict[str, str] = {}
        self.unfit: dict[str, str] = {}
