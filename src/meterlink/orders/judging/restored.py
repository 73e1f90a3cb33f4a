"""Whether the log is the newest there is; if not, no order goes until two people have looked.

A journal that was put back from a copy does not know what was done since: it would cut off again who has paid
since, and bring money to a meter twice. Nobody but people can say what those orders were: they look at the
meters, the billing system and the old journal, cancel what was done, and say so, one after the other.

A copy is known by the mark, which follows the log: before anybody is answered, and within a second of what
the program does by itself.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from meterlink.errors import JournalError, NotAllowed, NotEntitled
from meterlink.journal.acts import ActLog
from meterlink.journal.sent_mark import SentMark
from meterlink.model.act import Act, KeptAct, Topic
from meterlink.orders.attention.alarms import Alarms, Seen
from meterlink.orders.judging.least_time import TRUST, TRUST_SUBJECT, LeastTime
from meterlink.orders.life.timeline import Timeline
from meterlink.orders.people import THE_DAEMON, Actor, Deed

JOURNAL_RESTORED: Final = "JOURNAL_RESTORED"
WHY_MAX: Final = 200
"""Characters of a reason."""
ASK_MAX: Final = timedelta(hours=1)
"""How long the word of the first person waits for that of a second."""
FOLLOWED_EVERY_S: Final = 1.0
"""Between two times at which the mark follows what the program does by itself."""

_log = structlog.get_logger(__name__)


class Restored:
    """The doubt about one log.

    Args:
        acts: the log.
        mark: names an act that it must have.
        timeline: how long ago something was.
        wall: what the gateway's clock must show, which the same two people may trust.

    """

    def __init__(self, acts: ActLog, mark: SentMark, timeline: Timeline, wall: LeastTime) -> None:
        self._acts = acts
        self._mark = mark
        self._timeline = timeline
        self._wall = wall
        self.doubt = ""
        self.asked_by = ""

    async def load(self, alarms: Alarms) -> None:
        """Look whether the log is the newest; before anything is sent.

        Raises:
            JournalError: the log or the mark cannot be read or written.

        """
        self.doubt = await self._mark.doubt()
        if self.doubt:
            await self._append("doubt", THE_DAEMON, self.doubt, is_open=True)
            await alarms.raise_(Seen(rule=JOURNAL_RESTORED, origin="LOG-01", value=self.doubt))

    async def follow(self) -> None:
        """Let the mark name the newest act; where that cannot be written, no frame leaves either."""
        try:
            await self._mark.follow()
        except JournalError as error:
            _log.error("mark_not_set", reason=str(error))

    async def run(self) -> None:
        """Let the mark follow what the program does by itself, until cancelled."""
        while True:
            grown = self._acts.growth.count
            await self.follow()
            await asyncio.sleep(FOLLOWED_EVERY_S)
            await self._acts.growth.beyond(grown)

    async def trust(self, actor: Actor, why: str) -> bool:
        """Say that what the log does not know has been looked after, or agree as a second person.

        Args:
            actor: who.
            why: what was looked at.

        Returns:
            whether orders go from now on.

        Raises:
            NotEntitled: the actor may not.
            NotAllowed: nobody doubts the log (``not_doubted``).
            ValueError: no reason, or a long one.
            StepTaken: somebody else was first; look again.
            JournalError: it was not kept; the doubt stays.

        """
        if not actor.may(Deed.RESUME):
            raise NotEntitled(f"{actor.name} may not trust the journal: no role of theirs allows it")
        if not self.doubt and not self._wall.is_behind:
            raise NotAllowed("nobody doubts the journal or the clock", why="not_doubted")
        if not 1 <= len(why.strip()) <= len(why) <= WHY_MAX:
            raise ValueError(f"say what was looked at, in 1 to {WHY_MAX} characters")
        last = await self._acts.last_of(Topic.POLICY, TRUST_SUBJECT)
        if not (last and self._is_first_of_two(last.act, actor)):
            await self._append("ask", actor, why, is_open=True)
            self.asked_by = actor.name
            return False
        await self._mark.set(await self._append(TRUST, actor, why, is_open=False))
        self._wall.trust()
        self.doubt = self.asked_by = ""
        return True

    def _is_first_of_two(self, last: Act, actor: Actor) -> bool:
        """Whether another person has said so within the hour, of this life of the program."""
        is_other = last.verb == "ask" and last.actor == self.asked_by != actor.name
        return is_other and self._timeline.left(last.at + ASK_MAX, last.at) >= timedelta()

    async def _append(self, verb: str, actor: Actor, why: str, *, is_open: bool) -> KeptAct:
        last = await self._acts.last_of(Topic.POLICY, TRUST_SUBJECT)
        step = last.act.step + 1 if last else 1
        await self._acts.append(
            Act(
                topic=Topic.POLICY,
                subject=TRUST_SUBJECT,
                step=step,
                verb=verb,
                at=self._timeline.stamp(),
                actor=actor.name,
                body={"why": why, **actor.noted},
                is_open=is_open,
            )
        )
        kept = await self._acts.last_of(Topic.POLICY, TRUST_SUBJECT)
        assert kept is not None, "it has just been appended"
        return kept
