"""How a daemon is: whether it gets on with its work, whether it can do all of it, and in numbers.

*Live* asks for progress, by the monotonic clock: is something in hand for longer than it can take? A daemon
that is not live is started again by its manager. *Ready* asks whether everything works: a broker that is away
is no reason to start anything again, but one to look. Both give their reasons.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from meterlink.bus.work import LineWork
from meterlink.clock import Clock
from meterlink.daemon.monitor import Page, Pages
from meterlink.journal.figures import SinkFigures
from meterlink.journal.journal import Journal
from meterlink.metrics.numbers import LineNumbers, Numbers, SinkNumbers
from meterlink.publish.relay import Relay

TOLD_MAX: Final = 20
"""Reasons of one page; who has a thousand bad lines sees how many more there are."""
LOOP_LOOK_S: Final = 1.0
"""How often it is seen how late the event loop is."""


@dataclass(slots=True)
class Reloads:
    """What became of the reloads of the configuration.

    Attributes:
        results: how many, by result.
        trouble: why the newest was refused; empty: it was not.

    """

    results: Counter[str] = field(default_factory=Counter)
    trouble: str = ""


class Health:
    """How one daemon is.

    Args:
        journal: open.
        folder: of the journal.
        relay: the present one; ``None``: it is being changed.
        lines: what each line does, by name.
        clock: of the daemon.
        orders: what keeps orders from going; empty: nothing, or there are none.

    Attributes:
        reloads: what became of them.

    """

    def __init__(
        self,
        journal: Journal,
        folder: Path,
        *,
        relay: Callable[[], Relay | None],
        lines: Callable[[], Mapping[str, LineWork]],
        clock: Clock,
        orders: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self.reloads = Reloads()
        self._journal = journal
        self._folder = folder
        self._relay = relay
        self._lines = lines
        self._clock = clock
        self._orders = orders
        self._started_s = clock.monotonic_s()
        self._loop_lag_s = 0.0
        self._version = version("meterlink")

    async def run(self) -> None:
        """See how late the event loop is, until cancelled."""
        now = asyncio.get_running_loop().time
        while True:
            due_s = now() + LOOP_LOOK_S
            await asyncio.sleep(LOOP_LOOK_S)
            self._loop_lag_s = max(0.0, now() - due_s)

    def stuck(self) -> list[str]:
        """What does not get on with its work, a sentence each; empty: the daemon is live."""
        now_s = asyncio.get_running_loop().time()
        found = [
            f"line {name}: a request is in hand for {now_s - work.since_s:.0f} s"
            for name, work in self._lines().items()
            if work.is_stuck(now_s) and work.since_s is not None
        ]
        journal = self._journal.work
        if journal.is_stuck(now_s):
            found.append(f"journal: the disk has done nothing for {now_s - journal.since_s:.0f} s")
        return found

    def troubles(self) -> dict[str, str]:
        """What does not work, and why; empty: the daemon is ready."""
        return dict(self._troubles())

    def _troubles(self) -> Iterator[tuple[str, str]]:
        if self.reloads.trouble:
            yield "config", f"the newest was refused, the old one holds: {self.reloads.trouble}"
        yield from self._orders().items()
        if self._journal.work.trouble:
            yield "journal", self._journal.work.trouble
        relay = self._relay()
        if relay is None:
            yield "broker", "delivery is being changed"
        elif not relay.connected:
            yield "broker", "there is no connection to the broker"
        for name, work in self._lines().items():
            if work.trouble:
                yield f"line {name}", work.trouble

    def words(self) -> str:
        """One line for whoever looks at the service."""
        if stuck := self.stuck():
            return f"STUCK: {stuck[0]}"
        troubles = self.troubles()
        lines = len(self._lines())
        if not troubles:
            return f"{lines} lines, journal at row {self._journal.newest_id}"
        first, why = next(iter(troubles.items()))
        more = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
        return f"{first}: {why}{more}"

    def pages(self) -> Pages:
        """What the monitor serves."""
        return {"/metrics": self._metrics, "/livez": self._livez, "/readyz": self._readyz}

    async def _livez(self) -> Page:
        stuck = self.stuck()
        document: dict[str, Any] = {"ok": not stuck, "stuck": stuck[:TOLD_MAX], "more": _more(len(stuck))}
        return Page.of(503 if stuck else 200, document)

    async def _readyz(self) -> Page:
        troubles = self.troubles()
        told = dict([*troubles.items()][:TOLD_MAX])
        document: dict[str, Any] = {"ok": not troubles, "reasons": told, "more": _more(len(troubles))}
        return Page.of(503 if troubles else 200, document)

    async def _metrics(self) -> Page:
        # A tenth of a second of imports at the first request, and none at a start that nobody watches.
        from meterlink.metrics.exposition import CONTENT_TYPE, exposition  # noqa: PLC0415

        (octets, unused), sinks = await self._journal.room.octets(), await self._journal.sinks.figures()
        journal, relay = self._journal.work, self._relay()
        disk = os.statvfs(self._folder)
        numbers = Numbers(
            version=self._version,
            uptime_s=self._clock.monotonic_s() - self._started_s,
            loop_lag_s=self._loop_lag_s,
            lines={name: _numbers_of(work) for name, work in self._lines().items()},
            commits=journal.commits,
            changes=journal.changes,
            refused=journal.refused,
            journal_octets=octets,
            unused_octets=unused,
            free_octets=disk.f_bavail * disk.f_frsize,
            rows=self._journal.newest_id,
            sinks={sink.name: self._sink(sink) for sink in sinks},
            published=relay.published if relay else 0,
            poisoned=relay.poisoned if relay else 0,
            reloads=dict(self.reloads.results),
        )
        return Page(200, CONTENT_TYPE, exposition(numbers))

    def _sink(self, sink: SinkFigures) -> SinkNumbers:
        since = sink.waiting_since
        lag_s = (self._clock.utc_now() - since).total_seconds() if since else 0.0
        return SinkNumbers(lag_s=max(0.0, lag_s), waiting=sink.waiting)


def _numbers_of(work: LineWork) -> LineNumbers:
    return LineNumbers(
        exchanges={outcome.value: count for outcome, count in work.exchanges.items()}, seconds=work.seconds
    )


def _more(count: int) -> int:
    return max(0, count - TOLD_MAX)
