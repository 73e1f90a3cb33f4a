"""Whether somebody is sent to a house already, because of the record for which another order goes there.

A reconnection that a hold has stopped begins again as a new order of the same cause. Its field order is that
of the first one: two items would send two people to one house, one of them with a reason that is gone.

Source: CTRL-17.
"""

from __future__ import annotations

from meterlink.errors import Unknown
from meterlink.model.act import Act, Topic
from meterlink.model.order import Order, Origin
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.book import Book


async def sent_there(book: Book, order: Order) -> Act | None:
    """The newest act of the open field order of the same meter and cause; ``None``: nobody is sent there.

    Args:
        book: the orders, and the log of the items.
        order: of one that a person ordered there is none: it stands for itself.

    Raises:
        JournalError: the log cannot be read.

    """
    if order.origin is not Origin.PAYMENT:
        return None
    newest: dict[str, Act] = {}
    orders: dict[str, str] = {}
    async for kept in book.acts.all_of_meter(order.meter, Topic.WORK):
        newest[kept.act.subject] = kept.act
        if kept.act.verb == "open" and kept.act.body["kind"] == WorkKind.FIELD_ORDER:
            orders[kept.act.subject] = kept.act.body["order"]
    for subject, name in reversed(orders.items()):
        if newest[subject].is_open and await _is_of_cause(book, name, order):
            return newest[subject]
    return None


async def _is_of_cause(book: Book, name: str, order: Order) -> bool:
    """Whether an order goes by itself for the same record as another one."""
    try:
        other = (await book.read(name)).order
    except Unknown:  # people may have written anything there
        return False
    cause = order.payment or order.reference
    return other.origin is Origin.PAYMENT and (other.payment or other.reference) == cause
