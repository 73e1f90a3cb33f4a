"""Whether a concentrator of DL/T 698.45 knows the meters of its line: looked at by itself, and told once.

A meter that its archive lacks has no nights in its store, and one that it takes for something else is asked
in the wrong words; nobody sees why. The archive is read some time after the start, after each login, and once
a day: it may be long, and does not say whose a value is.
Source: spec dlt698, section 6.8.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import structlog

from meterlink.bus.line import Line
from meterlink.clock import Clock
from meterlink.drivers.dlt698.items import PROTOCOL
from meterlink.drivers.reports import Report, own_report
from meterlink.drivers.terminal_archive import Archivist, Comparison, RosterSide, compared, told_of
from meterlink.errors import BadAnswer, BusFull, ConfigError, LineError, Refused, ReplyTimeout
from meterlink.model.event_kinds import ARCHIVE_DIFFERS

FIRST_S: Final = 300.0
"""After the start, or a login: what is due is read first."""
EVERY_S: Final = 86_400.0
RETRY_S: Final = 3_600.0
"""After a look that failed; and no two looks are nearer than this, however often the terminal logs in."""
LOOK_S: Final = 60.0
"""How often it is seen whether the terminal is there."""
_FAILURES: Final = (Refused, BadAnswer, ConfigError, ReplyTimeout, LineError, BusFull)
_log = structlog.get_logger(__name__)


class ArchiveWatch698:
    """Looks at the archive of one concentrator.

    Args:
        archivist: reads it.
        terminal: its address.
        roster: the meters that should be behind it, by address.
        clock: ours.
        put: where reports go.

    """

    def __init__(
        self,
        archivist: Archivist,
        terminal: str,
        roster: Mapping[str, RosterSide],
        *,
        clock: Clock,
        put: Callable[[Report], None],
    ) -> None:
        self._archivist = archivist
        self._terminal = terminal
        self._roster = roster
        self._clock = clock
        self._put = put
        self._told = Comparison((), (), (), ())
        self._trouble = ""

    async def run(self, line: Line) -> None:
        """Look until cancelled.

        Args:
            line: of the concentrator, running.

        """
        now_s = self._clock.monotonic_s
        comings = line.comings
        due_s = earliest_s = now_s() + FIRST_S
        while True:
            await asyncio.sleep(LOOK_S)
            if line.absence:
                continue
            if comings != line.comings:  # it may be another terminal
                comings = line.comings
                due_s = max(earliest_s, min(due_s, now_s() + FIRST_S))
            if now_s() >= due_s:
                due_s = now_s() + (EVERY_S if await self._look() else RETRY_S)
                earliest_s = now_s() + RETRY_S

    async def _look(self) -> bool:
        """Read and compare; whether that could be done."""
        try:
            archive = await self._archivist.read()
        except _FAILURES as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                _log.info("archive_untold", terminal=self._terminal, reason=str(error))
            return False
        self._trouble = ""
        found = compared(archive, self._roster)
        if found != self._told:
            self._told = found
            if found:
                self._tell(found, self._clock.utc_now())
        return True

    def _tell(self, found: Comparison, at: datetime) -> None:
        counts = {name: len(addresses) for name, addresses in found._asdict().items() if addresses}
        _log.warning("archive_differs", terminal=self._terminal, **counts)
        values, source = told_of(found._asdict()), f"{PROTOCOL} 60000200"
        self._put(own_report(self._terminal, ARCHIVE_DIFFERS, values, at, source=source))
