"""What a line bears of a terminal, and whose report the keeper takes next."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from meterlink.bus.endurance import (
    ANSWER_OCTETS_MAX,
    FRAME_OCTETS_LEAST,
    RUBBISH_OCTETS_MAX,
    UNASKED_OCTETS_MAX,
    UNASKED_OCTETS_PER_S,
    Endurance,
)
from meterlink.drivers.events import ReportedEvent
from meterlink.drivers.reports import Report, ReportQueue

NOW = datetime(2026, 10, 1, tzinfo=UTC)


def _heard(
    endurance: Endurance, octets: int, *, frames: int = 0, answers: bool = False, now_s: float = 0.0
) -> str:
    return endurance.heard(octets, frames=frames, answers=answers, now_s=now_s, idle_limit_s=60.0)


def test_so_much_rubbish_and_no_more() -> None:
    """A terminal gone mad would be listened to for ever; one with a modem's greeting would be cut off."""
    endurance = Endurance(0)
    assert "" == _heard(endurance, RUBBISH_OCTETS_MAX)
    assert "" == _heard(endurance, 20, frames=1)
    assert "" == _heard(endurance, RUBBISH_OCTETS_MAX)
    assert str(RUBBISH_OCTETS_MAX) in _heard(endurance, 1)


def test_who_tells_no_frame_for_long_is_gone() -> None:
    """An octet a minute would keep a dead line up."""
    endurance = Endurance(0)
    assert "" == _heard(endurance, 1, now_s=60)
    assert "60 s" in _heard(endurance, 1, now_s=60.1)
    endurance = Endurance(0)
    assert "" == _heard(endurance, 20, frames=1, now_s=59)
    assert "" == _heard(endurance, 1, now_s=119)


@pytest.mark.parametrize(("octets", "frames"), [(4096, 1), (20 * 32, 32)], ids=["long frames", "short ones"])
def test_so_much_unasked_at_once_and_so_much_a_second(octets: int, frames: int) -> None:
    """Heartbeats without end would cost everybody the processor."""
    endurance, weight = Endurance(0), max(octets, frames * FRAME_OCTETS_LEAST)
    for _ in range(UNASKED_OCTETS_MAX // weight):
        assert "" == _heard(endurance, octets, frames=frames)
    assert "unasked" in _heard(endurance, octets, frames=frames)
    endurance = Endurance(0)
    for second in range(500):
        now_s = second * weight / UNASKED_OCTETS_PER_S
        assert "" == _heard(endurance, octets, frames=frames, now_s=now_s)


def test_an_answer_may_be_long() -> None:
    """The archive of a thousand meters would end its own connection."""
    endurance = Endurance(0)
    for _ in range(ANSWER_OCTETS_MAX // 16_384):
        assert "" == _heard(endurance, 16_384, frames=1, answers=True)
    assert "answers" in _heard(endurance, 16_384, frames=1, answers=True)


EVENT = ReportedEvent(
    address="1", kind="unread_report", occurred_at=None, ended_at=None, values=(), source="test"
)


def _report(terminal: str, number: int) -> Report:
    return Report(
        terminal=terminal,
        parts=(),
        key=f"{terminal}/{number}",
        summary="",
        received_at=NOW,
        acknowledge=lambda: None,
    )


def test_terminals_take_turns() -> None:
    """One that tells a thousand things would have its neighbours wait for all of them."""

    async def story() -> list[str]:
        queue = ReportQueue()
        for number in range(4):
            queue.put(_report("mad", number))
        queue.put(_report("good", 0))
        queue.put(_report("other", 0))
        return [(await queue.take()).key for _ in range(6)]

    assert ["mad/0", "good/0", "other/0", "mad/1", "mad/2", "mad/3"] == asyncio.run(story())


def test_who_has_most_waiting_makes_room() -> None:
    """The report of a terminal would be dropped because another one filled the queue."""

    async def story() -> list[str]:
        queue = ReportQueue(reports_max=3)
        for number in range(5):
            queue.put(_report("mad", number))
        queue.put(_report("good", 0))
        assert 3 == queue.dropped
        found = [(await queue.take()).key for _ in range(3)]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await queue.take()
        return found

    assert ["mad/0", "good/0", "mad/1"] == asyncio.run(story())


def test_long_reports_have_a_limit_of_their_own() -> None:
    """A thousand reports of thousands of values each would fill the memory."""

    def long(terminal: str, number: int, parts: int) -> Report:
        return replace(_report(terminal, number), parts=(EVENT,) * parts)

    async def story() -> list[str]:
        queue = ReportQueue(parts_max=10)
        for number in range(2):
            queue.put(long("mad", number, 4))
        queue.put(long("good", 0, 2))
        assert 0 == queue.dropped
        queue.put(long("good", 1, 1))
        assert 1 == queue.dropped
        found = [(await queue.take()).key for _ in range(3)]
        queue.put(long("mad", 2, 11))
        assert 1 == queue.dropped, "it is alone"
        queue.put(long("good", 2, 1))
        assert 2 == queue.dropped
        return [*found, (await queue.take()).key]

    assert ["mad/0", "good/0", "good/1", "good/2"] == asyncio.run(story())
