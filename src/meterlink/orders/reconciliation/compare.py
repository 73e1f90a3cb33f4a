"""Money compared in three places: what was paid, what the log says became of it, what the meters hold.

Only money is compared, never energy that was converted: converted amounts leave a debt beside credit in the
meter. A payment is booked when it came, the credit when its top-up is proved; the gap between them stands
under the channel of the payment and is to be nothing at the end of the day. The head-end's ledger less the
meter's wallet must be what is known to be on its way; and nobody but us tops the meter up, or its purchase
count says so. Source: TOP-06, TOP-08.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timezone
from typing import Any, Final

from meterlink.drivers.control import Purse
from meterlink.model.order import OrderKind, OrderState
from meterlink.orders.evidence.one_payment import sign_of
from meterlink.orders.evidence.records import BalanceStatement, Payment
from meterlink.orders.life.life import Life

TOLERANCE_CENTS: Final = 100
"""What ledger and wallet may differ by: both go on while one of them is read."""
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
    """Its count agrees; nobody told what the head-end's ledger says."""
    UNKNOWN = "unknown"
    """The outcome of a top-up is not known, so nothing can be compared."""


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
class MeterMoney:
    """How one meter's money stands.

    Args:
        meter: our id.
        verdict: what is found.
        ledger_cents: of the newest balance statement; ``None``: there is none that counts.
        wallet_cents: in the meter; ``None``: it was not read.
        in_flight_cents: of top-ups that are open.
        count_expected: purchases by the newest top-up that was proved; ``None``: there is none.
        count_found: in the meter; ``None``: it was not read.
        told: why it was not read; empty: it was.

    """

    meter: str
    verdict: Verdict
    ledger_cents: int | None = None
    wallet_cents: int | None = None
    in_flight_cents: int = 0
    count_expected: int | None = None
    count_found: int | None = None
    told: str = ""

    @property
    def drift_cents(self) -> int | None:
        """Ledger less wallet less what is on its way; ``None``: one of them is not known."""
        if self.ledger_cents is None or self.wallet_cents is None:
            return None
        return self.ledger_cents - self.wallet_cents - self.in_flight_cents

    @property
    def body(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "meter": self.meter,
            "verdict": self.verdict.value,
            "ledger_cents": self.ledger_cents,
            "wallet_cents": self.wallet_cents,
            "in_flight_cents": self.in_flight_cents,
            "drift_cents": self.drift_cents,
            "count_expected": self.count_expected,
            "count_found": self.count_found,
            "told": self.told,
        }


def channels(payments: Iterable[Payment], lives: Iterable[Life], day: date, zone: timezone) -> list[Channel]:
    """What came in on a day, by channel. Source: TOP-06.

    Args:
        payments: of meters with a wallet, in the order in which they were told.
        lives: the orders of those meters.
        day: of the plant.
        zone: of the plant.

    """
    settled = {life.order.payment for life in lives if _is_top_up(life) and life.state is OrderState.DONE}
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


def money_of(
    meter: str, lives: Sequence[Life], purse: Purse | None, ledger: BalanceStatement | None, told: str = ""
) -> MeterMoney:
    """Compare one meter. Source: TOP-08.

    Args:
        meter: our id.
        lives: all its orders, in the order of their creation.
        purse: what is in it now; ``None``: it was not read.
        ledger: the newest balance statement that is not too old.
        told: why it was not read.

    """
    top_ups = [life for life in lives if _is_top_up(life)]
    found = MeterMoney(
        meter=meter,
        verdict=Verdict.UNREAD,
        ledger_cents=ledger.balance_cents if ledger else None,
        wallet_cents=purse.remaining_cents if purse else None,
        in_flight_cents=sum(life.order.amount_cents or 0 for life in top_ups if life.is_open),
        count_expected=_count_of(top_ups),
        count_found=purse.purchase_count if purse else None,
        told=told,
    )
    return MeterMoney(
        meter=meter,
        verdict=_verdict(found, top_ups),
        ledger_cents=found.ledger_cents,
        wallet_cents=found.wallet_cents,
        in_flight_cents=found.in_flight_cents,
        count_expected=found.count_expected,
        count_found=found.count_found,
        told=told,
    )


def _verdict(found: MeterMoney, top_ups: Sequence[Life]) -> Verdict:
    if found.wallet_cents is None:
        return Verdict.UNREAD
    if any(life.state is OrderState.UNKNOWN and not life.finding_of_two for life in top_ups):
        return Verdict.UNKNOWN
    is_counted = found.count_expected in (None, found.count_found)
    if not is_counted and not found.in_flight_cents:
        return Verdict.DRIFT
    if found.drift_cents is None:
        return Verdict.NO_LEDGER
    return Verdict.AGREES if abs(found.drift_cents) <= TOLERANCE_CENTS else Verdict.DRIFT


def _count_of(top_ups: Sequence[Life]) -> int | None:
    """The purchase count behind the newest top-up that was proved."""
    counts = [
        life.sent.purchase_count
        for life in top_ups
        if life.sent is not None and (life.state is OrderState.DONE or life.finding_of_two == "done")
    ]
    return max((count for count in counts if count is not None), default=None)


def _is_top_up(life: Life) -> bool:
    return life.order.kind is OrderKind.TOP_UP and (life.is_open or life.state not in _OVER)
