"""How a terminal collects: last night's freezes from 00:05 on, and present values at the points of a curve.

A meter that does not answer costs itself its time: it is asked again in later rounds. What is missing of the
last three days is looked for with the next night, and each four hours between. Ports do not wait for each
other. A curve's run that is not over when the next is due leaves that out, and asks no more meters.
Source: field practice, section 7.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Final, Protocol

from metersim.gdw1376.archive import PointArchive, PointEntry, read_as
from metersim.gdw1376.store import PointStore
from metersim.terminals.meters import Meters
from metersim.terminals.port import PortBusy
from metersim.terminals.reading import MeterReader, Silent
from meterwire.dlt698.apdus.parts import RecordRequest
from meterwire.dlt698.axdr.selection import Oad, SelectEqual, SelectNthLast
from meterwire.dlt698.axdr.values import Data, DateTimeS
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.records import FROZEN_AT, records
from meterwire.errors import RemoteProtocolError
from meterwire.item_value import Content

NIGHT_AT: Final = time(0, 5)
"""When it begins."""
BACK_DAYS: Final = 3
"""Days of which it looks for what is missing."""
LOOK_AGAIN: Final = timedelta(hours=4)
WAIT_S_MAX: Final = 3600.0
"""The time is looked at so often at least."""
DAY: Final = timedelta(days=1)
_KILO: Final = 1000
_DAILY: Final = Oad(0x5004, 2, 0)


def _oads(*texts: str) -> tuple[Oad, ...]:
    return tuple(map(Oad.of, texts))


_ACTIVE: Final = _oads("00100200", "00200200")
_REACTIVE: Final = _oads("00300200", "00400200", "00500200", "00600200", "00700200", "00800200")
_DEMANDS: Final = _oads("10100200", "10200200")
_VARIABLES: Final = _oads("20000200", "20010200", "20040200", "200A0200")
_THREE_PHASE_VARIABLES: Final = _oads("20050200")


class Pace(Protocol):
    """How hard a terminal tries; `metersim.gdw1376.ways.Ways1376`."""

    @property
    def rounds(self) -> int:
        """Times that it goes through the meters that have not answered."""

    @property
    def pause_s(self) -> float:
        """Before each round but the first."""

    @property
    def curve_minutes(self) -> int:
        """Between two points of a curve; 0: no curve."""

    @property
    def files_last(self) -> bool:
        """It asks for the last freeze, and files it by its own clock."""


class Gatherer:
    """Collects for one terminal.

    Args:
        shown: the terminal's civil time.
        archive: its points.
        meters: the ways to them.
        store: where records are kept.
        pace: how hard it tries.
        failed: called with the entry of a meter whose last freeze could not be had in any round.
        speed: how many seconds of the true time pass in a second of the program.

    """

    def __init__(
        self,
        *,
        shown: Callable[[], datetime],
        archive: PointArchive,
        meters: Meters,
        store: PointStore,
        pace: Pace,
        failed: Callable[[PointEntry], None],
        speed: Callable[[], float],
    ) -> None:
        self._shown = shown
        self._archive = archive
        self._meters = meters
        self._store = store
        self._pace = pace
        self._failed = failed
        self._speed = speed
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """The clock was set, or the archive is another: look again what is due."""
        self._changed.set()

    async def run(self) -> None:
        """Collect until cancelled; what is missing is looked for first."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._nights(), name="terminal.nights")
                if self._pace.curve_minutes:
                    group.create_task(self._curve(), name="terminal.curve")
        finally:
            self._changed = asyncio.Event()  # the next run may be in another loop

    # --- when ---

    async def _nights(self) -> None:
        while True:
            begun = self._shown()
            await self._freezes(begun)
            first = datetime.combine(begun.date(), NIGHT_AT)
            last = first + (begun - first) // LOOK_AGAIN * LOOK_AGAIN
            await self._until(min(last + LOOK_AGAIN, first + (begun >= first) * DAY))

    async def _curve(self) -> None:
        step = timedelta(minutes=self._pace.curve_minutes)
        while True:
            midnight = datetime.combine(self._shown().date(), time())
            slot = midnight + ((self._shown() - midnight) // step + 1) * step
            await self._until(slot)
            if timedelta() <= self._shown() - slot < step:
                await self._by_port(self._archive.entries, partial(self._point, slot, slot + step))

    async def _until(self, due: datetime) -> None:
        """Until the own clock shows a time; or sooner, where that was set or the archive changed."""
        self._changed.clear()
        while (left_s := (due - self._shown()).total_seconds()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, WAIT_S_MAX) / self._speed()):
                    await self._changed.wait()
                return

    # --- what ---

    async def _freezes(self, begun: datetime) -> None:
        """Go through what is missing of the last days, newest first."""
        last = begun.date() if begun.time() >= NIGHT_AT else begun.date() - DAY
        midnights = [last - DAY * back for back in range(BACK_DAYS)]
        for number in range(self._pace.rounds):
            missing = [entry for entry in self._archive.entries if self._missing(entry, midnights)]
            if not missing:
                return
            if number:
                await asyncio.sleep(self._pace.pause_s / self._speed())
            await self._by_port(missing, lambda entry: self._nightly(entry, self._missing(entry, midnights)))
        for entry in self._archive.entries:
            if last in self._missing(entry, midnights):
                self._failed(entry)

    def _missing(self, entry: PointEntry, midnights: Sequence[date]) -> list[date]:
        reader = self._reader(entry)
        if reader is None or not reader.has_freezes:
            return []
        return [day for day in midnights if self._store.at(entry.addr, day - DAY) is None]

    async def _by_port(
        self, entries: Sequence[PointEntry], read: Callable[[PointEntry], Awaitable[None]]
    ) -> None:
        """Read meters, one after the other on each port."""
        by_port: dict[int, list[PointEntry]] = {}
        for entry in entries:
            by_port.setdefault(entry.port, []).append(entry)
        async with asyncio.TaskGroup() as group:
            for port, meters in by_port.items():
                group.create_task(_one_by_one(meters, read), name=f"terminal.collect[{port}]")

    async def _nightly(self, entry: PointEntry, midnights: Sequence[date]) -> None:
        """The freezes of one meter; silence ends its turn."""
        reader = self._reader(entry)
        columns = (FROZEN_AT, *_ACTIVE, *(_REACTIVE + _DEMANDS) * entry.has_three_phases)
        if reader is None:
            return
        for midnight in midnights:
            when = self._selection(midnight)
            try:
                result = await reader.records(RecordRequest(_DAILY, when, columns))
                found = records(result).rows
            except (Silent, PortBusy, RemoteProtocolError):
                return
            for row in found:
                contents = {value.item: _in_kilo(value.content, value.unit) for value in row.readings}
                if contents and self._archive.point(entry.point) == entry:
                    self._store.keep(entry.addr, midnight - DAY, self._shown(), contents)

    def _selection(self, midnight: date) -> SelectEqual | SelectNthLast:
        if self._pace.files_last:
            return SelectNthLast((self._shown().date() - midnight).days + 1)
        return SelectEqual(FROZEN_AT, Data("date_time_s", DateTimeS.of(datetime.combine(midnight, time()))))

    async def _point(self, slot: datetime, until: datetime, entry: PointEntry) -> None:
        """Present values of one meter, while they may pass for those of the point."""
        reader = self._reader(entry)
        if reader is None or self._shown() >= until:
            return
        oads = _VARIABLES + _ACTIVE + (_THREE_PHASE_VARIABLES + _REACTIVE) * entry.has_three_phases
        try:
            answers = await reader.attributes(oads)
        except (Silent, PortBusy):
            return
        contents: dict[str, Content] = {}
        for answer in answers:
            known = dictionary().entry(answer.oad)
            if known is not None and isinstance(answer.result, Data):
                values = known.decode(answer.result)
                contents |= {one.item: _in_kilo(one.content, one.unit) for one in values if not one.problem}
        if contents and self._archive.point(entry.point) == entry:
            self._store.keep(entry.addr, slot, self._shown(), contents)

    def _reader(self, entry: PointEntry) -> MeterReader | None:
        known = read_as(entry)
        return None if known is None else self._meters.reader(known)


async def _one_by_one(meters: Iterable[PointEntry], read: Callable[[PointEntry], Awaitable[None]]) -> None:
    for entry in meters:
        await read(entry)


def _in_kilo(content: Content, unit: str) -> Content:
    """Powers of DL/T 698.45 are in W, those of 1376.1 in kW."""
    if isinstance(content, str) or content is None or unit not in {"W", "var", "VA"}:
        return content
    return content / _KILO
