"""Plans, applied day by day to the ledger: each slot of a meter's memory that is due is opened once.

A day is planned when it begins, or when the daemon comes back. What was planned stands in the ledger itself,
so that neither a restart nor a clock that is set forth or back plans a day twice. Days that nobody was there
for are planned afterwards, as far back as meters may still hold them; what became due in that time says why
nobody asked: the daemon was not running, or the gateway's clock was set over it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from datetime import UTC, date, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Final, Protocol

import structlog

from meterlink.acquisition.keeping import Patience
from meterlink.acquisition.planned_days import (
    Absence,
    Stretch,
    back_days,
    days_behind,
    first_days,
    slots_on,
    too_far_back,
)
from meterlink.acquisition.plans import Point, StoredPlan
from meterlink.clock import Clock
from meterlink.journal.ledger_rows import Planned
from meterlink.journal.series import Series
from meterlink.model.slot import Reason, SlotKey

CLOCK_STEP: Final = timedelta(minutes=2)
"""Wall time that passed beside the monotonic clock by more than this was set, and did not pass."""
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Before any slot."""
_FAR: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""Behind any slot."""

_log = structlog.get_logger(__name__)

_DAY: Final = timedelta(days=1)


class BlameLedger(Protocol):
    """Says why nobody came to slots; raises ``JournalError``."""

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
        """See ``Ledger.blame``."""


class PlanLedger(BlameLedger, Protocol):
    """What planning needs of the ledger; each raises ``JournalError``."""

    @property
    def opened_s(self) -> float:
        """See ``Ledger``."""

    async def missed(self, stretches: Sequence[tuple[Series, datetime, datetime]], reason: Reason) -> None:
        """See ``Ledger.missed``."""

    async def come_to_now(self, series: Mapping[Series, datetime], *, today: datetime, now: datetime) -> int:
        """See ``Ledger.come_to_now``."""

    async def settle_unplanned(
        self, meters: Sequence[str], planned: Mapping[Series, Sequence[str]], *, today: datetime
    ) -> int:
        """See ``Ledger.settle_unplanned``."""

    async def plan(self, planned: Sequence[Planned]) -> int:
        """See ``Ledger.plan``."""

    async def newest(self, series: Sequence[Series], before: datetime) -> dict[Series, datetime | None]:
        """See ``Ledger.newest``."""

    async def newest_replaced(
        self, series: Sequence[Series], before: datetime, *, asked: Collection[Series]
    ) -> dict[Series, SlotKey]:
        """See ``Ledger.newest_replaced``."""

    async def waive(
        self, meter: str, reason: Reason, *, since: datetime, until: datetime, note: str = ""
    ) -> int:
        """See ``Ledger.waive``."""

    async def away(self, meters: Sequence[str]) -> Mapping[str, Sequence[Absence]]:
        """See ``Ledger.away``."""

    async def come_back(self, outside: Mapping[str, Sequence[Absence]]) -> int:
        """See ``Ledger.come_back``."""

    async def lived_until(self) -> datetime | None:
        """See ``Ledger.lived_until``."""


class Planner:
    """The plans of one line.

    Args:
        line: its name, for the log.
        planned: which plan holds for which meter.
        ledger: the journal's.
        clock: wall and monotonic time.
        meters: all of the line, by id, also those that no plan of these asks; empty: no others.
        looked: the kinds that plans of events ask for, by series; nobody plans those, but they are asked for.

    """

    def __init__(
        self,
        line: str,
        planned: Sequence[tuple[Point, StoredPlan]],
        ledger: PlanLedger,
        clock: Clock,
        *,
        meters: Collection[str] = (),
        looked: Mapping[Series, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        self._planned = {plan.series(point.meter): (point, plan) for point, plan in planned}
        self._asked = {**looked, **{series: plan.items for series, (_, plan) in self._planned.items()}}
        self._line = line
        self._ledger = ledger
        self._clock = clock
        self._patience = Patience(line)
        self._looked: tuple[datetime, float] | None = None
        self._days: frozenset[date] = frozenset()
        self._calendars = {plan.calendar for _, plan in planned}
        self._meters = tuple({**dict.fromkeys(meters), **{point.meter: None for point, _ in planned}})
        self._is_settled = False

    async def apply(self) -> bool:
        """Plan what is to be planned by now. Whether anything in the ledger may have changed."""
        now, monotonic_s = self._clock.utc_now(), self._clock.monotonic_s()
        absence = await self._absence(now, monotonic_s)
        self._looked = now, monotonic_s
        days = frozenset(calendar.day_of(now) for calendar in self._calendars)
        if days == self._days and absence is None:
            return False
        await self._plan_days(now)
        if not self._is_settled:
            await self._settle_unplanned(now)
        if absence is not None:
            await self._patience.until_done(partial(self._blame, absence))
        self._days = days
        return True

    async def _absence(self, now: datetime, monotonic_s: float) -> Stretch | None:
        """The time before now in which nobody could ask: before the start, or because the clock was set."""
        if self._looked is None:
            lived_until = await self._patience.until_done(self._ledger.lived_until)
            began = now - timedelta(seconds=monotonic_s - self._ledger.opened_s)  # a line may begin later
            return Stretch(lived_until or LONG_AGO, began, Reason.NOT_RUNNING)
        wall, looked_s = self._looked
        ought = wall + timedelta(seconds=monotonic_s - looked_s)
        return Stretch(ought, now, Reason.CLOCK_WRONG) if now - ought > CLOCK_STEP else None

    async def _plan_days(self, now: datetime) -> None:
        """Plan the days of each series behind the last one that is planned, today included."""
        tomorrow = max(
            (calendar.start_of(calendar.day_of(now) + _DAY) for calendar in self._calendars),
            default=now,
        )
        await self._come_to_now(now)
        newest = await self._patience.until_done(
            lambda: self._ledger.newest(list(self._planned), before=tomorrow)
        )
        replaced = await self._replaced(newest, tomorrow)
        away = await self._away()
        await self._note_too_long({**newest, **replaced}, away, now)
        known = {series.meter for series, slot in {**newest, **replaced}.items() if slot is not None}
        ours = await self._places_of_ours(known, tomorrow)

        def days(series: Series, point: Point, plan: StoredPlan) -> list[date]:
            if (slot := newest[series]) is not None:
                return days_behind(plan, slot, now)
            if (slot := replaced.get(series)) is not None:
                return days_behind(plan, slot, now, least=1)
            if point.meter in known:
                return first_days(plan, None, now)
            return first_days(plan, point, now, is_ours=point.meter in ours)

        planned = [
            Planned(
                meter=series.meter,
                data_class=series.data_class,
                every_s=series.every_s,
                slots=slots_on(plan, point, days(series, point, plan)),
            )
            for series, (point, plan) in self._planned.items()
        ]
        planned = [one for one in planned if one.slots]
        if planned:
            await self._patience.until_done(partial(self._ledger.plan, planned))
            first = min(slot.at for one in planned for slot in one.slots)
            await self._waive_out_of_service(datetime.fromtimestamp(first, UTC), tomorrow)
        if away:
            await self._patience.until_done(partial(self._ledger.come_back, self._outside(away)))

    async def _come_to_now(self, now: datetime) -> None:
        """Days that were told lost, or tried, while the clock was ahead are planned, and due, like others."""
        today = min((one.start_of(one.day_of(now)) for one in self._calendars), default=now)
        # Days that are told together end a whole `back_days` ago: a clock set back a little proves nothing.
        told_until = {
            series: today - timedelta(days=back_days(plan) // 2)
            for series, (_, plan) in self._planned.items()
        }
        undo = partial(self._ledger.come_to_now, told_until, today=today, now=now)
        if found := await self._patience.until_done(undo):
            _log.warning("clock_was_ahead", line=self._line, series=found)

    async def _settle_unplanned(self, now: datetime) -> None:
        """What other plans have left open waits in vain: once, as a line begins anew with other plans."""
        today = min((one.start_of(one.day_of(now)) for one in self._calendars), default=now)
        settle = partial(self._ledger.settle_unplanned, self._meters, self._asked, today=today)
        if settled := await self._patience.until_done(settle):
            _log.info("no_longer_planned", line=self._line, slots=settled)
        self._is_settled = True

    async def _replaced(
        self, newest: Mapping[Series, datetime | None], before: datetime
    ) -> dict[Series, datetime]:
        """Of series that were never planned, how far the same data was in the interval that it had until now.

        A plan may get another interval while nobody is there. The days of that time are due all the same.
        """
        if not (new := [series for series, slot in newest.items() if slot is None]):
            return {}
        ask = partial(self._ledger.newest_replaced, new, before, asked=self._planned)
        found = await self._patience.until_done(ask)
        return {series: key.slot for series, key in found.items()}

    async def _places_of_ours(self, known: Set[str], before: datetime) -> set[str]:
        """Of meters that were never planned those whose predecessors were."""
        old = {
            series._replace(meter=point.succeeds): series.meter
            for series, (point, _) in self._planned.items()
            if point.succeeds and series.meter not in known
        }
        if not old:
            return set()
        found = await self._patience.until_done(partial(self._ledger.newest, list(old), before=before))
        return {old[series] for series, slot in found.items() if slot is not None}

    async def _away(self) -> Mapping[str, Sequence[Absence]]:
        """Of meters that had been taken out and are listed again, when they were out."""
        meters = list({series.meter: None for series in self._planned})
        return await self._patience.until_done(partial(self._ledger.away, meters))

    def _outside(self, away: Mapping[str, Sequence[Absence]]) -> dict[str, list[Absence]]:
        """Of these meters all the time in which they did not stand in their places."""
        outside = {meter: list(stretches) for meter, stretches in away.items()}
        for point in {point.meter: point for point, _ in self._planned.values()}.values():
            if (stretches := outside.get(point.meter)) is not None:
                if point.in_service_since is not None:
                    stretches.append((LONG_AGO, point.in_service_since))
                if point.in_service_until is not None:
                    stretches.append((point.in_service_until, _FAR))
        return outside

    async def _note_too_long(
        self,
        newest: Mapping[Series, datetime | None],
        away: Mapping[str, Sequence[Absence]],
        now: datetime,
    ) -> None:
        """Days of an absence that lie too far back to be planned are lost, a row a stretch.

        Those of them that a meter was out of service are not counted.
        """
        found: dict[Reason, list[tuple[Series, datetime, datetime]]] = {}
        for series, (point, plan) in self._planned.items():
            gone = away.get(series.meter, ())
            for first, until, reason in too_far_back(plan, point, newest[series], gone, now):
                found.setdefault(reason, []).append((series, first, until))
        for reason, stretches in found.items():
            await self._patience.until_done(partial(self._ledger.missed, stretches, reason))

    async def _waive_out_of_service(self, planned_from: datetime, until: datetime) -> None:
        """Take out of the count what was planned for a time when a meter does not stand in its place."""
        for point in {point.meter: point for point, _ in self._planned.values()}.values():
            waive = partial(self._ledger.waive, point.meter, Reason.NOT_IN_SERVICE)
            if (since := point.in_service_since) is not None and since > planned_from:
                await self._patience.until_done(partial(waive, since=LONG_AGO, until=since))
            if (end := point.in_service_until) is not None and end < until:
                await self._patience.until_done(partial(waive, since=end, until=until))

    async def _blame(self, absence: Stretch) -> None:
        since, until, reason = absence
        await self._ledger.blame(list(self._planned), reason, since=since, until=until)
