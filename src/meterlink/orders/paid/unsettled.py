"""Work about money that is not proved to be in a meter: told anew whenever more is known of it.

It ends unproved, or two persons find what became of it. Whoever is on the way to the dark household reads the
new words; and where money was found not to have come, its ``manual`` item stands open again, whoever closed
it before: the payer has neither money in the meter nor current, and nothing begins by itself, because the
money may have been given back.

Source: CTRL-16, CTRL-17; decision 21, findings; business-rules 2.3, MANUAL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone

from meterlink.errors import Unknown
from meterlink.model.act import Act, KeptAct, Topic
from meterlink.model.order import OrderKind
from meterlink.orders.attention.words import as_words
from meterlink.orders.attention.work import ACTS_MAX, item_id, opening
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.book import Book
from meterlink.orders.life.history import History, cut_of
from meterlink.orders.life.life import Life
from meterlink.orders.paid.sent_there import sent_there
from meterlink.orders.paid.told_of_money import dark_since, going_there, yuan
from meterlink.orders.paid.work_left import with_last
from meterlink.orders.people import DAEMON
from meterlink.orders.waiting.seen import seen_closed
from meterlink.orders.waiting.wait import that_cut
from meterlink.roster.roster import Roster


class Unsettled:
    """Tells of such money; what it gives stands in the transaction of the step that told more.

    Args:
        book: the orders.
        roster: the meters, and those before them.
        zone: of the plant, for the times in what is told.

    """

    def __init__(self, book: Book, roster: Roster, zone: timezone) -> None:
        self._book = book
        self._acts = book.acts
        self._roster = roster
        self._zone = zone

    async def dark(self, life: Life) -> str:
        """Since when the household of a top-up is dark; empty: of anything else, or we have not cut it off.

        Raises:
            JournalError: the log cannot be read.

        """
        if life.order.kind is not OrderKind.TOP_UP:
            return ""
        return dark_since(await self._cut(life.order.meter), self._zone)

    async def told_anew(self, life: Life, at: datetime) -> list[Act]:
        """The open field order of a top-up's household, with the words of what is known of the money now.

        Args:
            life: the top-up, ended or found.
            at: now.

        Raises:
            JournalError: the log cannot be read.

        """
        last = await sent_there(self._book, life.order)
        if last is None or not await self._is_for_money(last.subject):
            return []
        why = as_words(going_there(life, await self._cut(life.order.meter), self._zone))
        fresh = opening(
            WorkKind.FIELD_ORDER, why, at=at, actor=DAEMON, meter=life.order.meter, order=life.order.id
        )
        return [replace(fresh, subject=last.subject, step=last.step + 1)]

    async def found(self, life: Life, at: datetime) -> list[Act]:
        """What two persons' finding about a top-up changes in the work that is open.

        Args:
            life: of the top-up, confirmed.
            at: now.

        Raises:
            JournalError: the log cannot be read.

        """
        return [*await self.told_anew(life, at), *await self._decided_on(life, at)]

    async def _decided_on(self, life: Life, at: datetime) -> list[Act]:
        """The ``manual`` item: a note of what was found; of money that did not come, the item itself."""
        kept = await self._acts.of_subject(Topic.WORK, item_id(WorkKind.MANUAL, life.order.id))
        last = kept[-1].act if kept else None
        is_there = last is not None and last.is_open
        why = with_last(_found(life), await self.dark(life))
        if is_there and last is not None:
            note = replace(last, step=last.step + 1, verb="note", at=at, actor=DAEMON, body={"why": why})
            return [note] if last.step < ACTS_MAX else []
        if life.finding_of_two != "not_done" or not life.order.payment:
            return []
        order = life.order
        fresh = opening(WorkKind.MANUAL, why, at=at, actor=DAEMON, meter=order.meter, order=order.id)
        return [fresh if last is None else replace(fresh, step=last.step + 1)]

    async def _cut(self, meter_id: str) -> History | None:
        """The order that cut a household off; ``None``: none did, or the contact was seen closed since."""
        meter = self._roster.meter(meter_id) or self._roster.heir_of(meter_id)
        names = (*meter.predecessors, meter.id) if meter else (meter_id,)
        histories = await self._book.histories(names[-1], names[:-1])
        seen = await seen_closed(self._acts, names)
        return None if that_cut(histories, seen) is None else cut_of(histories)

    async def _is_for_money(self, item: str) -> bool:
        """Whether a field order was told last of a top-up, and of no closing."""
        order = _told_of(await self._acts.of_subject(Topic.WORK, item))
        try:
            return (await self._book.read(order)).order.kind is OrderKind.TOP_UP
        except Unknown:  # people may have written anything there
            return False


def _told_of(kept: Sequence[KeptAct]) -> str:
    """The id of the order that an item was opened for last."""
    return str([one.act for one in kept if one.act.verb == "open"][-1].body["order"])


def _found(life: Life) -> str:
    order, who = life.order, f"{life.found_by}, {life.confirmed_by}"
    amount = yuan(order.amount_cents or 0)
    if life.finding_of_two == "done":
        return f"{who} found the {amount} yuan of order {order.id} in the meter / 已认定{amount}元款项到表"
    return (
        f"{who} found that the {amount} yuan of order {order.id} ({order.payment}) are not in the meter: "
        f"order them once more (order create --kind top_up) or give them back; nothing begins by itself / "
        f"已认定{amount}元款项未到表:请重新充值或退款,系统不会自动重试"
    )
