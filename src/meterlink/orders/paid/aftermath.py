"""What the end of an order brings with it: work for people, alarms, and the order that comes next.

All of it is written in the transaction of the step that ends the order, so no crash can fall between. Nothing
here decides whether something may be done: an order that follows is judged like every other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Final

from meterlink.errors import EvidenceRefused
from meterlink.model.act import Act, Topic
from meterlink.model.order import Order, OrderKind, OrderState, Origin
from meterlink.orders.attention.alarms import Seen, raised
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.book import Book
from meterlink.orders.life.history import last_cut, stopped_by
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.paid.order_ids import order_id_of
from meterlink.orders.paid.quieting import may_be_on, quieting
from meterlink.orders.paid.sent_there import sent_there
from meterlink.orders.paid.standing import waits_for_key
from meterlink.orders.paid.unsettled import Unsettled
from meterlink.orders.paid.work_left import work_of
from meterlink.orders.people import DAEMON
from meterlink.orders.waiting.credit import is_credited
from meterlink.roster.roster import Roster

RECONNECTED_WITHIN: Final = timedelta(minutes=30)
"""Automatic attempts to reconnect end then, and somebody goes there. Source: CTRL-17."""
WITHOUT_CONSENT: Final = frozenset({"CTRL-15"})
"""What alone stops a direct close whose customer's consent has run out: then the key decides."""
RELAY_FAULT: Final = "RELAY_FAULT"


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
        self._unsettled = Unsettled(book, roster, zone)

    async def beside(self, before: Life, after: Life, act: Act) -> Sequence[Act]:
        """See ``Companion.beside``."""
        if after.order.kind is OrderKind.TOP_UP and after.finding_of_two != before.finding_of_two:
            return await self._unsettled.found(after, act.at)
        if after.is_open or not before.is_open:
            return ()
        if (permit := await self._permit_instead(after, act)) is not None:
            return [permit]
        acts = await self._work(after, act)
        if after.state is OrderState.RELAY_FAULT:
            acts += await self._alarm(after, act.at)
        heir = self._roster.heir_of(after.order.meter)
        meter = heir.id if heir else after.order.meter
        payment = ""
        if after.is_to_be_reversed:
            payment = after.payment
        elif is_credited(after) and await self._is_to_be_closed(after.order.meter):
            payment = after.order.payment
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
        for fresh in work_of(life, act, await self._unsettled.dark(life)):
            last = await self._book.acts.last_of(Topic.WORK, fresh.subject)
            if (last is not None and last.act.is_open) or self._needs_but_a_key(life, fresh):
                continue
            if (sent := await self._standing(life, fresh)) is not None:
                found.append(replace(fresh, subject=sent.subject, step=sent.step + 1))
            else:
                found.append(fresh if last is None else replace(fresh, step=last.act.step + 1))
        if life.order.kind is OrderKind.TOP_UP:
            found += await self._unsettled.told_anew(life, act.at)
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


def needs_reconnection(lives: Sequence[Life]) -> bool:
    """Whether the newest thing that we did to the switch of a meter may have cut somebody off.

    Args:
        lives: every order that the meter ever had, as ``Book.of_meter`` orders them.

    """
    return last_cut(lives) is not None
