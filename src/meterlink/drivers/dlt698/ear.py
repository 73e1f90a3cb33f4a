"""The listener of a line of ours on which meters of DL/T 698.45 hang: it takes their reports, and no more.

Several meters share the line, and nobody dials in: nobody calls and nobody is sent away, so LINK is not
answered here. Answers to questions of ours are the exchange's affair, and frames of other protocols nobody's.
Source: decision 10; spec dlt698, section 3.8.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import tzinfo

from meterlink.clock import Clock
from meterlink.drivers.dlt698.terminal import TerminalSession
from meterlink.drivers.reports import Report, heard_on
from meterwire.dlt698.link.deframer import Found
from meterwire.dlt698.link.frame import FUNCTION_LINK
from meterwire.dlt698.sessions import listener as wire


class LineSession(TerminalSession):
    """Listener of one line, from when it is opened until it breaks.

    Args:
        line: its name.
        known: addresses of its meters that speak DL/T 698.45, 12 digits each.
        clock: our time.
        zone: what the meters' clocks show.
        report: where reports go.

    """

    def __init__(
        self,
        line: str,
        known: Collection[str],
        *,
        clock: Clock,
        zone: tzinfo,
        report: Callable[[Report], None],
    ) -> None:
        super().__init__(known, clock=clock, zone=zone, clock_trusted=False, report=report)
        self._line = line

    @property
    def _may_report(self) -> bool:
        return True  # nobody logs in on two wires

    def _sort(self, found: Found) -> None:
        if not found.frame.started_by_client and found.frame.function != FUNCTION_LINK:
            super()._sort(found)

    def _told(self, report: wire.Report) -> Report:
        return heard_on(self._line, super()._told(report))
