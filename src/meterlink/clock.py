"""The two questions about time: what time is it, and how long did it take; waits that have an end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar

_T = TypeVar("_T")

SET_FROM: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""No clock that somebody has set shows less; and before 2000 DL/T 645 has no times."""


class Clock(Protocol):
    """Wall time and monotonic time; tests bring their own."""

    def utc_now(self) -> datetime:
        """Wall time, aware, UTC; may jump."""

    def monotonic_s(self) -> float:
        """Seconds from an unknown start; never goes back."""


class SystemClock:
    """The machine's clock."""

    def utc_now(self) -> datetime:
        """Wall time of the machine."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Monotonic time of the machine."""
        return time.monotonic()


async def wait_for(event: asyncio.Event, longest_s: float | None) -> None:
    """Wait until an event is set, but no longer than this; ``None``: however long it takes."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(longest_s):
            await event.wait()


async def apart(work: Coroutine[Any, Any, _T], name: str) -> _T:
    """Do something that may fail as a whole group, in a task of its own, so that no cancellation is lost.

    A task group that fails in the turn of the loop in which its own task is cancelled raises what failed, and
    the cancellation is nowhere (Python 3.11 and 3.12; and nobody can ask the task, for the group leaves a
    cancellation of its own behind). Who takes that error for the whole story works on, and a stop waits for
    him. Here the cancellation comes to a task that only waits, so it always arrives, whatever has failed.

    Args:
        work: is ended with the task that waits here.
        name: of its task.

    Raises:
        CancelledError: the task that waits was told to end; what failed with that is nobody's business.
        Exception: what the work raised, as it raised it.

    """
    task = asyncio.get_running_loop().create_task(work, name=name)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        while not task.done():  # each cancellation is handed on: the task may lose one
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # nobody else looks at it
        raise
    return task.result()
