"""What is done to a wallet, and what it says to it: limits, results and the reasons of refusals.

Source: control-and-prepayment, 2.1 to 2.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

CEILING_CENTS: Final = 99_999_999
"""Most money that a meter can hold: 999,999.99 yuan."""

Cause = Literal[
    "customer_number_mismatch",
    "esam_verification_failed",
    "repeat_topup",
    "purchase_count_error",
    "hoarding_limit_exceeded",
    "other",
]
"""Why money was not taken: the bits of the word SERR, by their names in meterwire."""

Seal = Callable[[], bool]
"""Whether a MAC is right; asked at most once, for a meter counts the wrong ones."""


def sealed_by_nobody() -> bool:
    """Of what has no MAC."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLimits:
    """At what amounts an account does something, in cents, 0 to `CEILING_CENTS`.

    Args:
        alarm_1: at or below it the first alarm is on.
        alarm_2: at or below it the second one is.
        overdraft: what may be used beyond nothing.
        hoarding: most money that a purchase may lead to.
        permit_close: a meter that tripped by itself may close again above it.

    Raises:
        ValueError: an amount out of its range.

    """

    alarm_1: int = 2_000
    alarm_2: int = 1_000
    overdraft: int = 0
    hoarding: int = CEILING_CENTS
    permit_close: int = 0

    def __post_init__(self) -> None:
        """Check the amounts."""
        for name in ("alarm_1", "alarm_2", "overdraft", "hoarding", "permit_close"):
            if not 0 <= (cents := getattr(self, name)) <= CEILING_CENTS:
                raise ValueError(f"{name} of {cents} cents is outside 0..{CEILING_CENTS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpResult:
    """What became of a purchase, a refund, an opening or an initialisation.

    Args:
        cause: why it was refused; ``None``: it was done.
        remaining_cents: money left afterwards, 0 or more.
        purchase_count: count of the last purchase afterwards.

    """

    cause: Cause | None
    remaining_cents: int
    purchase_count: int

    @property
    def done(self) -> bool:
        """Whether the wallet took it."""
        return self.cause is None
