"""Reports of DL/T 698.45 terminals -> readings and events; nothing of a report is lost.

Attributes that are readings stay readings of the moment, and rows of a freeze those of its instant. Rows of
event tables are events, and so is what else a terminal tells: values of another kind, and frames that it
passes on. Where something cannot be understood, or is too much, the whole report is kept besides, as its
octets; those that are secret, or may be, stand there as ``**``. So a report can always be acknowledged.
Source: spec dlt698, sections 3.8, 6.5 and 7.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Final

from meterlink.drivers.base import Measured
from meterlink.drivers.dlt698.event_rows import PROTOCOL, clean, event_of, event_value, is_number
from meterlink.drivers.events import ReportedEvent
from meterlink.drivers.freezes import freeze_instant
from meterlink.drivers.reports import Part, ReportedReadings, without_contradictions
from meterlink.drivers.values import measured
from meterlink.errors import NoFreeze
from meterlink.model.data_classes import FREEZES, INSTANT
from meterlink.model.event import VALUES_MAX, EventValue
from meterlink.model.event_kinds import PASSED_ON_FRAMES, REPORTED_VALUES, UNREAD_REPORT
from meterlink.trace import SHOWN_BLANK
from meterwire.dlt645.messages.secrets import secret_ranges as secret_ranges_645
from meterwire.dlt698.apdus.apdu import encode_apdu, walk_apdu
from meterwire.dlt698.apdus.enumerations import meaning
from meterwire.dlt698.apdus.parts import (
    AttributeResult,
    AttributeResults,
    Dar,
    FollowReport,
    Piid,
    RecordResult,
    RecordResults,
)
from meterwire.dlt698.apdus.report import ReportNotificationList, ReportNotificationTransData
from meterwire.dlt698.apdus.secrets import secret_spans
from meterwire.dlt698.axdr.coding import Span
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.objects.dictionary import Entry, dictionary, unknown
from meterwire.dlt698.objects.item_values import ItemValue
from meterwire.dlt698.objects.records import Record, period_of, records
from meterwire.dlt698.sessions import listener as wire
from meterwire.errors import RemoteProtocolError

PARTS_MAX: Final = 500
"""Readings' records and events that one report may bring; a report of more is kept as its octets."""
_VALUES_MAX: Final = VALUES_MAX - 1
"""Values of one part; its keeper may have to add whose they are."""
_OWNERS: Final = frozenset({"communication_address", "target_address", "event_source"})
"""What in a row may be the address of the meter that it is of."""


