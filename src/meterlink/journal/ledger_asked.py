"""What is asked of the ledger: what is open, what has become of a slot, and how many stand alike."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from meterlink.clock import Clock
from meterlink.journal import ledger_folding, ledger_looks, ledger_replaced, ledger_rows, roster_absences
from meterlink.journal.acts import Read
from meterlink.journal.ledger_looks import Front
from meterlink.journal.ledger_rows import moment, seconds
from meterlink.journal.roster_absences import Absence
from meterlink.journal.series import Series
from meterlink.model.data_classes import DataClass
from meterlink.model.slot import SlotKey, Standing, Tally

SERIES_AT_ONCE: Final = 500
"""Series that one look or change goes through: a day of all of a large gateway takes a second, in parts."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerAsked:
    """The questions to the ledger of one journal.

    Args:
        read: looks into the file.
        clock: says what is due by now, and when slots change.
        boot: number of the daemon's start.

    Every verb raises ``JournalError`` when the file cannot be read.

    """

    read: Read
    clock: Clock
    boot: Callable[[], int]

    async def lived_until(self) -> datetime | None:
        """When the daemon's last start before this one was last seen alive; ``None``: there was none."""
        found = await self._look(partial(ledger_looks.lived_until, boot=self.boot(), now=self._now()))
        return None if found is None else moment(found)

    async def believed_until(self) -> datetime | None:
        """By which time rows aged at the end of the last start before this one; ``None``: there was none."""
        found = await self._look(partial(ledger_looks.believed_until, boot=self.boot()))
        return None if found is None else moment(found)

    async def newest(self, series: Sequence[Series], before: datetime) -> dict[Series, datetime | None]:
        """Of each series the newest slot before a time that was planned or has passed."""

        def look(db: sqlite3.Connection) -> dict[Series, datetime | None]:
            found: dict[Series, datetime | None] = {}
            for one in series:
                number = ledger_rows.series_of(db, *one)
                at = None if number is None else ledger_looks.newest(db, number, seconds(before))
                found[one] = None if at is None else moment(at)
            return found

        return await self._look(look)

    async def newest_replaced(
        self, series: Sequence[Series], before: datetime, *, asked: Collection[Series]
    ) -> dict[Series, SlotKey]:
        """Of each series the newest slot before a time of those that it replaces; see ``ledger_replaced``.

        Args:
            series: that plans ask for; one that replaces none is left out of the answer.
            before: aware.
            asked: all series that plans ask for.

        """

        def look(db: sqlite3.Connection) -> dict[Series, SlotKey]:
            found = {one: ledger_replaced.newest(db, one, seconds(before), asked) for one in series}
            return {one: key for one, key in found.items() if key is not None}

        return await self._look(look)

    async def away(self, meters: Sequence[str]) -> dict[str, list[Absence]]:
        """By id, when meters that are there again had been out of service; see ``roster_absences``."""
        return await self._look(partial(roster_absences.away, meters=meters))

    async def fronts(self, series: Mapping[Series, datetime], now: datetime) -> dict[Series, Front]:
        """The open slots of series, seen from afar.

        Args:
            series: each with the time before which a slot became due that is backfill now.
            now: wall time.

        """

        def look(db: sqlite3.Connection) -> dict[Series, Front]:
            found = {}
            for one, current_from in series.items():
                number = ledger_rows.series_of(db, *one)
                if number is not None:
                    found[one] = ledger_looks.front(db, number, seconds(now), seconds(current_from))
            return found

        return await self._look(look)

    async def open_slots(
        self,
        series: Series,
        *,
        since: datetime,
        until: datetime,
        newest_first: bool,
        limit: int,
        beside: tuple[datetime, datetime] | None = None,
    ) -> list[datetime]:
        """Open slots of a series that became due in [since, until), at most ``limit``.

        Args:
            series: whose.
            since: aware.
            until: aware.
            newest_first: else the oldest.
            limit: how many at most.
            beside: first and last of a stretch whose slots are left out; ``None``: of none.

        """
        passed = None if beside is None else (seconds(beside[0]), seconds(beside[1]))

        def look(db: sqlite3.Connection) -> list[int]:
            number = ledger_rows.series_of(db, *series)
            if number is None:
                return []
            return ledger_looks.open_slots(
                db,
                number,
                since=seconds(since),
                until=seconds(until),
                newest_first=newest_first,
                limit=limit,
                beside=passed,
            )

        return [moment(at) for at in await self._look(look)]

    async def standings(self, meter: str, slot: datetime) -> list[Standing]:
        """What is known of a meter's slots of one instant; empty: nothing was due then, or it was folded."""
        return await self._look(partial(ledger_looks.standings, meter=meter, slot=slot))

    async def began(self, meter: str) -> dict[Series, datetime]:
        """Of each series of a meter the first slot that is known."""
        found = await self._look(partial(ledger_looks.began, meter=meter))
        return {Series(*series): at for series, at in found.items()}

    async def forgotten(self) -> dict[str, datetime]:
        """By class, before when the ledger holds nothing any more, because that has gone by age."""
        return {name: moment(at) for name, at in (await self._look(ledger_folding.forgotten)).items()}

    async def tallies(self, classes: Iterable[DataClass], *, since: datetime, until: datetime) -> list[Tally]:
        """How the slots of [since, until) stand that are due by now."""
        of = partial(
            ledger_looks.tallies,
            classes=json.dumps(list(classes)),
            since=seconds(since),
            until=seconds(until),
            now=self._now(),
        )
        found: list[Tally] = []
        for first, last in ledger_looks.parts(await self._last(), SERIES_AT_ONCE):
            found += await self._look(partial(of, first=first, last=last))
        return found

    async def _last(self) -> int:
        return await self._look(ledger_looks.last_series)

    def _now(self) -> int:
        return seconds(self.clock.utc_now())

    def _look(self, query: Callable[[sqlite3.Connection], _T]) -> Awaitable[_T]:
        return self.read(lambda store: store.look(query))
