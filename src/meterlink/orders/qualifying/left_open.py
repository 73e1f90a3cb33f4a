"""Who is in the dark because of a qualification that nobody goes on with: an alarm, and somebody's work.

A walk rests when the person has gone, or the daemon or the line is gone; it ends when the person leaves, or
at a stop. What its orders and those after them saw last tells whether the contact is open then. All of it
follows from the log, so a restart forgets nobody, and a look at a log that has not grown reads nothing again.
Where a walk has ended so, the next one at that meter closes, and nothing else. Source: decision 33.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from meterlink.model.act import Topic
from meterlink.orders.attention.alarms import Alarms, Seen
from meterlink.orders.attention.looking_after import looking_after
from meterlink.orders.attention.words import WORDS_MAX
from meterlink.orders.attention.work import WorkItems, item_id
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.book import Book
from meterlink.orders.people import DAEMON
from meterlink.orders.qualification.facts import MODELS_MAX
from meterlink.orders.qualification.walk import SESSIONS, Walk
from meterlink.orders.qualifying.walks import opened_by, rests

LEFT_OPEN: Final = "PROBE_LEFT_OPEN"
"""The alarm that a qualification has left a contact open."""
EVERY_S: Final = 60.0
"""Between two looks."""
ENDED_WITHIN: Final = timedelta(days=1)
"""So long ago a walk may have ended that is looked at: the daemon may have been away."""

_log = structlog.get_logger(__name__)


class LeftOpen:
    """Looks after the meters of walks that rest, or that have ended.

    Args:
        book: the orders.
        alarms: where it is told.
        work: sends somebody there.

    """

    def __init__(self, book: Book, alarms: Alarms, work: WorkItems) -> None:
        self._book = book
        self._acts = book.acts
        self._alarms = alarms
        self._work = work
        self._timeline = book.timeline
        self._begun = -1
        self._names: list[str] | None = None
        self._walks: dict[str, Walk | None] = {}
        self._opened: dict[str, str] = {}
        self._told: set[str] = set()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        await looking_after(self.look, every_s=EVERY_S, trouble="walks_unknown")

    async def look(self) -> None:
        """Tell of every contact that a walk has left open, once for each order that was the last to move it.

        Raises:
            JournalError: the log cannot be read or written.

        """
        self._forget_when_grown()
        for walk in await self._left():
            if order_id := await self._opened_by(walk):
                await self._tell(walk, order_id)

    def _forget_when_grown(self) -> None:
        """Forget what the log said as soon as there is more in it: all the rest follows from the time."""
        begun = self._acts.growth.begun
        if begun != self._begun:
            self._begun, self._names, self._walks, self._opened = begun, None, {}, {}

    async def _left(self) -> list[Walk]:
        """Walks that nobody goes on with."""
        if self._names is None:
            self._names = await self._named()
        walks = [await self._walk_of(name) for name in self._names]
        return [
            walk for walk in walks if walk is not None and (not walk.is_open or rests(walk, self._timeline))
        ]

    async def _named(self) -> list[str]:
        """Walks that are open, or that had ended not long before the log grew last."""
        names = await self._acts.subjects(Topic.QUALIFICATION, only_open=True, limit=MODELS_MAX)
        since = self._timeline.now() + self._timeline.ahead - ENDED_WITHIN
        ended = await self._acts.of_verb(Topic.QUALIFICATION, "end", since=since)
        names = [*names, *(kept.act.subject for kept in ended)]
        return [name for name in dict.fromkeys(names) if name.startswith(SESSIONS)]

    async def _walk_of(self, name: str) -> Walk | None:
        if name not in self._walks:
            self._walks[name] = await self._read(name)
        return self._walks[name]

    async def _opened_by(self, walk: Walk) -> str:
        if walk.id not in self._opened:
            self._opened[walk.id] = await opened_by(self._acts, walk)
        return self._opened[walk.id]

    async def _read(self, name: str) -> Walk | None:
        try:
            return Walk.of(await self._acts.of_subject(Topic.QUALIFICATION, name))
        except (ValueError, KeyError, TypeError) as error:
            _log.error("walk_not_read", walk=name, reason=str(error))
            return None

    async def _tell(self, walk: Walk, order_id: str) -> None:
        if order_id in self._told:
            return
        rests = f"has ended ({walk.result})" if walk.result else "rests"
        why = (
            f"look at meter {walk.meter} and close it with `meterlink qualify {walk.meter}`: the contact is "
            f"open, or may be, since order {order_id}, and the qualification {walk.id} of {walk.by} {rests}"
        )
        seen = Seen(rule=LEFT_OPEN, origin="PROBE-01", meter=walk.meter, evidence=(f"order:{order_id}",))
        if not await self._is_raised(seen):
            await self._alarms.raise_(seen, actor=DAEMON)
        if await self._acts.last_of(Topic.WORK, item_id(WorkKind.FIELD_ORDER, order_id)) is None:
            await self._send(walk, order_id, why)
        self._told.add(order_id)

    async def _is_raised(self, seen: Seen) -> bool:
        """Whether somebody was alarmed because of that order: on an earlier day, by an earlier program."""
        return any(
            [
                kept.act.body.get("rule") == seen.rule
                and seen.evidence[0] in kept.act.body.get("evidence", ())
                async for kept in self._acts.all_of_meter(seen.meter, Topic.ALARM)
            ]
        )

    async def _send(self, walk: Walk, order_id: str, why: str) -> None:
        await self._work.open(
            WorkKind.FIELD_ORDER, why[:WORDS_MAX], actor=DAEMON, meter=walk.meter, order=order_id
        )
