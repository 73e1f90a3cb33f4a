"""The lines of a running daemon: each a task, started, stopped and replaced by name."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from meterlink.bus.work import LineWork
from meterlink.daemon.supervise import supervised
from meterlink.drivers.terminal_archive import Archivist
from meterlink.drivers.terminal_clock import TerminalClock

_log = structlog.get_logger(__name__)


class Part(Protocol):
    """A line and everything that uses it."""

    @property
    def name(self) -> str:
        """Of the line."""

    @property
    def work(self) -> LineWork:
        """What it has done and is at."""

    @property
    def is_at_work(self) -> bool:
        """Whether it runs now; not between two runs of one that crashed."""

    @property
    def archivist(self) -> Archivist | None:
        """Who knows the archive of the concentrator that the line is; ``None``: it is none."""

    @property
    def terminal_clock(self) -> TerminalClock | None:
        """Who knows the clock of the terminal that the line is; ``None``: it is none, or does not run."""

    def stop(self) -> None:
        """Let ``run`` end after the exchanges in hand."""

    def stop_opening(self) -> None:
        """Open it no more, where it is down."""

    def look_at_clock(self) -> None:
        """The wall clock was set."""

    async def run(self) -> None:
        """Run until stopped; fresh state at each call."""


@dataclass(frozen=True, slots=True)
class _Running:
    part: Part
    task: asyncio.Task[None]


class LineSet:
    """All lines that run.

    Args:
        group: parent of their tasks.

    """

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._running: dict[str, _Running] = {}
        self._stopping = False

    @property
    def names(self) -> list[str]:
        """In the order in which they were started."""
        return list(self._running)

    def part(self, name: str) -> Part | None:
        """The part of a line that runs."""
        running = self._running.get(name)
        return None if running is None else running.part

    def archivist(self, name: str) -> Archivist | None:
        """Who knows the archive of the concentrator that a line is; ``None``: it is none, or does not run."""
        found = self._running.get(name)
        return None if found is None else found.part.archivist

    def terminal_clock(self, name: str) -> TerminalClock | None:
        """Who knows the clock of the terminal that a line is; ``None``: it is none, or does not run."""
        found = self._running.get(name)
        return None if found is None else found.part.terminal_clock

    def work(self) -> Mapping[str, LineWork]:
        """What each of them does."""
        return {name: each.part.work for name, each in self._running.items()}

    def look_at_clock(self) -> None:
        """Let each of them see that the wall clock was set."""
        for each in self._running.values():
            each.part.look_at_clock()

    def start(self, parts: Iterable[Part]) -> None:
        """Run these as well; none of that name runs. Once all were told to stop, nothing is started."""
        for part in parts:
            assert part.name not in self._running
            if not self._stopping:
                task = self._group.create_task(supervised(part.name, part.run), name=f"line[{part.name}]")
                self._running[part.name] = _Running(part, task)

    async def end(self, names: Collection[str]) -> None:
        """Let these finish the exchange or the order in hand, however long it takes, and be gone.

        A line that is between two runs because it crashed has nothing in hand.
        """
        ending = {name: self._running[name] for name in names if name in self._running}
        for each in ending.values():
            each.part.stop()
            if not each.part.is_at_work:
                each.task.cancel()
        if ending:
            await asyncio.wait([each.task for each in ending.values()])
        for name in ending:
            del self._running[name]
            _log.info("line_ended", line=name)

    async def stop(self, timeout_s: float) -> None:
        """Let all finish what is in hand, for so long; then they are cut off. What is down stays down."""
        self._stopping = True
        for each in self._running.values():
            each.part.stop()
            each.part.stop_opening()
        tasks = [each.task for each in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
