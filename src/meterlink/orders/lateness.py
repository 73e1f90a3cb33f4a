"""Who has paid and is still in the dark: alarms when the first command, or the current, comes too late.

The clocks run from the record of the payment: five minutes to the first command, a day to current. They are
looked at once a minute; an alarm is raised once for an order. Source: CTRL-16, business-rules 2.2.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog

from meterlink.clock import Clock
from meterlink.errors import MeterlinkError, Unknown
from meterlink.model.act import Topic
from meterlink.model.order import CLOSES, Origin
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


@dataclass(slots=True)
class _Known:
    """What does not change any more about one order, and what was told of it.

    Args:
        meter: our id.
        payment: id of its record.
        paid_at: when that was recorded here; ``None``: the order comes from no payment.
        first_sent_at: when its first frame left; ``None``: none has.
        told: alarms that were raised.

    """

    meter: str = ""
    payment: str = ""
    paid_at: datetime | None = None
    first_sent_at: datetime | None = None
    told: set[str] = field(default_factory=set)


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
        self._known: dict[str, _Known] = {}

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
        waiting = {name: life async for name, life in self._waiting()}
        self._known = {name: known for name, known in self._known.items() if name in waiting}
        for name, life in waiting.items():
            await self._judge(name, life)

    async def _waiting(self) -> AsyncIterator[tuple[str, Life | None]]:
        """Reconnections after a payment that are open, and those that people carry on."""
        for life in self._book.open_orders():
            if life.order.kind in CLOSES and life.order.origin is Origin.PAYMENT:
                yield life.order.id, life
        items = await self._book.acts.subjects(Topic.WORK, only_open=True, after=_FIELD, limit=ITEMS_MAX)
        for item in items:
            if item.startswith(_FIELD):
                yield item.removeprefix(_FIELD), None

    async def _judge(self, name: str, life: Life | None) -> None:
        """Look at one order.

        Args:
            name: its id.
            life: how it stands; ``None``: it has ended, and somebody goes there.

        """
        known = self._known.get(name)
        if known is None or (life is not None and life.transmissions and known.first_sent_at is None):
            told = set() if known is None else known.told
            known = self._known[name] = await self._read(name)
            known.told |= told
        if known.paid_at is None:
            return  # no reconnection after a payment
        rule = late(known.paid_at, known.first_sent_at, None, self._clock.utc_now())
        if not rule or rule in known.told:
            return
        seen = Seen(
            rule=rule,
            origin="CTRL-16",
            meter=known.meter,
            evidence=(f"order:{name}", f"evidence:{known.payment}"),
        )
        await self._alarms.raise_(seen, actor=DAEMON)
        known.told.add(rule)

    async def _read(self, name: str) -> _Known:
        try:
            acts = await self._book.acts_of(name)
        except Unknown:
            return _Known()  # a field order of something else
        order = Life.of(acts[:1]).order
        payment = await self._book.acts.of_subject(Topic.EVIDENCE, order.payment)
        sent = (kept.act.at for kept in acts if kept.act.verb == Signal.INTEND)
        return _Known(
            meter=order.meter,
            payment=order.payment,
            paid_at=payment[0].act.at if payment else None,
            first_sent_at=next(sent, None),
        )
