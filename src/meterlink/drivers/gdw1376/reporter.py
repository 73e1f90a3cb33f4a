"""The keeper's side of one terminal: what it tells finds its meters, and what waits with it is fetched.

A report that names measuring points waits until the archive is known; it is not confirmed meanwhile, and its
terminal tells it again. Answers of a terminal say how many events it has counted (EC): what is new since the
last look is asked for, and after a start what it may hold of before; see ``counted``.
Source: spec gdw1376, B1 and B3, 0E.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final, NamedTuple

import structlog

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.gdw1376.archive import Differences
from meterlink.drivers.gdw1376.counted import Counted
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
EVENT_LISTS: Final = (1, 2)
"""Fn of 0E: important and general events."""
REQUESTS_MAX: Final = 64
"""Requests for events in turn; what then is left is asked for after a pause."""
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
        self._counted = {fn: Counted() for fn in EVENT_LISTS}
        self._events_due_s = -math.inf
        self._events_pause_s = RETRY_S
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
            for fn, count in zip(EVENT_LISTS, counts, strict=True):
                self._counted[fn].count(count)
            if not any(one.is_denied for one in self._counted.values()):
                self._events_due_s = -math.inf  # what was denied is old, and what is new need not wait for it
            self._wake.set()

    def hear(self, message: Message, confirm: Callable[[], None]) -> None:
        """A report came."""
        waiting = _Waiting(message, confirm, self._station.clock.utc_now())
        station = self._station
        is_known = station.archive is not None and station.clock.monotonic_s() < station.clock_until_s
        if is_known or not points_in(message):
            self._heard(waiting)
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
        if any(one.wanted for one in self._counted.values()):
            left_s = min(left_s, max(self._events_due_s - station.clock.monotonic_s(), 0.0))
        if line.absence:  # it wakes us when it comes
            left_s = RETRY_MAX_S
        with suppress(TimeoutError):
            async with asyncio.timeout(left_s):
                await self._wake.wait()

    async def _look(self, line: Line) -> None:
        await self._station.known_archive(line, priority=Priority.BILLING)
        await self._look_at_clock(line)
        while self._waiting:
            self._heard(self._waiting.popleft())
        self._compare()
        if self._station.clock.monotonic_s() >= self._events_due_s:
            await self._fetch(line)

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

    async def _fetch(self, line: Line) -> None:
        """Ask for the events of both lists that are wanted; again after a pause for what is denied."""
        are_done = [await self._fetch_list(line, fn) for fn in EVENT_LISTS]
        if all(are_done):
            self._events_pause_s = RETRY_S
            return
        self._events_due_s = self._station.clock.monotonic_s() + self._events_pause_s
        self._events_pause_s = min(2 * self._events_pause_s, RETRY_MAX_S)

    async def _fetch_list(self, line: Line, fn: int) -> bool:
        """Ask for the events of one list; whether all that it may have was told, or was given up."""
        counted = self._counted[fn]
        for _ in range(REQUESTS_MAX):
            if (window := counted.wanted) is None:
                return True
            wanted = unit(table.EVENTS, fn, {"pm": window.first, "pn_ptr": window.after})
            answer = await self._station.ask(line, table.EVENTS, [wanted], priority=Priority.BILLING)
            came = False
            for message in answer.messages:
                if message.head.afn == table.EVENTS and message.units:
                    for told in _lists_in(message):
                        came |= told.fn == fn and counted.asked_and_told(window, told.first, told.events)
                    self._tell(_Waiting(message, lambda: None, answer.taken_at))
            if not came and not self._given_up(fn):
                return False
        return False

    def _given_up(self, fn: int) -> bool:
        """Events were denied; whether that was the last time."""
        counted = self._counted[fn]
        before = counted.passed_over
        is_given_up = counted.denied()
        if counted.passed_over > before:
            lost = counted.passed_over - before
            _log.warning("terminal_events_untold", terminal=self._station.name, list=f"F{fn}", events=lost)
        return is_given_up

    def _heard(self, waiting: _Waiting) -> None:
        """Tell what the terminal reported by itself."""
        for told in _lists_in(waiting.message):
            self._counted[told.fn].told(told.first, told.events)
        self._tell(waiting)

    def _tell(self, waiting: _Waiting) -> None:
        message, confirm, received_at = waiting
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


class _Listed(NamedTuple):
    """Events of one list in a message: the pointer of the first, and how many there are."""

    fn: int
    first: int
    events: int


def _lists_in(message: Message) -> Iterator[_Listed]:
    if message.head.afn == table.EVENTS:
        for one in message.units:
            if one.fn in EVENT_LISTS and "events" in one.values:
                yield _Listed(one.fn, one.values["pm"], len(one.values["events"]))


def _counted(differing: Differences) -> dict[str, int]:
    return {name: len(found) for name, found in differing._asdict().items()}
