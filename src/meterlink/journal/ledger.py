"""The ledger as the other rooms see it: slots are opened by plans, settled with what was kept, and explained.

It is state: a row changes in place, and says where one slot of one meter stands. What was read stands in the
log; both change in one transaction (``Journal.keep``).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Final

from meterlink.journal import ledger_looks, ledger_rows, ledger_service, roster_absences
from meterlink.journal.ledger_base import SERIES_AT_ONCE, Series
from meterlink.journal.ledger_corrections import FOLDED, KEPT_DAYS, LedgerCorrections
from meterlink.journal.ledger_looks import Front
from meterlink.journal.ledger_rows import Due, Planned, moment, seconds
from meterlink.journal.roster_absences import Absence
from meterlink.model.data_classes import DataClass
from meterlink.model.payload import time_out
from meterlink.model.slot import Departure, Reason, SlotKey, Standing, State, Tally

PLAN_SLOTS_MAX: Final = 20_000
"""Slots that one transaction opens, at most: others wait for the disk meanwhile."""

__all__ = ["FOLDED", "KEPT_DAYS", "SERIES_AT_ONCE", "Due", "Front", "Ledger", "Planned", "Series"]


@dataclass(frozen=True, slots=True)
class Ledger(LedgerCorrections):
    """The ledger of one journal; ``Journal.ledger``.

    Args:
        change: commits a step together with whatever else waits for the disk.
        read: looks into the file.
        clock: says when slots change.
        boot: number of the daemon's start.
        opened_s: monotonic time since which the daemon runs with it.

    Every verb raises ``JournalError`` when the file cannot be written or read; nothing was changed then.

    """

    # --- what plans and collectors write -----------------------------------------------------

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

    async def kept(self, keys: Sequence[SlotKey]) -> None:
        """Slots are kept of which nothing more is to come, though the last try brought nothing."""
        at = self._now()

        def step(db: sqlite3.Connection) -> None:
            for key in keys:
                ledger_rows.keep(db, key, at)

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
        """Slots that are kept lack some items; see ``lacking_note``."""
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
                ledger_rows.gap(db, series.key(first), seconds(until), reason, "")

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
            return [one for one in numbers if one is not None and ledger_rows.has_gap(db, one, reason, at)]

        if found := await self._look(is_needed):
            await self._write(partial(ledger_rows.cut_gaps, numbers=found, reason=reason, since=at))

    async def made_up(self, key: SlotKey) -> None:
        """A slot is kept, and with it what its series missed before: a memory told all of it.

        Stretches in which nobody was there are made up for where they are not longer than ``MADE_UP_MAX``.
        """
        await self._write(partial(ledger_rows.make_up, key=key, at=self._now()))

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
            settled += await self._count(partial(_leave, left[first : first + SERIES_AT_ONCE], self._now()))
        return settled

    async def come_back(self, outside: Mapping[str, Sequence[Absence]]) -> int:
        """Settle anew the slots of meters that are there again; see ``ledger_service``. How many.

        Args:
            outside: by id, all the time in which each did not stand in its place.

        """
        back, settled = list(outside.items()), 0
        for first in range(0, len(back), SERIES_AT_ONCE):
            part = back[first : first + SERIES_AT_ONCE]
            settled += await self._count(partial(_come_back, part, self._now()))
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

    # --- what they ask -----------------------------------------------------------------------

    async def lived_until(self) -> datetime | None:
        """When the daemon's last start before this one was last seen alive; ``None``: there was none."""
        found = await self._look(partial(ledger_looks.lived_until, boot=self.boot(), now=self._now()))
        return None if found is None else moment(found)

    async def lives(self, since: datetime) -> list[tuple[datetime, datetime]]:
        """From when until when the daemon is known to have lived, of what was later than a time."""
        look = partial(ledger_looks.lives, boot=self.boot(), since=seconds(since))
        now = self.clock.utc_now()
        began = now - timedelta(seconds=self.clock.monotonic_s() - self.opened_s)
        return [*((moment(first), moment(last)) for first, last in await self._look(look)), (began, now)]

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
        self, series: Series, *, since: datetime, until: datetime, newest_first: bool, limit: int
    ) -> list[datetime]:
        """Open slots of a series that became due in [since, until), at most ``limit``."""

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
            )

        return [moment(at) for at in await self._look(look)]

    async def standings(self, meter: str, slot: datetime) -> list[Standing]:
        """What is known of a meter's slots of one instant; empty: nothing was due then, or it was folded."""
        return await self._look(partial(ledger_looks.standings, meter=meter, slot=slot))

    async def began(self, meter: str) -> dict[Series, datetime]:
        """Of each series of a meter the first slot that is known."""
        found = await self._look(partial(ledger_looks.began, meter=meter))
        return {Series(*series): at for series, at in found.items()}

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

    async def _close(
        self, keys: Sequence[SlotKey], state: State, reason: Reason, note: str, tries: int = 1
    ) -> None:
        step = partial(
            ledger_rows.close, keys=keys, state=state, reason=reason, at=self._now(), note=note, tries=tries
        )
        await self._write(step)


def _leave(departures: Sequence[tuple[str, Departure]], now: int, db: sqlite3.Connection) -> int:
    return sum(
        ledger_service.leave(
            db,
            meter,
            is_exchanged=left.is_exchanged,
            since=seconds(left.at),
            at=now,
            note=time_out(left.at),
        )
        for meter, left in departures
    )


def _come_back(outside: Sequence[tuple[str, Sequence[Absence]]], now: int, db: sqlite3.Connection) -> int:
    return sum(
        ledger_service.come_back(db, meter, [(seconds(since), seconds(until)) for since, until in away], now)
        for meter, away in outside
    )


def _parts(planned: Sequence[Planned]) -> Iterable[Sequence[Planned]]:
    """Cut what is planned so that no part has many more slots than one transaction should."""
    cuts, slots = [0], 0
    for number, one in enumerate(planned):
        if slots and slots + len(one.slots) > PLAN_SLOTS_MAX:
            cuts.append(number)
            slots = 0
        slots += len(one.slots)
    return [planned[first:last] for first, last in pairwise([*cuts, len(planned)]) if last > first]
