"""Lines that are told to end, and do not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from structlog.testing import capture_logs

from meterlink.bus.work import LineWork
from meterlink.daemon.line_set import CUT_TOLD_MAX, END_MAX_S, LineSet
from meterlink.daemon.supervise import CUT_AGAIN_S, CUT_PATIENCE_S, CUTS_MAX
from metersim.loop import Simulation

STOP_S = 5.0
LEFT_AFTER_S = CUT_PATIENCE_S + (CUTS_MAX - 1) * CUT_AGAIN_S


class _Part:
    """A line that is at an exchange.

    Args:
        name: of the line.
        losing: cancellations that it puts by.

    """

    archivist = terminal_clock = None
    is_at_work = True

    def __init__(self, name: str, losing: int = 0) -> None:
        self.name = name
        self.work = LineWork()
        self.losing = losing
        self.runs = 0

    def stop(self) -> None:
        """What is in hand goes on."""

    def stop_opening(self) -> None:
        """It is open."""

    def look_at_clock(self) -> None:
        """It has none."""

    async def run(self) -> None:
        self.runs += 1
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if self.losing <= 0:
                    raise
                self.losing -= 1


def _told(story: Callable[[LineSet], Awaitable[None]], *parts: _Part) -> list[MutableMapping[str, Any]]:
    """Tell a story of lines at work; what the log says."""

    async def program() -> None:
        async with asyncio.TaskGroup() as group:
            lines = LineSet(group)
            lines.start(parts)
            await asyncio.sleep(1)
            await story(lines)
            for part in parts:
                part.losing = 0
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()

    with capture_logs() as logs:
        Simulation().run(program())
    return logs


def _events(logs: Iterable[Mapping[str, Any]]) -> list[str]:
    return [line["event"] for line in logs]


def test_a_stop_waits_for_no_line_for_ever() -> None:
    """One line that does not end would keep the journal open until the daemon is killed."""
    parts = [_Part(f"line{number}", losing=100 if number == 1 else 0) for number in range(2 * CUT_TOLD_MAX)]

    async def story(lines: LineSet) -> None:
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        await lines.stop(STOP_S)
        assert STOP_S + LEFT_AFTER_S == loop.time() - begun_s

    cut_off, left = _told(story, *parts)
    assert ("lines_cut_off", 2 * CUT_TOLD_MAX, STOP_S) == tuple(
        cut_off[key] for key in ("event", "lines", "after_s")
    )
    assert [part.name for part in parts[:CUT_TOLD_MAX]] == cut_off["some"]
    assert ("part_left", "line1") == (left["event"], left["part"])


def test_once_all_were_told_to_stop_nothing_begins() -> None:
    """A reload in the moment of a stop would open lines that nobody closes."""
    part, other = _Part("line1"), _Part("line2")

    async def story(lines: LineSet) -> None:
        await lines.stop(STOP_S)
        lines.start([other])
        await asyncio.sleep(1)
        assert (0, ["line1"]) == (other.runs, lines.names)

    assert ["lines_cut_off"] == _events(_told(story, part))


def test_a_line_that_is_to_be_another_one_has_a_named_time_to_end() -> None:
    """A reload would wait for one line until the daemon is killed, and the other lines with it."""
    part, other = _Part("line1"), _Part("line1")

    async def story(lines: LineSet) -> None:
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        await lines.end(["line1"])
        assert END_MAX_S == loop.time() - begun_s
        lines.start([other])
        await asyncio.sleep(1)
        assert (1, 1, ["line1"]) == (part.runs, other.runs, lines.names)
        await lines.stop(STOP_S)

    assert ["lines_cut_off", "line_ended", "lines_cut_off"] == _events(_told(story, part))


def test_a_line_that_was_left_gets_no_other_beside_it() -> None:
    """Two owners of one pair of wires would send between each other's frames, and an order twice."""
    part, other = _Part("line1", losing=100), _Part("line1")

    async def story(lines: LineSet) -> None:
        await lines.end(["line1"])
        lines.start([other])
        await asyncio.sleep(1)
        assert (1, 0) == (part.runs, other.runs)

    assert ["lines_cut_off", "part_left", "line_not_begun"] == _events(_told(story, part))
