"""Who has paid and has not pressed the key: after two hours somebody tells the customer once more.

This program reaches no customer (decision 25), so the reminder is work for a person: an item that stands
until it is done, until the key is pressed, or until the order waits no longer. An order has one, whatever
crashes. While an inspector holds the place it is silent, and comes when the hold is released.

Source: business-rules 2.2, WAIT_CUSTOMER; decision 35.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from meterlink.errors import NotAllowed
from meterlink.model.act import Act, Topic
from meterlink.model.order import OrderState, Origin
from meterlink.orders.attention.looking_after import looking_after
from meterlink.orders.attention.words import WORDS_MAX
from meterlink.orders.attention.work import WorkItems, closing, item_id
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.book import Book
from meterlink.orders.held import HELD
from meterlink.orders.life.life import Life
from meterlink.orders.people import DAEMON

REMINDED_AFTER: Final = timedelta(hours=2)
"""So long an order waits for the key before the customer is told again. Source: business-rules 2.2."""
EVERY_S: Final = 60.0
"""Between two looks."""


class Reminder:
    """Looks after orders that wait for a key; goes with every step, see ``Companion``.

    Args:
        book: the orders.
        work: where somebody is told, unless an inspector holds the place.

    """

    def __init__(self, book: Book, work: WorkItems) -> None:
        self._book = book
        self._work = work
        self._timeline = book.timeline

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        await looking_after(self.look, every_s=EVERY_S, trouble="reminders_unknown")

    async def look(self) -> None:
        """Open the items that are due.

        Raises:
            JournalError: the log cannot be read or written.

        """
        for life in [life for life in self._book.open_orders() if self._is_due(life)]:
            await self._remind(life)

    async def beside(self, before: Life, after: Life, act: Act) -> Sequence[Act]:
        """Close the item of an order that waits no longer; see ``Companion.beside``."""
        if before.state is not OrderState.WAITING_FOR_KEY or not before.is_open or after.is_open:
            return ()
        last = await self._book.acts.last_of(Topic.WORK, _item_of(after))
        if last is None or not last.act.is_open:
            return ()
        why = f"order {after.order.id} waits for the key no longer: {after.state.value}, {act.verb}"
        return (closing(last.act, why[:WORDS_MAX], at=act.at, actor=DAEMON),)

    def kept(self, acts: Iterable[Act]) -> None:
        """See ``Companion.kept``."""

    def _is_due(self, life: Life) -> bool:
        waits = life.state is OrderState.WAITING_FOR_KEY and life.order.origin is not Origin.PROBE
        return waits and self._timeline.now() - self._timeline.lived(life.since) >= REMINDED_AFTER

    async def _remind(self, life: Life) -> None:
        last = await self._book.acts.last_of(Topic.WORK, _item_of(life))
        if last is not None and (last.act.is_open or not last.act.body.get(HELD)):
            return  # somebody was told, and has closed it maybe: he has told the customer
        hours = REMINDED_AFTER // timedelta(hours=1)
        why = (
            f"tell the customer of meter {life.order.meter} to press the key for 3 s: order {life.order.id} "
            f"has permitted closing {hours} hours ago"
        )
        with suppress(NotAllowed):  # while an inspector holds the place; it is looked again
            await self._work.open(
                WorkKind.REMINDER, why[:WORDS_MAX], actor=DAEMON, meter=life.order.meter, order=life.order.id
            )


def _item_of(life: Life) -> str:
    return item_id(WorkKind.REMINDER, life.order.id)
