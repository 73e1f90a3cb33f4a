"""One request to read a meter on demand: what is wanted, what has come, and who still waits for it."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from meterlink.clock import Clock, wait_for
from meterlink.drivers.base import MeterAnswer, Window
from meterlink.errors import LineClosed, MeterlinkError

LEASE_S: Final = 15.0
"""A request for which nobody waits any more is given up after this, and its results are forgotten."""

_log = structlog.get_logger(__name__)


class ReadState(enum.StrEnum):
    """Where a request stands."""

    WAITING = "waiting"
    """For the line, or for the meter's answers."""
    DONE = "done"
    """Each item has a result."""
    CANCELLED = "cancelled"
    """Whoever asked has taken it back, or waits no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to know.

    Args:
        user: who.
        meter: our id of it.
        address: of the meter.
        line: its name.
        items: of the catalogue, 1 to ``ITEMS_MAX``.
        window: of records: which ones; ``None`` leaves it to the meter.
        tries: how often a silent meter is asked, 1 to ``TRIES_MAX``.
        timeout_s: longest that all of it may take, 1 to ``TIMEOUT_MAX_S``.

    """

    user: str
    meter: str
    address: str
    line: str
    items: tuple[str, ...]
    window: Window | None = None
    tries: int = 2
    timeout_s: float = 60.0

    @property
    def reach(self) -> tuple[str, str]:
        """The meter as a line that runs knows it; another one may have come in its place meanwhile."""
        return self.meter, self.address


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one item: an answer, or why there is none."""

    item: str
    outcome: MeterAnswer | MeterlinkError


class OnDemandRead:
    """One request on its way.

    Args:
        read_id: its name.
        wish: what is wanted.
        begun_s: monotonic.

    Attributes:
        state: where it stands.

    """

    def __init__(self, read_id: str, wish: Wish, begun_s: float) -> None:
        self.id = read_id
        self.wish = wish
        self.begun_s = begun_s
        self.state = ReadState.WAITING
        self._found: dict[str, MeterAnswer | MeterlinkError] = {}
        self._ended = asyncio.Event()
        self._followers = 0
        self._left_s = begun_s
        self._limit: asyncio.Timeout | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def results(self) -> list[ItemResult]:
        """Of the items that are done with, in the order asked for."""
        return [ItemResult(item, self._found[item]) for item in self.wish.items if item in self._found]

    @property
    def left(self) -> tuple[str, ...]:
        """The items that are not done with, each once, in the order asked for."""
        return tuple(dict.fromkeys(item for item in self.wish.items if item not in self._found))

    def brought(self, found: Mapping[str, MeterAnswer | MeterlinkError]) -> None:
        """Some items are done with: an answer, or why there is none.

        Args:
            found: by item.

        """
        self._found.update(found)

    def is_left(self, now_s: float) -> bool:
        """Whether nobody has waited for it for ``LEASE_S``.

        Args:
            now_s: monotonic.

        """
        return not self._followers and now_s - self._left_s >= LEASE_S

    @asynccontextmanager
    async def within_its_time(self, clock: Clock) -> AsyncIterator[None]:
        """Carry it out: the wish's time, and less when nobody waits for it.

        Raises:
            TimeoutError: that time is over.

        """
        try:
            async with asyncio.timeout(None) as self._limit:
                self._set_limit(clock.monotonic_s())
                yield
        finally:
            self._limit = None

    async def follow(self, wait_s: float, clock: Clock) -> None:
        """Wait for its end, at most so long; meanwhile it is not given up."""
        self._followers += 1
        self._set_limit(clock.monotonic_s())
        try:
            await wait_for(self._ended, wait_s)
        finally:
            self._followers -= 1
            self._left_s = clock.monotonic_s()
            self._set_limit(self._left_s)

    def carried_by(self, task: asyncio.Task[None]) -> None:
        """Let a task carry it out: with it, it ends."""
        self._task = task
        task.add_done_callback(lambda _: self.end(LineClosed(f"{self.wish.line}: the line is being stopped")))

    def end(self, why: MeterlinkError | None = None) -> None:
        """Let those who wait have what there is; items without a result get ``why``."""
        if self.state is not ReadState.WAITING:
            return
        missing = self.left
        assert why is not None or not missing
        if why is not None:
            self.brought(dict.fromkeys(missing, why))
        self._end_as(ReadState.DONE)

    def cancel(self) -> None:
        """Give it up: nothing more of it goes to the line."""
        if self.state is ReadState.WAITING:
            self._end_as(ReadState.CANCELLED)
            if self._task is not None:
                self._task.cancel()

    def _end_as(self, state: ReadState) -> None:
        self.state = state
        self._ended.set()
        read = sum(isinstance(result.outcome, MeterAnswer) for result in self.results)
        _log.info(
            "read_answered",
            user=self.wish.user,
            meter=self.wish.meter,
            line=self.wish.line,
            state=state.value,
            items=len(self.wish.items),
            read=read,
        )

    def _set_limit(self, now_s: float) -> None:
        if self._limit is None or self._limit.expired():
            return
        left_s = self.begun_s + self.wish.timeout_s - now_s
        if not self._followers:
            left_s = min(left_s, self._left_s + LEASE_S - now_s)
        self._limit.reschedule(asyncio.get_running_loop().time() + left_s)
