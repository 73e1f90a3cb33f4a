"""What an order names must be there: its meter and its case; an id that is there names the same order."""

from __future__ import annotations

from typing import Final

from meterlink.errors import NoSuchCase, OrderClash, Unknown
from meterlink.journal.acts import ActLog
from meterlink.model.act import Topic
from meterlink.model.order import Order
from meterlink.orders.book import Book
from meterlink.orders.life.life import Life
from meterlink.roster.roster import Roster

CASES_TOLD_MAX: Final = 5
"""Cases that whoever names none of them is told of, the newest."""


async def check_names(acts: ActLog, roster: Roster, order: Order) -> None:
    """Refuse an order of a meter or a case that there is not: nobody could follow why it was given.

    Args:
        acts: the log.
        roster: the meters.
        order: as somebody gives it.

    Raises:
        Unknown: there is none.
        JournalError: the log cannot be read.

    """
    meter = roster.meter(order.meter)
    if meter is None:
        raise Unknown(f"there is no meter {order.meter!r}")
    if not order.case:
        return
    names = (*meter.predecessors, meter.id)
    last = await acts.last_of(Topic.CASE, order.case)
    if last is None or last.act.meter not in names:
        there = [kept.act.subject for name in names async for kept in acts.all_of_meter(name, Topic.CASE)]
        raise NoSuchCase(order.case, meter.id, list(dict.fromkeys(there))[-CASES_TOLD_MAX:])


async def told_before(book: Book, order: Order) -> Life | None:
    """The order of that id, if it was told before; ``None``: it is a new one.

    Raises:
        OrderClash: it wants something else.
        JournalError: the log cannot be read.

    """
    try:
        life = await book.read(order.id)
    except Unknown:
        return None
    if not life.wants_the_same(order):
        raise OrderClash(f"order {order.id!r} is there already and wants something else")
    return life
