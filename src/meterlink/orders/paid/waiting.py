"""Who waits for current: cut off by us, and owing nothing any more, as the log of one meter tells it.

A wait begins with the record that clears the debt, kept after the trip was sent: a payment that settles it, a
balance not below 0, a dispute that is upheld. It ends when a closing is proved, or a look finds the meter
closed. Work items, alarms and the ends of single orders say nothing about
it: whoever closes an item has brought nobody current. Everything is ordered by the log, which no clock sets.
Who was cut off at a meter that was exchanged since waits at the new one.

Source: CTRL-16; business-rules 2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Final

import structlog

from meterlink.errors import EvidenceRefused
from meterlink.model.act import KeptAct, Topic
from meterlink.model.order import CLOSES, OrderKind, OrderState
from meterlink.orders.book import Book
from meterlink.orders.evidence.book import concerns
from meterlink.orders.evidence.records import BalanceStatement, Dispute, Evidence, Payment, SafetyHold
from meterlink.orders.evidence.told import Kept, record_of
from meterlink.orders.life.history import NOT_NEEDED, History, last_cut, stopped_by
from meterlink.orders.life.machine import Signal
from meterlink.roster.roster import RosterMeter

_MAYBE_OPEN: Final = frozenset(
    {
        OrderState.SENDING,
        OrderState.ACCEPTED,
        OrderState.UNCONFIRMED,
        OrderState.READBACK,
    }
)
"""Where a trip that was sent may have opened the contact, and has not ended."""
BRINGS_CURRENT: Final = CLOSES | {OrderKind.TOP_UP}
"""What somebody in the dark waits for: where the meter keeps the wallet, the money goes first."""

_Told = tuple[KeptAct, Evidence]
"""A record, and the act that keeps it."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Somebody who waits for current.

    Args:
        meter: our id.
        cause: full id of the record that cleared the debt.
        is_paid: whether that is a payment.
        since: when that was kept, as it is written there.
        first_sent_at: when the first frame left that was to bring current; ``None``: none has.
        released: full id of the newest release of a safety hold since; empty: none was.
        undone: id of the closing that two persons found not done last since; empty: they found none.
        order: the newest order that is to bring current; without one the trip.
        may_close: whether a closing may be opened now: the trip has ended, nothing after it may have closed
            the contact, and where the meter keeps the wallet, the money has come there.

    """

    meter: str
    cause: str
    is_paid: bool
    since: datetime
    first_sent_at: datetime | None
    released: str
    undone: str
    order: str
    may_close: bool

    @property
    def told(self) -> str:
        """What cleared the debt, for people."""
        return f"{'paid' if self.is_paid else 'nothing owed'} ({self.cause})"


async def who_waits(book: Book, meter: RosterMeter) -> Wait | None:
    """Whether somebody waits at a meter; ``None``: nobody does.

    Raises:
        JournalError: the log cannot be read, or an order in it makes no sense.

    """
    histories = await book.histories(meter.id, meter.predecessors)
    trip = _that_cut(histories)
    if trip is None:
        return None
    told = await _told_there(book, meter)
    found = _cause(told, meter, trip.sent[0].number)
    if found is None:
        return None
    cause, record = found
    later = [one for one in histories if one.life.order.kind in BRINGS_CURRENT]
    is_paid = isinstance(record, Payment)
    has_money = not _is_of_wallet(cause, meter) or _has_money(later, cause.number, is_paid=is_paid)
    is_cut = not trip.life.is_open and is_cut_off(histories)
    sent = [kept for one in later for kept in one.sent if kept.number > cause.number]
    newest = [one.life.order.id for one in later if one.acts[-1].number > cause.number]
    released = [kept.act.subject for kept, one in told if kept.number > cause.number and _releases(one)]
    return Wait(
        meter=meter.id,
        cause=cause.act.subject,
        is_paid=is_paid,
        since=cause.act.at,
        first_sent_at=min(sent, key=lambda kept: kept.number).act.at if sent else None,
        released=released[-1] if released else "",
        undone=_undone(histories, cause.number),
        order=newest[-1] if newest else trip.life.order.id,
        may_close=is_cut and has_money,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """Somebody who waited for current, or still does.

    Args:
        cause: the act that keeps the record which cleared the debt.
        closed: the first act behind it that proves the contact closed; ``None``: none does yet.

    """

    cause: KeptAct
    closed: KeptAct | None


async def waits_of(book: Book, meter: RosterMeter) -> list[Episode]:
    """Every wait at a meter and at those before it, the oldest first, by the same signs as ``who_waits``.

    Raises:
        JournalError: the log cannot be read, or an order in it makes no sense.

    """
    histories = await book.histories(meter.id, meter.predecessors)
    cuts = sorted((one for one in histories if _may_have_cut(one)), key=lambda one: one.sent[0].number)
    if not cuts:
        return []
    closed = sorted(
        (one.acts[-1] for one in histories if is_proved_closed(one)), key=lambda kept: kept.number
    )
    told = await _told_there(book, meter)
    found = []
    for cut, following in zip_longest(cuts, cuts[1:]):
        ends = [kept for kept in closed if kept.number > cut.sent[-1].number][:1]
        until = [kept.number for kept in (*ends, *(following.sent[:1] if following else ()))]
        before = [one for one in told if not until or one[0].number < min(until)]
        if (cause := _cause(before, meter, cut.sent[0].number)) is not None:
            found.append(Episode(cause=cause[0], closed=ends[0] if ends else None))
    return found


def is_cut_off(histories: Sequence[History]) -> bool:
    """Whether somebody may be in the dark because of us: cut off, and not closed since, by whomever.

    Args:
        histories: every order of the meter and of those before it, as ``Book.histories`` orders them.

    """
    return last_cut([one.life for one in histories]) is not None and _that_cut(histories) is not None


def _that_cut(histories: Sequence[History]) -> History | None:
    """The newest order that may have opened the contact; ``None``: none, or it was seen closed."""
    closed_at = max((one.acts[-1].number for one in histories if is_proved_closed(one)), default=0)
    trips = [one for one in histories if _may_have_cut(one)]
    return trips[-1] if trips and trips[-1].sent[-1].number > closed_at else None


def _may_have_cut(one: History) -> bool:
    life = one.life
    is_sent_trip = life.order.kind is OrderKind.TRIP and life.transmissions > 0
    return (is_sent_trip and life.state in _MAYBE_OPEN) or life.may_have_cut


def is_proved_closed(one: History) -> bool:
    """Whether a closing was proved, or needless because the meter showed itself closed."""
    if one.life.order.kind not in CLOSES:
        return False
    if one.life.state is OrderState.REFUSED:
        return stopped_by(one.acts[-1].act) == NOT_NEEDED
    return one.life.state is OrderState.DONE or one.life.finding_of_two == "done"


def _undone(histories: Sequence[History], since: int) -> str:
    """The closing of which two persons agreed last, behind a place in the log, that it was not done."""
    agreed = [
        (kept.number, one.life.order.id)
        for one in histories
        if one.life.order.kind in CLOSES and one.life.finding_of_two == "not_done"
        for kept in one.acts
        if kept.act.verb == Signal.CONFIRM and kept.number > since
    ]
    return max(agreed)[1] if agreed else ""


def _has_money(later: Sequence[History], since: int, *, is_paid: bool) -> bool:
    """Whether the money that came is in the wallet of the meter; without any, whether none is on its way."""
    top_ups = [one for one in later if one.life.order.kind is OrderKind.TOP_UP]
    if not is_paid:
        return not any(one.life.is_open for one in top_ups)
    return any(one.life.state is OrderState.DONE and one.acts[-1].number > since for one in top_ups)


async def _told_there(book: Book, meter: RosterMeter) -> list[_Told]:
    """What was told of a meter and of those before it, in the order of the log."""
    told = [one for name in (*meter.predecessors, meter.id) for one in await _told_of(book, name)]
    return sorted(told, key=lambda one: one[0].number)


async def _told_of(book: Book, meter: str) -> list[_Told]:
    """What was told of one meter, in the order of the log; what cannot be read is left out, and logged."""
    found: list[_Told] = []
    async for kept in book.acts.all_of_meter(meter, Topic.EVIDENCE):
        if kept.act.verb != "record":
            continue
        try:
            found.append((kept, record_of(kept.act)))
        except EvidenceRefused as error:
            _log.error("record_unreadable", record=kept.act.subject, reason=str(error))
    return found


def _cause(told: Sequence[_Told], meter: RosterMeter, cut_at: int) -> _Told | None:
    """The first record behind a number of the log by which the customer of now owes nothing any more.

    It counts as long as nothing takes it back: a newer balance below 0, or what follows on a dispute. Of
    balances that people bring by hand the newest is the one that came here last. Where the meter keeps the
    wallet, it alone knows when the money is enough, and each payment counts.
    """
    newest_from, is_owing = datetime.min.replace(tzinfo=UTC), False
    clear: dict[str, _Told] = {}
    for one in told:
        kept, record = one
        if not concerns(record, meter):
            continue
        if isinstance(record, BalanceStatement):
            counts_from = Kept.of([kept]).counts_from
            if counts_from >= newest_from:
                newest_from, is_owing = counts_from, record.balance_cents < 0
            is_clear, key = not is_owing, "balance"
        elif isinstance(record, Dispute):
            is_clear, key = record.state == "upheld", f"dispute:{record.dispute}"
        elif isinstance(record, Payment) and (record.settles or _is_of_wallet(kept, meter)):
            is_clear, key = True, "payment"
        else:
            continue
        if not is_clear:
            clear.pop(key, None)
        elif kept.number > cut_at:
            clear.setdefault(key, one)
    return min(clear.values(), key=lambda one: one[0].number, default=None)


def _is_of_wallet(kept: KeptAct, meter: RosterMeter) -> bool:
    """Whether the money of a payment goes into the meter, which alone knows when it is enough."""
    return meter.world == "local" and not Kept.of([kept]).is_for_account


def _releases(record: Evidence) -> bool:
    return isinstance(record, SafetyHold) and record.state == "released"
