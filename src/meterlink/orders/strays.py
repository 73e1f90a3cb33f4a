"""Orders whose meter is no longer in service: no line leads to it, so nobody would ever carry them on.

What has not been sent is refused, and what waits to be sent again is cancelled. What else was sent may have
been obeyed. Where the meter was exchanged, nobody can
read any more what it did: its outcome is unknown, and two people find it out. Otherwise it has the
day that every read-back has, because its meter may come back; then it is unknown as well.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from meterlink.errors import StepTaken
from meterlink.model.order import OrderKind, OrderState
from meterlink.orders.attention.work import WorkItems
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.book import Book
from meterlink.orders.dispatch.reading_back import watched_since
from meterlink.orders.dispatch.schedule import is_given_up
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.people import DAEMON
from meterlink.orders.withdrawing import withdraw
from meterlink.roster.roster import Roster

LOOKED_EVERY_S: Final = 600.0
"""How often it is looked whether the day of one of them is over."""
_TO_UNKNOWN: Final = {
    OrderState.SENDING: (Signal.LOSE, Signal.READ_BACK, Signal.GIVE_UP),
    OrderState.ACCEPTED: (Signal.READ_BACK, Signal.GIVE_UP),
    OrderState.UNCONFIRMED: (Signal.READ_BACK, Signal.GIVE_UP),
    OrderState.READBACK: (Signal.GIVE_UP,),
}
"""How an order that was sent comes to its end; every other one is left as it is."""


class Strays:
    """Finds them, at the start and whenever a meter has gone.

    Args:
        book: the orders.
        roster: the meters that there are.
        work: where it is told.

    """

    def __init__(self, book: Book, roster: Roster, work: WorkItems) -> None:
        self._book = book
        self._roster = roster
        self._work = work

    async def end(self) -> None:
        """Refuse those that have not been sent, end those that can be, and open work for the others.

        Raises:
            JournalError: the log cannot be written or read.

        """
        for life in self._strays():
            order = life.order
            told = f"meter {order.meter} is not in service here any more"
            if life.is_before_sending:
                with suppress(StepTaken):  # somebody has just ended it
                    await self._book.step(life, Signal.REFUSE, actor=DAEMON, body={"told": told})
            elif life.withdrawal is not None:
                await withdraw(self._book, life, {"told": told})
            elif not await self._given_up(life, told):
                why = f"order {order.id} ({order.kind.value}) was sent, and {told}"
                is_money = order.kind is OrderKind.TOP_UP
                kind = WorkKind.MANUAL if is_money else WorkKind.UNKNOWN_OUTCOME
                await self._work.open(kind, why, actor=DAEMON, meter=order.meter, order=order.id)

    async def end_old(self) -> None:
        """End those whose day is over; see ``end``."""
        for life in self._strays():
            if not life.is_before_sending:
                await self._given_up(life, f"meter {life.order.meter} has been away for a day")

    def _strays(self) -> list[Life]:
        return [one for one in self._book.open_orders() if self._roster.meter(one.order.meter) is None]

    async def _given_up(self, life: Life, told: str) -> bool:
        """End an order that was sent, if it is time; whether it has ended."""
        timeline = self._book.timeline
        is_old = life.sent is not None and is_given_up(timeline.lived(watched_since(life)), timeline.now())
        if not is_old and not self._roster.was_exchanged(life.order.meter):
            return False
        for signal in _TO_UNKNOWN.get(life.state, (Signal.LEAVE,)):
            life = await self._book.insist(life, signal, actor=DAEMON, body={"told": told})
        return True
