"""What the end of an order brings with it: work for people, alarms, and the order that comes next.

All of it is written in the transaction of the step that ends the order, so no crash can fall between. Nothing
here decides whether something may be done: an order that follows is judged like every other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Final

from meterlink.errors import EvidenceRefused
from meterlink.model.act import Act, Topic
from meterlink.model.order import CLOSES, Order, OrderKind, OrderState, Origin
from meterlink.orders.attention.alarms import Seen, raised
from meterlink.orders.attention.words import as_words
from meterlink.orders.attention.work import opening
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.book import Book
from meterlink.orders.life.history import NOT_NEEDED, last_cut, stopped_by
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.paid.order_ids import order_id_of
from meterlink.orders.paid.quieting import may_be_on, quieting
from meterlink.orders.paid.sent_there import sent_there
from meterlink.orders.paid.standing import waits_for_key
from meterlink.orders.people import DAEMON
from meterlink.roster.roster import Roster

RECONNECTED_WITHIN: Final = timedelta(minutes=30)
"""Automatic attempts to reconnect end then, and somebody goes there. Source: CTRL-17."""
WITHOUT_CONSENT: Final = frozenset({"CTRL-15"})
"""What alone stops a direct close whose customer's consent has run out: then the key decides."""
RELAY_FAULT: Final = "RELAY_FAULT"
_ENDS: Final[Mapping[OrderState, tuple[WorkKind | None, WorkKind | None, WorkKind | None]]] = {
    OrderState.UNKNOWN: (WorkKind.UNKNOWN_OUTCOME, WorkKind.MANUAL, WorkKind.UNKNOWN_OUTCOME),
    OrderState.RELAY_FAULT: (WorkKind.RELAY_FAULT, WorkKind.MANUAL, WorkKind.RELAY_FAULT),
    OrderState.REJECTED: (WorkKind.FIELD_ORDER, WorkKind.MANUAL, WorkKind.OTHER),
    OrderState.NOT_DONE: (WorkKind.FIELD_ORDER, WorkKind.MANUAL, WorkKind.OTHER),
    OrderState.WAITING_FOR_KEY: (WorkKind.FIELD_ORDER, None, None),
    OrderState.EXPIRED: (WorkKind.FIELD_ORDER, WorkKind.MANUAL, None),
    OrderState.REFUSED: (WorkKind.FIELD_ORDER, WorkKind.MANUAL, WorkKind.OTHER),
    OrderState.CANCELLED: (WorkKind.FIELD_ORDER, WorkKind.MANUAL, None),
}
"""By the end of an order, the work that it leaves: of a closing, of a top-up, of anything else."""
_BY_RULE: Final[Mapping[str, WorkKind]] = {
    "CTRL-12": WorkKind.IDENTITY,
    "HOLD-01": WorkKind.HOLD,
}
"""Of what a rule refused: the work that this rule leaves, whatever the order was."""


