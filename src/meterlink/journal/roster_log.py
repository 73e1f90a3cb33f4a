"""The roster of the journal as the other rooms see it: read whole, changed all or none, never unseen.

Each revision is one act, so that it stands in the chain with who and when; its step is the number of the
revision, so that of two who change the roster at once only the first can. What became other stands beside
the act: a hundred thousand acts for one import would be a hundred thousand rows for every sink, and the
digest in the one act holds them as fast.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from meterlink.clock import Clock
from meterlink.errors import JournalError, StepTaken
from meterlink.journal import act_rows, held_rows, roster_rows
from meterlink.journal.acts import Growth, Read
from meterlink.journal.cells import micros
from meterlink.journal.judged import Judge
from meterlink.journal.store import Step
from meterlink.model.act import Act, Topic
from meterlink.model.history import Shown
from meterlink.model.marks import Standing
from meterlink.model.roster_change import SUBJECT, EntryChange, KeptChange, KeptRoster

CHANGES_MAX: Final = 200_000
"""Changes in one revision: every meter of one roster goes, and every one of another comes."""
HISTORY_MAX: Final = 1_000
"""Changes of one meter that one look brings, at most."""


def _nobody() -> Judge | None:
    return None


@dataclass(frozen=True, slots=True)
class RosterLog:
    """The roster of one journal; ``Journal.roster``.

    Args:
        change: commits a step together with whatever else waits for the disk.
        read: looks into the file.
        clock: gives ``kept_at``.
        boot: number of the daemon's start.
        growth: of the acts; is told of one more.
        judge: gives who marks readings; ``None``: nobody does.

    """

    change: Callable[[Step], Awaitable[int]]
    read: Read
    clock: Clock
    boot: Callable[[], int]
    growth: Growth
    judge: Callable[[], Judge | None] = _nobody

    async def kept(self) -> KeptRoster:
        """The roster, with its revision.

        Raises:
            JournalError: the file cannot be read, or an entry is damaged.

        """
        return await self.read(lambda store: store.look(roster_rows.roster))

    async def apply(self, act: Act, changes: Sequence[EntryChange], before: KeptRoster) -> int:
        """Keep a revision, all of it or nothing; its number, once it is on disk.

        Cancelled while waiting, it may have been kept or not: look.

        Args:
            act: of topic ``roster`` and subject ``SUBJECT``; its step is the one behind ``before.revision``.
            changes: at most one an entry, and at most ``CHANGES_MAX``.
            before: the roster that they are changes of.

        Raises:
            StepTaken: the roster has become another since; nothing was kept.
            JournalError: nothing was kept: disk full, file locked or damaged, journal closed.
            ValueError: the revision is malformed, a bug of who made it.

        """
        if not 1 <= len(changes) <= CHANGES_MAX:
            raise ValueError(f"{len(changes)} changes at once: 1 to {CHANGES_MAX}")
        if (act.topic, act.subject, act.step) != (Topic.ROSTER, SUBJECT, before.revision + 1):
            raise ValueError("the act tells of another revision")
        # Neither on the loop nor where readings are kept: a whole roster is seconds of work.
        revision = await asyncio.to_thread(roster_rows.prepared, act, changes, before)
        kept_at = micros(self.clock.utc_now())

        def step(db: sqlite3.Connection) -> int:
            self.growth.begun += 1
            return roster_rows.insert(db, self.boot(), revision, kept_at, self.judge())

        log_id = await self.change(step)
        if log_id == act_rows.TAKEN:
            raise StepTaken(f"the roster is no longer that of revision {before.revision}: look again")
        if log_id == act_rows.BROKEN:
            raise JournalError("the last act in the journal is damaged: see `meterlink audit verify`")
        self.growth.note()
        return act.step

    async def changes_of(self, meter: str, *, limit: int = HISTORY_MAX) -> list[KeptChange]:
        """The newest changes of a meter's entry, oldest first.

        Raises:
            JournalError: the file cannot be read, or a change is damaged.

        """
        look = partial(roster_rows.changes_of, meter=meter, limit=min(limit, HISTORY_MAX))
        return await self.read(lambda store: store.look(look))

    async def newest_shown(self, meter: str, item: str, *, until: datetime) -> Shown | None:
        """What a meter showed last of an item, as far as billing may use it; ``None``: there is nothing.

        Args:
            meter: our id of it.
            item: the register.
            until: what was shown later does not count; aware.

        Raises:
            JournalError: the file cannot be read.

        """
        look = partial(roster_rows.newest_shown, meter=meter, item=item, until=until)
        return await self.read(lambda store: store.look(look))

    async def valid_days(self, meter: str, item: str, slots: tuple[datetime, datetime]) -> list[Shown]:
        """What a meter showed in its freezes with nothing doubtful about it, oldest first.

        Args:
            meter: our id of it.
            item: the register.
            slots: from the first on and before the second; some months at most, aware.

        Raises:
            JournalError: the file cannot be read.

        """
        look = partial(held_rows.held, meter=meter, item=item, slots=slots, day_of=datetime.date)
        found = await self.read(lambda store: store.look(look))
        sound = [one for one in found if one.marks.standing is Standing.VALID]
        return [Shown(one.slot, one.value) for one in sound if one.value is not None]

    async def told_gone(self) -> set[str]:
        """Our ids of the meters of which it was ever told that they were taken out, and what they showed.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self.read(lambda store: store.look(roster_rows.told_gone))

    async def told_since(self, after: int, since: datetime) -> tuple[int, set[str]]:
        """Of which meters it was told what they showed when they came or went.

        Args:
            after: number of a revision; those behind it are looked at.
            since: and that were kept since then; aware.

        Returns:
            the newest revision, and our ids of the meters.

        Raises:
            JournalError: the file cannot be read.

        """

        def look(db: sqlite3.Connection) -> tuple[int, set[str]]:
            return roster_rows.revision(db), roster_rows.told_since(db, after, since)

        return await self.read(lambda store: store.look(look))
