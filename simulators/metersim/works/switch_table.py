"""Where contact and command of a switch stand, and what moves them: the table.

The contact and the command are two things. What was ordered last is the command; where the contact stands
follows it when it can: a trip may wait for its delay, or while more current flows than the contact should
break; a close that is only permitted waits for somebody at the meter who presses the key. The six states are
what the two can be together:

======================  =======  =======  =====================================================
state                   contact  command  leaves by itself
======================  =======  =======  =====================================================
CLOSED                  closed   closed   never
TRIP_DELAYED            closed   open     when its delay is over: opens, or is held
TRIP_HELD               closed   open     when the current is low enough, or it was held for long
OPEN                    open     open     never
OPEN_FOR_A_WHILE        open     open     when its while is over: closes, or permits it (1D, 1E)
WAITS_FOR_KEY           open     closed   never; the key closes it
======================  =======  =======  =====================================================

What is not in ``TRANSITIONS`` cannot happen: a trip for a while of an open contact is refused, a key that
nobody waits for does nothing.
Source: control-and-prepayment, 1.2, 1.4 and "The ten facts".
"""

from __future__ import annotations

import enum
from typing import Final


class State(enum.Enum):
    """Where contact and command stand."""

    CLOSED = "closed"
    TRIP_DELAYED = "trip delayed"
    TRIP_HELD = "trip held by the current"
    OPEN = "open"
    OPEN_FOR_A_WHILE = "open for a while"
    WAITS_FOR_KEY = "waits for the key"


class Signal(enum.Enum):
    """What can happen to a switch."""

    DELAY = "a trip that waits for its delay"
    HOLD = "a trip that the current holds"
    OPEN = "a trip"
    OPEN_FOR_A_WHILE = "a trip for a while"
    PERMIT = "closing permitted"
    CLOSE = "close"
    KEY = "key pressed"
    DROP = "whatever waits to trip is dropped"


_CLOSING = {Signal.PERMIT: State.WAITS_FOR_KEY, Signal.CLOSE: State.CLOSED}
_DROPPED = dict.fromkeys((Signal.PERMIT, Signal.CLOSE, Signal.DROP), State.CLOSED)
_OPENING = {Signal.OPEN: State.OPEN, Signal.OPEN_FOR_A_WHILE: State.OPEN_FOR_A_WHILE}

TRANSITIONS: Final[dict[State, dict[Signal, State]]] = {
    State.CLOSED: {
        **_OPENING,
        **_DROPPED,
        Signal.DELAY: State.TRIP_DELAYED,
        Signal.HOLD: State.TRIP_HELD,
    },
    State.TRIP_DELAYED: {
        **_OPENING,
        **_DROPPED,
        Signal.DELAY: State.TRIP_DELAYED,
        Signal.HOLD: State.TRIP_HELD,
    },
    State.TRIP_HELD: {**_OPENING, **_DROPPED},
    State.OPEN: {**_CLOSING, Signal.OPEN: State.OPEN, Signal.DROP: State.OPEN},
    State.OPEN_FOR_A_WHILE: {
        **_CLOSING,
        Signal.OPEN: State.OPEN,  # a plain trip takes the automatic close away
        Signal.DROP: State.OPEN_FOR_A_WHILE,
    },
    State.WAITS_FOR_KEY: {
        **_CLOSING,
        Signal.OPEN: State.OPEN,
        Signal.KEY: State.CLOSED,
        Signal.DROP: State.WAITS_FOR_KEY,
    },
}

CONTACT_OPEN: Final = frozenset({State.OPEN, State.OPEN_FOR_A_WHILE, State.WAITS_FOR_KEY})
COMMAND_OPEN: Final = frozenset({State.TRIP_DELAYED, State.TRIP_HELD, State.OPEN, State.OPEN_FOR_A_WHILE})
WAITING: Final = frozenset({State.TRIP_DELAYED, State.TRIP_HELD})
"""A trip was ordered, and the contact is still closed."""
