"""The keeper's side of one terminal: what it tells finds its meters, and what waits with it is fetched.

A report that names measuring points waits until the archive is known; it is not confirmed meanwhile, and its
terminal tells it again. Answers of a terminal say how many events it has counted (EC): what is new since the
last look is asked for, once. The first look after a start asks for the last few: which of them are known, the
journal says. Source: spec gdw1376, B1 and B3, 0E.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final, NamedTuple

import structlog

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.gdw1376.archive import Differences
from meterlink.drivers.gdw1376.station import CLOCK_OFF, Station
from meterlink.drivers.gdw1376.told import Told, points_in
from meterlink.drivers.reports import Report, own_report
from meterlink.drivers.terminal_archive import told_of
from meterlink.errors import BadAnswer, BusFull, ConfigError, LineError, ReplyTimeout
from meterlink.model.event_kinds import ARCHIVE_DIFFERS, CLOCK_IS_OFF
from meterwire.gdw1376.functions import terminal as table
from meterwire.gdw1376.messages.terminal import Message, unit

WAITING_MAX: Final = 64
"""Reports that wait for the archive; one more is dropped, and its terminal tells it again."""
FIRST_LOOK_EVENTS: Final = 16
"""Events that are asked for when nobody knows which were told before."""
COUNTS: Final = 256
"""Pointers of events count modulo this."""
RETRY_S: Final = 60.0
RETRY_MAX_S: Final = 3_600.0
"""Pauses after looks that failed while the terminal is connected double from the first to the longest."""
_FAILURES: Final = (ReplyTimeout, LineError, BusFull, BadAnswer, ConfigError)
_log = structlog.get_logger(__name__)


class _Waiting(NamedTuple):
    message: Message
    confirm: Callable[[], None]
    received_at: datetime


class Reporter:
    """What one terminal tells, on its way to the journal.

    Args:
        station: the terminal.
        roster: addresses of the meters that should be behind it.
        put: where reports go.

    Attributes:
        dropped: reports that found too many waiting.

    """

    def __init__(self, station: Station, roster: Collection[str], put: Callable[[Report], None]) -> None:
        self.dropped = 0
        self._station = station
        self._roster = roster
        self._put = put
        self._told = Told(station.name, station.zone)
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._known: dict[int, int] = {}
        self._counts: tuple[int, int] | None = None
        self._differing = Differences()
        self._clock_looks = 0
        self._wake.set()  # it may be there already
        station.roster = frozenset(roster)
        station.on_report, station.on_counts, station.on_coming = self.hear, self.count, self.come

    # --- what the station tells ------------------------------------------------------------

    def come(self) -> None:
        """The terminal has logged in."""
        self._wake.set()

    def count(self, counts: tuple[int, int]) -> None:
        """An answer said how many important and general events the terminal has counted."""
        if counts != self._counts:
            self._counts = counts
            self._wake.set()

    def hear(self, message: Message, confirm: Callable[[], None]) -> None:
        """A report came."""
        waiting = _Waiting(message, confirm, self._station.clock.utc_now())
        station = self._station
        is_known = station.archive is not None and station.clock.monotonic_s() < station.clock_until_s
        if is_known or not points_in(message):
            self._tell(waiting)
        elif len(self._waiting) < WAITING_MAX:
            self._waiting.append(waiting)
            self._wake.set()
        else:
            self.dropped += 1

    # --- what it does by itself ------------------------------------------------------------

    async def run(self, line: Line) -> None:
        """Look after the terminal until cancelled.

        Args:
            line: that of its connection.

        """
        pause_s = RETRY_S
        while True:
            await self._due(line)
            self._wake.clear()
            try:
                await self._look(line)
                pause_s = RETRY_S
            except _FAILURES as error:
                if not line.absence:
                    _log.info("terminal_look_failed", terminal=self._station.name, reason=str(error))
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, RETRY_MAX_S)
                    self._wake.set()

    async def _due(self, line: Line) -> None:
        """Until something wakes us, or the clock or an empty archive is to be looked at again."""
        station = self._station
        due_s = station.archive_until_s if station.empty_reads else station.clock_until_s
        left_s = max(min(due_s, station.clock_until_s) - station.clock.monotonic_s(), RETRY_S)
        if line.absence:  # it wakes us when it comes
            left_s = RETRY_MAX_S
        with suppress(TimeoutError):
            async with asyncio.timeout(left_s):
                await self._wake.wait()

    async def _look(self, line: Line) -> None:
        await self._station.known_archive(line, priority=Priority.BILLING)
        await self._look_at_clock(line)
        while self._waiting:
            self._tell(self._waiting.popleft())
        self._compare()
        if self._counts is not None:
            for fn, count in enumerate(self._counts, start=1):
                await self._fetch(line, fn, count)

    def _compare(self) -> None:
        """Tell how archive and roster differ, once a difference."""
        archive = self._station.archive
        differing = Differences() if archive is None else archive.differences(self._roster)
        if archive is None or differing == self._differing:
            return
        if self._station.empty_reads == 1:
            return  # perhaps it is only busy
        self._differing = differing
        if differing:
            _log.warning("archive_differs", terminal=self._station.name, **_counted(differing))
            self._report(ARCHIVE_DIFFERS, told_of(differing._asdict()))

    async def _look_at_clock(self, line: Line) -> None:
        ahead = await self._station.known_clock(line, priority=Priority.BILLING)
        looks, self._clock_looks = self._clock_looks, self._station.clock_looks
        if looks != self._station.clock_looks and ahead is not None and abs(ahead) > CLOCK_OFF:
            _log.warning(
                "terminal_clock_off", terminal=self._station.name, seconds=round(ahead.total_seconds())
            )
            self._report(CLOCK_IS_OFF, {"clock_ahead_s": f"{ahead.total_seconds():.0f}"})

    def _report(self, kind: str, values: Mapping[str, str]) -> None:
        """Tell what was found out about the terminal."""
        station = self._station
        self._put(own_report(station.name, kind, values, station.clock.utc_now(), source="gdw1376.1"))

    async def _fetch(self, line: Line, fn: int, count: int) -> None:
        """Ask for the events of one list that are new."""
        known = self._known.get(fn)
        if known is None:
            known = (count - min(FIRST_LOOK_EVENTS, count)) % COUNTS
        if known == count:
            self._known[fn] = count
            return
        wanted = unit(table.EVENTS, fn, {"pm": known, "pn_ptr": count})
        answer = await self._station.ask(line, table.EVENTS, [wanted], priority=Priority.BILLING)
        self._known[fn] = count
        for message in answer.messages:
            if message.head.afn == table.EVENTS and message.units:
                self._tell(_Waiting(message, lambda: None, answer.taken_at))

    def _tell(self, waiting: _Waiting) -> None:
        message, confirm, received_at = waiting
        for one in message.units:
            if message.head.afn == table.EVENTS and "pn_ptr" in one.values:
                self._note(one.fn, one.values["pm"], one.values["pn_ptr"])
        station = self._station
        self._put(
            self._told.report(
                message,
                station.archive,
                received_at=received_at,
                acknowledge=confirm,
                files_well=station.files_well,
                clock_marks=station.clock_marks,
            )
        )

    def _note(self, fn: int, first: int, after: int) -> None:
        """Events of a list came; what lies between them and the last known ones is still to be asked for."""
        known = self._known.get(fn)
        if known is None or (known - first) % COUNTS <= (after - first) % COUNTS:
            self._known[fn] = after


def _counted(differing: Differences) -> dict[str, int]:
    return {name: len(found) for name, found in differing._asdict().items()}
