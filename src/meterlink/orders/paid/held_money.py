"""Money that had to wait until its order had ended: it goes on behind the hold, or behind what was unknown.

Such a top-up was never sent. It ends after a day and leaves a ``manual`` item, because two persons may want
to give the money back. As long as no person has done anything to that item, the wish of whoever paid stands:
the item and an alarm say that the top-up begins again by itself when the hold is released, and then it does,
as a new order of the same payment, which every rule judges anew (TOP-01 lets no payment be sent twice). The
item is closed in the transaction that creates the order. Whoever writes, proposes or assigns there first
keeps it: then it is theirs. It begins only if the item said so while the hold stood: whoever read in it of an
end alone may have given the money back at the counter, and two persons decide. Where the meter goes away
before, nothing begins at the one that comes after it: its purse is another, and two persons decide, as of
every top-up that an exchange meets; they are told. All of it follows from the log, so a restart forgets
nobody.

A top-up behind one of which nobody can tell is refused (TOP-05), and the same holds for it: when two persons
have found what became of the earlier one, it begins again, once. That one has its own item and no alarm here.
It does so only if the item said so before that was found: where nothing was announced, whoever looked into
the item saw an end, and may have given the money back at the counter. Then two persons decide, as told there.

Source: HOLD-01, TOP-01, TOP-05, TOP-06; decision 22, c; business-rules 2.2, HELD, and 2.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import structlog

from meterlink.errors import MeterlinkError, StepTaken
from meterlink.model.act import Act, Topic
from meterlink.model.order import OrderKind, OrderState, Origin
from meterlink.orders.attention.alarms import Alarms, Seen
from meterlink.orders.attention.looking_after import looking_after
from meterlink.orders.attention.work import ACTS_MAX, closing
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.book import Book
from meterlink.orders.held import Held, was_held
from meterlink.orders.life.history import stopped_by
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.paid.order_ids import order_id_of
from meterlink.orders.paid.payments import TOPPED_UP_WITHIN
from meterlink.orders.people import DAEMON
from meterlink.roster.roster import Roster

TOP_UP_HELD: Final = "TOP_UP_HELD"
"""The alarm that somebody's money waits for an inspector."""
EVERY_S: Final = 60.0
"""Between two looks."""
ITEMS_AT_ONCE: Final = 1_000
"""Open items that are read together."""
_PREFIX: Final = f"{WorkKind.MANUAL.value}:"
_TOLD: Final = (
    "an inspector held the meter when the time of the order was over, and nothing was sent. When the hold is "
    "released, the top-up begins again by itself, once, unless somebody writes, assigns or proposes "
    "something here before, or the meter is exchanged"
)
_TOLD_UNKNOWN: Final = (
    "nobody can tell what became of an earlier top-up of this meter, and nothing of this one was sent. When "
    "two persons have found that, it begins again by itself, once, unless somebody writes, assigns or "
    "proposes something here before, or the meter is exchanged"
)
_BEHIND_UNKNOWN: Final = frozenset({"TOP-05"})
"""What alone refuses a top-up that stands behind an unknown one."""
_UNANNOUNCED: Final = (
    "nothing was announced here while nobody could tell what became of the earlier top-up, and the money may "
    "have been given back meanwhile"
)
_UNANNOUNCED_HELD: Final = (
    "nothing was announced here while the hold stood, and the money may have been given back meanwhile"
)
_GONE: Final = "the top-up does not begin again by itself: two persons decide about the money"

_log = structlog.get_logger(__name__)


class _Item(NamedTuple):
    """An item about a top-up that never left, and nobody has touched since it was opened."""

    last: Act
    life: Life
    is_told: bool
    announced_at: int | None
    """Number in the log of the note that it begins again behind a finding; ``None``: there is none."""

    @property
    def waits_for_finding(self) -> bool:
        """Whether it stood behind a top-up of which nobody could tell; otherwise behind a hold."""
        return self.life.state is OrderState.REFUSED


