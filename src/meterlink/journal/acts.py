"""The acts of the log as the other rooms see them: appended all or none, and read."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final, Protocol, TypeVar

from meterlink.clock import Clock
from meterlink.errors import JournalError, Overtaken, StepTaken
from meterlink.journal import act_rows, checkpoint_rows
from meterlink.journal.cells import micros
from meterlink.journal.store import Step, Store, without_result
from meterlink.model.act import Act, Basis, KeptAct, Topic
from meterlink.model.checkpoint import Checkpoint

ACTS_AT_ONCE: Final = 64
"""Acts that are appended together, at most."""
_EVER: Final = datetime.fromtimestamp(0, UTC)
READ_MAX: Final = 10_000
"""Acts that one look brings, at most."""

_T = TypeVar("_T")


class Read(Protocol):
    """How the journal's file is looked into."""

    def __call__(self, work: Callable[[Store], _T]) -> Awaitable[_T]:
        """Do the work on the journal's thread."""


class Growth:
    """How often acts were appended since the start, and who waits for the next time.

    Attributes:
        count: as often, as those were told who appended them.
        begun: the same with those who did not wait, and perhaps some that were not kept. Whoever reads the
            file after this number sees all of them: while it is the same, there is nothing new to read.

    """

    def __init__(self) -> None:
        self.count = 0
        self.begun = 0
        self._next = asyncio.Event()

    def note(self) -> None:
        """Some were appended."""
        self.count += 1
        appended, self._next = self._next, asyncio.Event()
        appended.set()

    async def beyond(self, count: int) -> None:
        """Wait until it was more often than that."""
        while self.count <= count:
            await self._next.wait()


