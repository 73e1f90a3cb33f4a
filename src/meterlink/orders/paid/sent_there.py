"""Whether somebody is sent to a house already, to bring the current back for which another order goes there.

Several records may clear one debt, and a reconnection that a hold has stopped begins again as a new order.
All of them have one field order, until the contact is seen closed: two items would send two people to one
house, one of them with a reason that is gone.

Source: CTRL-17.
"""

from __future__ import annotations

from meterlink.errors import Unknown
from meterlink.model.act import Act, Topic
from meterlink.model.order import CLOSES, Order, Origin
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.book import Book


async def sent_there(book: Book, order: Order) -> Act | None:
    """The newest act of the open field order of the same household; ``None``: nobody is sent there.

    Args:
        book: the orders, and the log of the items.
        order: of one that a person ordered there is none: it stands for itself.

    Raises:
        JournalError: the log cannot be read.

    """
    if not _is_of_wait(order):
        return None
    newest: dict[str, Act] = {}
    orders: dict[str, str] = {}
    async for kept in book.acts.all_of_meter(order.meter, Topic.WORK):
        newest[kept.act.subject] = kept.act
        if kept.act.verb == "open" and kept.act.body["kind"] == WorkKind.FIELD_ORDER:
            orders[kept.act.subject] = kept.act.body["order"]
    for subject, name in reversed(orders.items()):
        if newest[subject].is_open and await _is_sent_for_wait(book, name):
            return newest[subject]
    return None


async def _is_sent_for_wait(book: Book, name: str) -> bool:
    """Whether an order left its field order because somebody waits for current."""
    try:
        return _is_of_wait((await book.read(name)).order)
    except Unknown:  # people may have written anything there
        return False


def _is_of_wait(order: Order) -> bool:
    """Whether a field order about it sends somebody to those who wait: for a trip there is none but theirs.

    A closing that a person ordered stands for itself, and so does what a probe left.
    """
    if order.origin is Origin.PROBE:
        return False
    return order.origin is Origin.PAYMENT or order.kind not in CLOSES
