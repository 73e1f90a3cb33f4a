"""The archive of a concentrator of DL/T 698.45 (6000): read, and written when somebody asks for it.

Passwords of meters that stand there are read along, and go nowhere but back. An entry is written whole
(method 128); of a meter that the concentrator knows already only what the roster says is new, the rest stays.
Source: spec dlt698, sections 4.2 and 6.8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.drivers.behind698.ways import Behind
from meterlink.drivers.dlt698.talk import Talk, refusal
from meterlink.drivers.terminal_archive import (
    OTHER_PROTOCOL,
    ArchivedMeter,
    Place,
    RosterSide,
    TerminalArchive,
    by_address,
)
from meterlink.errors import BadAnswer, Refused
from meterwire.dlt698.apdus.action import ActionRequestNormal, ActionResponseNormal
from meterwire.dlt698.apdus.get import GetRequestNormal, GetResponseNormal
from meterwire.dlt698.apdus.parts import SUCCESS, Dar
from meterwire.dlt698.objects.concentrator import ARCHIVE, METERS_MAX, ArchiveEntry, add_meters, archive_of

ENTRIES_TOGETHER: Final = 8
"""Entries of one request: about 80 octets each, so that they fit an APDU of 1,024."""
_CODES: Final = {"dlt645-1997": 1, "dlt645-2007": 2, "dlt698.45": 3}
_PROTOCOLS: Final = {code: name for name, code in _CODES.items()}
_BAUD_CODES: Final = {300: 0, 600: 1, 1200: 2, 2400: 3, 4800: 4, 7200: 5, 9600: 6, 19200: 7}
_AUTOMATIC: Final = 255
_SINGLE_PHASE, _FOUR_WIRE = 1, 3
_NO_COLLECTOR: Final = "000000000000"
_WHAT: Final = "its archive (6000)"


class Archivist698:
    """An ``Archivist``.

    Args:
        talk: with the concentrator.
        behind: which one, and its port.
        line: of the concentrator, running.
        priority: who goes first.

    """

    def __init__(
        self, talk: Talk, behind: Behind, line: Exchanging, priority: Priority = Priority.ON_DEMAND
    ) -> None:
        self._priority = priority
        self._talk = talk
        self._behind = behind
        self._line = line
        self._entries: dict[str, ArchiveEntry] = {}

    async def read(self, *, whole: bool = False) -> TerminalArchive:
        """See ``Archivist.read``; this archive is told whole always."""
        del whole
        reply = await self._ask(lambda piid: GetRequestNormal(piid=piid, oad=ARCHIVE), may_repeat=True)
        if not isinstance(reply, GetResponseNormal):
            raise BadAnswer(f"{self._who} answered for {_WHAT} with {type(reply).__name__}")
        if isinstance(reply.result.result, Dar):
            raise refusal(self._who, _WHAT, reply.result.result)
        found = archive_of(reply.result.result)
        self._entries = {entry.address: entry for entry in found.entries}
        return TerminalArchive(
            terminal=self._behind.terminal,
            meters=tuple(map(_archived, found.entries)),
            unreadable=found.unreadable,
        )

    def places(self, meters: Mapping[str, RosterSide], before: TerminalArchive) -> tuple[Place, ...]:
        """See ``Archivist.places``; new meters get the lowest numbers that are free."""
        known = by_address(before)
        free = _free({one.number for one in before.meters})
        found = []
        for address in meters:
            stood = known.get(address)
            number = next(free, None) if stood is None else stood.number
            if number is None:
                raise Refused(f"{self._who} has no room for more than {METERS_MAX} meters", error_word=b"")
            found.append(Place(address, number, None, stood))
        return tuple(found)

    async def enter(self, meters: Mapping[str, RosterSide], before: TerminalArchive) -> None:
        """See ``Archivist.enter``."""
        entries = [
            self._entry(place.number, place.address, meters[place.address])
            if place.stood is None
            else _changed(self._entries[place.address], meters[place.address])
            for place in self.places(meters, before)
        ]
        for at in range(0, len(entries), ENTRIES_TOGETHER):
            await self._write(entries[at : at + ENTRIES_TOGETHER])

    async def _write(self, entries: Sequence[ArchiveEntry]) -> None:
        reply = await self._ask(
            lambda piid: ActionRequestNormal(piid=piid, item=add_meters(entries)), may_repeat=False
        )
        if not isinstance(reply, ActionResponseNormal):
            raise BadAnswer(f"{self._who} answered what goes into {_WHAT} with {type(reply).__name__}")
        if reply.item.dar != SUCCESS:
            raise refusal(self._who, f"{len(entries)} entries for {_WHAT}", reply.item.dar)

    async def _ask(self, request_of: Any, *, may_repeat: bool) -> Any:
        return await self._talk.ask(
            self._line,
            self._behind.terminal,
            request_of,
            priority=self._priority,
            may_repeat=may_repeat,
        )

    def _entry(self, number: int, address: str, side: RosterSide) -> ArchiveEntry:
        traits = side.profile.meter
        return ArchiveEntry(
            number=number,
            address=address,
            baud=_BAUD_CODES.get(side.profile.line.baud, _AUTOMATIC),
            protocol=_CODES[side.protocol],
            port=self._behind.port_oad,
            tariffs=traits.tariffs,
            wiring=_SINGLE_PHASE if traits.phases == 1 else _FOUR_WIRE,
            rated_voltage=Decimal(traits.voltage_v),
            rated_current=Decimal(traits.basic_current_a),
        )

    @property
    def _who(self) -> str:
        return f"terminal {self._behind.terminal}"


def _archived(entry: ArchiveEntry) -> ArchivedMeter:
    collector = entry.collector or ""
    return ArchivedMeter(
        number=entry.number,
        address=entry.address,
        protocol=_PROTOCOLS.get(entry.protocol, OTHER_PROTOCOL),
        port=str(entry.port),
        collector="" if collector == _NO_COLLECTOR else collector,
    )


def _changed(entry: ArchiveEntry, side: RosterSide) -> ArchiveEntry:
    baud = _BAUD_CODES.get(side.profile.line.baud, _AUTOMATIC)
    return replace(entry, protocol=_CODES[side.protocol], baud=baud)


def _free(taken: set[int]) -> Iterator[int]:
    return (number for number in range(1, METERS_MAX + 1) if number not in taken)