class Aftermath:
    """Goes with every step; see ``Companion``.

    Args:
        book: the orders.
        roster: the meters, and those before them.
        closing_for: how supply comes back at the meter of an order.
        zone: of the plant.

    """

    def __init__(
        self,
        book: Book,
        roster: Roster,
        closing_for: Callable[[Order], Awaitable[OrderKind]],
        zone: timezone,
    ) -> None:
        self._book = book
        self._roster = roster
        self._closing_for = closing_for
        self._zone = zone

    async def beside(self, before: Life, after: Life, act: Act) -> Sequence[Act]:
        """See ``Companion.beside``."""
        if after.is_open or not before.is_open:
            return ()
        if (permit := await self._permit_instead(after, act)) is not None:
            return [permit]
        acts = await self._work(after, act)
        if after.state is OrderState.RELAY_FAULT:
            acts += await self._alarm(after, act.at)
        payment = ""
        if after.is_to_be_reversed:
            payment = after.payment
        elif _is_paid_in(after) and await self._is_to_be_closed(after.order.meter):
            payment = after.order.payment
        heir = self._roster.heir_of(after.order.meter)
        meter = heir.id if heir else after.order.meter
        if payment and (name := await self._free_name(replace(after.order, meter=meter), payment)):
            close = await self.reconnection(meter, payment, act.at, name)
            acts.append(Life.begin(close, at=act.at, actor=DAEMON))
        return [*acts, *await self._quieted(after, act.at)]

    def kept(self, acts: Iterable[Act]) -> None:
        """See ``Companion.kept``."""
        for act in acts:
            if act.topic is Topic.ORDER and act.verb == Signal.CREATE and act.actor == DAEMON:
                self._book.adopt(Life.of([act]))

    async def reconnection(
        self,
        meter: str,
        cause: str,
        at: datetime,
        name: str,
        *,
        is_paid: bool = True,
        is_spared: bool = False,
    ) -> Order:
        """The order that brings supply back to somebody who owes nothing any more.

        Args:
            meter: our id.
            cause: full id of the record that says so.
            at: now.
            name: id of the order.
            is_paid: whether that is a payment; else a balance or a dispute.
            is_spared: whether it says that nobody may cut the household off, and nothing of money.

        """
        why = "must not be cut off" if is_spared else "paid" if is_paid else "nothing is owed"
        close = Order(
            id=name,
            kind=OrderKind.PERMIT_CLOSE,
            meter=meter,
            reason=f"{why}: {cause}",
            deadline_at=at.replace(microsecond=0) + RECONNECTED_WITHIN,
            origin=Origin.PAYMENT,
            payment=cause if is_paid else "",
            reference="" if is_paid else cause,
        )
        try:
            return replace(close, kind=await self._closing_for(close))
        except EvidenceRefused:  # nobody knows what the customer agreed to
            return close

    async def _permit_instead(self, life: Life, act: Act) -> Act | None:
        """The permit that follows a direct close whose consent ran out before it was obeyed.

        It is of the same cause and ends at the same time; frames of both count together (CTRL-17). ``None``:
        the order ended otherwise, or no time is left.
        """
        order = life.order
        if order.kind is not OrderKind.DIRECT_CLOSE or order.origin is not Origin.PAYMENT:
            return None
        if stopped_by(act) != WITHOUT_CONSENT or order.deadline_at <= act.at:
            return None
        name = order_id_of("close", order.meter, f"{order.payment or order.reference}\0{order.id}")
        if await self._book.acts.last_of(Topic.ORDER, name) is not None:
            return None
        return Life.begin(replace(order, id=name, kind=OrderKind.PERMIT_CLOSE), at=act.at, actor=DAEMON)

    async def _quieted(self, life: Life, at: datetime) -> list[Act]:
        """The end of an alarm that was paid for after it was sent; its meter may have gone meanwhile."""
        if not life.payment or not may_be_on(life) or self._roster.meter(life.order.meter) is None:
            return []
        off = quieting(life.order.meter, life.payment, at)
        is_there = await self._book.acts.last_of(Topic.ORDER, off.id) is not None
        return [] if is_there else [Life.begin(off, at=at, actor=DAEMON)]

    async def _orders_of(self, meter_id: str) -> list[Life]:
        meter = self._roster.meter(meter_id)
        return await self._book.of_meter(meter_id, meter.predecessors if meter else ())

    async def _is_to_be_closed(self, meter_id: str) -> bool:
        """Whether money in the wallet has to be followed by a closing; not while only a key is missing."""
        if any(waits_for_key(one) for one in self._book.open_of(meter_id)):
            return False
        return needs_reconnection(await self._orders_of(meter_id))

    async def _free_name(self, order: Order, payment: str) -> str:
        """The id of the reconnection that the end of an order brings; empty: there is one under way."""
        for name in (
            order_id_of("close", order.meter, payment),
            order_id_of("close", order.meter, f"{payment}\0{order.id}"),
        ):
            last = await self._book.acts.last_of(Topic.ORDER, name)
            if last is None:
                return name
            if last.act.is_open:
                return ""
        return ""

    async def _work(self, life: Life, act: Act) -> list[Act]:
        """The work that it leaves; an item that somebody has opened already stays as it is."""
        found = []
        for fresh in work_of(life, act):
            last = await self._book.acts.last_of(Topic.WORK, fresh.subject)
            if (last is not None and last.act.is_open) or self._needs_but_a_key(life, fresh):
                continue
            if (sent := await self._standing(life, fresh)) is not None:
                found.append(replace(fresh, subject=sent.subject, step=sent.step + 1))
            else:
                found.append(fresh if last is None else replace(fresh, step=last.act.step + 1))
        return found

    def _needs_but_a_key(self, life: Life, fresh: Act) -> bool:
        """Whether somebody would be sent to close a contact that only waits for its key.

        The permit that waits sends somebody itself if nobody has come after a day.
        """
        is_field_order = fresh.body["kind"] == WorkKind.FIELD_ORDER
        others = self._book.open_of(life.order.meter)
        return is_field_order and not life.transmissions and any(waits_for_key(one) for one in others)

    async def _standing(self, life: Life, fresh: Act) -> Act | None:
        """The item that is told anew in place of a second field order; ``None``: there is none."""
        is_field_order = fresh.body["kind"] == WorkKind.FIELD_ORDER
        return await sent_there(self._book, life.order) if is_field_order else None

    async def _alarm(self, life: Life, at: datetime) -> list[Act]:
        seen = Seen(
            rule=RELAY_FAULT, origin="CTRL-20", meter=life.order.meter, evidence=(f"order:{life.order.id}",)
        )
        return await raised(self._book.acts, seen, at=at, zone=self._zone)


