"""Who waits for current: cut off by us, and owing nothing any more, as the log of one meter tells it.

A wait begins with the record that clears the debt, kept after the trip was sent: a payment that settles it, a
balance not below 0, a dispute that is upheld. Who must not be cut off at all, as is told only then, waits in
the same way (``spared``). It ends when a closing is proved, or a look finds the meter
closed, whoever closed it (``seen``). Work items, alarms and the ends of single orders say nothing about
it: whoever closes an item has brought nobody current. Everything is ordered by the log, which no clock sets.
Who was cut off at a meter that was exchanged since waits at the new one.

Source: CTRL-16; business-rules 2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meterlink.journal.acts import ActLog
from meterlink.model.act import KeptAct
from meterlink.model.order import CLOSES, OrderKind, OrderState, Origin
from meterlink.orders.book import Book, histories_of
from meterlink.orders.evidence.records import Payment
from meterlink.orders.life.history import NOT_NEEDED, History, last_cut, stopped_by
from meterlink.orders.life.machine import Signal
from meterlink.orders.waiting.clearing import ToldOf, clearing, is_of_wallet, releases, told_there
from meterlink.orders.waiting.credit import credited_last, has_money
from meterlink.orders.waiting.seen import seen_closed
from meterlink.orders.waiting.spared import Spared, Sparing
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
        cause: full id of the record that cleared the debt, or ``roster:`` and a revision, see ``Spared``.
        is_paid: whether that is a payment.
        spared: why he must not be cut off at all, whatever else clears the debt; the first first.
        is_spared: whether that is the cause.
        cut: the order that cut him off.
        since: when that was kept, as it is written there.
        first_sent_at: when the first frame of a closing left; ``None``: none has. Money closes nothing.
        released: full id of the newest release of a safety hold since; empty: none was.
        undone: id of the closing that two persons found not done last since; empty: they found none.
        credited: id of the top-up whose money came into the meter last since; empty: none did.
        order: the newest order that is to bring current; without one the trip.
        top_up: the newest of those that is to bring money; empty: none is.
        is_opened: whether a closing of this meter began by itself since, behind the newest release, what was
            found not done last and the money that came last, or whosever permit waited for its key.
        has_money: whether no money is missing in the meter: where it keeps the wallet, it has come there.
        may_close: whether a closing may be opened now: the trip has ended, nothing after it may have closed
            the contact, and where the meter keeps the wallet, the money has come there.

    """

    meter: str
    cause: str
    is_paid: bool
    spared: tuple[Spared, ...]
    is_spared: bool
    cut: History
    since: datetime
    first_sent_at: datetime | None
    released: str
    undone: str
    credited: str
    order: str
    top_up: str
    is_opened: bool
    has_money: bool
    may_close: bool

    @property
    def told(self) -> str:
        """What cleared the debt, for people."""
        if self.is_spared:
            return f"must not be cut off ({self.cause})"
        return f"{'paid' if self.is_paid else 'nothing owed'} ({self.cause})"


async def who_waits(book: Book, meter: RosterMeter, sparing: Sparing) -> Wait | None:
    """Whether somebody waits at a meter; ``None``: nobody does.

    Raises:
        JournalError: the log cannot be read, or an order in it makes no sense.

    """
    histories = await book.histories(meter.id, meter.predecessors)
    seen = await seen_closed(book.acts, (*meter.predecessors, meter.id))
    trip = that_cut(histories, seen)
    if trip is None:
        return None
    told = await told_there(book.acts, meter)
    found = clearing(told, meter, trip.sent[0].number)
    spared = tuple(await sparing.since(meter, trip))
    cause = _first_of(found, spared)
    if cause is None:
        return None
    later = [one for one in histories if one.life.order.kind in BRINGS_CURRENT]
    is_money_there = not cause.is_of_wallet(meter) or has_money(later, cause.number, is_paid=cause.is_paid)
    is_cut = not trip.life.is_open and is_cut_off(histories, seen)
    closings = [one for one in later if one.life.order.kind in CLOSES]
    sent = [kept for one in closings for kept in one.sent if kept.number > cause.number]
    newest = [one.life.order for one in later if one.acts[-1].number > cause.number]
    top_ups = [one.id for one in newest if one.kind is OrderKind.TOP_UP]
    released = [kept for kept, one in told if kept.number > cause.number and releases(one)]
    undone_at, undone = _undone(histories, cause.number)
    credited_at, credited = credited_last(later, cause.number)
    behind = max(released[-1].number if released else cause.number, undone_at, credited_at)
    opened = [*_by_themselves(histories, behind=behind), *_permitted(histories, behind=behind)]
    return Wait(
        meter=meter.id,
        cause=cause.name,
        is_paid=cause.is_paid,
        spared=spared,
        is_spared=cause.cleared is None,
        cut=trip,
        since=cause.at,
        first_sent_at=min(sent, key=lambda kept: kept.number).act.at if sent else None,
        released=released[-1].act.subject if released else "",
        undone=undone,
        credited=credited,
        order=newest[-1].id if newest else trip.life.order.id,
        top_up=top_ups[-1] if top_ups else "",
        is_opened=any(one.life.order.meter == meter.id for one in opened),
        has_money=is_money_there,
        may_close=is_cut and is_money_there,
    )


