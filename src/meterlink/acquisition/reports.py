"""Keeping what terminals report, then acknowledging it: a terminal tells again what nobody has confirmed."""

from __future__ import annotations

import structlog

from meterlink.acquisition.keeping import Keeper, PatientKeeper
from meterlink.drivers.reports import Report, ReportQueue
from meterlink.model.data_classes import INSTANT

_log = structlog.get_logger(__name__)


class ReportKeeper:
    """One keeper for the reports of all terminals.

    Readings are kept as values of the moment at which they came. What the journal has no rows for (events,
    frames passed on, attributes that nobody knows) is not kept and not acknowledged: the terminal keeps it
    in its own tables, where it can be read.

    Args:
        queue: where reports wait.
        keeper: the journal.
        meters: our id by (terminal, address), 12 digits each; a report of anybody else is not kept.

    Attributes:
        kept: reports that are in the journal.
        not_kept: reports that are not, and never will be.
        meters: as given; who leaves the roster leaves here.

    """

    def __init__(self, queue: ReportQueue, keeper: Keeper, meters: dict[tuple[str, str], str]) -> None:
        self.kept = 0
        self.not_kept = 0
        self._queue = queue
        self._keeper = keeper
        self.meters = meters
        self._told: set[str] = set()

    async def run(self) -> None:
        """Keep until cancelled."""
        while True:
            await self._keep(await self._queue.take())

    async def _keep(self, report: Report) -> None:
        meter = self.meters.get((report.terminal, report.address))
        if meter is None or not report.values:
            self.not_kept += 1
            self._tell(report, "no meter has that address" if meter is None else "no readings")
            return
        patient = PatientKeeper(self._keeper, line=f"terminal {report.terminal}", data_class=INSTANT)
        slot = report.received_at.replace(microsecond=0)
        await patient.keep(meter, report.values, slot=slot, taken_at=report.received_at)
        self.kept += 1
        report.acknowledge()

    def _tell(self, report: Report, why: str) -> None:
        """Once a terminal: it repeats what is not acknowledged."""
        if report.terminal not in self._told:
            self._told.add(report.terminal)
            _log.warning(
                "report_not_kept",
                terminal=report.terminal,
                address=report.address,
                report=report.summary,
                reason=why,
            )
