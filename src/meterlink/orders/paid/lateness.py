"""Who has paid and is still in the dark: alarms when the first command, or the current, comes too late.

The clocks run from the record of the payment: five minutes to the first command, thirty until somebody goes
there, a day to current. They run as well while a trip that was sent before the payment is still read back:
nothing can be sent then, and just that must be known. They count lived time (``Timeline``), are looked at
once a minute, and raise an alarm once for an order. Source: CTRL-16, CTRL-17, business-rules 2.2.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from meterlink.errors import MeterlinkError, Unknown
from meterlink.model.act import Topic
from meterlink.model.order import CLOSES, OrderKind, OrderState, Origin
from meterlink.orders.attention.alarms import Alarms, Seen
from meterlink.orders.attention.words import WORDS_MAX
from meterlink.orders.attention.work import WorkItems, WorkKind
from meterlink.orders.book import Book
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.paid.aftermath import RECONNECTED_WITHIN, needs_reconnection
from meterlink.orders.people import DAEMON
from meterlink.orders.rules.closing import late

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
        paid_at: when that was recorded here, in lived time; ``None``: the order comes from no payment.
        first_sent_at: when the first frame of the reconnection left, in lived time; ``None``: none has.
        is_trip: whether it is the trip that the reconnection waits for.
        told: alarms that were raised, and whether somebody was sent there.

    """

    meter: str = ""
    is_trip: bool = False
    payment: str = ""
    paid_at: datetime | None = None
    first_sent_at: datetime | None = None
    told: set[str] = field(default_factory=set)


class Lateness:
    """Looks after those who have paid.

    Args:
        book: the orders.
        alarms: where it is told.
        work: sends somebody there.

    """

    def __init__(self, book: Book, alarms: Alarms, work: WorkItems) -> None:
        self._book = book
        self._alarms = alarms
        self._work = work
        self._timeline = book.timeline
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
        """Reconnections after a payment that are open, wait for a trip's end, or that people carry on."""
        items = await self._book.acts.subjects(Topic.WORK, only_open=True, after=_FIELD, limit=ITEMS_MAX)
        for item in items:
            if item.startswith(_FIELD):
                yield item.removeprefix(_FIELD), None
        for life in self._book.open_orders():
            if _is_reconnection(life) or _delays_one(life):
                yield life.order.id, life

    async def _judge(self, name: str, life: Life | None) -> None:
        """Look at one order.

        Args:
            name: its id.
            life: how it stands; ``None``: it has ended, and somebody goes there.

        """
        known = await self._known_of(name, life)
        if known.paid_at is None:
            return  # no reconnection after a payment
        now = self._timeline.now()
        rule = late(known.paid_at, known.first_sent_at, None, now)
        if rule and rule not in known.told:
            if life is not None or not known.is_trip or await self._is_dark(known.meter):
                await self._alarm(name, known, rule)
            known.told.add(rule)
        if life is not None and now - known.paid_at > RECONNECTED_WITHIN:
            await self._send_somebody(name, life, known)

    async def _known_of(self, name: str, life: Life | None) -> _Known:
        known = self._known.get(name)
        is_unsent = known is not None and known.first_sent_at is None and not known.is_trip
        if known is None or (life is not None and life.transmissions and is_unsent):
            told = set() if known is None else known.told
            known = self._known[name] = await self._read(name)
            known.told |= told
        return known

    async def _is_dark(self, meter: str) -> bool:
        """Whether a trip that has ended still keeps somebody in the dark: it was obeyed, and not undone."""
        return needs_reconnection(await self._book.of_meter(meter))

    async def _alarm(self, name: str, known: _Known, rule: str) -> None:
        seen = Seen(
            rule=rule,
            origin="CTRL-16",
            meter=known.meter,
            evidence=(f"order:{name}", f"evidence:{known.payment}"),
        )
        await self._alarms.raise_(seen, actor=DAEMON)

    async def _send_somebody(self, name: str, life: Life, known: _Known) -> None:
        """Open a field order for what is still undecided; once, also when it was closed meanwhile."""
        if _FIELD in known.told or life.state is OrderState.WAITING_FOR_KEY:
            return  # current comes back as soon as somebody presses the key
        if await self._book.acts.last_of(Topic.WORK, f"{_FIELD}{name}") is None:
            minutes = RECONNECTED_WITHIN // timedelta(minutes=1)
            why = (
                f"paid ({known.payment}) more than {minutes} minutes ago, and order {name} "
                f"({life.order.kind.value}) is still {life.state.value}"
            )
            await self._work.open(
                WorkKind.FIELD_ORDER, why[:WORDS_MAX], actor=DAEMON, meter=known.meter, order=name
            )
        known.told.add(_FIELD)

    async def _read(self, name: str) -> _Known:
        try:
            acts = await self._book.acts_of(name)
        except Unknown:
            return _Known()  # a field order of something else
        life = await self._book.read(name)
        name_of_payment = life.order.payment or life.payment
        payment = await self._book.acts.of_subject(Topic.EVIDENCE, name_of_payment)
        sent = (self._timeline.lived(kept.act.at) for kept in acts if kept.act.verb == Signal.INTEND)
        is_trip = life.order.kind is OrderKind.TRIP
        return _Known(
            meter=life.order.meter,
            is_trip=is_trip,
            payment=name_of_payment,
            paid_at=self._timeline.lived(payment[0].act.at) if payment else None,
            first_sent_at=None if is_trip else next(sent, None),
        )


def _is_reconnection(life: Life) -> bool:
    return life.order.kind in CLOSES and life.order.origin is Origin.PAYMENT


def _delays_one(life: Life) -> bool:
    """Whether it is a trip that was paid for after it was sent: only its end brings the reconnection."""
    return life.order.kind is OrderKind.TRIP and bool(life.payment)
