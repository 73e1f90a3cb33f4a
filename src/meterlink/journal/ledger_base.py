"""What all verbs of the ledger share: a series, and how a change of it reaches the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, TypeVar

from meterlink.clock import Clock
from meterlink.journal import ledger_looks
from meterlink.journal.acts import Read
from meterlink.journal.ledger_rows import seconds
from meterlink.journal.store import Step, without_result
from meterlink.model.data_classes import DataClass
from meterlink.model.slot import SlotKey

SERIES_AT_ONCE: Final = 500
"""Series that one look or change goes through: a day of all of a large gateway takes a second, in parts."""

_T = TypeVar("_T")


class Series(NamedTuple):
    """One meter's slots of one plan.

    Args:
        meter: our id of it.
        data_class: what is due.
        every_s: of the slots.

    """

    meter: str
    data_class: DataClass
    every_s: int

    def key(self, slot: datetime) -> SlotKey:
        """Of one of its slots."""
        return SlotKey(self.meter, self.data_class, self.every_s, slot)


@dataclass(frozen=True, slots=True)
class LedgerBase:
    """See ``Ledger``."""

    change: Callable[[Step], Awaitable[int]]
    read: Read
    clock: Clock
    boot: Callable[[], int]
    opened_s: float

    async def _last(self) -> int:
        return await self._look(ledger_looks.last_series)

    def _now(self) -> int:
        return seconds(self.clock.utc_now())

    async def _count(self, step: Callable[[sqlite3.Connection], int]) -> int:
        """Do something to rows; how many. What a change itself returns is an id of the log."""
        counts: list[int] = []
        await self._write(lambda db: counts.append(step(db)))
        return counts[-1]

    async def _write(self, step: Callable[[sqlite3.Connection], None]) -> None:
        await self.change(without_result(step))

    def _look(self, query: Callable[[sqlite3.Connection], _T]) -> Awaitable[_T]:
        return self.read(lambda store: store.look(query))
