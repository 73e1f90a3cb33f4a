"""The ledger as the other rooms see it: slots are opened by plans, settled with what was kept, and explained.

It is state: a row changes in place, and says where one slot of one meter stands. What was read stands in the
log; both change in one transaction (``Journal.keep``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import pairwise
from typing import Final

from meterlink.journal import ledger_gaps, ledger_rows, ledger_service
from meterlink.journal import unlooked as unlooked_rows
from meterlink.journal.ledger_asked import SERIES_AT_ONCE
from meterlink.journal.ledger_corrections import FOLDED, KEPT_DAYS, LedgerCorrections
from meterlink.journal.ledger_rows import Planned, seconds
from meterlink.journal.roster_absences import Absence
from meterlink.journal.series import Series
from meterlink.model.slot import Departure, Reason, SlotKey, State

PLAN_SLOTS_MAX: Final = 20_000
"""Slots that one transaction opens, at most: others wait for the disk meanwhile."""

__all__ = ["FOLDED", "KEPT_DAYS", "PLAN_SLOTS_MAX", "Ledger"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger(LedgerCorrections):
    """The ledger of one journal; ``Journal.ledger``.

    Args:
        change: commits a step together with whatever else waits for the disk.
        opened_s: monotonic time since which the daemon runs with it.

    Every verb raises ``JournalError`` when the file cannot be written or read; nothing was changed then.

    """

    async def plan(self, planned: Sequence[Planned]) -> int:
        """Open slots, in as many transactions as they need; what is there already stays. How many are new."""
        new = 0
        for part in _parts(planned):
            new += await self._count(partial(ledger_rows.plan, planned=part))
        return new

    async def tried(self, keys: Sequence[SlotKey], reason: Reason, *, note: str = "", tries: int = 1) -> None:
        """The meter was asked in vain for open slots, which stay open.

        Args:
            keys: which.
            reason: what came of it.
            note: particulars.
            tries: 1; 0 when it was not the meter that was tried.

        """
        await self._write(
            partial(ledger_rows.tried, keys=keys, reason=reason, at=self._now(), note=note, tries=tries)
        )

    async def kept(self, keys: Sequence[SlotKey], *, unlooked: Sequence[SlotKey] = ()) -> None:
        """Slots are kept of which nothing more is to come, though the last try brought nothing.

        Args:
            keys: which.
            unlooked: those of them for which a look at the meter is missing.

        """
        at = self._now()

        def step(db: sqlite3.Connection) -> None:
            for key in keys:
                ledger_rows.keep(db, key, at)
            unlooked_rows.note(db, unlooked)

        await self._write(step)

    async def refused(self, keys: Sequence[SlotKey], *, note: str) -> None:
        """The meter does not have what was due."""
        await self._close(keys, State.REFUSED, Reason.REFUSED, note)

    async def reopen(self, series: Series, *, since: datetime) -> int:
        """Refused slots of a series from a time on are due again, as the meter has such data. How many."""
        at = seconds(since)

        def is_needed(db: sqlite3.Connection) -> bool:
            number = ledger_rows.series_of(db, *series)
            return number is not None and ledger_rows.has_refused(db, number, at)

        if not await self._look(is_needed):
            return 0
        return await self._count(lambda db: ledger_rows.reopen(db, ledger_rows.series_of(db, *series), at))

    async def lack(self, keys: Sequence[SlotKey], *, note: str) -> None:
        """Slots that are kept lack some items, see ``lacking_note``; no note: they lack nothing any more."""
        await self._write(partial(ledger_rows.lack, keys=keys, note=note))

    async def reopen_lacking(self, series: Series, items: Set[str], *, since: datetime) -> int:
        """Slots of a series from a time on that are kept without an item are due again. How many.

        Args:
            series: whose.
            items: which the meter gives now.
            since: aware.

        """

        def look(db: sqlite3.Connection) -> tuple[int, list[int]]:
            number = ledger_rows.series_of(db, *series)
            if number is None:
                return 0, []
            return number, ledger_rows.lacking_slots(db, number, seconds(since), items)

        number, slots = await self._look(look)
        if not slots:
            return 0
        return await self._count(partial(ledger_rows.reopen_lacking, number=number, slots=slots))

    async def expired(
        self, keys: Sequence[SlotKey], reason: Reason, *, note: str = "", tries: int = 1
    ) -> None:
        """Slots can no longer be kept."""
        await self._close(keys, State.EXPIRED, reason, note, tries)

    async def put_off(
        self, keys: Sequence[SlotKey], reason: Reason, *, note: str = "", tries: int = 1
    ) -> None:
        """Slots that no plan opened are not kept so far: another try, or a later slot, may bring them."""
        await self._close(keys, State.DUE, reason, note, tries)

    async def over(self, series: Sequence[Series], now: datetime) -> None:
        """What is open of values of the moment is lost, where its slot has ended; what was said of it stays.

        Also of other intervals of these meters and classes: their plans may have changed since.
        """
        at = seconds(now)
        whose = sorted({(one.meter, one.data_class) for one in series})
        for first in range(0, len(whose), SERIES_AT_ONCE):
            part = whose[first : first + SERIES_AT_ONCE]
            found = await self._look(partial(ledger_rows.ended, whose=part, now=at))
            if found:
                await self._write(partial(ledger_rows.end, ended=found))

    async def missed(self, stretches: Sequence[tuple[Series, datetime, datetime]], reason: Reason) -> None:
        """Slots of classes that no meter remembers passed by, a row each stretch.

        Args:
            stretches: of a series all slots of [first, until).
            reason: why nobody asked.

        """

        def step(db: sqlite3.Connection) -> None:
            for series, first, until in stretches:
                ledger_gaps.gap(db, series.key(first), seconds(until), reason, "")

        await self._write(step)

    async def unmiss(self, series: Sequence[Series], reason: Reason, *, since: datetime) -> None:
        """Slots from a time on did not pass by after all: the clock that said so was ahead.

        Args:
            series: whose.
            reason: stretches that were missed for it and lie behind the time go; of others, which a clock
                that is behind now may take for such, those that reach over the time end there.
            since: the time.

        """
        at = seconds(since)

        def is_needed(db: sqlite3.Connection) -> list[int]:
            numbers = (ledger_rows.series_of(db, *one) for one in series)
            return [one for one in numbers if one is not None and ledger_gaps.has_gap(db, one, reason, at)]

        if found := await self._look(is_needed):
            await self._write(partial(ledger_gaps.cut_gaps, numbers=found, reason=reason, since=at))

    async def made_up(self, key: SlotKey) -> None:
        """A slot is kept, and with it what its series missed before: a memory told all of it.

        So is what is open of another interval, which no plan asks for any more, see ``ledger_gaps``.
        Stretches in which nobody was there are made up for where they are not longer than ``MADE_UP_MAX``.
        """
        await self._write(partial(ledger_gaps.make_up, key=key, at=self._now()))

    async def waive(
        self, meter: str, reason: Reason, *, since: datetime, until: datetime, note: str = ""
    ) -> int:
        """Take a meter's open slots of [since, until) out of the count. How many."""
        step = partial(
            ledger_rows.waive,
            meter=meter,
            reason=reason,
            since=seconds(since),
            until=seconds(until),
            at=self._now(),
            note=note,
        )
        return await self._count(step)

    async def leave(self, departures: Mapping[str, Departure]) -> int:
        """Settle the slots of meters that have left their place; see ``ledger_service``. How many."""
        left, settled = list(departures.items()), 0
        for first in range(0, len(left), SERIES_AT_ONCE):
            settled += await self._count(
                partial(ledger_service.leave_all, left[first : first + SERIES_AT_ONCE], self._now())
            )
        return settled

    async def come_back(self, outside: Mapping[str, Sequence[Absence]]) -> int:
        """Settle anew the slots of meters that are there again; see ``ledger_service``. How many.

        Args:
            outside: by id, all the time in which each did not stand in its place.

        """
        back, settled = list(outside.items()), 0
        for first in range(0, len(back), SERIES_AT_ONCE):
            part = back[first : first + SERIES_AT_ONCE]
            settled += await self._count(partial(ledger_service.come_back_all, part, self._now()))
        return settled

    async def blame(
        self,
        series: Collection[Series],
        reason: Reason,
        *,
        since: datetime,
        until: datetime,
        note: str = "",
        tries: int = 0,
    ) -> int:
        """Say why open slots, due in [since, until), are not read, where no better is known. How many."""

        def step(db: sqlite3.Connection) -> int:
            numbers = (ledger_rows.series_of(db, *one) for one in series)
            return ledger_rows.blame(
                db,
                [number for number in numbers if number is not None],
                reason,
                since=seconds(since),
                until=seconds(until),
                note=note,
                tries=tries,
            )

        return await self._count(step)

    async def _close(
        self, keys: Sequence[SlotKey], state: State, reason: Reason, note: str, tries: int = 1
    ) -> None:
        step = partial(
            ledger_rows.close, keys=keys, state=state, reason=reason, at=self._now(), note=note, tries=tries
        )
        await self._write(step)


def _parts(planned: Sequence[Planned]) -> Iterable[Sequence[Planned]]:
    """Cut what is planned so that no part has many more slots than one transaction should."""
    cuts, slots = [0], 0
    for number, one in enumerate(planned):
        if slots and slots + len(one.slots) > PLAN_SLOTS_MAX:
            cuts.append(number)
            slots = 0
        slots += len(one.slots)
    return [planned[first:last] for first, last in pairwise([*cuts, len(planned)]) if last > first]
