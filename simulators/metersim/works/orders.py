"""What a switch can be told, and what it says to it: the words that both protocols turn into their own.

Source: control-and-prepayment, 1.2 and 1.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, get_args

from metersim.works.memory import LOCAL_CAUSE, CameBy

Kind = Literal[
    "trip",
    "trip_auto_direct_close",
    "trip_auto_permit_close",
    "permit_close",
    "direct_close",
    "alarm_on",
    "alarm_off",
    "guarantee_on",
    "guarantee_off",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
OfWallet = Literal["top_up", "open_account", "refund", "initialise"]
OBEYED: Final[tuple[str, ...]] = (*KINDS, *get_args(OfWallet))
"""Every kind of control that a meter remembers."""

Execution = Literal[
    "direct_close",
    "permit_close",
    "direct_trip",
    "delayed_trip",
    "auto_trip",
    "delayed_trip_current",
    "guarantee_on",
    "guarantee_off",
    "alarm_on",
    "alarm_off",
]
"""How a command was carried out: the bits of the execution word, by their names in meterwire."""

Cause = Literal[
    "meter_suspended",
    "mac_error",
    "password_or_unauthorised",
    "identity_auth_failed",
    "command_expired",
    "trip_refused_guarantee",
    "auto_trip_refused_guarantee",
    "auto_trip_zero_duration",
    "auto_trip_already_tripped",
]
"""Why a command was not obeyed: the bits of the control error word, by their names in meterwire."""

DELAY_MAX: Final = timedelta(minutes=9999)
"""Longest trip delay, and longest time that a trip is held; four digits of minutes."""
RECLOSE_MAX: Final = timedelta(minutes=65_535)
"""Longest trip for a while: 255 units of 5 minutes in DL/T 645, 65,535 minutes in DL/T 698.45."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One order to a switch.

    Args:
        kind: what to do.
        delay: how long a trip waits before it opens, 0 to `DELAY_MAX`; 0 for every other kind.
        reclose_after: how long a trip for a while stays open, up to `RECLOSE_MAX`; counted from the opening;
            ``None`` for every other kind.
        operator: operator code, 8 hexadecimal digits; it stands in the record of the move.
        came_by: how it came.
        frame_id: what the sender of the frame called it, where anybody did.

    Raises:
        ValueError: a time out of its range.

    """

    kind: Kind
    delay: timedelta = timedelta()
    reclose_after: timedelta | None = None
    operator: str = LOCAL_CAUSE
    came_by: CameBy = "645"
    frame_id: str | None = None

    def __post_init__(self) -> None:
        """Check the times."""
        if not timedelta() <= self.delay <= DELAY_MAX:
            raise ValueError(f"a trip delay of {self.delay} is outside 0..{DELAY_MAX}")
        if not timedelta() <= (self.reclose_after or timedelta()) <= RECLOSE_MAX:
            raise ValueError(f"a trip for {self.reclose_after} is outside 0..{RECLOSE_MAX}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Obeyed:
    """The command was taken; whether the contact moved says the state.

    Args:
        execution: how it was carried out.
        number: of the control in the memory.

    """

    execution: Execution
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The command was not obeyed, and nothing changed."""

    cause: Cause
