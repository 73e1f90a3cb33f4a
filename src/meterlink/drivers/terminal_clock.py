"""The clock of a concentrator: when it may be set from afar, and by whom it is read and set.

By a concentrator's clock its nights are filed, so a wrong one is a matter of money; and one that is set near
midnight or a full hour loses or doubles a freeze. One that is a little off is set from afar at once; one that
lost its time, or is off again and again, is broken, and somebody has to go there.
Source: field practice, section 8.
"""

from __future__ import annotations

import enum
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta, tzinfo
from typing import Final, Protocol

from meterlink.clock import SET_FROM

RIGHT: Final = timedelta(seconds=5)
"""So near a clock is to ours after it was set; within it, there is nothing to set."""
REMOTE_MAX: Final = timedelta(minutes=15)
"""By more than this it did not drift: it lost its time."""
BROKEN: Final = timedelta(minutes=5)
SETTINGS_MAX: Final = 2
WITHIN: Final = timedelta(days=30)
"""A clock that is five minutes off after so many settings in so long is broken."""
NEAR_HOUR: Final = timedelta(minutes=5)
NEAR_MIDNIGHT: Final = timedelta(minutes=30)
"""Terminals read the night from five past midnight on, and their hours at the full hour."""
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


class Against(enum.StrEnum):
    """What speaks against setting a clock now."""

    OURS = "ours"
    """Ours is not said to be right, or was never set."""
    RIGHT = "right"
    FAR = "far"
    NEAR_HOUR = "near_hour"
    NEAR_MIDNIGHT = "near_midnight"


class ClockTurn(Protocol):
    """A terminal's line for as long as its clock is looked at: nobody else is on it."""

    async def read(self) -> timedelta | None:
        """How far it is ahead of ours; ``None``: it shows no time.

        Raises:
            Refused, BadAnswer, ConfigError: it does not say.
            ReplyTimeout, LineLost, LineBusy, LineClosed, BusFull: from the line.

        """

    async def set(self) -> timedelta | None:
        """Set it by ours, once, and read it again; as ``read``.

        Raises:
            Refused: the terminal does not take it.
            BadAnswer, ConfigError, ReplyTimeout, LineLost, LineBusy, LineClosed, BusFull: as of ``read``; it
                may have been set.

        """


class TerminalClock(Protocol):
    """Who reads and sets the clock of one terminal."""

    @property
    def terminal(self) -> str:
        """Its name."""

    def turn(self) -> AbstractAsyncContextManager[ClockTurn]:
        """Have its line: what others wait for on it would be taken for the way there.

        Raises:
            LineClosed, BusFull: of the line.

        """


def against(
    now: datetime, ahead: timedelta | None, zone: tzinfo, *, is_trusted: bool, may_be_far: bool = False
) -> tuple[Against, ...]:
    """What speaks against setting a clock; nothing: it may be set.

    Args:
        now: our time, aware.
        ahead: how far it is ahead of that; ``None``: it shows no time.
        zone: what it shows, when it is right.
        is_trusted: our clock is said to be right.
        may_be_far: somebody says so of a clock that is off by more than ``REMOTE_MAX``.

    """
    found = []
    if not is_trusted or now < SET_FROM:
        found.append(Against.OURS)
    if ahead is not None and abs(ahead) <= RIGHT:
        found.append(Against.RIGHT)
    if (ahead is None or abs(ahead) > REMOTE_MAX) and not may_be_far:
        found.append(Against.FAR)
    shown = [now.astimezone(zone)]
    if ahead is not None:
        shown.append((now + ahead).astimezone(zone))
    if any(_from_full(one, _DAY) < NEAR_MIDNIGHT for one in shown):
        found.append(Against.NEAR_MIDNIGHT)
    elif any(_from_full(one, _HOUR) < NEAR_HOUR for one in shown):
        found.append(Against.NEAR_HOUR)
    return tuple(found)


def is_broken(ahead: timedelta | None, settings: int) -> bool:
    """Whether a clock is off although it was set.

    Args:
        ahead: of ours, now.
        settings: how often it was set ``WITHIN``.

    """
    return settings >= SETTINGS_MAX and (ahead is None or abs(ahead) >= BROKEN)


def _from_full(shown: datetime, span: timedelta) -> timedelta:
    """How far a time is from the nearest full hour, or midnight."""
    past = (shown - shown.replace(hour=0, minute=0, second=0, microsecond=0)) % span
    return min(past, span - past)
