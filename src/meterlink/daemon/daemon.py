"""The daemon: journal, lines and delivery, started together and stopped in order.

Start: configuration (whoever builds us), journal, delivery, lines. Stop in reverse: lines finish the exchange
in hand, the relay brings out what has been kept, the journal closes. A bug in one line restarts that line; a
journal that cannot be opened ends the daemon.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from meterlink.config import Settings
from meterlink.daemon.delivery import Outside, delivering
from meterlink.daemon.lines import LineOpener, LinePart, check_items, profiles_of
from meterlink.daemon.supervise import supervised
from meterlink.journal.journal import Journal

STOP_LINES_S = 5.0
"""How long the exchanges in hand may take when we are told to stop."""

JOURNAL_FILE = "journal.sqlite3"

_log = structlog.get_logger(__name__)


class Daemon:
    """One gateway.

    Args:
        settings: checked.
        outside: the world.
        opener: opens lines.

    Raises:
        ConfigError: a profile is wrong, or does not serve a meter that it should.
        UnknownItem: a plan asks for what no driver has.

    """

    def __init__(self, settings: Settings, outside: Outside, opener: LineOpener) -> None:
        self._profiles = profiles_of(settings)
        check_items(settings, outside.clock, self._profiles)
        self._settings = settings
        self._outside = outside
        self._opener = opener

    async def run(self, stop: asyncio.Event, tell_ready: Callable[[dict[str, Any]], None]) -> None:
        """Run until ``stop`` is set, then end in order.

        Raises:
            JournalError: the journal cannot be opened.

        """
        outside = self._outside
        async with (
            Journal.open(outside.folder / JOURNAL_FILE, clock=outside.clock) as journal,
            delivering(self._settings, journal, outside) as delivery,
        ):
            parts = [
                LinePart(
                    line,
                    meters,
                    self._settings.plans,
                    profiles=self._profiles,
                    keeper=journal,
                    clock=outside.clock,
                    opener=self._opener,
                    rng=outside.rng,
                    zone=self._settings.gateway.plant_time,
                )
                for line, meters in self._settings.meters_by_line()
            ]
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(supervised(part.name, part.run), name=f"line[{part.name}]")
                    for part in parts
                ]
                _log.info("started", boot=journal.boot, lines=len(parts), meters=len(self._settings.meters))
                tell_ready(
                    {
                        "gateway": self._settings.gateway.id,
                        "boot": journal.boot,
                        "broker": delivery.broker,
                        "lines": [part.name for part in parts],
                    }
                )
                await stop.wait()
                for part in parts:
                    part.stop()
                await asyncio.wait(tasks, timeout=STOP_LINES_S)
                for task in tasks:
                    task.cancel()
            await delivery.drain()
        _log.info("stopped")
