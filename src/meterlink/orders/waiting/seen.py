"""That a contact was seen closed, with voltage, where somebody waited for current and no order told it.

Staff close with a hand-held unit, and no order of ours can prove what it did not do. Such a look is an act of
its own, about the meter and not about an order: it ends the wait, and sends nothing.

Source: CTRL-16, CTRL-17, CTRL-19.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from meterlink.journal.acts import ActLog
from meterlink.model.act import KeptAct, Topic

SEEN_CLOSED: Final = "seen_closed"
"""The verb of such an act; its subject is our id of the meter."""


async def seen_closed(acts: ActLog, meters: Iterable[str]) -> list[KeptAct]:
    """Every look of that kind at some meters, in the order of the log.

    Raises:
        JournalError: the log cannot be read.

    """
    found = [kept for name in meters async for kept in acts.all_of_meter(name, Topic.SUPPLY)]
    return sorted(
        (kept for kept in found if kept.act.verb == SEEN_CLOSED and kept.act.subject == kept.act.meter),
        key=lambda kept: kept.number,
    )
