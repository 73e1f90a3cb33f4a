"""The clock of a terminal of Q/GDW 1376.1: read (0C F2), and set by ours (05 F31)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from meterlink.bus.line import Exchanging, Line
from meterlink.bus.queue import Priority
from meterlink.drivers.gdw1376.station import Station
from meterlink.errors import Refused
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.functions import terminal as table
from meterwire.gdw1376.messages.terminal import unit

SET_CLOCK_FN: Final = 31
_HALF_SECOND: Final = timedelta(seconds=0.5)


class Clock1376:
    """A ``TerminalClock``.

    Args:
        station: the terminal.
        line: that of its connection.

    """

    def __init__(self, station: Station, line: Line) -> None:
        self._station = station
        self._line = line

    @property
    def terminal(self) -> str:
        """See ``TerminalClock.terminal``."""
        return self._station.name

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn1376]:
        """See ``TerminalClock.turn``."""
        async with self._line.hold(priority=Priority.ON_DEMAND) as held:
            yield Turn1376(self._station, held)


class Turn1376:
    """A ``ClockTurn``.

    Args:
        station: the terminal.
        held: its line.

    """

    def __init__(self, station: Station, held: Exchanging) -> None:
        self._station = station
        self._held = held
        self._one_way = timedelta()

    async def read(self) -> timedelta | None:
        """See ``ClockTurn.read``; what the way there takes is measured."""
        begun_s = self._station.clock.monotonic_s()
        ahead = await self._station.read_clock(self._held, priority=Priority.ON_DEMAND)
        self._one_way = timedelta(seconds=self._station.clock.monotonic_s() - begun_s) / 2
        return ahead

    async def set(self) -> timedelta | None:
        """See ``ClockTurn.set``; the time that is sent is that at which it should arrive."""
        station = self._station
        arriving = (station.clock.utc_now() + self._one_way + _HALF_SECOND).astimezone(station.zone)
        command = unit(table.CONTROL, SET_CLOCK_FN, {"time": Moment.to_the_second(arriving)})
        answer = await station.ask(self._held, table.CONTROL, [command], priority=Priority.ON_DEMAND)
        if answer.is_denied:
            raise Refused(f"terminal {station.name} does not let its clock be set", error_word=b"")
        return await self.read()