async def closings_of_wait(acts: ActLog, meter: RosterMeter, sparing: Sparing) -> frozenset[str]:
    """The ids of the closings that began by themselves since somebody waits at a meter; none: nobody does.

    Several records may clear one debt, each with a closing of its own: it is one household in the dark. Where
    the meter keeps the wallet, money that came there begins anew: it alone knows when that is enough.

    Raises:
        JournalError: the log cannot be read, or an order in it makes no sense.

    """
    histories = await histories_of(acts, meter.id, meter.predecessors)
    trip = that_cut(histories, await seen_closed(acts, (*meter.predecessors, meter.id)))
    if trip is None:
        return frozenset()
    found = clearing(await told_there(acts, meter), meter, trip.sent[0].number)
    cause = _first_of(found, await sparing.since(meter, trip))
    if cause is None:
        return frozenset()
    behind = max(cause.number, credited_last(histories)[0])
    return frozenset(one.life.order.id for one in _by_themselves(histories, behind=behind))


def is_cut_off(histories: Sequence[History], seen: Sequence[KeptAct]) -> bool:
    """Whether somebody may be in the dark because of us: cut off, and not closed since, by whomever.

    Args:
        histories: every order of the meter and of those before it, as ``Book.histories`` orders them.
        seen: every look at them that showed somebody closed, see ``seen_closed``.

    """
    return last_cut([one.life for one in histories]) is not None and that_cut(histories, seen) is not None


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


@dataclass(frozen=True, slots=True)
class _Cause:
    """By what somebody waits: what cleared the debt, or why he must not be cut off."""

    name: str
    number: int
    at: datetime
    cleared: ToldOf | None

    @property
    def is_paid(self) -> bool:
        return self.cleared is not None and isinstance(self.cleared[1], Payment)

    def is_of_wallet(self, meter: RosterMeter) -> bool:
        return self.cleared is not None and is_of_wallet(self.cleared[0], meter)


def _first_of(cleared: ToldOf | None, spared: Sequence[Spared]) -> _Cause | None:
    found = [_Cause(one.cause, one.number, one.at, None) for one in spared]
    if cleared is not None:
        kept = cleared[0]
        found.append(_Cause(kept.act.subject, kept.number, kept.act.at, cleared))
    return min(found, key=lambda one: one.number, default=None)


def that_cut(histories: Sequence[History], seen: Sequence[KeptAct]) -> History | None:
    """The newest order that may have opened the contact; ``None``: none, or it was seen closed.

    Args:
        histories: every order of the meter and of those before it, as ``Book.histories`` orders them.
        seen: looks that saw it closed, see ``seen_closed``.

    """
    proved = [one.acts[-1].number for one in histories if is_proved_closed(one)]
    closed_at = max([*proved, *(kept.number for kept in seen)], default=0)
    trips = [one for one in histories if may_have_cut(one)]
    return trips[-1] if trips and trips[-1].sent[-1].number > closed_at else None


def may_have_cut(one: History) -> bool:
    """Whether an order may have opened the contact, or may still."""
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
