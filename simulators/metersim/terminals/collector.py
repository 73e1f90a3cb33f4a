"""The tasks of a concentrator at work: when one is due its meters are read, port by port, and rows are kept.

Each port goes from meter to meter; the ports do not wait for each other. A meter that does not answer costs
itself its time and no more: it is asked again in later rounds, and without an answer in the last of them its
row is missing. A task that is still running when it is due again leaves that run out. Freezes that were due
while the concentrator was off are collected when it is on again; present values are not, for they are past.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from metersim.line.line import Clock
from metersim.terminals.intervals import span
from metersim.terminals.meters import Meters
from metersim.terminals.port import MeterPort, PortBusy
from metersim.terminals.reading import MeterReader, Silent
from metersim.terminals.schemes import BY_FREEZE_TIME, BY_INTERVAL, NTH_LAST, PRESENT, Scheme
from metersim.terminals.store import Row, Store, kept_cells
from metersim.terminals.tasks import COLLECT, Task
from metersim.works.clock import MeterClock
from meterwire.dlt698.apdus.parts import RecordRequest, RecordResult
from meterwire.dlt698.axdr.selection import Csd, Oad, Road, SelectEqual, Selection, SelectNthLast, SelectRange
from meterwire.dlt698.axdr.values import NULL, Data, DateTimeS
from meterwire.dlt698.objects.concentrator import ArchiveEntry
from meterwire.dlt698.objects.records import FROZEN_AT

WAIT_S_MAX: Final = 3600.0
"""A task's time is looked at so often at least."""
ROUNDS_MAX: Final = 100
ON_TIME: Final = timedelta(seconds=5)
"""A task that begins so late has missed its time."""
MONTH: Final = timedelta(days=31)
QUARTER: Final = timedelta(minutes=15)
_NEVER: Final = datetime.min  # noqa: DTZ901  # civil time
_SECOND: Final = timedelta(seconds=1)
_FREEZE_TIMES: Final[dict[int, Callable[[datetime], datetime]]] = {
    0x5002: lambda shown: shown - (shown - datetime.min) % QUARTER,  # noqa: DTZ901  # civil time
    0x5003: lambda shown: shown.replace(minute=0, second=0, microsecond=0),
    0x5004: lambda shown: shown.replace(hour=0, minute=0, second=0, microsecond=0),
    0x5006: lambda shown: shown.replace(day=1, hour=0, minute=0, second=0, microsecond=0),
}
"""Freeze object -> (time) -> time of its last freeze."""
IDLE, RUNNING, DONE = 0, 1, 2
"""States of a task's run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistence:
    """How hard a concentrator tries.

    Args:
        rounds: times that it goes through the meters that have not answered, 1 to 100.
        pause_s: before each round but the first, 0 s or more.

    Raises:
        ValueError: a figure out of its range.

    """

    rounds: int = 3
    pause_s: float = 300.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 1 <= self.rounds <= ROUNDS_MAX or self.pause_s < 0:
            raise ValueError(f"{self.rounds} rounds, {self.pause_s} s apart: 1 to {ROUNDS_MAX}, 0 s or more")


@dataclass(slots=True, kw_only=True)
class Run:
    """One run of a task, as the task monitor (6034) tells it.

    Args:
        task: its number.
        started_at: civil time of the concentrator.
        period: for which it collects.
        ended_at: the same, when it is over.
        total: meters that were to be read.
        success: meters whose row is there.
        sent: frames that left for meters meanwhile.
        received: frames that came back.

    """

    task: int
    started_at: datetime
    period: timedelta = timedelta()
    ended_at: datetime | None = None
    total: int = 0
    success: int = 0
    sent: int = 0
    received: int = 0

    @property
    def state(self) -> int:
        """1 while it runs, 2 when it is done."""
        return RUNNING if self.ended_at is None else DONE


class Collector:
    """Carries out the tasks of one concentrator.

    Args:
        clock: the true time.
        own: the concentrator's clock.
        meters: the meters behind it.
        store: where rows are kept.
        persistence: how hard it tries.
        speed: how many seconds of the true time pass in a second of the program.
        failed: called with the address of a meter whose freeze could not be had in any round, and with
            ``False`` when one was had again.
        report: carries out a task that reports.

    Attributes:
        tasks: by number.
        schemes: by number.
        runs: the last run of each task.

    """

    def __init__(
        self,
        *,
        clock: Clock,
        own: MeterClock,
        meters: Meters,
        store: Store,
        persistence: Persistence,
        failed: Callable[[str, bool], None],
        report: Callable[[Task], None],
        speed: Callable[[], float],
    ) -> None:
        self.tasks: dict[int, Task] = {}
        self.schemes: dict[int, Scheme] = {}
        self.runs: dict[int, Run] = {}
        self._clock = clock
        self._own = own
        self._meters = meters
        self._store = store
        self._persistence = persistence
        self._failed = failed
        self._report = report
        self._speed = speed
        self._fired: dict[int, datetime] = {}
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """Tasks are others now, or the clock was set: look again what is due."""
        self._changed.set()

    def shown(self) -> datetime:
        """The concentrator's civil time."""
        return self._own.shows(self._clock.utc_now()).replace(tzinfo=None)

    async def run(self) -> None:
        """Carry out what is due, until cancelled; what was due meanwhile is looked at first."""
        for run in self.runs.values():
            if run.state == RUNNING:  # cut off when the power went
                run.ended_at = self.shown()
        try:
            await self._carry_out()
        finally:
            self._changed = asyncio.Event()  # the next run may be in another loop

    async def _carry_out(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                for task in sorted(self.tasks.values(), key=_urgency):
                    if self._is_due(task):
                        group.create_task(self._carried_out(task), name=f"concentrator.task[{task.number}]")
                await self._until_next()

    # --- when ---

    def _is_due(self, task: Task) -> bool:
        """Whether a task has to begin now, that has not begun for this period already.

        Its time was missed when the concentrator was off, or did not know the task. What had begun at a time
        that is yet to come, for the clock was set back, will begin again.
        """
        shown = self.shown()
        due = task.last_due(shown) or _NEVER
        fired = self._fired.get(task.number)
        self._fired[task.number] = due
        if not task.enabled or due <= (fired or _NEVER):
            return False
        missed = fired is None or shown - due > ON_TIME * self._speed()
        running = task.number in self.runs and self.runs[task.number].state == RUNNING
        return not running and (not missed or self._can_be_late(task))

    def _can_be_late(self, task: Task) -> bool:
        scheme = self.schemes.get(task.scheme)
        return task.kind == COLLECT and scheme is not None and scheme.kind != PRESENT

    async def _until_next(self) -> None:
        shown = self.shown()
        dues = [due for task in self.tasks.values() if task.enabled and (due := task.next_due(shown))]
        waits = [(due - shown).total_seconds() for due in dues]
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(min([*waits, WAIT_S_MAX]) / self._speed()):
                await self._changed.wait()

    # --- what ---

    async def _carried_out(self, task: Task) -> None:
        if task.kind != COLLECT:
            self._report(task)
            return
        scheme = self.schemes.get(task.scheme)
        if scheme is None:
            return
        run = Run(task=task.number, started_at=self.shown(), period=span(task.period) or MONTH)
        self.runs[task.number] = run
        chosen = self._meters.archive.chosen(scheme.meters)
        entries = [entry for entry in chosen if self._can_have(scheme, entry)]
        run.total = len(entries)
        before = self._meters.counts()
        by_port: dict[MeterPort, list[ArchiveEntry]] = {}
        for entry in entries:
            if (port := self._meters.port(entry.port)) is not None:
                by_port.setdefault(port, []).append(entry)
        async with asyncio.TaskGroup() as group:
            for port, meters in by_port.items():
                group.create_task(
                    self._collect(scheme, meters, run), name=f"concentrator.collect[{port.oad}]"
                )
        run.sent, run.received = (now - then for now, then in zip(self._meters.counts(), before, strict=True))
        run.ended_at = self.shown()

    def _can_have(self, scheme: Scheme, entry: ArchiveEntry) -> bool:
        """Whether a meter can have what a scheme is about; what cannot be reached at all is to be told of."""
        reader = self._meters.reader(entry)
        return scheme.kind == PRESENT or reader is None or reader.has_freezes

    async def _collect(self, scheme: Scheme, meters: Sequence[ArchiveEntry], run: Run) -> None:
        """Go through the meters of a port; present values are worth one round only."""
        left = list(meters)
        rounds = 1 if scheme.kind == PRESENT else self._persistence.rounds
        for number in range(rounds):
            if number and left:
                await asyncio.sleep(self._persistence.pause_s / self._speed())
            left = [entry for entry in left if not await self._read(scheme, entry, run)]
        if scheme.kind != PRESENT:
            for entry in left:
                self._failed(entry.address, True)

    async def _read(self, scheme: Scheme, entry: ArchiveEntry, run: Run) -> bool:
        """Read one meter; whether it gave a row."""
        reader = self._meters.reader(entry)
        if reader is None:
            return False
        try:
            found = await _records_of(reader, scheme, run)
        except (Silent, PortBusy):
            return False
        for frozen_at, cells in found:
            row = Row(
                stored_at=scheme.stored_at(run.started_at, frozen_at),
                started_at=run.started_at,
                succeeded_at=self.shown(),
                address=entry.address,
                cells=kept_cells(cells),
            )
            self._store.keep(scheme, _to_the_second(row))
        if found:
            run.success += 1
            self._failed(entry.address, False)
        return bool(found)


_Found = list[tuple[datetime | None, tuple[Data, ...]]]


async def _records_of(reader: MeterReader, scheme: Scheme, run: Run) -> _Found:
    """The records that a meter has for a scheme: time of the freeze where it is one, and cells.

    Raises:
        Silent: no answer.
        PortBusy: too many wait for its port.

    """
    if scheme.kind == BY_INTERVAL:
        [column] = scheme.columns
        assert isinstance(column, Road)
        return [(row_at, (cell,)) for row_at, cell in await _rows(reader, scheme, column, run)]
    cells: list[Data] = []
    frozen_at = None
    values = [column for column in scheme.columns if isinstance(column, Oad)]
    answers = {one.oad: one.result for one in await reader.attributes(values)} if values else {}
    for column in scheme.columns:
        if isinstance(column, Oad):
            result = answers.get(column)
            cells.append(result if isinstance(result, Data) else NULL)
            continue
        rows = await _rows(reader, scheme, column, run)
        cells.append(rows[-1][1] if rows else NULL)
        frozen_at = rows[-1][0] if rows else frozen_at
    return [(frozen_at, tuple(cells))] if any(cell != NULL for cell in cells) else []


async def _rows(
    reader: MeterReader, scheme: Scheme, column: Road, run: Run
) -> list[tuple[datetime | None, Data]]:
    """Rows of a table of a meter, each as the cell of a column."""
    asked: tuple[Csd, ...] = (FROZEN_AT, *(oad for oad in column.oads if oad != FROZEN_AT))
    request = RecordRequest(column.oad, _selection(scheme, column.oad, run), asked)
    result = await reader.records(request)
    if not isinstance(result.result, tuple):
        return []
    return [found for row in result.result if (found := _as_cell(result, row, column)) is not None]


def _as_cell(
    result: RecordResult, row: tuple[Data, ...], column: Road
) -> tuple[datetime | None, Data] | None:
    """A row as one cell; ``None`` for a row of nothing, which is none."""
    by_oad = dict(zip(result.rcsd, row, strict=True))
    time = by_oad.get(FROZEN_AT, NULL).value
    members = tuple(by_oad.get(oad, NULL) for oad in column.oads)
    if all(cell == NULL for cell in row):
        return None
    return (time.civil() if isinstance(time, DateTimeS) else None), Data("structure", members)


def _selection(scheme: Scheme, table: Oad, run: Run) -> Selection:
    if scheme.kind == NTH_LAST:
        return SelectNthLast(scheme.content.value)
    frozen_at = _FREEZE_TIMES.get(table.oi)
    if frozen_at is None:
        return SelectNthLast(1)
    newest = frozen_at(run.started_at)
    if scheme.kind == BY_FREEZE_TIME:
        return SelectEqual(FROZEN_AT, _time(newest))
    first, end = newest - run.period + _SECOND, newest + _SECOND
    return SelectRange(FROZEN_AT, _time(first), _time(end), NULL)


def _time(moment: datetime) -> Data:
    return Data("date_time_s", DateTimeS.of(moment))


def _to_the_second(row: Row) -> Row:
    """Times as they can be told."""
    return row._replace(
        stored_at=row.stored_at.replace(microsecond=0),
        started_at=row.started_at.replace(microsecond=0),
        succeeded_at=row.succeeded_at.replace(microsecond=0),
    )


def _urgency(task: Task) -> tuple[int, int]:
    return task.priority, task.number
