"""The verbs that set the ledger right: that the daemon lives, what a wrong clock wrote, and folding."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from meterlink.journal import ledger_ahead, ledger_folding, ledger_looks, ledger_plans, ledger_rows
from meterlink.journal.ledger_asked import SERIES_AT_ONCE, LedgerAsked
from meterlink.journal.ledger_rows import moment, seconds
from meterlink.journal.series import Series
from meterlink.journal.store import Step, without_result
from meterlink.model.data_classes import CURVE, EVENT, INSTANT, STATUS, DataClass

FOLDED: Final[tuple[DataClass, ...]] = (CURVE, INSTANT, STATUS, EVENT)
"""Classes with so many slots that kept ones are folded, a row a day, when they are old."""
KEPT_DAYS: Final = 40
"""Days of which each kept slot of those classes has a row of its own; a month's bill is settled by then."""

TOLD_DAYS: Final = 400
"""Days that are told at least of what was folded: how complete a day of a year ago was, and why."""
LONG_AGO: Final = -(2**62)
"""Before any slot; seconds."""
SETTLED_AT_ONCE: Final = 4
"""Meters whose plans have changed, a transaction: each may have two months of quarters of an hour open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerCorrections(LedgerAsked):
    """See ``Ledger``."""

    change: Callable[[Step], Awaitable[int]]
    opened_s: float

    async def lives(self, since: datetime) -> list[tuple[datetime, datetime]]:
        """From when until when the daemon is known to have lived, of what was later than a time."""
        look = partial(ledger_looks.lives, boot=self.boot(), since=seconds(since))
        now = self.clock.utc_now()
        began = now - timedelta(seconds=self.clock.monotonic_s() - self.opened_s)
        return [*((moment(first), moment(last)) for first, last in await self._look(look)), (began, now)]

    async def come_to_now(self, series: Mapping[Series, datetime], *, today: datetime, now: datetime) -> int:
        """Undo what was written of slots of meters' memory while the clock was ahead; see ``ledger_ahead``.

        Args:
            series: each with the time that no gap of a right clock ends later than.
            today: when the day of ``now`` began.
            now: wall time.

        Returns:
            How many series had any.

        """
        by, begins = seconds(now), seconds(today)

        def look(db: sqlite3.Connection) -> dict[int, int]:
            found = {}
            for one, told_until in series.items():
                number = ledger_rows.series_of(db, *one)
                cut = seconds(told_until)
                if number is not None and ledger_ahead.is_ahead(db, number, cut=cut, today=begins, now=by):
                    found[number] = cut
            return found

        if found := await self._look(look):
            await self._write(partial(ledger_ahead.undo, cuts=found, today=begins, now=by))
        return len(found)

    async def settle_unplanned(
        self, meters: Sequence[str], planned: Mapping[Series, Sequence[str]], *, today: datetime
    ) -> int:
        """Settle open slots of meters' memory that no plan asks for; see ``ledger_plans``. How many changed.

        Args:
            meters: all of a line, by id.
            planned: the series that plans ask for, each with the items.
            today: when the day began.

        """
        settled = 0
        for first in range(0, len(meters), SERIES_AT_ONCE):
            part = meters[first : first + SERIES_AT_ONCE]
            found = await self._look(partial(ledger_plans.touched, meters=part, planned=planned))
            for begin in range(0, len(found), SETTLED_AT_ONCE):
                some = found[begin : begin + SETTLED_AT_ONCE]
                step = partial(ledger_plans.settle, meters=some, planned=planned)
                settled += await self._count(partial(step, today=seconds(today), at=self._now()))
            if left := await self._look(partial(ledger_plans.unnoted, meters=part, planned=planned)):
                await self._write(partial(ledger_plans.note, meters=left, planned=planned, at=self._now()))
        return settled

    async def live(self, believed: datetime | None = None) -> None:
        """Note that the daemon lives.

        Args:
            believed: the time by which rows age; see ``AgeingClock``.

        """
        by = None if believed is None else seconds(believed)
        await self._write(partial(ledger_rows.live, boot=self.boot(), at=self._now(), believed=by))

    async def fold(
        self,
        day_starts: Callable[[datetime], datetime],
        *,
        now: datetime,
        limit: int,
        curves_for: timedelta | None = None,
    ) -> int:
        """Fold the oldest days of settled slots, of classes that have many, once they are old enough.

        Args:
            day_starts: first instant of the day of an instant.
            now: the time by which they are old; see ``AgeingClock``.
            limit: days folded at most.
            curves_for: how long readings of curves are kept: a point that is due and older is lost;
                ``None``: none is.

        Returns:
            How many rows have gone.

        """
        gone, classes = 0, json.dumps(FOLDED)
        horizon = day_starts(now - timedelta(days=KEPT_DAYS))
        given_up = LONG_AGO if curves_for is None else seconds(min(horizon, day_starts(now - curves_for)))
        for first, last in ledger_looks.parts(await self._last(), SERIES_AT_ONCE):
            since = LONG_AGO
            for _ in range(limit):
                look = partial(ledger_folding.oldest, first=first, last=last, classes=classes, since=since)
                oldest = await self._look(partial(look, given_up=given_up))
                if oldest is None or moment(oldest) >= horizon:
                    break
                day = day_starts(moment(oldest))
                since = seconds(day_starts(day + timedelta(days=1, hours=1)))  # what could not be is left
                step = partial(ledger_folding.fold, first=first, last=last, classes=classes)
                gone += await self._count(partial(step, day=seconds(day), until=since, given_up=given_up))
        return gone

    async def forget(self, ages: Mapping[str, timedelta], *, now: datetime) -> int:
        """Take out what was folded of days that are old; how many rows.

        Args:
            ages: by class, how long its readings are kept; what is folded of it stays as long, and never
                less than ``TOLD_DAYS``.
            now: the time by which they are old; see ``AgeingClock``.

        """
        gone = 0
        for data_class in FOLDED:
            if (age := ages.get(data_class)) is None:
                continue
            before = seconds(now - max(age, timedelta(days=TOLD_DAYS)))
            for first, last in ledger_looks.parts(await self._last(), SERIES_AT_ONCE):
                is_old = partial(ledger_folding.is_old, first=first, last=last, data_class=data_class)
                step = partial(ledger_folding.forget, first=first, last=last, data_class=data_class)
                while await self._look(partial(is_old, before=before)):
                    gone += await self._count(partial(step, before=before))
        return gone

    async def _count(self, step: Callable[[sqlite3.Connection], int]) -> int:
        """Do something to rows; how many. What a change itself returns is an id of the log."""
        counts: list[int] = []
        await self._write(lambda db: counts.append(step(db)))
        return counts[-1]

    async def _write(self, step: Callable[[sqlite3.Connection], None]) -> None:
        await self.change(without_result(step))