class Told:
    """What one report holds.

    Args:
        report: from the listener.
        address: of the terminal, 12 digits.
        zone: what the terminal's clock shows.
        received_at: when it was whole; aware, UTC.

    Attributes:
        parts: readings and events; at least one.
        key: as in ``Report``.
        summary: what it is, in words, without values.
        broken: what this program broke over in it; it is kept as its octets alone then.

    """

    def __init__(self, report: wire.Report, *, address: str, zone: tzinfo, received_at: datetime) -> None:
        self._address = address
        self._zone = zone
        self._received_at = received_at
        self._octets = report.octets
        self._digits = _digits(report.octets)
        self._parts: list[Part] = []
        self._faults: list[str] = []
        self.broken: Exception | None = None
        self.summary = self._guarded(report)
        self.parts = self._bounded()
        self.key = hashlib.sha256(f"{address} {_identity(report)}".encode()).hexdigest()[:32]

    # --- what kind of report ------------------------------------------------------------------

    def _guarded(self, report: wire.Report) -> str:
        """The summary; whatever breaks here may neither end the line nor make the terminal tell for ever."""
        try:
            return self._take(report)
        except Exception as error:  # noqa: BLE001 - a fault of ours, for whoever heard the report to log
            self.broken = error
            self._parts.clear()
            self._faults.append(f"this program broke over it ({type(error).__name__})")
            return f"a report that cannot be read: {self._faults[-1]}"

    def _take(self, report: wire.Report) -> str:
        notification = report.notification
        if notification is None:
            self._faults.append(_unreadable(report.fault))
            return f"a report that cannot be read: {self._faults[0]}"
        if isinstance(notification, ReportNotificationTransData):
            self._take_frames(notification)
            summary = f"frames that came in through port {notification.port}"
        elif isinstance(notification, ReportNotificationList):
            self._take_attributes(notification.results)
            summary = "attributes " + ", ".join(str(result.oad) for result in notification.results)
        else:
            self._take_tables(notification.records)
            summary = "records " + ", ".join(str(result.oad) for result in notification.records)
        self._take_follow_report(notification.follow_report)
        return summary

    def _take_follow_report(self, follow: FollowReport) -> None:
        if isinstance(follow, AttributeResults):
            self._take_attributes(follow.items)
        elif isinstance(follow, RecordResults):
            self._take_tables(follow.items)

    def _take_frames(self, notification: ReportNotificationTransData) -> None:
        values = [EventValue(item="port", content=str(notification.port))]
        for number, (start, end) in enumerate(_frames_in(walk_apdu(self._octets)), start=1):
            values.append(EventValue(item=f"frame.{number}", content=self._shown(start, end)))
        self._happened(PASSED_ON_FRAMES, str(notification.port), values)

    # --- attributes ---------------------------------------------------------------------------

    def _take_attributes(self, results: Sequence[AttributeResult]) -> None:
        readings: list[Measured] = []
        others: list[EventValue] = []
        for result in results:
            entry = dictionary().entry(result.oad) or unknown(result.oad)
            if isinstance(result.result, Dar):
                others.append(EventValue(item=entry.item, content=_refusal(result.result)))
                continue
            for value in entry.decode(result.result):
                if _is_reading(value, entry):
                    readings.append(measured(value))
                elif not self._is_unfit(value):
                    others.append(event_value(value, value.label.key, self._zone))
        if readings:
            self._measured(self._address, INSTANT, None, readings)
        if others:
            self._happened(REPORTED_VALUES, " ".join(str(result.oad) for result in results[:9]), others)

    # --- records ------------------------------------------------------------------------------

    def _take_tables(self, results: Sequence[RecordResult]) -> None:
        for result in results:
            found = records(result)  # decoded, its rows are as wide as its columns
            if found.dar is not None:
                refusal = EventValue(item=str(result.oad), content=_refusal(found.dar))
                self._happened(REPORTED_VALUES, str(result.oad), [refusal])
            for row in found.rows:
                self._take_row(result.oad, row)

    def _take_row(self, table: Oad, row: Record) -> None:
        """Readings of freezes, and an event for the rest."""
        values = [value for value in row.values if not self._is_unfit(value)]
        address = _owner(values) or self._address
        others: list[ItemValue] = []
        frozen: list[ItemValue] = []
        slot, freeze = self._slot(row, values), _freeze(table, values)
        for value in values:
            is_frozen = slot is not None and value.period == freeze and is_number(value)
            (frozen if is_frozen else others).append(value)
        if frozen:
            self._measured(address, freeze, slot, [measured(value) for value in frozen])
        left = {id(value) for value in others}
        if not frozen or any(id(value) in left for value in row.readings):
            self._event(table, row, address, others)

    def _slot(self, row: Record, values: Sequence[ItemValue]) -> datetime | None:
        """The instant of a freeze; ``None``: it is none, its time cannot be true, or it tells two."""
        if len({value.content for value in values if value.item == "frozen_at"}) != 1:
            return None
        try:
            return freeze_instant(row.at, zone=self._zone, now=self._received_at, who=self._address)
        except NoFreeze:
            return None

    def _event(self, table: Oad, row: Record, address: str, values: Sequence[ItemValue]) -> None:
        self._parts.append(event_of(table, row, values, address=address, zone=self._zone))

    # --- what is common -----------------------------------------------------------------------

    def _measured(
        self, address: str, data_class: str, slot: datetime | None, values: Sequence[Measured]
    ) -> None:
        self._parts.append(
            ReportedReadings(address=address, data_class=data_class, slot=slot, values=tuple(values))
        )

    def _happened(self, kind: str, source: str, values: Sequence[EventValue]) -> None:
        self._parts.append(
            ReportedEvent(
                address=self._address,
                kind=kind,
                occurred_at=None,
                ended_at=None,
                values=tuple(values),
                source=f"{PROTOCOL} {source}".rstrip(),
            )
        )

    def _bounded(self) -> tuple[Part, ...]:
        """The parts, or the octets alone where they are too many, and the octets besides after a fault."""
        self._parts, twice = without_contradictions(self._parts)
        self._faults += (f"{item} stands there twice, and not the same" for item in twice)
        most = max((len(part.values) for part in self._parts), default=0)
        if len(self._parts) > PARTS_MAX or most > _VALUES_MAX:
            self._faults.append(f"{len(self._parts)} parts with up to {most} values are too many")
            self._parts.clear()
        elif not self._parts and not self._faults:
            self._faults.append("it holds nothing")
        if self._faults:
            fault = EventValue(item="fault", content=clean(self._faults[-1 if self.broken else 0]))
            octets = EventValue(item="octets", content="".join(self._digits))
            self._happened(UNREAD_REPORT, "", [fault, octets])
        return tuple(self._parts)

    def _is_unfit(self, value: ItemValue) -> bool:
        """Whether there is no content; data that do not fit their type are a fault of the report."""
        if value.problem not in {None, "absent", "empty"}:
            self._faults.append(f"{value.label.key}: its data do not fit ({value.problem})")
        return value.problem is not None

    def _shown(self, start: int, end: int) -> str:
        return "".join(self._digits[start:end])