class HeldMoney:
    """Looks after top-ups that ended under a hold.

    Args:
        book: the orders.
        alarms: where it is told.
        held: knows what an inspector holds.
        roster: the meters.

    """

    def __init__(self, book: Book, alarms: Alarms, held: Held, roster: Roster) -> None:
        self._book = book
        self._acts = book.acts
        self._alarms = alarms
        self._held = held
        self._roster = roster
        self._looked = -1

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        await looking_after(self.look, every_s=EVERY_S, trouble="held_money_unknown")

    async def look(self) -> None:
        """Tell of the money that waits, and begin again what may go on; nothing where the log has not grown.

        Raises:
            JournalError: the log cannot be read.

        """
        begun = self._acts.growth.begun
        if begun == self._looked:
            return
        is_whole, after = True, _PREFIX
        while names := await self._named(after):
            for name in names:
                is_whole &= await self._each(name)
            after = names[-1]
        if is_whole:
            self._looked = begun

    async def _named(self, after: str) -> list[str]:
        names = await self._acts.subjects(Topic.WORK, only_open=True, after=after, limit=ITEMS_AT_ONCE)
        return [name for name in names if name.startswith(_PREFIX)]

    async def _each(self, name: str) -> bool:
        """One meter whose money finds no room, or cannot be read, is not its neighbours' matter."""
        try:
            item = await self._item(name)
            if item is not None:
                await self._follow(item)
        except MeterlinkError as error:
            _log.error("held_money_unknown", item=name, reason=str(error))
            return False
        return True

    async def _item(self, name: str) -> _Item | None:
        kept = await self._acts.of_subject(Topic.WORK, name)
        acts = [one.act for one in kept]
        if _is_somebodys(acts) or len(acts) >= ACTS_MAX:
            return None
        order_id = name.removeprefix(_PREFIX)
        ended = await self._acts.last_of(Topic.ORDER, order_id)
        if ended is None:  # people open items about anything
            return None
        life = await self._book.read(order_id)
        if not _waited(life, ended.act, is_held=was_held(acts)):
            return None
        notes = {str(one.act.body["why"]): one.number for one in kept if one.act.verb == "note"}
        if any(why.endswith(_GONE) for why in notes):
            return None
        return _Item(acts[-1], life, bool(notes), notes.get(_TOLD_UNKNOWN))

    async def _follow(self, item: _Item) -> None:
        meter = item.life.order.meter
        if self._roster.meter(meter) is None:
            await self._give_up(item)
        elif item.waits_for_finding and not await self._is_announced(item):
            await self._announce(item)
        elif item.waits_for_finding and await self._is_unknown(meter):
            return
        elif item.is_told:
            if not await self._held.why(meter):
                await self._begin_again(item)
        elif await self._held.why(meter):
            await self._tell(item, meter, _TOLD)
        elif not await self._is_ordered_anew(item.life):
            await self._tell(item, meter, f"{_UNANNOUNCED_HELD}: {_GONE}")

    async def _announce(self, item: _Item) -> None:
        """Say that it begins again; where a finding may have been first, that people decide."""
        if await self._is_ordered_anew(item.life):
            return
        meter = item.life.order.meter
        is_in_time = await self._found_at(item) is None and await self._is_unknown(meter)
        await self._note(item, _TOLD_UNKNOWN if is_in_time else f"{_UNANNOUNCED}: {_GONE}")

    async def _is_announced(self, item: _Item) -> bool:
        """Whether the item said that it begins again before anything was found, as the log counts."""
        if item.announced_at is None:
            return False
        found_at = await self._found_at(item)
        return found_at is None or item.announced_at < found_at

    async def _found_at(self, item: _Item) -> int | None:
        """Where in the log two persons first found, behind the order, what became of a top-up there."""
        order = item.life.order
        histories = await self._book.histories(order.meter)
        ordered_at = next(one.ordered_at for one in histories if one.life.order.id == order.id)
        confirmed = [
            kept.number
            for one in histories
            if one.life.order.kind is OrderKind.TOP_UP
            for kept in one.acts
            if kept.act.verb == Signal.CONFIRM and kept.number > ordered_at
        ]
        return min(confirmed, default=None)

    async def _is_unknown(self, meter: str) -> bool:
        """Whether nobody can tell what became of a top-up of a meter, and two persons have not found it."""
        lives = await self._book.of_meter(meter)
        money = [one for one in lives if one.order.kind is OrderKind.TOP_UP]
        return any(one.state is OrderState.UNKNOWN and one.locks_meter for one in money)

    async def _give_up(self, item: _Item) -> None:
        """The meter has gone, and with it the purse that the money was meant for."""
        if await self._is_ordered_anew(item.life):
            return
        meter = item.life.order.meter
        heir = self._roster.heir_of(meter)
        after = f"; meter {heir.id} came after it" if heir else ""
        await self._tell(item, heir.id if heir else meter, f"meter {meter} has gone{after}: {_GONE}")

    async def _tell(self, item: _Item, meter: str, why: str) -> None:
        """An alarm at a meter, and a note in the item."""
        order = item.life.order
        seen = Seen(
            rule=TOP_UP_HELD,
            origin="HOLD-01",
            meter=meter,
            estimate_cents=order.amount_cents,
            evidence=(f"order:{order.id}", f"evidence:{order.payment}"),
        )
        await self._alarms.raise_(seen, actor=DAEMON)
        await self._note(item, why)

    async def _note(self, item: _Item, why: str) -> None:
        note = replace(
            item.last,
            step=item.last.step + 1,
            verb="note",
            at=self._book.timeline.stamp(),
            actor=DAEMON,
            body={"why": why},
        )
        await self._acts.append(note)

    async def _begin_again(self, item: _Item) -> None:
        """A new order of the same payment, unless there is one; the item ends in its transaction."""
        order, at = item.life.order, self._book.timeline.stamp()
        if await self._is_ordered_anew(item.life):
            return
        again = replace(
            order,
            id=order_id_of("top-up", order.meter, f"{order.payment}\0{order.id}"),
            deadline_at=at.replace(microsecond=0) + TOPPED_UP_WITHIN,
        )
        over = "what was unknown is found" if item.waits_for_finding else "the hold is released"
        why = f"{over}: order {again.id} brings the money of {order.payment}"
        try:
            await self._book.begin(again, DAEMON, beside=[closing(item.last, why, at=at, actor=DAEMON)])
        except StepTaken:
            _log.info("held_money_taken", order=order.id)  # a person was first; the next look sees it

    async def _is_ordered_anew(self, ended: Life) -> bool:
        """Whether anybody has ordered a top-up of that payment behind it."""
        same = [
            one.order.id
            for one in await self._book.of_meter(ended.order.meter)
            if one.order.kind is OrderKind.TOP_UP and one.order.payment == ended.order.payment
        ]
        return same[-1] != ended.order.id


def _waited(life: Life, last: Act, *, is_held: bool) -> bool:
    """Whether it is a payment's top-up that ended, before anything was sent, because it had to wait.

    Args:
        life: of the order.
        last: its newest act.
        is_held: whether an inspector held its meter.

    """
    order = life.order
    if order.kind is not OrderKind.TOP_UP or order.origin is not Origin.PAYMENT or life.transmissions:
        return False
    if life.state is OrderState.REFUSED:
        return stopped_by(last) == _BEHIND_UNKNOWN
    return is_held and life.state is OrderState.EXPIRED


def _is_somebodys(acts: Sequence[Act]) -> bool:
    """Whether a person has done anything to an item."""
    return any(act.actor != DAEMON for act in acts)
