"""Values of the moment behind a terminal of Q/GDW 1376.1: what it has read lately, else the meter itself.

Several items go into one request: their functions to the terminal (class 1), and of what that lacks those
that the meter takes together through the tunnel.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog

from meterlink.bus.line import Exchanging, Holdable, Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import Brought, Driver, MeterAnswer, Window
from meterlink.drivers.gdw1376.offer import TerminalOffer
from meterlink.drivers.gdw1376.station import Station
from meterlink.drivers.gdw1376.store import AHEAD_MAX, Store, now_items
from meterlink.drivers.together import each_alone
from meterlink.errors import BadAnswer, Refused, ReplyTimeout

_log = structlog.get_logger(__name__)


class Moments1376:
    """The part of a driver that reads values of the moment.

    Args:
        inner: the meters' own driver.
        station: the terminal.
        line: that of the terminal's connection; the lines of the methods are those above the tunnel.
        offer: what can be asked for.
        route: of what comes from the meter itself.

    """

    def __init__(self, inner: Driver, station: Station, line: Line, offer: TerminalOffer, route: str) -> None:
        self._inner = inner
        self._station = station
        self._terminal_line = line
        self._store = Store(station, line)
        self._offer = offer
        self._route = route

    async def read(
        self, line: Exchanging, address: str, item: str, *, window: Window | None = None, priority: Priority
    ) -> MeterAnswer:
        """See ``Driver.read``."""
        self._offer.check_item(item)
        if window is None and self._may_tell(item):
            told = await self._now(line, address, [item], priority)
            if item in told:
                return told[item]
        if self._offer.is_the_terminals(item):
            raise self._not_lately(address, item)
        answer = await self._inner.read(line, address, item, window=window, priority=priority)
        return self._routed(answer)

    async def read_status(
        self, line: Exchanging, address: str, item: str, *, priority: Priority
    ) -> MeterAnswer:
        """See ``Driver.read_status``: words of state are the meter's own affair."""
        if now_items(item):
            return await self.read(line, address, item, priority=priority)
        return self._routed(await self._inner.read_status(line, address, item, priority=priority))

    def group(self, address: str, items: Sequence[str]) -> tuple[str, ...]:
        """See ``Driver.group``: what the terminal may tell, else what the meter takes together."""
        told = tuple(item for item in items if self._may_tell(item))
        if items[0] in told:
            return told[: self._station.settings.units_max]
        return self._inner.group(address, [item for item in items if item not in told])

    async def read_group(
        self, line: Exchanging, address: str, items: Sequence[str], *, as_status: bool, priority: Priority
    ) -> Brought:
        """See ``Driver.read_group``."""
        found: dict[str, MeterAnswer | Refused | BadAnswer] = {}
        asked = [item for item in items if self._may_tell(item)]
        if asked:
            found.update(await self._now(line, address, asked, priority))
        left = [item for item in items if item not in found]
        for item in [one for one in left if self._offer.is_the_terminals(one)]:
            found[item] = self._not_lately(address, item)
            left.remove(item)
        try:
            while left:
                group = self._inner.group(address, left)
                found.update(await self._group_of_meter(line, address, group, as_status, priority))
                left = [item for item in left if item not in group]
        except ReplyTimeout as error:
            if not any(isinstance(one, MeterAnswer) for one in found.values()):
                raise
            found.update({item: BadAnswer(str(error)) for item in left})
        return found

    async def _group_of_meter(
        self, line: Exchanging, address: str, items: Sequence[str], as_status: bool, priority: Priority
    ) -> Brought:
        """Some items of the meter itself: together, or each alone where it refuses them together."""
        if len(items) > 1:
            try:
                brought = await self._inner.read_group(
                    line, address, items, as_status=as_status, priority=priority
                )
            except (Refused, BadAnswer) as error:
                _log.info("items_asked_apart", line=line.name, address=address, reason=str(error))
            else:
                return {
                    item: self._routed(one) if isinstance(one, MeterAnswer) else one
                    for item, one in brought.items()
                }
        read = self._inner.read_status if as_status else self._inner.read
        alone = await each_alone(items, lambda item: read(line, address, item, priority=priority))
        return {
            item: self._routed(one) if isinstance(one, MeterAnswer) else one for item, one in alone.items()
        }

    def _may_tell(self, item: str) -> bool:
        """Whether the terminal may have read it lately."""
        return self._station.settings.fresh_s > 0 and now_items(item)

    def _not_lately(self, address: str, item: str) -> Refused:
        why = f"terminal {self._station.name} has not read {item} of meter {address} lately"
        return Refused(why, error_word=b"")

    async def _now(
        self, line: Exchanging, address: str, items: Sequence[str], priority: Priority
    ) -> dict[str, MeterAnswer]:
        """What the terminal has read lately; nothing of what it has not, or read too long ago."""
        async with at_the_terminal(line, priority):
            entry = await self._station.archive_for(self._terminal_line, address, priority=priority)
            if entry is None:
                return {}
            told = await self._store.now(entry, items, priority=priority)
        now = self._station.clock.utc_now()
        return {
            item: MeterAnswer(tuple(one.values), min(*one.times, now))
            for item, one in told.items()
            if one.values and one.times and self._is_fresh(min(one.times), now)
        }

    def _is_fresh(self, read_at: datetime, now: datetime) -> bool:
        return -AHEAD_MAX <= now - read_at <= timedelta(seconds=self._station.settings.fresh_s)

    def _routed(self, answer: MeterAnswer) -> MeterAnswer:
        return answer._replace(values=tuple(value._replace(route=self._route) for value in answer.values))


@asynccontextmanager
async def at_the_terminal(line: Exchanging, priority: Priority) -> AsyncIterator[None]:
    """The terminal is ours, by our priority among all that go to it or through it.

    Raises:
        LineLost: it is not there.
        BusFull, LineClosed: of the line.

    """
    if isinstance(line, Holdable):
        async with line.hold(priority=priority):
            yield
    else:  # somebody has it already, and asks through his hold
        yield
