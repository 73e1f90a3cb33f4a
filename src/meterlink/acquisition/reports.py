"""Keeping what terminals report, then acknowledging it: a terminal tells again what nobody has confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import structlog

from meterlink.acquisition.keeping import Patience, readings_of
from meterlink.acquisition.reported import Reported
from meterlink.drivers.events import ReportedEvent
from meterlink.drivers.reports import Part, Report, ReportedReadings, ReportQueue
from meterlink.model.data_classes import FREEZES
from meterlink.model.event import WHOSE, Event, EventValue
from meterlink.model.event_kinds import REPORTED_VALUES, UNREAD_REPORT
from meterlink.model.reading import Record

REPEAT_S = 600.0
"""A report that comes once more within this is another try of the first: three tries take far less, and so
does a new connection after our restart; service numbers, of which there are 64, hardly come round."""

_log = structlog.get_logger(__name__)


class ReportJournal(Protocol):
    """What is needed of the journal."""

    async def keep_report(self, records: Sequence[Record | Event], *, key: str, repeat_s: float) -> bool:
        """Keep all of a report, unless it was kept lately; whether it is new. Raises ``JournalError``."""


class ReportKeeper:
    """One keeper for the reports of all terminals.

    All of a report is kept in one piece: readings under their meters, events under the meter that they name
    or else under the terminal. A terminal that is no meter of the roster has its address for a name,
    ``terminal-000000000161``; what it reports of meters that are not in the roster are its events, too.

    Args:
        queue: where reports wait.
        journal: where they go.
        meters: our id by (place of the report, address of 12 digits); who leaves the roster leaves here.
        reported: is told of the freezes among them, whose meters are to be looked at.

    Attributes:
        kept: reports that brought something new.
        repeated: reports that were acknowledged again, because all of it was kept before.
        meters: as given.

    """

    def __init__(
        self,
        queue: ReportQueue,
        journal: ReportJournal,
        meters: dict[tuple[str, str], str],
        reported: Reported,
    ) -> None:
        self.kept = 0
        self.repeated = 0
        self.meters = meters
        self._queue = queue
        self._journal = journal
        self._reported = reported
        self._patience = Patience("reports")
        self._told: set[str] = set()

    async def run(self) -> None:
        """Keep until cancelled."""
        while True:
            await self._keep(await self._queue.take())

    async def _keep(self, report: Report) -> None:
        records = [self._record(report, part) for part in report.parts]
        is_new = await self._patience.until_done(
            lambda: self._journal.keep_report(records, key=report.key, repeat_s=REPEAT_S)
        )
        self.kept += is_new
        self.repeated += not is_new
        if is_new:
            self._note_freezes(records)
        if any(isinstance(part, ReportedEvent) and part.kind == UNREAD_REPORT for part in report.parts):
            self._tell(report)
        report.acknowledge()

    def _note_freezes(self, records: Sequence[Record | Event]) -> None:
        for record in records:
            if isinstance(record, Record) and record.data_class in FREEZES:
                for slot in {reading.slot for reading in record.readings}:
                    self._reported.note(record.meter, (record.data_class, slot))

    def _record(self, report: Report, part: Part) -> Record | Event:
        route = f"terminal {report.terminal}"
        meter = self.meters.get((report.place, part.address))
        if isinstance(part, ReportedReadings):
            if meter is None:
                return self._event(report, _as_event(part), route)
            slot = part.slot or report.received_at.replace(microsecond=0)
            readings = readings_of(meter, part.values, slot=slot, taken_at=report.received_at, route=route)
            return Record(meter=meter, data_class=part.data_class, readings=readings)
        return self._event(report, part, route)

    def _event(self, report: Report, part: ReportedEvent, route: str) -> Event:
        meter = self.meters.get((report.place, part.address))
        # An address in an event says that it is of none of our meters; in one of ours it would be another's.
        values = tuple(value for value in part.values if value.item != WHOSE)
        if meter is None and part.address != report.terminal:
            values = (EventValue(item=WHOSE, content=part.address), *values)
        return Event(
            meter=meter or self._name(report),
            kind=part.kind,
            occurred_at=part.occurred_at,
            ended_at=part.ended_at,
            values=values,
            taken_at=report.received_at,
            route=route,
            source=part.source,
        )

    def _name(self, report: Report) -> str:
        return self.meters.get((report.place, report.terminal)) or f"terminal-{report.terminal}"

    def _tell(self, report: Report) -> None:
        """Once a terminal: what it reports is not going to change."""
        if report.terminal not in self._told:
            self._told.add(report.terminal)
            _log.warning("report_not_understood", terminal=report.terminal, report=report.summary)


def _as_event(part: ReportedReadings) -> ReportedEvent:
    """Readings of nobody whom we know."""
    values = tuple(
        EventValue(item=measured.name, content=measured.value, unit=measured.unit)
        for measured in part.values
        if measured.value is not None
    )
    return ReportedEvent(
        address=part.address,
        kind=REPORTED_VALUES,
        occurred_at=part.slot,
        ended_at=None,
        values=values,
        source=part.data_class,
    )