def work_of(life: Life, act: Act) -> list[Act]:
    """The work that the end of an order leaves to people: one item, or none."""
    of_close, of_top_up, of_others = _ENDS.get(life.state, (None, None, None))
    kind = of_close if life.order.kind in CLOSES else of_others
    if life.order.kind is OrderKind.TOP_UP:
        kind = of_top_up
    if life.state is OrderState.REFUSED:
        kind = _of_refused(life, act, kind)
    elif life.state is OrderState.CANCELLED and not _is_owed(life.order):
        kind = None
    elif life.state is OrderState.EXPIRED and life.order.origin is Origin.PAYMENT:
        kind = kind or WorkKind.OTHER  # the household is warned on, and nobody would know
    elif life.order.origin is Origin.PROBE and kind is WorkKind.OTHER:
        kind = None  # a no may be what the probe is to bring out, and whoever asks stands at the meter
    if kind is None:
        return []
    why = as_words(_told(life, act))
    return [opening(kind, why, at=act.at, actor=DAEMON, meter=life.order.meter, order=life.order.id)]


def _of_refused(life: Life, act: Act, kind: WorkKind | None) -> WorkKind | None:
    """A person who says no has seen it, unless somebody has paid; and what nobody waits for needs nobody."""
    stopping = [one["rule"] for one in act.body.get("rules", []) if not one["passed"]]
    if frozenset(stopping) == NOT_NEEDED:
        return None
    for rule in stopping:
        if rule in _BY_RULE:
            return _BY_RULE[rule]
    is_sent_to_field = act.body.get("stop") == "field"
    is_awaited = life.order.origin is Origin.PAYMENT
    if act.actor != DAEMON:
        return kind if _is_owed(life.order) else None
    return kind if is_sent_to_field or is_awaited else None


def _is_owed(order: Order) -> bool:
    """Whether somebody has paid for it: whoever takes it back, the customer is still in the dark."""
    return order.origin is Origin.PAYMENT and (order.kind in CLOSES or order.kind is OrderKind.TOP_UP)


def _told(life: Life, act: Act) -> str:
    stopping = [f"{one['rule']}: {one['en']}" for one in act.body.get("rules", []) if not one["passed"]]
    why = str(act.body.get("told", "")) or "; ".join(stopping)
    by = "" if act.actor == DAEMON else f" by {act.actor}"
    told = f"order {life.order.id} ({life.order.kind.value}) ended as {life.state.value}{by}"
    return f"{told}: {why}" if why else told


def _is_paid_in(life: Life) -> bool:
    return life.order.kind is OrderKind.TOP_UP and life.state is OrderState.DONE and bool(life.order.payment)


def needs_reconnection(lives: Sequence[Life]) -> bool:
    """Whether the newest thing that we did to the switch of a meter may have cut somebody off.

    Args:
        lives: every order that the meter ever had, as ``Book.of_meter`` orders them.

    """
    return last_cut(lives) is not None
