"""Looks at what was collected, hour by hour, and tells what a person must know of.

Nothing is looked at in the first hour, nor for a day behind an outage of the gateway itself: first the lines
bring what meters remember, and a silence that was ours is no meter's. An hour's look tells so much and no
more; what is left comes in the next steps, so that a line that broke down does not fill the log at once.

Source: business-rules, section 4, and VEE-01.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from functools import cache, partial
from typing import Final, NamedTuple

import structlog

from meterlink.alarms.areas import low
from meterlink.alarms.billing_days import missing
from meterlink.alarms.finding import Finding
from meterlink.alarms.gaps import gaps
from meterlink.alarms.reading_days import changed
from meterlink.alarms.silence import Silences, Stage, heard_since
from meterlink.alarms.telling import Teller
from meterlink.billing.days import slots_of
from meterlink.billing.settling import OpenFreezes
from meterlink.billing.source import Freezes
from meterlink.clock import SET_FROM, Clock
from meterlink.config.alarms import AlarmSettings
from meterlink.errors import MeterlinkError, StepTaken
from meterlink.journal import contact_rows, ledger_looks
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act
from meterlink.orders.attention.work_kinds import WorkKind

CHECK_S: Final = 600.0
"""From one step to the next."""
BEGIN: Final = timedelta(hours=1)
"""So long after a start nothing is looked at."""
OUTAGE: Final = timedelta(hours=6)
"""A gateway that was away for longer brings in first what it has missed."""
BEGIN_BEHIND_OUTAGE: Final = timedelta(days=1)
TELLS_AT_ONCE: Final = 200
"""Findings that one step tells anew; the others are told by the next ones."""
_DAY: Final = timedelta(days=1)
_KINDS: Final = (WorkKind.SILENT, WorkKind.MISSING_HOUSEHOLD, WorkKind.MANUAL_READ)
_ANSWERS: Final = "the meter answers again / 电能表已恢复通信"
_CAME: Final = "the freeze has come / 冻结数据已补齐"
_GONE: Final = "the meter has left its place / 电能表已拆除"

_log = structlog.get_logger(__name__)


class Wanted(NamedTuple):
    """What a configuration says of it.

    Args:
        figures: of the rules.
        asks_demand: whether a plan of freezes asks for a maximum demand.

    """

    figures: AlarmSettings
    asks_demand: bool


class CollectionWatch:
    """Looks after what one gateway collects.

    Args:
        open_freezes: of the journal.
        acts: of the same journal.
        clock: wall and monotonic time.
        zone: of the plant.
        wanted: what the configuration says now.
        boot: number of the daemon's start.

    """

    def __init__(
        self,
        open_freezes: OpenFreezes,
        acts: ActLog,
        clock: Clock,
        zone: timezone,
        *,
        wanted: Callable[[], Wanted],
        boot: int,
    ) -> None:
        self._open = open_freezes
        self._clock = clock
        self._zone = zone
        self._wanted = wanted
        self._boot = boot
        self._teller = Teller(acts, clock, zone)
        self._begun_s = clock.monotonic_s()
        self._rests: timedelta | None = None
        self._silences: tuple[tuple[Stage, ...], Silences] | None = None
        self._looked: dict[str, object] = {}

    async def run(self) -> None:
        """Look again and again; what cannot be looked at now is the next time."""
        while True:
            await asyncio.sleep(CHECK_S)
            try:
                await self.step()
            except MeterlinkError as error:
                _log.warning("collection_alarms.wait", reason=str(error))

    async def step(self) -> int:
        """Look at what is due; how much was told.

        Raises:
            JournalError: the journal cannot be read, or what was found not be kept.

        """
        now = self._clock.utc_now()
        if now < SET_FROM or not await self._is_settled(now):
            return 0
        told = 0
        for name, mark, look in self._due(now):
            if self._looked.get(name) == mark:
                continue
            found = await asyncio.to_thread(self._found, look)
            for one in found:
                told += await self._teller.tell(one)
                if told >= TELLS_AT_ONCE:
                    return told  # the same look again the next time
            self._looked[name] = mark
        hour = _hour(now)
        if self._looked.get("work") != hour:
            await self._close_needless(now)
            self._looked["work"] = hour
        return told

    def _due(self, now: datetime) -> Iterator[tuple[str, object, Callable[[Freezes], list[Finding]]]]:
        """What is looked at, each with what is another when it is to be looked at anew."""
        wanted = self._wanted()
        figures, local = wanted.figures, now.astimezone(self._zone)
        today, hour = local.date(), _hour(now)
        if local.time() >= figures.freezes_time:
            percent, when = figures.freezes_percent, f"{figures.freezes_by}"
            yield "freezes", today, lambda freezes: low(freezes, today - _DAY, percent, when)
        late = figures.freezes_late_percent
        yield "late freezes", today, lambda freezes: low(freezes, today - 2 * _DAY, late, "24:00")
        yield "gaps", today, lambda freezes: gaps(freezes, now, days=figures.gap_days)
        yield "reading days", hour, lambda freezes: changed(freezes, now)
        yield (
            "billing days",
            hour,
            lambda freezes: missing(
                freezes, now, manual_days=figures.manual_read_days, asks_demand=wanted.asks_demand
            ),
        )
        yield "silences", hour, lambda freezes: self._silences_of(figures).found(freezes, now)

    def _found(self, look: Callable[[Freezes], list[Finding]]) -> list[Finding]:
        with self._open() as freezes:
            return look(freezes)

    def _silences_of(self, figures: AlarmSettings) -> Silences:
        stages = (
            Stage(figures.silent_days, None),
            Stage(figures.silent_work_days, WorkKind.SILENT),
            Stage(figures.silent_case_days, WorkKind.MISSING_HOUSEHOLD),
        )
        if self._silences is None or self._silences[0] != stages:
            self._silences = stages, Silences(stages)
        return self._silences[1]

    async def _is_settled(self, now: datetime) -> bool:
        """Whether the lines have had their time since the start; asked of a clock that is set."""
        up = timedelta(seconds=self._clock.monotonic_s() - self._begun_s)
        if self._rests is None:
            self._rests = await asyncio.to_thread(self._rest, now - up)
        return up >= self._rests

    def _rest(self, begun_at: datetime) -> timedelta:
        begun = int(begun_at.timestamp())
        with self._open() as freezes:
            seen = freezes.journal.look(lambda db: ledger_looks.lived_until(db, self._boot, begun))
        if seen is None or begun_at.timestamp() - seen < OUTAGE.total_seconds():
            return BEGIN
        return BEGIN_BEHIND_OUTAGE

    async def _close_needless(self, now: datetime) -> None:
        """Close the work that nobody has to do any more."""
        waiting = [one async for one in self._teller.waiting(_KINDS)]
        if not waiting:
            return
        for last, why in await asyncio.to_thread(self._needless, waiting, now):
            try:
                await self._teller.close(last, why)
            except StepTaken:
                continue  # somebody writes to it just now

    def _needless(self, waiting: list[tuple[WorkKind, Act, date]], now: datetime) -> list[tuple[Act, str]]:
        with self._open() as freezes:
            came = cache(partial(_came, freezes))  # of many items that wait for the freeze of one night
            found = [
                (last, _why_needless(freezes, came, kind, last, day, now)) for kind, last, day in waiting
            ]
        return [(last, why) for last, why in found if why]


def _hour(now: datetime) -> int:
    return int(now.timestamp()) // 3_600


def _came(freezes: Freezes, day: date) -> set[str]:
    """Our ids of the meters whose freeze of a day can be used."""
    return freezes.journal.look(partial(contact_rows.usable, slots=slots_of(day, freezes.zone)))


def _why_needless(
    freezes: Freezes, came: Callable[[date], set[str]], kind: WorkKind, last: Act, day: date, now: datetime
) -> str:
    settings = freezes.points.settings(last.meter)
    if settings is None or not settings.in_service(now):
        return _GONE
    if kind is WorkKind.MANUAL_READ:
        return _CAME if last.meter in came(day) else ""
    # A silence has the day of the last word for its name: a word of a later day has ended it.
    return _ANSWERS if heard_since(freezes, last.meter, freezes.end_of(day), now) else ""
