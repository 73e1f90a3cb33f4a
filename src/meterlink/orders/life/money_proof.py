"""What looks at a purse prove about a top-up; the theory is in ``proof``."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from meterlink.drivers.control import Cause, Purse
from meterlink.orders.life.look import Case, Conclusion
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.written import Seen

TOLERANCE_PER_CENT: Final = 1
TOLERANCE_CENTS: Final = 100
"""What a purse may be off: that part of the amount, and that. Source: TOP-07."""
MONEY_SETTLES_IN: Final = timedelta(minutes=15)
"""So long a purse may lag behind its count, or behind its own yes. Source: business-rules 2.3."""
STORED_MONEY_LIVES: Final = timedelta(minutes=30)
"""So long a stored top-up may be taken: six times the 5 minutes that authentications last by default."""
COUNT_UNCHANGED: Final = "count_unchanged"
"""The proof of a top-up that was not obeyed. Source: decision 22, c."""

_TELL_OF_A_FIRST: Final = frozenset({Cause.REPEATED, Cause.PURCHASE_COUNT})
"""Refusals which say that the count is another one than it is."""


def of_money(case: Case) -> Conclusion:
    """What the newest look proves.

    Raises:
        ValueError: it is one at a switch, or the frame had no purchase count.

    """
    before, after = purse_of(case.sent.before), purse_of(case.look.seen)
    count = case.sent.purchase_count
    if count is None:
        raise ValueError("a top-up is sent with a purchase count")
    grown_cents = after.remaining_cents - before.remaining_cents
    inputs = {
        "count_before": str(before.purchase_count),
        "count_sent": str(count),
        "count_after": str(after.purchase_count),
        "grown_cents": str(grown_cents),
    }
    if after.purchase_count == count != before.purchase_count:
        signal = _of_credited(case, grown_cents)
    elif after.purchase_count == before.purchase_count != count:
        signal = _of_uncredited(case, grown_cents)
    else:
        signal = Signal.GIVE_UP  # counts only grow: waiting helps nobody
    proof = COUNT_UNCHANGED if signal is Signal.PROVE_NOT else ""
    return Conclusion(signal=signal, proof=proof, inputs=inputs)


def purse_of(seen: Seen) -> Purse:
    """A look at a purse.

    Raises:
        ValueError: it is one at a switch.

    """
    if not isinstance(seen, Purse):
        raise ValueError("a top-up is judged by a purse, not by a switch")
    return seen


def fits(grown_cents: int, amount_cents: int) -> bool:
    """Whether money grew by an amount, less what was used meanwhile. Source: TOP-07."""
    tolerance_cents = amount_cents * TOLERANCE_PER_CENT // 100 + TOLERANCE_CENTS
    return abs(grown_cents - amount_cents) <= tolerance_cents


def _of_credited(case: Case, grown_cents: int) -> Signal | None:
    if fits(grown_cents, case.amount_cents):
        return Signal.PROVE
    return Signal.GIVE_UP if case.age >= MONEY_SETTLES_IN else None


def _of_uncredited(case: Case, grown_cents: int) -> Signal | None:
    if grown_cents > 0 or case.age < _decided_after(case):
        return None
    if not case.was_rejected:
        return Signal.PROVE_NOT
    told = case.sent.answer.cause if case.sent.answer else Cause.UNTOLD
    return None if told in _TELL_OF_A_FIRST else Signal.REJECT


def _decided_after(case: Case) -> timedelta:
    if case.sent.line_stores:
        return STORED_MONEY_LIVES
    return MONEY_SETTLES_IN if case.was_accepted else case.reply_timeout
