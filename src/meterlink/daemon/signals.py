"""Signals, told to the loop so that none is lost.

``loop.add_signal_handler`` hands a signal on through the loop's own pipe: where that is full, because threads
have ended much while the loop was busy, the signal is gone. Here the loop is told by the queue of its calls,
which has no such limit.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType


@contextmanager
def hearing(calls: Mapping[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    """Have something called in the running loop for each signal that comes; in the main thread.

    Args:
        calls: by signal; they must not block.

    """
    loop = asyncio.get_running_loop()

    def note(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(calls[signal.Signals(number)])

    before = {number: signal.signal(number, note) for number in calls}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