def _digits(octets: bytes) -> list[str]:
    """Each octet of an APDU in hex digits, blanked where it is secret, or may be."""
    shown = [f"{octet:02X}" for octet in octets]
    for first, after in secret_spans(octets, secret_ranges_645):
        shown[first:after] = [SHOWN_BLANK] * (after - first)
    return shown


def _unreadable(fault: RemoteProtocolError | None) -> str:
    """Why; the fault's own words may name an octet, and that could be one of a secret."""
    if fault is None:
        return "no service of this kind is known"
    return fault.kind if fault.offset is None else f"{fault.kind} at octet {fault.offset}"


def _identity(report: wire.Report) -> str:
    """What tries of one report have in common: not the flag of waiting events, nor the time of sending."""
    told = report.notification
    if told is None:
        return "".join(_digits(report.octets))
    piid = Piid.of(told.piid.number, high_priority=told.piid.high_priority)
    return "".join(_digits(encode_apdu(replace(told, piid=piid, time_tag=None))))


def _frames_in(span: Span) -> Iterator[tuple[int, int]]:
    """Where the octets of the frames of a TransData report are; as ``secrets`` looks for them."""
    if isinstance(span.value, bytes) and not span.parts and span.name.isdigit():
        yield span.end - len(span.value), span.end
    for part in span.parts:
        yield from _frames_in(part)


def _is_reading(value: ItemValue, entry: Entry) -> bool:
    """Whether a value of an attribute is a number of the moment, or would be one if the device had it."""
    known = bool(entry.context.quantity) and not value.period
    return known and (value.problem == "absent" or is_number(value))


def _freeze(table: Oad, values: Sequence[ItemValue]) -> str:
    """The freeze that the time of a row is of: the table's own, or the one in it; empty: there are more."""
    own = period_of(table)
    found = {own} if own in FREEZES else {value.period for value in values if value.period in FREEZES}
    return found.pop() if len(found) == 1 else ""


def _owner(values: Sequence[ItemValue]) -> str:
    """The address of the meter that a row names, 12 digits; empty where it names none."""
    for value in values:
        if value.raw.type == "TSA" and value.item in _OWNERS:
            digits: str = value.raw.value.digits
            return digits.lstrip("0").zfill(12)
    return ""


def _refusal(dar: Dar) -> str:
    found = meaning("dar", int(dar))
    return f"DAR {int(dar)}" if found is None else f"DAR {int(dar)}: {found.en}"
