"""Reading meters behind a concentrator of DL/T 698.45: from its store, through it, or by their own frames.

What meters have frozen is looked for in the concentrator's store first; what that lacks is asked of the
meter through the concentrator (PROXY), in the terms of DL/T 698.45 whatever the meter speaks; and what the
concentrator cannot ask so is asked in the meter's own frames, which it forwards. A meter that is silent is
not asked the same by the next way: that would cost its neighbours as long again. The terminal itself, where
it is in the roster, is asked straight. All ways bring the same items under the same names.
Source: spec dlt698, section 8.1.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final, TypeVar

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.base import Brought, Depth, Driver, MeterAnswer, StoredAnswer, Wanted, Window
from meterlink.drivers.behind698.store import TerminalStore
from meterlink.drivers.behind698.tunnel import Forwarding
from meterlink.drivers.behind698.ways import Behind, Way
from meterlink.drivers.dlt698.items import PROTOCOL
from meterlink.drivers.events import EventCounts, EventRecords
from meterlink.drivers.joined import Joined
from meterlink.errors import (
    BadAnswer,
    BusFull,
    LineError,
    MeterlinkError,
    NoFreeze,
    NoRecord,
    Refused,
    ReplyTimeout,
    UnknownItem,
)
from meterlink.model.data_classes import CURVE, DataClass
from meterprofiles import Profile

_T = TypeVar("_T")
_Outcome = TypeVar("_Outcome", MeterAnswer, MeterAnswer | Refused | BadAnswer)
_NEXT_WAY: Final = (Refused, NoRecord, NoFreeze, BadAnswer, UnknownItem)
"""After these another way may do better: a concentrator knows not each meter, and translates as it can."""
_ENDINGS: Final = (ReplyTimeout, LineError, BusFull, *_NEXT_WAY)


class BehindDriver:
    """Driver of the meters of one profile behind one concentrator.

    Args:
        behind: which concentrator, and its ways.
        own: of these meters, as if they were on a line of ours.
        proxied: asks through the concentrator.
        store: the concentrator's.
        forwarding: makes tunnels.
        profile: of these meters.
        clock: ours.

    """

    def __init__(
        self,
        behind: Behind,
        *,
        own: Driver,
        proxied: Driver,
        store: TerminalStore,
        forwarding: Forwarding,
        profile: Profile,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._behind = behind
        self._own = own
        self._proxied = proxied
        self._store = store
        self._forwarding = forwarding
        self._profile = profile
        self.check_item = own.check_item
        self.check_instant = own.check_instant
        self.check_status = own.check_status
        self.check_window = own.check_window
        self.check_stored = own.check_stored
        self.event_kinds = own.event_kinds

    def association_lost(self, address: str) -> None:
        """See ``Driver.association_lost``."""
        self._own.association_lost(address)

    # --- now ---

    async def read(
        self, line: Exchanging, address: str, item: str, *, window: Window | None = None, priority: Priority
    ) -> MeterAnswer:
        """See ``Driver.read``."""

        async def by(driver: Driver, way_line: Exchanging) -> MeterAnswer:
            return await driver.read(way_line, address, item, window=window, priority=priority)

        return await self._one(line, address, by)

    async def read_status(
        self, line: Exchanging, address: str, item: str, *, priority: Priority
    ) -> MeterAnswer:
        """See ``Driver.read_status``."""

        async def by(driver: Driver, way_line: Exchanging) -> MeterAnswer:
            return await driver.read_status(way_line, address, item, priority=priority)

        return await self._one(line, address, by)

    async def _one(
        self, line: Exchanging, address: str, by: Callable[[Driver, Exchanging], Awaitable[MeterAnswer]]
    ) -> MeterAnswer:
        if address == self._behind.terminal:
            return await by(self._own, line)
        answer, way = await self._by_the_first_way(line, by)
        return self._routed(answer, way)

    def group(self, address: str, items: Sequence[str]) -> tuple[str, ...]:
        """See ``Driver.group``: as the first way takes them that knows the first one."""
        if address == self._behind.terminal:
            return self._own.group(address, items)
        known = [item for item in items if self._goes_by_proxy(item)]
        if items[0] in known:
            return self._proxied.group(address, known)
        if "forward" in self._behind.ways:
            return self._own.group(address, [item for item in items if item not in known])
        return tuple(items[:1])

    async def read_group(
        self, line: Exchanging, address: str, items: Sequence[str], *, as_status: bool, priority: Priority
    ) -> Brought:
        """See ``Driver.read_group``: what the first way lacks goes by the next one, each item alone."""
        if address == self._behind.terminal:
            return await self._own.read_group(line, address, items, as_status=as_status, priority=priority)
        way: Way = "proxy" if self._goes_by_proxy(items[0]) else "forward"
        driver, way_line = self._taken(way, line)
        brought = await driver.read_group(way_line, address, items, as_status=as_status, priority=priority)
        found = {item: self._routed(one, way) for item, one in brought.items()}
        if way == "proxy" and "forward" in self._behind.ways:
            for item in [item for item, one in found.items() if not isinstance(one, MeterAnswer)]:
                found[item] = await self._forwarded(line, address, item, as_status, priority)
        return found

    async def _forwarded(
        self, line: Exchanging, address: str, item: str, as_status: bool, priority: Priority
    ) -> MeterAnswer | Refused | BadAnswer:
        """One item of a meter that answered for others of a group, by its own frame."""
        driver, way_line = self._taken("forward", line)
        read = driver.read_status if as_status else driver.read
        try:
            return self._routed(await read(way_line, address, item, priority=priority), "forward")
        except (Refused, BadAnswer) as error:
            return error
        except ReplyTimeout as error:  # it has just answered: what came is not lost for this
            return BadAnswer(str(error))

    def _routed(self, one: _Outcome, way: Way) -> _Outcome:
        if isinstance(one, MeterAnswer):
            return one._replace(values=self._behind.routed(one.values, way))
        return one

    def _goes_by_proxy(self, item: str) -> bool:
        """Whether the concentrator can be asked for it, in the words of DL/T 698.45."""
        if "proxy" not in self._behind.ways:
            return False
        try:
            self._proxied.check_item(item)
        except UnknownItem:
            return False
        return True

    # --- events ---

    @property
    def has_events(self) -> bool:
        """See ``EventReader.has_events``."""
        return self._own.has_events

    async def read_event_counts(
        self, line: Exchanging, address: str, kinds: Sequence[str], *, priority: Priority
    ) -> EventCounts:
        """See ``EventReader.read_event_counts``."""

        async def by(driver: Driver, way_line: Exchanging) -> EventCounts:
            return await driver.read_event_counts(way_line, address, kinds, priority=priority)

        return await self._events(line, address, by)

    async def read_event_records(
        self,
        line: Exchanging,
        address: str,
        kind: str,
        lasts: Sequence[int],
        *,
        count: int,
        priority: Priority,
    ) -> EventRecords:
        """See ``EventReader.read_event_records``."""

        async def by(driver: Driver, way_line: Exchanging) -> EventRecords:
            return await driver.read_event_records(
                way_line, address, kind, lasts, count=count, priority=priority
            )

        return await self._events(line, address, by)

    async def _events(
        self, line: Exchanging, address: str, by: Callable[[Driver, Exchanging], Awaitable[_T]]
    ) -> _T:
        """Kinds and counts are those of the meter's own protocol: nobody translates them."""
        if address == self._behind.terminal:
            return await by(self._own, line)
        ways: tuple[Way, ...] = ("proxy", "forward") if self._speaks_698 else ("forward",)
        return (await self._by_the_first_way(line, by, ways))[0]

    # --- memory ---

    @property
    def stored(self) -> Mapping[DataClass, Depth]:
        """See ``MemoryReader.stored``."""
        return self._own.stored

    async def read_stored(
        self, line: Exchanging, address: str, wanted: Wanted, *, priority: Priority
    ) -> StoredAnswer:
        """See ``MemoryReader.read_stored``."""
        for item in wanted.items:
            self.check_stored(wanted.data_class, item)
        if address == self._behind.terminal:
            return await self._own.read_stored(line, address, wanted, priority=priority)
        joined = Joined(wanted, self._clock.utc_now())
        if "store" in self._behind.ways and self._reads_as_the_standard:
            stored = await self._store.read(line, address, wanted, priority=priority)
            joined.brought(stored, self._clock.utc_now())
            if self._store.answers:
                wait_s = 0.0 if wanted.data_class == CURVE else self._behind.store_wait_s
                since = self._clock.utc_now() - timedelta(seconds=wait_s)
                due = [slot for slot in wanted.slots if slot > since]
                joined.wait_for(due, f"terminal {self._behind.terminal} has not read it yet")
        await self._fill(joined, line, address, priority)
        return joined.of()

    async def _fill(self, joined: Joined, line: Exchanging, address: str, priority: Priority) -> None:
        """Ask the meter for what is still lacking.

        Raises:
            ReplyTimeout, LineError, BusFull, NoFreeze, BadAnswer: and nothing had come before.

        """
        for items, slots in joined.lacking():
            lacking = replace(joined.wanted, items=items, slots=slots)

            async def by(driver: Driver, way_line: Exchanging, lacking: Wanted = lacking) -> StoredAnswer:
                return await driver.read_stored(way_line, address, lacking, priority=priority)

            try:
                answer, way = await self._by_the_first_way(line, by)
            except _ENDINGS as error:
                joined.ended(error)
                return
            records = tuple(
                replace(record, values=self._behind.routed(record.values, way)) for record in answer.records
            )
            joined.asked(items, slots, replace(answer, records=records))

    # --- ways ---

    async def _by_the_first_way(
        self,
        line: Exchanging,
        by: Callable[[Driver, Exchanging], Awaitable[_T]],
        ways: Sequence[Way] = ("proxy", "forward"),
    ) -> tuple[_T, Way]:
        """The answer by the first way that brings one, and which that was.

        Raises:
            MeterlinkError: as by the last way that was tried.

        """
        failed: MeterlinkError | None = None
        for way in ways:
            if way not in self._behind.ways:
                continue
            driver, way_line = self._taken(way, line)
            try:
                return await by(driver, way_line), way
            except _NEXT_WAY as error:
                failed = error
        raise failed or UnknownItem(
            f"terminal {self._behind.terminal} offers no way to that: ways = {list(self._behind.ways)}",
            f"终端 {self._behind.terminal} 无法读取该数据:ways = {list(self._behind.ways)}",
        )

    def _taken(self, way: Way, line: Exchanging) -> tuple[Driver, Exchanging]:
        if way == "proxy":
            return self._proxied, line
        return self._own, self._forwarding.tunnel(line, self._profile)

    @property
    def _speaks_698(self) -> bool:
        return self._profile.protocol == PROTOCOL

    @property
    def _reads_as_the_standard(self) -> bool:
        """The store says no scalers: of meters that have their own it is not understood."""
        return not (self._speaks_698 and self._profile.association.ask_scalers)
