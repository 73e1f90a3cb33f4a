"""What a terminal tells: events (ERC) and data, as parts of a report for the journal.

An event belongs to the terminal, or to the meter whose measuring point it names; a value belongs to a meter
only through the archive. What nobody can be found for stands under the terminal, with its point, and is no
meter's. An event's words are the same however often it is told, so the journal keeps it once: by a report, by
the answer to a request, and after the terminal's pointers have come round. Source: spec gdw1376, B3, 0E.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, tzinfo
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from meterlink.drivers.base import Measured
from meterlink.drivers.events import ReportedEvent, aware
from meterlink.drivers.gdw1376.archive import Archive
from meterlink.drivers.gdw1376.units import class_of, read_at_of, values_of
from meterlink.drivers.reports import Part, Report, ReportedReadings
from meterlink.model.data_classes import FREEZES
from meterlink.model.event import EventValue
from meterlink.model.event_kinds import REPORTED_VALUES, UNREAD_REPORT
from meterlink.model.marks import Marks
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.functions import terminal as table
from meterwire.gdw1376.functions.events import event_kinds
from meterwire.gdw1376.functions.words import field_words
from meterwire.gdw1376.link.terminal_frame import BODY_OCTETS_MAX
from meterwire.gdw1376.messages.terminal import Message, Unit

PARTS_MAX: Final = BODY_OCTETS_MAX // 2
"""Parts of one report: a value of a curve has two octets at least, so one frame holds no more. What would be
more is not kept and not confirmed; an event `unread_report` stands for it."""
ERC: Final = "erc"
POINT: Final = "measuring_point"
_NO_WORD: Final = re.compile("[^a-z0-9]+")
_RETURNED: Final = "power_on"
"""When the power came back, of ERC 14."""
_HEAD: Final = frozenset({ERC, "time", "raw", "pn"})


def kind_of(erc: int) -> str:
    """Name of an event's kind: ``terminal_power``; of a maker's own ``terminal_event_36``."""
    known = event_kinds().get(erc)
    if known is None:
        return f"terminal_event_{erc}"
    return _NO_WORD.sub("_", known.en.lower()).strip("_")


def points_in(message: Message) -> set[int]:
    """The measuring points that a report is of."""
    found = {one.point for one in message.units if one.point}
    for one in message.units:
        found |= {event["pn"] for event in one.values.get("events", ()) if event.get("pn")}
    return found


Filing = Callable[[datetime, datetime | None], bool]
"""See ``Station.files_well``."""


class Told:
    """Makes reports of what one terminal tells.

    Args:
        terminal: its name.
        zone: what its clock shows.

    """

    def __init__(self, terminal: str, zone: tzinfo) -> None:
        self._terminal = terminal
        self._zone = zone

    def report(
        self,
        message: Message,
        archive: Archive | None,
        *,
        received_at: datetime,
        acknowledge: Callable[[], None],
        files_well: Filing,
        clock_marks: Marks,
    ) -> Report:
        """One report.

        Args:
            message: what was reported, or answered to a request for events.
            archive: which point is which meter; ``None``: nobody knows.
            received_at: when it was whole; aware, UTC.
            acknowledge: to be called once all of it is kept.
            files_well: whether a freeze, by its slot and the time of reading, can be of that slot; one that
                cannot is kept as an event, and is no meter's value.
            clock_marks: what is doubtful about times of the terminal's clock.

        """
        filing = files_well, clock_marks
        found = (part for one in message.units for part in self._parts(one, archive, filing))
        parts = list(islice(found, PARTS_MAX + 1))
        fns = ", ".join(dict.fromkeys(f"F{one.fn}" for one in message.units))
        if len(parts) > PARTS_MAX:
            parts, acknowledge = [], _not_confirmed
        return Report(
            terminal=self._terminal,
            parts=tuple(parts) or (self._unread(message.head.afn, fns),),
            key=self._key(message),
            summary=f"AFN {message.head.afn:02X}H {fns}",
            received_at=received_at,
            acknowledge=acknowledge,
        )

    # --- inside ------------------------------------------------------------------------------

    def _key(self, message: Message) -> str:
        """The same when it is told again, under whatever number."""
        octets = f"{self._terminal} {message.head.afn:02X}".encode()
        for one in message.units:
            octets += f" {one.point} {one.fn} {one.content.hex()}".encode()
        return _digest(octets)

    def _parts(self, one: Unit, archive: Archive | None, filing: tuple[Filing, Marks]) -> Iterator[Part]:
        if one.function is not None and one.function.afn == table.EVENTS and one.fields is not None:
            for told in one.values.get("events", ()):
                yield self._happened(told, one.fn, archive)
        elif one.function is not None and one.function.items and one.fields is not None:
            yield from self._measured(one, archive, *filing)
        else:
            values = (EventValue(item=POINT, content=Decimal(one.point)),)
            afn = f"{one.function.afn:02X}H " if one.function else ""
            yield self._of_terminal(UNREAD_REPORT, f"{afn}F{one.fn}", values)

    def _unread(self, afn: int, fns: str) -> ReportedEvent:
        return self._of_terminal(UNREAD_REPORT, f"{afn:02X}H {fns}".strip(), ())

    def _of_terminal(self, kind: str, what: str, values: tuple[EventValue, ...]) -> ReportedEvent:
        return ReportedEvent(
            address=self._terminal,
            kind=kind,
            occurred_at=None,
            ended_at=None,
            values=values,
            source=f"gdw1376.1 {what}",
        )

    def _address(self, point: int, archive: Archive | None) -> str | None:
        entry = archive.of_point(point) if archive is not None and point else None
        return None if entry is None else entry.address

    def _happened(self, told: Mapping[str, Any], fn: int, archive: Archive | None) -> ReportedEvent:
        """One event; its passwords and what nobody can read stay out."""
        erc, point = told[ERC], told.get("pn") or 0
        address = self._address(point, archive)
        values = [EventValue(item=ERC, content=Decimal(erc))]
        if point:
            values.append(EventValue(item=POINT, content=Decimal(point)))
        words = field_words()
        for name, content in told.items():
            if name not in _HEAD and not (name in words and words[name].secret):
                unit = words[name].unit if name in words else ""
                values += _event_values(name, content, unit, self._zone)
        return ReportedEvent(
            address=address or self._terminal,
            kind=kind_of(erc),
            occurred_at=self._instant(told.get("time")),
            ended_at=self._instant(told.get(_RETURNED)),
            values=tuple(values),
            source=f"gdw1376.1 0EH F{fn} ERC{erc}",
        )

    def _measured(
        self, one: Unit, archive: Archive | None, files_well: Filing, marks: Marks
    ) -> Iterator[Part]:
        assert one.function is not None
        data_class = class_of(one.function)
        by_slot: dict[datetime | None, list[Measured]] = {}
        for slot, measured in values_of(one, data_class, self._zone):
            told = measured if data_class in FREEZES else measured._replace(marks=measured.marks | marks)
            by_slot.setdefault(slot, []).append(told)
        read_at = read_at_of(one, self._zone)
        address = self._address(one.point, archive)
        for slot, some in by_slot.items():
            is_sure = data_class not in FREEZES or (slot is not None and files_well(slot, read_at))
            if address is not None and data_class is not None and is_sure:
                yield ReportedReadings(address=address, data_class=data_class, slot=slot, values=tuple(some))
            else:
                values = [EventValue(item=POINT, content=Decimal(one.point))]
                values += [
                    EventValue(item=value.name, content=value.value, unit=value.unit)
                    for value in some
                    if value.value is not None
                ]
                yield ReportedEvent(
                    address=self._terminal,
                    kind=REPORTED_VALUES,
                    occurred_at=slot,
                    ended_at=None,
                    values=tuple(values),
                    source=f"gdw1376.1 {one.function.afn:02X}H F{one.fn}",
                )

    def _instant(self, moment: Any) -> datetime | None:
        return aware(moment.when(), self._zone) if isinstance(moment, Moment) else None


def _event_values(name: str, content: Any, unit: str, zone: tzinfo) -> Iterator[EventValue]:
    """Of one field: a list becomes several, numbered from 1; no value becomes none."""
    match content:
        case list() | tuple() if not isinstance(content, Moment):
            for number, one in enumerate(content, start=1):
                yield from _event_values(f"{name}.{number}", one, unit, zone)
        case Mapping():
            for key, one in content.items():
                yield from _event_values(f"{name}.{key}", one, unit, zone)
        case Decimal():
            yield EventValue(item=name, content=content, unit=unit)
        case bool() | int():
            yield EventValue(item=name, content=Decimal(int(content)), unit=unit)
        case Moment() if (when := aware(content.when(), zone)) is not None:
            yield EventValue(item=name, content=when)
        case bytes():
            yield EventValue(item=name, content=content.hex())
        case str() if content:
            yield EventValue(item=name, content=content)


def _not_confirmed() -> None:
    """What was not kept whole is told again."""


def _digest(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()[:32]
