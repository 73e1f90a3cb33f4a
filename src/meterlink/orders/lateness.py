"""Who has paid and is still in the dark: alarms when the first command, or the current, comes too late.

The clocks run from the record of the payment: five minutes to the first command, a day to current. They are
looked at once a minute; an alarm is raised once for an order. Source: CTRL-16, business-rules 2.2.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

import structlog

from meterlink.clock import Clock
from meterlink.errors import MeterlinkError, Unknown
from meterlink.model.act import KeptAct, Topic
from meterlink.model.order import CLOSES, OrderState, Origin
from meterlink.orders.alarms import Alarms, Seen
from meterlink.orders.book import Book
from meterlink.orders.life import Life
from meterlink.orders.machine import Signal
from meterlink.orders.people import DAEMON
from meterlink.orders.rules.closing import late
from meterlink.orders.work import WorkKind

EVERY_S: Final = 60.0
"""Between two looks."""
ITEMS_MAX: Final = 1_000
"""Field orders that are looked at."""
_FIELD: Final = f"{WorkKind.FIELD_ORDER.value}:"

_log = structlog.get_logger(__name__)


class Lateness:
    """Looks after those who have paid.

    Args:
        book: the orders.
        alarms: where it is told.
        clock: the time.

    """

    def __init__(self, book: Book, alarms: Alarms, clock: Clock) -> None:
        self._book = book
        self._alarms = alarms
        self._clock = clock
        self._told: set[tuple[str, str]] = set()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except MeterlinkError as error:  # the log cannot be read now; the next look may
                _log.error("lateness_unknown", reason=str(error))
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Raise the alarms that are due.

        Raises:
            JournalError: the log cannot be read or written.

        """
        async for order_id in self._waiting():
            try:
                acts = await self._book.acts_of(order_id)
            except Unknown:
                continue  # a field order of something else
            await self._judge(acts)

    async def _waiting(self) -> AsyncIterator[str]:
        """Reconnections after a payment that are open, and those that people carry on."""
        for life in self._book.open_orders():
            if life.order.kind in CLOSES and life.order.origin is Origin.PAYMENT:
                yield life.order.id
        open_items = await self._book.acts.subjects(Topic.WORK, only_open=True, after=_FIELD, limit=ITEMS_MAX)
        for item in open_items:
            if item.startswith(_FIELD):
                yield item.removeprefix(_FIELD)

    async def _judge(self, acts: list[KeptAct]) -> None:
        life = Life.of(acts)
        paid_at = await self._paid_at(life)
        if paid_at is None:
            return
        sent = (kept.act.at for kept in acts if kept.act.verb == Signal.INTEND)
        energised_at = life.since if life.state is OrderState.DONE else None
        rule = late(paid_at, next(sent, None), energised_at, self._clock.utc_now())
        if not rule or (life.order.id, rule) in self._told:
            return
        seen = Seen(
            rule=rule,
            origin="CTRL-16",
            meter=life.order.meter,
            value=life.state.value,
            evidence=(f"order:{life.order.id}", f"evidence:{life.order.payment}"),
        )
        await self._alarms.raise_(seen, actor=DAEMON)
        self._told.add((life.order.id, rule))

    async def _paid_at(self, life: Life) -> datetime | None:
        """When the payment was recorded here."""
        acts = await self._book.acts.of_subject(Topic.EVIDENCE, life.order.payment)
        return acts[0].act.at if acts else None
