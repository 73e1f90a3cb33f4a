"""Money compared in three places: what was paid, what the log says became of it, what the meters hold.

Only money is compared, never energy that was converted: converted amounts leave a debt beside credit in the
meter. A payment is booked when it came, the credit when its top-up is proved; the gap between them stands
under the channel of the payment and is to be nothing at the end of the day. The head-end's ledger, with what
was paid since it was drawn up, less the meter's wallet must be what is known to be on its way; and nobody but
us tops the meter up, or its purchase count says so.

The ledger is of its own time and the wallet of now, and what was used in between nobody tells here. So a
wallet that lacks money behind an older ledger is unknown, and no drift; one that has too much is a drift, for
nobody gives money back by using energy. Source: TOP-06, TOP-08.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta, timezone
from typing import Any, Final

from meterlink.drivers.control import Purse
from meterlink.model.order import OrderKind, OrderState
from meterlink.orders.evidence.one_payment import sign_of
from meterlink.orders.evidence.records import BalanceStatement, Payment
from meterlink.orders.evidence.told import Told
from meterlink.orders.life.life import Life

TOLERANCE_CENTS: Final = 100
"""What ledger and wallet may differ by: both go on while one of them is read."""
SPAN_MAX: Final = timedelta(hours=1)
"""Between ledger and wallet; what is used in a longer time the tolerance does not cover."""
_OVER: Final = frozenset(
    {
        OrderState.REJECTED,
        OrderState.NOT_DONE,
        OrderState.REFUSED,
        OrderState.CANCELLED,
        OrderState.EXPIRED,
    }
)
"""Ends of a top-up that brought no money into the meter."""


class Verdict(enum.StrEnum):
    """How a meter's money stands."""

    AGREES = "agrees"
    DRIFT = "drift"
    UNREAD = "unread"
    NO_LEDGER = "no_ledger"
    """Its count agrees with the log; nobody told what the head-end's ledger says."""
    UNKNOWN = "unknown"
    """There is nothing that it could be held against, or too much lies in between; ``told`` says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """What came in through one channel on a day.

    Args:
        name: counter, bank, app, ...; empty: not told.
        received_cents: paid.
        settled_cents: of that, proved to be in the meters.
        waiting: full ids of the payments that are not.

    """

    name: str
    received_cents: int
    settled_cents: int
    waiting: tuple[str, ...]

    @property
    def gap_cents(self) -> int:
        """What is to be cleared."""
        return self.received_cents - self.settled_cents

    @property
    def body(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "channel": self.name,
            "received_cents": self.received_cents,
            "settled_cents": self.settled_cents,
            "gap_cents": self.gap_cents,
            "waiting": list(self.waiting),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidSince:
    """What was paid since the head-end's ledger was drawn up, and is not in it.

    Args:
        cents: for certain.
        doubtful_cents: what may be in the ledger already: two senders' clocks, or the order in which they
            told, leave it open.

    """

    cents: int = 0
    doubtful_cents: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterMoney:
    """How one meter's money stands.

    Args:
        meter: our id.
        verdict: what is found.
        ledger_cents: of the newest balance statement; ``None``: there is none that counts.
        wallet_cents: in the meter; ``None``: it was not read.
        paid_since_cents: paid since that statement.
        doubtful_cents: paid about that time: nobody can say whether the statement has it.
        in_flight_cents: of top-ups that are open and not in the wallet.
        count_expected: purchases by the newest top-up that was proved; ``None``: there is none.
        count_found: in the meter; ``None``: it was not read.
        told: why it was not read, or cannot be compared; empty: it was.

    """

    meter: str
    verdict: Verdict
    ledger_cents: int | None = None
    wallet_cents: int | None = None
    paid_since_cents: int = 0
    doubtful_cents: int = 0
    in_flight_cents: int = 0
    count_expected: int | None = None
    count_found: int | None = None
    told: str = ""

    @property
    def drift_cents(self) -> int | None:
        """Ledger and what was paid since, less wallet and what is on its way; ``None``: one is not known."""
        if self.ledger_cents is None or self.wallet_cents is None:
            return None
        return self.ledger_cents + self.paid_since_cents - self.wallet_cents - self.in_flight_cents

    @property
    def body(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "meter": self.meter,
            "verdict": self.verdict.value,
            "ledger_cents": self.ledger_cents,
            "wallet_cents": self.wallet_cents,
            "paid_since_cents": self.paid_since_cents,
            "doubtful_cents": self.doubtful_cents,
            "in_flight_cents": self.in_flight_cents,
            "drift_cents": self.drift_cents,
            "count_expected": self.count_expected,
            "count_found": self.count_found,
            "told": self.told,
        }


_NOTHING_SINCE: Final = PaidSince()


def channels(payments: Iterable[Payment], lives: Iterable[Life], day: date, zone: timezone) -> list[Channel]:
    """What came in on a day, by channel. Source: TOP-06.

    Args:
        payments: of meters with a wallet, in the order in which they were told.
        lives: the orders of those meters.
        day: of the plant.
        zone: of the plant.

    """
    settled = {life.order.payment for life in lives if _is_top_up(life) and is_credited(life)}
    found: dict[str, list[Payment]] = {}
    counted: set[object] = set()
    for payment in payments:
        sign = sign_of(payment)
        if sign in counted:
            continue  # another sender's record of the same payment
        counted |= {sign} - {None}
        if payment.at.astimezone(zone).date() == day:
            found.setdefault(payment.channel, []).append(payment)
    return [
        Channel(
            name=name,
            received_cents=sum(one.amount_cents for one in of_channel),
            settled_cents=sum(one.amount_cents for one in of_channel if one.full_id in settled),
            waiting=tuple(one.full_id for one in of_channel if one.full_id not in settled),
        )
        for name, of_channel in sorted(found.items())
    ]


def paid_since(told: Told, ledger: BalanceStatement) -> PaidSince:
    """What a ledger does not have yet.

    By the word of one sender his own times decide; between two, a payment is only certain if it happened
    later and was told later.

    Args:
        told: everything that is told of the meter.
        ledger: one of these records.

    """
    counted: set[object] = set()
    certain = doubtful = 0
    for payment in told.all(Payment):
        kept = told.kept_as(payment.full_id)
        if kept is None or kept.is_for_account or (sign := sign_of(payment)) in counted:
            continue  # another sender's record of the same payment, or money of no wallet
        counted |= {sign} - {None}
        is_later = payment.at > ledger.at
        is_told_later = is_later if payment.sender == ledger.sender else kept.number > told.number_of(ledger)
        if is_later and is_told_later:
            certain += payment.amount_cents
        elif is_later or is_told_later:
            doubtful += payment.amount_cents
    return PaidSince(cents=certain, doubtful_cents=doubtful)


def money_of(
    meter: str,
    lives: Sequence[Life],
    purse: Purse | None,
    ledger: BalanceStatement | None,
    told: str = "",
    *,
    since: PaidSince = _NOTHING_SINCE,
) -> MeterMoney:
    """Compare one meter. Source: TOP-08.

    Args:
        meter: our id.
        lives: all its orders, in the order of their creation.
        purse: what is in it now; ``None``: it was not read.
        ledger: the newest balance statement that is not too old.
        told: why it was not read, or cannot be compared.
        since: what was paid since the ledger.

    """
    top_ups = [life for life in lives if _is_top_up(life)]
    on_its_way = [life for life in top_ups if life.is_open and not _is_counted(life, purse)]
    found = MeterMoney(
        meter=meter,
        verdict=Verdict.UNREAD,
        ledger_cents=ledger.balance_cents if ledger else None,
        wallet_cents=purse.remaining_cents if purse else None,
        paid_since_cents=since.cents,
        doubtful_cents=since.doubtful_cents,
        in_flight_cents=sum(life.order.amount_cents or 0 for life in on_its_way),
        count_expected=_count_of(top_ups, purse),
        count_found=purse.purchase_count if purse else None,
        told=told,
    )
    if purse is None:
        return found
    if told:
        return replace(found, verdict=Verdict.UNKNOWN)
    is_close = ledger is not None and purse.taken_at - ledger.at <= SPAN_MAX
    verdict, why = _verdict(found, top_ups, is_close=is_close)
    return replace(found, verdict=verdict, told=why)


def _verdict(found: MeterMoney, top_ups: Sequence[Life], *, is_close: bool) -> tuple[Verdict, str]:
    """What is found of a wallet that was read, and why nothing can be found.

    Args:
        found: the figures.
        top_ups: of the meter.
        is_close: whether the ledger is of the same hour as the wallet.

    """
    if any(life.state is OrderState.UNKNOWN and not life.finding_of_two for life in top_ups):
        return Verdict.UNKNOWN, "the outcome of a top-up is not known"
    if found.count_expected not in (None, found.count_found):
        return Verdict.DRIFT, ""
    if found.drift_cents is not None:
        return _by_ledger(found, found.drift_cents, is_close=is_close)
    if found.count_expected is None:
        return Verdict.UNKNOWN, "no balance statement, and no purchase that the log knows"
    return Verdict.NO_LEDGER, ""


def _by_ledger(found: MeterMoney, least: int, *, is_close: bool) -> tuple[Verdict, str]:
    """The same, of a count that agrees; ``least`` is the drift, if the ledger has all that is doubtful."""
    most = least + found.doubtful_cents
    if most < -TOLERANCE_CENTS or (is_close and least > TOLERANCE_CENTS):
        return Verdict.DRIFT, ""
    if least > TOLERANCE_CENTS:
        return Verdict.UNKNOWN, "what was used since the balance statement nobody tells: it is too old"
    if least < -TOLERANCE_CENTS or most > TOLERANCE_CENTS:
        return Verdict.UNKNOWN, "it is not clear whether the balance statement has the newest payments"
    if not is_close and found.count_expected is None:
        return Verdict.UNKNOWN, "the balance statement is old, and no purchase is known to the log"
    return Verdict.AGREES, ""


def _count_of(top_ups: Sequence[Life], purse: Purse | None) -> int | None:
    """The purchase count behind the newest top-up that was proved, or is in the wallet by its count."""
    counts = [
        life.sent.purchase_count
        for life in top_ups
        if life.sent is not None and (is_credited(life) or (life.is_open and _is_counted(life, purse)))
    ]
    return max((count for count in counts if count is not None), default=None)


def is_credited(life: Life) -> bool:
    """Whether a top-up was proved to be in the wallet, by the meter or by two people."""
    return life.state is OrderState.DONE or life.finding_of_two == "done"


def _is_counted(life: Life, purse: Purse | None) -> bool:
    """Whether the count of the wallet says that an open top-up is in it."""
    count = life.sent.purchase_count if life.sent else None
    return count is not None and purse is not None and purse.purchase_count >= count


def _is_top_up(life: Life) -> bool:
    return life.order.kind is OrderKind.TOP_UP and (life.is_open or life.state not in _OVER)
