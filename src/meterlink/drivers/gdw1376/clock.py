"""The clock of a terminal of Q/GDW 1376.1: read (0C F2), and set by ours (05 F31)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.gdw1376.station import Station
from meterlink.errors import Refused
from meterwire.gdw1376.formats.times import CENTURY, Moment
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

    async def read(self) -> timedelta | None:
        """See ``TerminalClock.read``."""
        return await self._station.read_clock(self._line, priority=Priority.ON_DEMAND)

    async def set(self) -> timedelta | None:
        """See ``TerminalClock.set``.

        The line is held from the first look to the last: what the way there takes is measured just before,
        and the time that is sent waits behind nobody.
        """
        station = self._station
        async with self._line.hold(priority=Priority.ON_DEMAND) as held:
            begun_s = station.clock.monotonic_s()
            await station.read_clock(held, priority=Priority.ON_DEMAND)
            one_way = timedelta(seconds=station.clock.monotonic_s() - begun_s) / 2
            arriving = (station.clock.utc_now() + one_way + _HALF_SECOND).astimezone(station.zone)
            command = unit(table.CONTROL, SET_CLOCK_FN, {"time": moment_of(arriving)})
            answer = await station.ask(held, table.CONTROL, [command], priority=Priority.ON_DEMAND)
            if answer.is_denied:
                raise Refused(f"terminal {station.name} does not let its clock be set", error_word=b"")
            return await station.read_clock(held, priority=Priority.ON_DEMAND)


def moment_of(shown: datetime) -> Moment:
    """A civil time as the wire has it (A.1), to the second.

    Args:
        shown: of the years 2000 to 2099.

    """
    return Moment(
        year=shown.year - CENTURY,
        month=shown.month,
        day=shown.day,
        hour=shown.hour,
        minute=shown.minute,
        second=shown.second,
        weekday=shown.isoweekday(),
    )
