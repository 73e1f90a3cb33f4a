"""The lines of a running daemon: each a task, started, stopped and replaced by name."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from meterlink.bus.work import STUCK_S, LineWork
from meterlink.daemon.supervise import Leavable
from meterlink.drivers.terminal_archive import Archivist
from meterlink.drivers.terminal_clock import TerminalClock

END_MAX_S: Final = STUCK_S
"""So long a line may take to end what it has in hand when it is to be another one: longer than anything that
it is known to do. Then it is cut off; an order that is out is looked up at its meter afterwards."""
CUT_TOLD_MAX: Final = 5
"""Names of lines that were cut off together, in the one line of the log."""
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
    way: Leavable
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
            if (former := self._running.get(part.name)) is not None:
                assert former.way.is_left, "a line ends before another one has its name"
                _log.error("line_not_begun", line=part.name, why="the former one has not ended: start anew")
            elif not self._stopping:
                way = Leavable(part.name, part.run)
                task = self._group.create_task(way.run(), name=f"line[{part.name}]")
                self._running[part.name] = _Running(part, way, task)

    async def end(self, names: Collection[str]) -> None:
        """Let these finish the exchange or the order in hand, and be gone.

        A line that is between two runs because it crashed has nothing in hand. One that is not done after
        ``END_MAX_S`` is cut off. One that does not end even then keeps its name, and no other gets it.
        """
        ending = {name: self._running[name] for name in names if name in self._running}
        for each in ending.values():
            each.part.stop()
            if not each.part.is_at_work:
                each.task.cancel()
        await self._ended(ending, END_MAX_S)
        for name, each in ending.items():
            if not each.way.is_left:
                del self._running[name]
                _log.info("line_ended", line=name)

    async def stop(self, timeout_s: float) -> None:
        """Let all finish what is in hand, for so long; then they are cut off. What is down stays down."""
        self._stopping = True
        for each in self._running.values():
            each.part.stop()
            each.part.stop_opening()
        await self._ended(self._running, timeout_s)

    @staticmethod
    async def _ended(ending: Mapping[str, _Running], timeout_s: float) -> None:
        """Wait until lines that were told to stop have; those that have not in time are cut off."""
        tasks = {each.task: name for name, each in ending.items()}
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=timeout_s)
        if not late:
            return
        some = sorted(tasks[task] for task in late)[:CUT_TOLD_MAX]
        _log.warning("lines_cut_off", lines=len(late), some=some, after_s=timeout_s)
        for task in late:
            task.cancel()
        await asyncio.wait(late)
