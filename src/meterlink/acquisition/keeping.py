"""Keeping what was read, and asking what was kept, until the journal can: acquisition waits with a full disk.

What has been read is worth more than what could be read next, so nobody is asked meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

import structlog

from meterlink.drivers.base import Measured
from meterlink.errors import DiskFull, JournalError
from meterlink.model.data_classes import DataClass
from meterlink.model.reading import Reading, Record
from meterlink.model.slot import SlotKey

JOURNAL_PAUSE_S = 1.0
"""Pause between the first tries while the journal cannot; each is twice as long as the one before."""
JOURNAL_PAUSE_MAX_S = 16.0
"""Longest of them: a disk is full for hours, and every plan of every line waits."""

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


class Keeper(Protocol):
    """What acquisition needs of the journal."""

    async def keep(self, record: Record, *, settles: SlotKey | None = None) -> int:
        """Keep a record and the slot that it settles; returns when it is durable. Raises ``JournalError``."""

    async def kept_in(self, data_class: str, slot: datetime) -> set[tuple[str, str]]:
        """(meter, item) of the readings already kept for a slot. Raises ``JournalError``."""


class Patience:
    """Tries what the journal cannot do now until it can, and says once that it cannot.

    Args:
        line: who waits, for the log.

    Attributes:
        wanted_room: whether it had to wait because there was no room; whoever asks sets it back.

    """

    def __init__(self, line: str) -> None:
        self.wanted_room = False
        self._line = line
        self._away = False

    async def until_done(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Do it; what it brought."""
        pause_s = JOURNAL_PAUSE_S
        while True:
            try:
                result = await work()
            except JournalError as error:
                self.wanted_room |= isinstance(error, DiskFull)
                if not self._away:
                    self._away = True
                    _log.error("journal_away", line=self._line, reason=str(error))
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, JOURNAL_PAUSE_MAX_S)
                continue
            if self._away:
                self._away = False
                _log.info("journal_back", line=self._line)
            return result


def readings_of(
    meter: str, values: Sequence[Measured], *, slot: datetime, taken_at: datetime, route: str
) -> tuple[Reading, ...]:
    """Readings of the values of one meter, all for one slot.

    Args:
        meter: our id of it.
        values: as they came.
        slot: aware, UTC.
        taken_at: when they came; aware, UTC.
        route: by which line; a value that came by a way of its own says so itself.

    """
    return tuple(
        Reading(
            meter=meter,
            item=measured.item,
            value=measured.value,
            unit=measured.unit,
            slot=slot,
            taken_at=taken_at,
            marks=measured.marks,
            route=measured.route or route,
        )
        for measured in values
    )


class PatientKeeper:
    """The journal of one plan on one line, tried until it can.

    Args:
        keeper: the journal.
        line: name of the line, the readings' route.
        data_class: what the plan reads.

    """

    def __init__(self, keeper: Keeper, *, line: str, data_class: DataClass) -> None:
        self._keeper = keeper
        self._line = line
        self._data_class = data_class
        self._patience = Patience(line)

    @property
    def wanted_room(self) -> bool:
        """Whether somebody had to wait for room on the disk since ``begin``."""
        return self._patience.wanted_room

    def begin(self) -> None:
        """Look at what is to come."""
        self._patience.wanted_room = False

    async def keep(
        self,
        meter: str,
        values: Sequence[Measured],
        *,
        slot: datetime,
        taken_at: datetime,
        settles: SlotKey | None = None,
    ) -> None:
        """Keep values of a meter as one record, and the slot that they settle; returns when it is on disk."""
        readings = readings_of(meter, values, slot=slot, taken_at=taken_at, route=self._line)
        record = Record(meter=meter, data_class=self._data_class, readings=readings)
        await self._patience.until_done(lambda: self._keeper.keep(record, settles=settles))

    async def kept_in(self, slot: datetime) -> dict[str, set[str]]:
        """By meter, the items already kept for a slot."""
        found: dict[str, set[str]] = {}
        kept_in = await self._patience.until_done(lambda: self._keeper.kept_in(self._data_class, slot))
        for meter, item in kept_in:
            found.setdefault(meter, set()).add(item)
        return found
