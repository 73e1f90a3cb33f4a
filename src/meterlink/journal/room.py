"""The room that a journal takes, as its housekeeper sees it: what there is, what is missing, what may go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from meterlink.clock import Clock
from meterlink.journal import figures, removal
from meterlink.journal.acts import Read
from meterlink.journal.removal import Place, Swath
from meterlink.journal.reserve import Reserve
from meterlink.journal.store import Step, without_result


@dataclass(frozen=True, slots=True)
class Room:
    """The room of one journal; ``Journal.room``.

    Args:
        change: commits a step together with whatever else waits for the disk.
        read: looks into the file.
        clock: says how old rows are.
        put_aside: what acts may use when the disk is full; ``None``: nothing.

    """

    change: Callable[[Step], Awaitable[int]]
    read: Read
    clock: Clock
    put_aside: Reserve | None

    async def remove_aged(self, data_class: str, *, after: Place, before: datetime, floor: int) -> Swath:
        """Take out a few rows of a class that are old and that every sink has.

        Args:
            data_class: one of ``removal.AGEING``.
            after: where the last swath ended.
            before: older than this goes, in slot and in keeping.
            floor: up to where whoever has no cursor has everything.

        Raises:
            JournalError: nothing was taken out.

        """
        swath, at = Swath(), self.clock.utc_now()
        step = partial(removal.remove_aged, swath=swath, data_class=data_class, after=after, floor=floor)
        await self.change(without_result(partial(step, before=before, at=at)))
        return swath

    async def remove_oldest(self) -> Swath:
        """Take out a few of the oldest readings of which there will be others, whoever has them.

        Raises:
            JournalError: nothing was taken out.

        """
        swath = Swath()
        step = partial(removal.remove_oldest, swath=swath, at=self.clock.utc_now())
        await self.change(without_result(step))
        return swath

    async def octets(self) -> tuple[int, int]:
        """Octets of the file's pages, and of those among them that hold nothing.

        Raises:
            JournalError: the file cannot be read.

        """
        return await self.read(lambda store: store.look(figures.room_inside))

    async def missing(self, *, comfortable: bool) -> int:
        """Octets that are missing before readings of the moment are kept; 0: there is room.

        Args:
            comfortable: want a margin as well.

        Raises:
            JournalError: the file cannot be read.

        """
        put_aside = self.put_aside
        if put_aside is None:
            return 0
        return await self.read(
            lambda store: put_aside.room_missing(store.unused_octets, comfortable=comfortable)
        )
