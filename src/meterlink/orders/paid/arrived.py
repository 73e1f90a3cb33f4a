"""Current is back at a meter: whoever is on the way there to close by hand need not go any more.

Work that sends somebody to a meter is opened for many reasons: an order that ended otherwise, a payer who
waits, a qualification that was left. One proof that the contact is closed answers all of them, so the items
are closed in the transaction of the step that proves it. Source: CTRL-17; decision 35.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, Topic
from meterlink.model.order import CLOSES, OrderState
from meterlink.orders.attention.words import WORDS_MAX
from meterlink.orders.attention.work import closing
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.life.history import NOT_NEEDED, stopped_by
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.people import DAEMON
from meterlink.roster.roster import Roster


class Arrived:
    """Goes with every step; see ``Companion``.

    Args:
        acts: the log.
        roster: the meters, and those before them.

    """

    def __init__(self, acts: ActLog, roster: Roster) -> None:
        self._acts = acts
        self._roster = roster

    async def beside(self, before: Life, after: Life, act: Act) -> Sequence[Act]:
        """See ``Companion.beside``."""
        if not _shows_closed(before, after, act):
            return ()
        why = f"order {after.order.id} ({after.order.kind.value}) shows that the contact is closed"
        return await self.called_back(after.order.meter, why, act.at)

    async def called_back(self, meter_id: str, why: str, at: datetime) -> list[Act]:
        """The ends of all open items that send somebody to a meter.

        Args:
            meter_id: ours.
            why: for people.
            at: now.

        Raises:
            JournalError: the log cannot be read.

        """
        meter = self._roster.meter(meter_id)
        names = (*(meter.predecessors if meter else ()), meter_id)
        items = [one for name in names for one in await self._open_of(name)]
        return [closing(item, why[:WORDS_MAX], at=at, actor=DAEMON) for item in items]

    def kept(self, acts: Iterable[Act]) -> None:
        """See ``Companion.kept``."""

    async def _open_of(self, meter: str) -> list[Act]:
        """The newest act of each open item that sends somebody to a meter."""
        newest = {kept.act.subject: kept.act async for kept in self._acts.all_of_meter(meter, Topic.WORK)}
        sent = f"{WorkKind.FIELD_ORDER.value}:"
        return [act for name, act in newest.items() if name.startswith(sent) and act.is_open]


def _shows_closed(before: Life, after: Life, act: Act) -> bool:
    """Whether a step proves that a contact is closed: by a look, or by two persons."""
    if after.order.kind not in CLOSES:
        return False
    if after.state is OrderState.REFUSED:
        return act.verb == Signal.REFUSE and stopped_by(act) == NOT_NEEDED
    is_found = after.finding_of_two == "done" and before.finding_of_two != "done"
    return is_found or (after.state is OrderState.DONE and before.state is not OrderState.DONE)