@dataclass(frozen=True, slots=True)
class ActLog:
    """The chain of acts of one journal; ``Journal.acts``.

    Args:
        change: commits a step together with whatever else waits for the disk.
        read: looks into the file.
        clock: gives ``kept_at``.
        boot: number of the daemon's start.
        growth: to wait for more acts.

    """

    change: Callable[[Step], Awaitable[int]]
    read: Read
    clock: Clock
    boot: Callable[[], int]
    growth: Growth = field(default_factory=Growth)

    async def append(self, *acts: Act, basis: Basis | None = None) -> int:
        """Append acts, all of them or none; the log id of the last, once they are on disk.

        Cancelled while waiting, they may have been appended or not: look.

        Args:
            acts: 1 to ``ACTS_AT_ONCE``; the step of each is the next one of its subject.
            basis: what they were decided by; ``None``: nothing that could change.

        Raises:
            StepTaken: the step of one of them is not the next: somebody else was first. None was appended.
            Overtaken: there are acts in the log beyond their basis. None was appended.
            JournalError: none was appended: disk full, file locked or damaged, journal closed.
            ValueError: an act is malformed, a bug of who made it.

        """
        if not 1 <= len(acts) <= ACTS_AT_ONCE:
            raise ValueError(f"{len(acts)} acts at once: 1 to {ACTS_AT_ONCE}")
        checked = act_rows.prepared(acts)
        kept_at = micros(self.clock.utc_now())

        def step(db: sqlite3.Connection) -> int:
            self.growth.begun += 1  # on the journal's thread: who looks behind it comes behind this there
            return act_rows.insert(db, self.boot(), checked, kept_at, basis)

        log_id = await self.change(step)
        if log_id == act_rows.OVERTAKEN:
            raise Overtaken("what this was decided by has changed meanwhile")
        if log_id == act_rows.TAKEN:
            told = ", ".join(f"{act.topic} {act.subject} step {act.step}" for act in acts)
            raise StepTaken(f"somebody else was first: {told}")
        if log_id == act_rows.BROKEN:
            raise JournalError("the last act in the journal is damaged: see `meterlink audit verify`")
        self.growth.note()
        return log_id

    async def of_subject(self, topic: Topic, subject: str) -> list[KeptAct]:
        """All acts of one subject, in order; empty when there is none.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self.read(
            lambda store: store.look(partial(act_rows.of_subject, topic=topic, subject=subject))
        )

    async def last_of(self, topic: Topic, subject: str) -> KeptAct | None:
        """The newest act of one subject, however many it has; ``None``: there is no such subject.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self.read(
            lambda store: store.look(partial(act_rows.last_of, topic=topic, subject=subject))
        )

    async def of_meter(
        self, meter: str, topics: Sequence[Topic], *, after: int = 0, limit: int = READ_MAX
    ) -> list[KeptAct]:
        """The acts that concern one meter, in order, behind a number of the chain.

        Raises:
            JournalError: the file cannot be read.

        """
        look = partial(act_rows.of_meter, meter=meter, topics=topics, after=after, limit=min(limit, READ_MAX))
        return await self.read(lambda store: store.look(look))

    async def all_of_meter(self, meter: str, topic: Topic, *, after: int = 0) -> AsyncIterator[KeptAct]:
        """Every act of a topic that concerns one meter, in order, behind a number of the chain.

        Raises:
            JournalError: the file cannot be read.

        """
        while True:
            page = await self.of_meter(meter, [topic], after=after)
            for kept in page:
                yield kept
            if len(page) < READ_MAX:
                return
            after = page[-1].number

    async def of_verb(
        self, topic: Topic, verb: str, *, since: datetime, limit: int = READ_MAX
    ) -> list[KeptAct]:
        """The newest acts of a verb since a time, oldest first.

        Raises:
            JournalError: the file cannot be read.

        """
        look = partial(act_rows.of_verb, topic=topic, verb=verb, since=since, limit=min(limit, READ_MAX))
        return await self.read(lambda store: store.look(look))

    async def after(self, number: int, *, limit: int = READ_MAX) -> list[KeptAct]:
        """The chain behind a number, in order.

        Raises:
            JournalError: the file cannot be read.

        """
        look = partial(act_rows.after, number=number, limit=min(limit, READ_MAX))
        return await self.read(lambda store: store.look(look))

    async def subjects(
        self, topic: Topic, *, only_open: bool, after: str = "", limit: int = READ_MAX
    ) -> list[str]:
        """Subjects of a topic in the order of their names, behind one; the open ones, or all.

        Raises:
            JournalError: the file cannot be read.

        """
        look = partial(
            act_rows.subjects,
            topic=topic,
            only_open=only_open,
            after_subject=after,
            limit=min(limit, READ_MAX),
        )
        return await self.read(lambda store: store.look(look))

    async def count(self, topic: Topic) -> int:
        """How many subjects a topic has.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self.read(lambda store: store.look(partial(act_rows.count, topic=topic)))

    async def newest_subjects(self, topic: Topic, first_verb: str, *, limit: int) -> list[str]:
        """The subjects that began last, oldest first.

        Args:
            topic: of them.
            first_verb: of the act that begins each.
            limit: most of them.

        Raises:
            JournalError: the file cannot be read.

        """
        begun = await self.of_verb(topic, first_verb, since=_EVER, limit=limit)
        return [kept.act.subject for kept in begun]

    async def sign(self, checkpoint: Checkpoint) -> None:
        """Keep a signed place of the chain; one that is there stays as it is.

        Raises:
            JournalError: it was not kept.

        """
        await self.change(without_result(partial(checkpoint_rows.insert, checkpoint=checkpoint)))

    async def newest_number(self) -> int:
        """Number of the newest act; 0: there is none.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self.read(lambda store: store.look(act_rows.newest_number))

    async def newest_at(self, number: int) -> datetime | None:
        """The latest time that any act behind a number of the chain bears; it looks at all of them.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self.read(lambda store: store.look(partial(act_rows.newest_at, number=number)))

    async def last_checkpoint(self) -> Checkpoint | None:
        """The newest signed place; ``None``: there is none.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self.read(lambda store: store.look(checkpoint_rows.last))

    async def checkpoints(self) -> list[Checkpoint]:
        """The signed places, in order.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self.read(lambda store: store.look(checkpoint_rows.select))
