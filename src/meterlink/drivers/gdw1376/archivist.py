"""Showing and filling the archive of a terminal of Q/GDW 1376.1 (0A F10, 04 F10)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, Final

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.gdw1376.archive import ENTRIES_MAX, UNREAD_PROTOCOL
from meterlink.drivers.gdw1376.settings import CARRIER_PORT
from meterlink.drivers.gdw1376.station import ARCHIVE_FN, Station
from meterlink.drivers.terminal_archive import UNSAID, ArchivedMeter, RosterSide, TerminalArchive
from meterlink.errors import Refused
from meterwire.gdw1376.functions import terminal as table
from meterwire.gdw1376.messages.terminal import unit

ENTERED_MAX: Final = 20
"""Entries that one request sets, of 27 octets each."""
EMPTY_PAUSES_S: Final = (0.0, 10.0, 30.0)
"""Before each question for an archive that seems to be empty: a busy terminal denies it just so, and who
entered meters from number 1 on would overwrite others."""
_PROTOCOLS: Final = {1: "dlt645-1997", 30: "dlt645-2007"}
"""Numbers that all makers share; others are a maker's own, or name the module before the meter."""
_NUMBERS: Final = {protocol: number for number, protocol in _PROTOCOLS.items()}
_NO_COLLECTOR: Final = "0" * 12
_TARIFFS: Final = 4
_SHAPE: Final = {"integer_digits": 6, "decimals": 2}
"""Of a 645 meter's registers."""


class Archivist1376:
    """Who reads and changes the archive of one terminal.

    Args:
        station: the terminal.
        line: that of its connection.

    """

    def __init__(self, station: Station, line: Line) -> None:
        self._station = station
        self._line = line

    async def read(self) -> TerminalArchive:
        """See ``Archivist.read``."""
        for pause_s in EMPTY_PAUSES_S:
            await asyncio.sleep(pause_s)
            archive = await self._station.known_archive(self._line, priority=Priority.ON_DEMAND, anew=True)
            if archive.entries:
                break
        meters = tuple(
            ArchivedMeter(
                number=entry.number,
                address=entry.address,
                protocol=_PROTOCOLS.get(entry.protocol, UNSAID),
                port=str(entry.port),
                point=entry.point,
                collector=entry.collector.strip("0") and entry.collector,
            )
            for entry in archive.entries
            if entry.protocol != UNREAD_PROTOCOL
        )
        return TerminalArchive(terminal=self._station.name, meters=meters, unreadable=archive.unreadable)

    async def enter(self, meters: Mapping[str, RosterSide], before: TerminalArchive) -> None:
        """See ``Archivist.enter``; new meters get the lowest indexes and points that are free.

        Raises:
            Refused: the terminal does not take them, there is no room, or a meter speaks what has no number
                that all makers share.

        """
        entries = list(self._entries(meters, before))
        for first in range(0, len(entries), ENTERED_MAX):
            some = entries[first : first + ENTERED_MAX]
            wanted = unit(table.SET, ARCHIVE_FN, {"count": len(some), "meters": some})
            answer = await self._station.ask(self._line, table.SET, [wanted], priority=Priority.ON_DEMAND)
            if answer.is_denied:
                raise _refused(f"terminal {self._station.name} refused entries {first + 1} and after")
        self._station.forget_archive()

    def _entries(self, meters: Mapping[str, RosterSide], before: TerminalArchive) -> Iterator[dict[str, Any]]:
        known = {one.address: one for one in before.meters}
        taken = {one.number for one in before.meters}, {one.point for one in before.meters}
        free = [(n for n in range(1, ENTRIES_MAX + 1) if n not in numbers) for numbers in taken]
        for address, side in meters.items():
            if (number := _NUMBERS.get(side.protocol)) is None:
                raise _refused(
                    f"{side.protocol} has no number in Q/GDW 1376.1 that all makers share: enter meter "
                    f"{side.meter} at the terminal"
                )
            one = known.get(address)
            index, point = (next(each, 0) for each in free) if one is None else (one.number, one.point or 0)
            if not (index and point):
                raise _refused(f"terminal {self._station.name} has no room for meter {side.meter}")
            yield self._entry(index, point, address, number, one)

    def _entry(
        self, index: int, point: int, address: str, protocol: int, one: ArchivedMeter | None
    ) -> dict[str, Any]:
        settings = self._station.settings
        return {
            "index": index,
            "point": point,
            "port": int(one.port) if one is not None else settings.port or CARRIER_PORT,
            "baud_code": 0,
            "protocol": protocol,
            "addr": address,
            "password": bytes(6),
            "tariffs": _TARIFFS,
            **_SHAPE,
            "collector": (one.collector if one is not None else "") or _NO_COLLECTOR,
            "class_small": 0,
            "class_large": 0,
        }


def _refused(sentence: str) -> Refused:
    return Refused(sentence, error_word=b"")  # AFN 00 bears none
