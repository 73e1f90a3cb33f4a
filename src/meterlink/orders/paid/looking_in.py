"""Looking in on who waits for current: somebody may have closed the contact, and no order of ours tells it.

Staff who are sent to a house close with a hand-held unit, and a reconnection that has ended reads nothing
back any more. So as long as somebody waits and no order looks at the meter by itself, the meter is asked how
its switch stands: every ``EVERY``, after a day every ``SELDOM``, for ``DAYS_MAX``; and, where there was no
line, as soon as there is one. It is never more than reads, behind whatever else wants the line. Each line has
one task at most, which may outlive the round that began it: a line that is busy holds up no other.

A look that shows command and contact closed, and voltage, ends the wait and calls back who is on the way, in
one transaction. It tells since when by the record of the meter, if that is from behind the last look that
showed it open. Nothing else ends by it: an order that is open stays, and so do alarms.

Source: CTRL-16, CTRL-17, CTRL-19; business-rules 2.2, FIELD_ORDER.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.drivers.control import Standing
from meterlink.errors import LineError, MeterlinkError
from meterlink.model.act import Act, Topic
from meterlink.model.order import CLOSES, OrderKind, OrderState, Origin
from meterlink.orders.attention.looking_after import looking_after
from meterlink.orders.book import Book
from meterlink.orders.dispatch.looking import look_out
from meterlink.orders.dispatch.reach import Reach
from meterlink.orders.life import witnesses
from meterlink.orders.life.closed_since import told_since
from meterlink.orders.life.life import Life
from meterlink.orders.life.look import Look
from meterlink.orders.life.switch_facts import SwitchFacts
from meterlink.orders.life.witnesses import Word
from meterlink.orders.paid.arrived import Arrived
from meterlink.orders.people import DAEMON
from meterlink.orders.waiting.seen import SEEN_CLOSED
from meterlink.orders.waiting.wait import Wait
from meterlink.roster.roster import Roster

EVERY: Final = timedelta(minutes=10)
"""Between two looks at one meter on the first day of a wait."""
SELDOM: Final = timedelta(hours=1)
"""The same, later."""
OFTEN_FOR: Final = timedelta(days=1)
"""How long a wait is looked after that often. Source: CTRL-17, a day to current."""
DAYS_MAX: Final = timedelta(days=30)
"""Longest that a wait is looked after; who comes back later tells of it by an order or a work item."""
EVERY_S: Final = 60.0
"""Between two looks whether anything is due."""
LEFT_ALONE: Final = timedelta(minutes=10)
"""How long a closing that was sent is looked at by itself often enough."""
_UNDER_WAY: Final = frozenset({OrderState.SENDING, OrderState.ACCEPTED, OrderState.UNCONFIRMED})
_KIND: Final = OrderKind.DIRECT_CLOSE
"""Of what the witnesses speak: any closing, whoever did it."""

_log = structlog.get_logger(__name__)


class AtMeter(Protocol):
    """The line of a meter, for looks."""

    def __call__(
        self, meter: str, priority: Priority
    ) -> AbstractAsyncContextManager[tuple[Exchanging, Reach]]:
        """Hold it.

        Raises:
            LineClosed: it is not up.
            NoControl: the meter's protocol has no orders.

        """
        ...


class LookingIn:
    """Looks in on who waits.

    Args:
        book: the orders.
        roster: the meters.
        waits: who waits.
        arrived: knows who is on the way.
        at_meter: the lines.

    """

    def __init__(
        self,
        book: Book,
        roster: Roster,
        waits: Callable[[], Collection[Wait]],
        arrived: Arrived,
        at_meter: AtMeter,
    ) -> None:
        self._book = book
        self._timeline = book.timeline
        self._roster = roster
        self._waits = waits
        self._arrived = arrived
        self._at_meter = at_meter
        self._next: dict[str, datetime] = {}
        self._open: dict[str, datetime] = {}
        self._at_work: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        try:
            await looking_after(self.look, every_s=EVERY_S, trouble="supply_unknown")
        finally:
            tasks = [*self._at_work.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def look(self) -> None:
        """Begin to look at each meter that is due, those of one line one after the other."""
        waits = {wait.meter: wait for wait in self._waits()}
        self._next = {name: at for name, at in self._next.items() if name in waits}
        self._open = {name: at for name, at in self._open.items() if name in waits}
        by_line: dict[str, list[Wait]] = defaultdict(list)
        for wait in waits.values():
            meter = self._roster.meter(wait.meter)
            if meter is not None and self._is_due(wait):
                by_line[meter.line].append(wait)
        self._at_work = {name: task for name, task in self._at_work.items() if not task.done()}
        for name, due in by_line.items():
            if name not in self._at_work:
                task = asyncio.create_task(self._all(due), name=f"orders.looking_in.{name}")
                self._at_work[name] = task

    def _is_due(self, wait: Wait) -> bool:
        now = self._timeline.now()
        if now - self._timeline.lived(wait.since) > DAYS_MAX or self._next.get(wait.meter, now) > now:
            return False
        return not is_looked_after(self._book.open_of(wait.meter), now, self._timeline.lived)

    def _still_waits(self, wait: Wait) -> bool:
        """Whether that wait goes on, and nothing else looks after it; asked long after the round began."""
        is_on = any((one.meter, one.cause) == (wait.meter, wait.cause) for one in self._waits())
        return is_on and self._is_due(wait)

    async def _all(self, waits: Iterable[Wait]) -> None:
        for wait in waits:
            await self._each(wait)

    async def _each(self, wait: Wait) -> None:
        """One meter that cannot be seen is not its neighbours' matter; without a line it is tried again."""
        now = self._timeline.now()
        is_new = now - self._timeline.lived(wait.since) < OFTEN_FOR
        try:
            if not self._still_waits(wait):
                return
            await self._look_at(wait)
        except LineError as error:
            _log.debug("supply_unseen", meter=wait.meter, reason=str(error))
            return
        except MeterlinkError as error:
            _log.info("supply_unseen", meter=wait.meter, reason=str(error))
        except Exception as error:  # noqa: BLE001 (a bug that one meter meets is not its neighbours')
            _log.error("supply_look_crashed", meter=wait.meter, exc_info=error)
        self._next[wait.meter] = now + (EVERY if is_new else SELDOM)

    async def _look_at(self, wait: Wait) -> None:
        """Look, and write it down before anything else can have the line."""
        async with self._at_meter(wait.meter, Priority.CURVE) as (held, reach):
            address = reach.meter.address
            found = (await reach.driver.identity(held, address)).meter_number
            if found != reach.meter.meter_number:
                _log.warning("supply_of_another_meter", meter=wait.meter, found=found)
                return
            facts = await reach.facts(None)
            started_at = self._timeline.stamp()
            standing: Standing = await reach.driver.standing(held, address, facts.known)
            if standing.contact_open is True:
                self._open[wait.meter] = started_at
            if not shows_supply(standing, facts) or not self._still_waits(wait):
                return
            await self._end(wait, Look(started_at=started_at, seen=standing), standing)

    async def _end(self, wait: Wait, look: Look, standing: Standing) -> None:
        """Nobody waits there any more, and nobody need go there."""
        acts, at = self._book.acts, self._timeline.stamp()
        last = await acts.last_of(Topic.SUPPLY, wait.meter)
        since = told_since(standing, look.started_at, open_at=self._open.get(wait.meter))
        seen = Act(
            topic=Topic.SUPPLY,
            subject=wait.meter,
            step=last.act.step + 1 if last else 1,
            verb=SEEN_CLOSED,
            at=at,
            actor=DAEMON,
            meter=wait.meter,
            body={"cause": wait.cause, "order": wait.order, "look": look_out(look), **since},
        )
        why = "the meter was looked at: command and contact are closed, and there is voltage"
        await acts.append(seen, *await self._arrived.called_back(wait.meter, why, at))
        _log.info("supply_seen", meter=wait.meter, cause=wait.cause)


def shows_supply(standing: Standing, facts: SwitchFacts) -> bool:
    """Whether a look shows that supply is back: command and contact closed, and voltage. Source: CTRL-19."""
    if witnesses.of_status(_KIND, standing) is not Word.FOR or witnesses.is_dead(standing):
        return False
    return witnesses.of_flow(_KIND, standing, facts.basic_current_a) is Word.FOR


def is_looked_after(lives: Iterable[Life], now: datetime, lived: Callable[[datetime], datetime]) -> bool:
    """Whether an order of a meter looks at it by itself, or may still open its contact.

    Args:
        lives: the open ones of the meter.
        now: lived time.
        lived: when something was that is written in the log.

    """
    return any(_looks(life, now, lived) for life in lives)


def _looks(life: Life, now: datetime, lived: Callable[[datetime], datetime]) -> bool:
    if life.order.kind is OrderKind.TRIP:
        return life.transmissions > 0
    if life.order.kind not in CLOSES:
        return False
    if life.state in _UNDER_WAY or life.state is OrderState.WAITING_FOR_KEY:
        return True
    if life.state is OrderState.READBACK:
        return now - lived(life.since) < LEFT_ALONE
    return life.order.origin is Origin.PAYMENT
