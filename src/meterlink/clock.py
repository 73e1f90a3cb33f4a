"""The two questions about time: what time is it, and how long did it take; waits that have an end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime
from typing import Final, Protocol

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


def unless_cancelled() -> None:
    """Go on only if nobody has told the current task to end.

    A task group that fails at the moment at which its own task is cancelled raises what failed, and the
    cancellation is in it nowhere (Python 3.11 and 3.12): whoever takes that error for the whole story works
    on, and a stop waits for him. So this follows each ``except*``, and each ``except`` that takes whatever
    comes of a part and goes on.

    Raises:
        CancelledError: somebody has.

    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
