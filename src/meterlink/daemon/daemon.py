"""The daemon: journal, lines and delivery, started together and stopped in order.

Start: configuration (whoever builds us), journal, delivery, lines. Stop in reverse: lines finish the exchange
in hand, the relay brings out what has been kept, the journal closes. A bug in one line restarts that line; a
journal that cannot be opened ends the daemon.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from meterlink.clock import Clock
from meterlink.config import Settings
from meterlink.daemon.delivery import SinkMaker, Surroundings, delivering
from meterlink.daemon.lines import LineOpener, LinePart, check_items
from meterlink.daemon.supervise import supervised
from meterlink.journal.journal import Journal
from meterlink.transports.messages import MessageConnector

STOP_LINES_S = 5.0
"""How long the exchanges in hand may take when we are told to stop."""

JOURNAL_FILE = "journal.sqlite3"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Everything that is not ours; tests bring their own.

    Args:
        clock: wall time.
        opener: opens lines.
        connector: the way to the broker; ``None`` starts the embedded one.
        sink: makes the place where points go.
        rng: jitter.

    """

    clock: Clock
    opener: LineOpener
    connector: MessageConnector | None
    sink: SinkMaker
    rng: random.Random


class Daemon:
    """One gateway.

    Args:
        settings: checked.
        folder: where the journal is; exists.
        outside: the world.

    Raises:
        UnknownItem: a plan asks for what no driver has.

    """

    def __init__(self, settings: Settings, folder: Path, outside: Outside) -> None:
        check_items(settings, outside.clock)
        self._settings = settings
        self._folder = folder
        self._outside = outside

    async def run(self, stop: asyncio.Event, tell_ready: Callable[[dict[str, Any]], None]) -> None:
        """Run until ``stop`` is set, then end in order.

        Raises:
            JournalError: the journal cannot be opened.

        """
        outside = self._outside
        world = Surroundings(
            folder=self._folder,
            clock=outside.clock,
            connector=outside.connector,
            sink=outside.sink,
            rng=outside.rng,
        )
        async with (
            Journal.open(self._folder / JOURNAL_FILE, clock=outside.clock) as journal,
            delivering(self._settings, journal, world) as delivery,
        ):
            parts = [
                LinePart(
                    line,
                    meters,
                    self._settings.plans,
                    keeper=journal,
                    clock=outside.clock,
                    opener=outside.opener,
                    rng=outside.rng,
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
