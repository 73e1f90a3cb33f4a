"""Why a security module refuses, and how it counts proofs that were wrong.

Source: spec section 1.3 of control and prepayment: one firmware asks for a new authentication after every
third wrong MAC and is suspended by the 15th within an hour.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final


class Cause(enum.Enum):
    """Why something was refused."""

    SUSPENDED = "the module is suspended: too many wrong MACs"
    NOT_AUTHENTICATED = "there is no valid authentication"
    WRONG_PROOF = "the authentication was not made with this meter's keys"
    WRONG_MAC = "a MAC is wrong, or what was deciphered is nothing"
    OLD_COUNTER = "the session counter is not greater than the last one"
    OUT_OF_RANGE = "a value is out of its range"


class NotAccepted(Exception):
    """The module refuses; it never says what it was given.

    Args:
        cause: why.

    """

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.value)
        self.cause = cause


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureLimits:
    """What a module bears.

    Args:
        reauthenticate_every: the session ends with each so-manieth wrong MAC, 1 or more.
        suspend_at: it is suspended while so many lie within ``window``, 1 to 1,000.
        window: how long a wrong MAC counts.

    Raises:
        ValueError: a figure out of its range.

    """

    reauthenticate_every: int = 3
    suspend_at: int = 15
    window: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.reauthenticate_every < 1 or not 1 <= self.suspend_at <= SUSPEND_AT_MAX:
            raise ValueError(
                f"a session for {self.reauthenticate_every} wrong MACs, suspended at {self.suspend_at}: "
                f"1 or more, 1 to {SUSPEND_AT_MAX}"
            )


SUSPEND_AT_MAX: Final = 1000


class Failures:
    """Wrong MACs of one module.

    Args:
        limits: what it bears.

    Attributes:
        total: all since it was made.

    """

    def __init__(self, limits: FailureLimits | None = None) -> None:
        self.total = 0
        self._limits = limits or FailureLimits()
        self._recent: deque[datetime] = deque(maxlen=self._limits.suspend_at)

    def add(self, shown: datetime) -> bool:
        """Count one; tells whether the session ends with it.

        Args:
            shown: by the meter's clock.

        """
        self.total += 1
        self._recent.append(shown)
        return self.total % self._limits.reauthenticate_every == 0

    def suspended(self, shown: datetime) -> bool:
        """Whether there were too many within the window; a clock that was set back does not free it."""
        full = len(self._recent) == self._limits.suspend_at
        return full and shown - self._recent[0] < self._limits.window
