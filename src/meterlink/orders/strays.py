"""Orders whose meter is no longer in service: nobody would ever carry them on.

What has not been sent is refused. What has may have been obeyed, and no line leads to the meter any more: a
person has to look, and the order stays as it is until its meter is back.
"""

from __future__ import annotations

from contextlib import suppress

from meterlink.errors import StepTaken
from meterlink.orders.attention.work import WorkItems, WorkKind
from meterlink.orders.book import Book
from meterlink.orders.life.machine import Signal
from meterlink.orders.people import DAEMON
from meterlink.roster.roster import Roster


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
        """Refuse those that have not been sent, and open a work item for the others.

        Raises:
            JournalError: the log cannot be written or read.

        """
        for life in self._book.open_orders():
            order = life.order
            if self._roster.meter(order.meter) is not None:
                continue
            told = f"meter {order.meter} is not in the configuration any more"
            if life.is_before_sending:
                with suppress(StepTaken):  # somebody has just ended it
                    await self._book.step(life, Signal.REFUSE, actor=DAEMON, body={"told": told})
            else:
                why = f"order {order.id} ({order.kind.value}) was sent, and {told}"
                kind = WorkKind.UNKNOWN_OUTCOME
                await self._work.open(kind, why, actor=DAEMON, meter=order.meter, order=order.id)
