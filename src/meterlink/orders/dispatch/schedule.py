"""When an order looks at its meter again: at once, soon, every few minutes, and then ever more seldom.

Nothing of this is kept: the times follow from when the control was sent, so a daemon that was killed goes on
with the look that is due. Source: control-and-prepayment, section 8; decision 21.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain, repeat
from typing import Final

FIRST_LOOKS: Final = tuple(timedelta(seconds=seconds) for seconds in (0, 5, 15, 30, 60))
"""After a control was sent."""
STEADY_EVERY: Final = timedelta(minutes=5)
"""Between looks, while a trip delay runs."""
STEADY_BEYOND: Final = timedelta(minutes=2)
"""How long after the trip delay the steady looks go on."""
BACK_OFF_MAX: Final = timedelta(hours=1)
"""Longest time between two looks at what is undecided."""
GIVE_UP_AFTER: Final = timedelta(hours=24)
"""What is undecided for so long is unknown, and a person's affair."""
REPEATED_AFTER: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15))
"""From the proof that a transmission did nothing to the next one. Source: business-rules, section 2.2."""


def next_look(sent_at: datetime, now: datetime, *, trip_delay: timedelta) -> datetime:
    """The first look after ``now`` at what was sent; one of them is when it is given up.

    Args:
        sent_at: when the octets left, or were meant to.
        now: the time; a look due at this very moment has been taken.
        trip_delay: how long the meter waits before it opens.

    """
    end = sent_at + GIVE_UP_AFTER
    at = next(at for at in _looks(sent_at, trip_delay) if at > now)
    return min(at, end) if now < end else at


def is_given_up(sent_at: datetime, now: datetime) -> bool:
    """Whether what was sent has been undecided for too long."""
    return now - sent_at >= GIVE_UP_AFTER


def next_repeat(proved_at: datetime, transmissions: int) -> datetime:
    """When what had no effect may be sent again.

    Args:
        proved_at: when that was known.
        transmissions: how many there were, 1 or more.

    """
    return proved_at + REPEATED_AFTER[min(transmissions, len(REPEATED_AFTER)) - 1]


def _looks(sent_at: datetime, trip_delay: timedelta) -> Iterator[datetime]:
    for after in FIRST_LOOKS:
        yield sent_at + after
    at = sent_at + FIRST_LOOKS[-1]
    steady = repeat(STEADY_EVERY, 1 + (trip_delay + STEADY_BEYOND) // STEADY_EVERY)
    for pause in chain(steady, _ever_longer()):
        at += pause
        yield at


def _ever_longer() -> Iterator[timedelta]:
    pause = STEADY_EVERY
    while True:
        pause = min(2 * pause, BACK_OFF_MAX)
        yield pause
