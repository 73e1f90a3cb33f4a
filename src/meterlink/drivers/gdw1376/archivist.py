"""Showing and filling the archive of a terminal of Q/GDW 1376.1 (0A F10, 04 F10)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.gdw1376.archive import ENTRIES_MAX, UNREAD_PROTOCOL, Entry
from meterlink.drivers.gdw1376.archive_read import ARCHIVE_FN, standing
from meterlink.drivers.gdw1376.moments import at_the_terminal
from meterlink.drivers.gdw1376.settings import CARRIER_PORT
from meterlink.drivers.gdw1376.station import Station
from meterlink.drivers.terminal_archive import (
    NOT_READ,
    UNSAID,
    ArchivedMeter,
    Place,
    RosterSide,
    TerminalArchive,
    by_address,
)
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
_NOBODY: Final = ""
_UNREADABLE: Final = "?"
_TARIFFS: Final = 4
_SHAPE: Final = {"integer_digits": 6, "decimals": 2}
"""Of a 645 meter's registers."""


class Archivist1376:
    """Who reads and changes the archive of one terminal.

    Args:
        station: the terminal.
        line: that of its connection.
        meters: the line above it. It is held meanwhile: else a silent meter, which has the terminal for a
            minute or two, would come between any two questions.

    """

    def __init__(self, station: Station, line: Line, meters: Line) -> None:
        self._station = station
        self._line = line
        self._meters = meters

    async def read(self, *, whole: bool = False) -> TerminalArchive:
        """See ``Archivist.read``."""
        for pause_s in EMPTY_PAUSES_S:
            await asyncio.sleep(pause_s)
            async with at_the_terminal(self._meters, Priority.ON_DEMAND):
                archive = await self._station.known_archive(
                    self._line, priority=Priority.ON_DEMAND, anew=True, whole=whole
                )
            if archive.entries:
                break
        meters = tuple(_archived(entry) for entry in archive.entries)
        return TerminalArchive(terminal=self._station.name, meters=meters, unreadable=archive.unreadable)

    def places(self, meters: Mapping[str, RosterSide], before: TerminalArchive) -> tuple[Place, ...]:
        """See ``Archivist.places``; new meters get the lowest indexes and points that are free.

        Raises:
            Refused: there is no room, or a meter speaks what has no number that all makers share.

        """
        for side in meters.values():
            if side.protocol not in _NUMBERS:
                raise _refused(
                    f"{side.protocol} has no number in Q/GDW 1376.1 that all makers share: enter meter "
                    f"{side.meter} at the terminal"
                )
        known = by_address(before)
        indexes = _free({one.number for one in before.meters})
        points = _free({one.point for one in before.meters})
        return tuple(
            Place(address, one.number, one.point, one)
            if (one := known.get(address)) is not None
            else self._free_place(address, side, indexes, points)
            for address, side in meters.items()
        )

    async def enter(self, meters: Mapping[str, RosterSide], before: TerminalArchive) -> None:
        """See ``Archivist.enter``; what stands in a place is asked for once more just before.

        Of a meter that stands there only its protocol is changed.

        """
        places = self.places(meters, before)
        ask = self._station.asking_parameters(self._line, Priority.ON_DEMAND)
        try:
            async with at_the_terminal(self._meters, Priority.ON_DEMAND):
                for first in range(0, len(places), ENTERED_MAX):
                    some = places[first : first + ENTERED_MAX]
                    stands = await standing(ask, [place.number for place in some])
                    entries = [self._entry(place, meters, stands.get(place.number)) for place in some]
                    await self._set(entries)
        finally:
            self._station.forget_archive()

    async def _set(self, entries: Sequence[Mapping[str, Any]]) -> None:
        wanted = unit(table.SET, ARCHIVE_FN, {"count": len(entries), "meters": list(entries)})
        answer = await self._station.ask(self._line, table.SET, [wanted], priority=Priority.ON_DEMAND)
        if answer.is_denied:
            first = entries[0]["index"]
            raise _refused(f"terminal {self._station.name} refused entry {first} and those with it")

    def _free_place(
        self, address: str, side: RosterSide, indexes: Iterator[int], points: Iterator[int]
    ) -> Place:
        index, point = next(indexes, 0), next(points, 0)
        if not (index and point):
            raise _refused(f"terminal {self._station.name} has no room for meter {side.meter}")
        return Place(address, index, point, None)

    def _entry(
        self, place: Place, meters: Mapping[str, RosterSide], stands: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """What is written into a place.

        Raises:
            Refused: what stands there now is not what stood there when the place was chosen.

        """
        wanted = place.address if place.stood is not None else _NOBODY
        if _whose(stands) != wanted:
            raise _refused(
                f"entry {place.number} of terminal {self._station.name} has changed meanwhile: look at its "
                "archive, and try again"
            )
        protocol = _NUMBERS[meters[place.address].protocol]
        if place.stood is not None and stands is not None:
            return {**stands, "protocol": protocol}
        return {
            "index": place.number,
            "point": place.point,
            "port": self._station.settings.port or CARRIER_PORT,
            "baud_code": 0,
            "protocol": protocol,
            "addr": place.address,
            "password": bytes(6),
            "tariffs": _TARIFFS,
            **_SHAPE,
            "collector": _NO_COLLECTOR,
            "class_small": 0,
            "class_large": 0,
        }


def _archived(entry: Entry) -> ArchivedMeter:
    is_read = entry.protocol != UNREAD_PROTOCOL
    return ArchivedMeter(
        number=entry.number,
        address=entry.address,
        protocol=_PROTOCOLS.get(entry.protocol, UNSAID) if is_read else NOT_READ,
        port=str(entry.port),
        point=entry.point,
        collector=entry.collector.strip("0") and entry.collector,
    )


def _whose(stands: Mapping[str, Any] | None) -> str:
    """The address that stands in a place; ``_NOBODY``: none, or zeros, with which some terminals fill it."""
    if stands is None:
        return _NOBODY
    address = stands["addr"]
    return (address if address.strip("0") else _NOBODY) if address else _UNREADABLE


def _free(taken: Collection[int | None]) -> Iterator[int]:
    return (number for number in range(1, ENTRIES_MAX + 1) if number not in taken)


def _refused(sentence: str) -> Refused:
    return Refused(sentence, error_word=b"")  # AFN 00 bears none
