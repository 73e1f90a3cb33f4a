"""Taking an order back whose line may be taking a step of it at this moment.

What takes orders back (a person, a dispute, a protection, a closing that goes first) takes back one that
waits to be sent again like one that was never sent: in both nothing has had effect, and nothing can. Which
step that is stands in ``Life.withdrawal``; whoever writes the next step first wins, and then it is looked
again.

Source: decisions 21 and 22; business-rules 2.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import structlog

from meterlink.errors import NotAllowed, Overtaken, StepTaken
from meterlink.orders.book import INSIST_MAX, Book
from meterlink.orders.life.life import Life
from meterlink.orders.people import DAEMON

_log: Final = structlog.get_logger(__name__)


async def withdraw(book: Book, life: Life, body: Mapping[str, Any]) -> Life:
    """Take an order back if that is possible now; how it stands then.

    Args:
        book: the orders.
        life: the order, as it was looked at.
        body: what there is to say.

    Raises:
        JournalError: nothing was written.

    """
    for _ in range(INSIST_MAX):
        signal = life.withdrawal
        if signal is None:
            break
        try:
            return await book.step(life, signal, actor=DAEMON, body=body)
        except (StepTaken, Overtaken):
            life = await book.read(life.order.id)
        except NotAllowed:
            break
    _log.warning("order_not_withdrawn", order=life.order.id, state=life.state.value)
    return life
