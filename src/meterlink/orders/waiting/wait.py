"""Who waits for current: cut off by us, and owing nothing any more, as the log of one meter tells it.

A wait begins with the record that clears the debt, kept after the trip was sent: a payment that settles it, a
balance not below 0, a dispute that is upheld. It ends when a closing is proved, or a look finds the meter
closed, whoever closed it (``seen``). Work items, alarms and the ends of single orders say nothing about
it: whoever closes an item has brought nobody current. Everything is ordered by the log, which no clock sets.
Who was cut off at a meter that was exchanged since waits at the new one.

Source: CTRL-16; business-rules 2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Final

from meterlink.journal.acts import ActLog
from meterlink.model.act import KeptAct
from meterlink.model.order import CLOSES, OrderKind, OrderState, Origin
from meterlink.orders.book import Book, histories_of
from meterlink.orders.evidence.records import Payment
from meterlink.orders.life.history import NOT_NEEDED, History, last_cut, stopped_by
from meterlink.orders.life.machine import Signal
from meterlink.orders.waiting.clearing import clearing, is_of_wallet, releases, told_there
from meterlink.orders.waiting.seen import seen_closed
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
        is_opened: whether a closing of this meter began by itself since, behind the newest release and what
            was found not done last, or whosever permit waited for its key.
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
    is_opened: bool
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
    seen = await seen_closed(book.acts, (*meter.predecessors, meter.id))
    trip = _that_cut(histories, seen)
    if trip is None:
        return None
    told = await told_there(book.acts, meter)
    found = clearing(told, meter, trip.sent[0].number)
    if found is None:
        return None
    cause, record = found
    later = [one for one in histories if one.life.order.kind in BRINGS_CURRENT]
    is_paid = isinstance(record, Payment)
    has_money = not is_of_wallet(cause, meter) or _has_money(later, cause.number, is_paid=is_paid)
    is_cut = not trip.life.is_open and is_cut_off(histories, seen)
    sent = [kept for one in later for kept in one.sent if kept.number > cause.number]
    newest = [one.life.order.id for one in later if one.acts[-1].number > cause.number]
    released = [kept for kept, one in told if kept.number > cause.number and releases(one)]
    undone_at, undone = _undone(histories, cause.number)
    behind = max((released or [cause])[-1].number, undone_at)
    opened = [*_by_themselves(histories, behind=behind), *_permitted(histories, behind=behind)]
    return Wait(
        meter=meter.id,
        cause=cause.act.subject,
        is_paid=is_paid,
        since=cause.act.at,
        first_sent_at=min(sent, key=lambda kept: kept.number).act.at if sent else None,
        released=released[-1].act.subject if released else "",
        undone=undone,
        order=newest[-1] if newest else trip.life.order.id,
        is_opened=any(one.life.order.meter == meter.id for one in opened),
        may_close=is_cut and has_money,
    )


async def closings_of_wait(acts: ActLog, meter: RosterMeter) -> frozenset[str]:
    """The ids of the closings that began by themselves since somebody waits at a meter; none: nobody does.

    Several records may clear one debt, each with a closing of its own: it is one household in the dark. Where
    the meter keeps the wallet, money that came there begins anew: it alone knows when that is enough.

    Raises:
        JournalError: the log cannot be read, or an order in it makes no sense.

    """
    histories = await histories_of(acts, meter.id, meter.predecessors)
    trip = _that_cut(histories, await seen_closed(acts, (*meter.predecessors, meter.id)))
    if trip is None:
        return frozenset()
    found = clearing(await told_there(acts, meter), meter, trip.sent[0].number)
    if found is None:
        return frozenset()
    credited = (one.acts[-1].number for one in histories if _is_credited(one))
    behind = max((found[0].number, *credited))
    return frozenset(one.life.order.id for one in _by_themselves(histories, behind=behind))


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
    seen = await seen_closed(book.acts, (*meter.predecessors, meter.id))
    proved = [one.acts[-1] for one in histories if is_proved_closed(one)]
    closed = sorted((*proved, *seen), key=lambda kept: kept.number)
    told = await told_there(book.acts, meter)
    found = []
    for cut, following in zip_longest(cuts, cuts[1:]):
        ends = [kept for kept in closed if kept.number > cut.sent[-1].number][:1]
        until = [kept.number for kept in (*ends, *(following.sent[:1] if following else ()))]
        before = [one for one in told if not until or one[0].number < min(until)]
        if (cause := clearing(before, meter, cut.sent[0].number)) is not None:
            found.append(Episode(cause=cause[0], closed=ends[0] if ends else None))
    return found


def is_cut_off(histories: Sequence[History], seen: Sequence[KeptAct]) -> bool:
    """Whether somebody may be in the dark because of us: cut off, and not closed since, by whomever.

    Args:
        histories: every order of the meter and of those before it, as ``Book.histories`` orders them.
        seen: every look at them that showed somebody closed, see ``seen_closed``.

    """
    return last_cut([one.life for one in histories]) is not None and _that_cut(histories, seen) is not None


def _by_themselves(histories: Sequence[History], *, behind: int) -> list[History]:
    """Closings that no person ordered, created behind a number of the log."""
    return [
        one
        for one in histories
        if one.life.order.kind in CLOSES
        and one.life.order.origin is Origin.PAYMENT
        and one.ordered_at > behind
    ]


def _permitted(histories: Sequence[History], *, behind: int) -> list[History]:
    """Permits that waited for their key behind a number of the log, whoever ordered them."""
    waiting = [one for one in histories if one.life.state is OrderState.WAITING_FOR_KEY]
    return [one for one in waiting if one.acts[-1].number > behind]


def _that_cut(histories: Sequence[History], seen: Sequence[KeptAct]) -> History | None:
    """The newest order that may have opened the contact; ``None``: none, or it was seen closed."""
    proved = [one.acts[-1].number for one in histories if is_proved_closed(one)]
    closed_at = max([*proved, *(kept.number for kept in seen)], default=0)
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


def _undone(histories: Sequence[History], since: int) -> tuple[int, str]:
    """Where two persons agreed last, behind a place in the log, that a closing was not done, and which."""
    agreed = [
        (kept.number, one.life.order.id)
        for one in histories
        if one.life.order.kind in CLOSES and one.life.finding_of_two == "not_done"
        for kept in one.acts
        if kept.act.verb == Signal.CONFIRM and kept.number > since
    ]
    return max(agreed, default=(0, ""))


def _has_money(later: Sequence[History], since: int, *, is_paid: bool) -> bool:
    """Whether the money that came is in the wallet of the meter; without any, whether none is on its way."""
    top_ups = [one for one in later if one.life.order.kind is OrderKind.TOP_UP]
    if not is_paid:
        return not any(one.life.is_open for one in top_ups)
    return any(_is_credited(one) and one.acts[-1].number > since for one in top_ups)


def _is_credited(one: History) -> bool:
    """Whether money was proved to have come into a meter."""
    return one.life.order.kind is OrderKind.TOP_UP and one.life.state is OrderState.DONE
