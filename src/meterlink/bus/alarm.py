"""A timeout that costs almost nothing when it does not fire.

``asyncio.timeout`` sets and cancels a timer for each wait; on a fast line that is half of the work. Here
one timer a line stays armed for the earliest moment it may be needed, and when it rings too early it arms
itself again.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Self


class Rung(Exception):
    """Somebody rang: the wait is over, and nothing is late."""


class Alarm:
    """The timer of one task, the first that waits with it: one wait at a time has a deadline.

    Use as ``with alarm.until(when): await ...``; raises ``TimeoutError`` when the time comes first, and
    ``Rung`` when somebody calls ``ring``. A cancellation from outside stays a cancellation.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        """The loop's time, in which deadlines are given."""
        self._handle: asyncio.TimerHandle | None = None
        self._rings_at = math.inf
        self._deadline: float | None = None
        self._owner: asyncio.Task[object] | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._rang = False
        self._by_hand = False
        self._to_ring = False

    def until(self, deadline: float | None) -> Self:
        """Let the wait inside end with ``TimeoutError`` at ``deadline`` (loop time; ``None``: never).

        Raises:
            TimeoutError: the deadline came first.
            Rung: ``ring`` was called first, or since the last wait ended.

        """
        if self._to_ring:
            self._to_ring = False
            raise Rung
        task = self._owner = self._owner or asyncio.current_task()
        assert task is not None and self._task is None, "one wait at a time"
        self._deadline, self._rang, self._by_hand = deadline, False, False
        self._cancelling = task.cancelling()
        if deadline is not None and deadline < self._rings_at:
            self._arm(deadline)
        self._task = task
        return self

    # The wait is entered and left by hand: a generator would cost as much as all the rest of it.

    def __enter__(self) -> None:
        """The wait begins."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The wait is over; see ``until`` for what is raised."""
        task, self._task, self._deadline = self._task, None, None
        assert task is not None, "what is left was entered"
        if not self._rang:
            return
        if kind is not None and issubclass(kind, asyncio.CancelledError):
            if task.uncancel() <= self._cancelling:
                raise (Rung if self._by_hand else TimeoutError) from None
        elif task.cancelling() > self._cancelling:
            task.uncancel()  # it rang, but what we waited for came in the same turn of the loop

    def ring(self) -> None:
        """End the wait that is in progress; between two waits: the next one, before it begins."""
        if self._task is None:
            self._to_ring = True
        elif not self._rang:
            self._rang = self._by_hand = True
            self._task.cancel()

    def close(self) -> None:
        """Disarm; call it when the task ends, so that no timer outlives it."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle, self._rings_at = None, math.inf

    def _arm(self, when: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle, self._rings_at = self._loop.call_at(when, self._ring), when

    def _ring(self) -> None:
        self._handle, self._rings_at = None, math.inf
        if self._deadline is None or self._task is None or self._rang:
            return
        if self._deadline > self._loop.time():
            self._arm(self._deadline)
            return
        self._rang = True
        self._task.cancel()
