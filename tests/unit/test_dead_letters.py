"""The ingest's own memory: what could not be stored, why, and how far it has come."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from meterlink.clock import SystemClock
from meterlink.errors import SinkAway
from meterlink.ingest.dead_letters import LETTER_OCTETS_MAX, DeadLetters
from metersim.loop import START, Simulation


@pytest.mark.asyncio
async def test_letters_and_progress_survive_a_restart(tmp_path: Path) -> None:
    """Who mends the cause next week must find what died, where and why."""
    path = tmp_path / "d.db"
    async with DeadLetters.open(path, clock=SystemClock()) as letters:
        assert (0, 0) == (await letters.count(), await letters.highest_seq("g"))
        await letters.bury(b"m v=1 1", "field type conflict")
        await letters.bury(b"\xff\x00", "not JSON", topic="a/b")
        await letters.note_progress({"g": 7, "h": 9})
    async with DeadLetters.open(path, clock=SystemClock()) as letters:
        found = [(each.topic, each.content, each.words) for each in await letters.newest(10)]
        assert [("a/b", b"\xff\x00", "not JSON"), ("", b"m v=1 1", "field type conflict")] == found
        assert (2, 7, 9, 0) == (
            await letters.count(),
            await letters.highest_seq("g"),
            await letters.highest_seq("h"),
            await letters.highest_seq("x"),
        )


@pytest.mark.asyncio
async def test_progress_follows_a_gateway_that_begins_anew(tmp_path: Path) -> None:
    """A gateway with a new journal counts from 1; the old number would claim rows that never came."""
    async with DeadLetters.open(tmp_path / "d.db", clock=SystemClock()) as letters:
        await letters.note_progress({"g": 5_000})
        await letters.note_progress({"g": 3})
        assert 3 == await letters.highest_seq("g")


def test_the_file_has_a_limit(tmp_path: Path) -> None:
    """Somebody who publishes rubbish all day must not fill the disk; how much died is still known."""
    sim = Simulation()

    async def body() -> None:
        async with DeadLetters.open(tmp_path / "d.db", clock=sim.clock, letters_max=3) as letters:
            for n in range(10):
                await letters.bury(b"%d" % n, "x" * n)
                await asyncio.sleep(60)
            await letters.bury(bytes(LETTER_OCTETS_MAX + 1), "\ud800")
            newest = await letters.newest(10)
            assert [b"9", b"8"] == [each.content for each in newest[1:]]
            assert LETTER_OCTETS_MAX == len(newest[0].content)
            assert START + timedelta(minutes=9) == newest[1].died_at
            assert 11 == await letters.count()

    sim.run(body())


@pytest.mark.asyncio
async def test_a_strangers_file_is_refused(tmp_path: Path) -> None:
    """Writing into another program's file would destroy it."""
    (tmp_path / "text").write_bytes(b"hello" * 500)
    stranger = sqlite3.connect(tmp_path / "sqlite")
    stranger.execute("CREATE TABLE x (y)")
    stranger.close()
    for name in ("text", "sqlite"):
        with pytest.raises(SinkAway, match=r"another program|cannot be used"):
            async with DeadLetters.open(tmp_path / name, clock=SystemClock()):
                pass
    with pytest.raises(SinkAway, match="nowhere"):
        async with DeadLetters.open(tmp_path / "nowhere" / "d.db", clock=SystemClock()):
            pass
