"""What is under way: the cursor covers an unbroken run, and a place is free when the cursor is on disk."""

from __future__ import annotations

import asyncio

from meterlink.publish.window import Window
from metersim.loop import Simulation


def test_progress_ends_before_the_first_gap() -> None:
    """A cursor that jumped over a row without PUBACK would lose it."""

    async def body() -> None:
        window = Window(10)
        places = [await window.enter(log_id) for log_id in (3, 4, 6, 7)]
        progress = asyncio.ensure_future(window.progress())
        window.finish(places[2])
        await asyncio.sleep(1)
        assert not progress.done()
        window.finish(places[0])
        assert 3 == await progress
        window.release(3)
        window.finish(places[1])
        assert 6 == await window.progress()

    Simulation().run(body())


def test_a_place_is_free_when_its_cursor_is_on_disk() -> None:
    """A place freed at the PUBACK would let a crash repeat more than the window."""

    async def body() -> None:
        window = Window(2)
        first, second = await window.enter(1), await window.enter(2)
        third = asyncio.ensure_future(window.enter(3))
        window.finish(first)
        window.finish(second)
        await asyncio.sleep(1)
        assert not third.done()
        window.release(await window.progress())
        assert 3 == (await third).log_id

    Simulation().run(body())
