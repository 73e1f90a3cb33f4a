"""Reading meters now, because somebody asks: in front of every plan, behind control, and kept by nobody.

A request names one meter and its items. Several go into one exchange where the meter takes that; each has a
result of its own, and where a meter refuses them together it is asked for one by one, so that one which it
refuses costs the others nothing. A meter that is silent through its tries is asked no more, nor for anybody
else who was already waiting for it: the neighbours lose one budget, however many asked. A request lives as
long as somebody waits for it and its time lasts. Given up, it takes no more of the line.

What was read goes to whoever asked. It belongs to no slot, so it is not written to the journal.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from typing import Final

import structlog

from meterlink.acquisition.on_demand_read import OnDemandRead, ReadState, Wish
from meterlink.acquisition.poller import LATE_ANSWER_S
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.base import Driver, MeterAnswer
from meterlink.errors import (
    BadAnswer,
    BusFull,
    LineClosed,
    LineError,
    MeterlinkError,
    OutOfTime,
    Refused,
    ReplyTimeout,
    Unknown,
)
from meterlink.model.zone import CHINA_TIME

ITEMS_MAX: Final = 16
"""Items of one request."""
RECORDS_MAX: Final = 512
"""Records of one request: items times what is wanted of each."""
TRIES_MAX: Final = 3
"""How often a silent meter is asked at most."""
TIMEOUT_MAX_S: Final = 600
"""Longest that one request may take, with its waiting."""
READS_OF_A_LINE_MAX: Final = 128
"""Requests that wait for one line; one more is refused at once."""
READS_MAX: Final = 512
"""Requests of all lines, with those that are done and not fetched; one more is refused at once."""

_Found = Mapping[str, MeterAnswer | Refused | BadAnswer] | Mapping[str, MeterAnswer | MeterlinkError]
"""What became of some items."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Served:
    """A line that runs, and who is read along it; one entry a meter at most."""

    line: Line
    drivers: Mapping[tuple[str, str], Driver]
    group: asyncio.TaskGroup
    turns: dict[str, asyncio.Lock] = field(default_factory=dict)
    silent: dict[str, tuple[float, str]] = field(default_factory=dict)


class OnDemand:
    """All requests of a daemon.

    Args:
        clock: wall time and durations.
        zone: in which people are told times.

    """

    def __init__(self, clock: Clock, zone: tzinfo = CHINA_TIME) -> None:
        self._clock = clock
        self._zone = zone
        self._lines: dict[str, list[_Served]] = {}
        self._reads: dict[str, OnDemandRead] = {}
        self._numbers = itertools.count(1)

    async def serve(self, line: Line, drivers: Mapping[tuple[str, str], Driver]) -> None:
        """Carry out what is asked of a line's meters, until cancelled.

        Args:
            line: running.
            drivers: by our id and the address of each meter on it.

        """
        async with asyncio.TaskGroup() as group:
            served = _Served(line, drivers, group)
            lanes = self._lines.setdefault(line.name, [])
            lanes.append(served)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                lanes[:] = [one for one in lanes if one is not served]
                if not lanes and self._lines.get(line.name) is lanes:
                    del self._lines[line.name]

    def begin(self, wish: Wish) -> OnDemandRead:
        """Take a request; it runs from here on, and is forgotten when its results were fetched.

        Args:
            wish: within the limits of this module.

        Raises:
            BusFull: too many wait.
            UnknownItem: an item is not in the dictionary, cannot be shown, or not with that window.

        """
        assert 1 <= len(wish.items) <= ITEMS_MAX
        self._forget_left()
        if len(self._reads) >= READS_MAX:
            raise BusFull(f"{READS_MAX} requests are being read on demand already; try again")
        if len(self._waiting(wish.line)) >= READS_OF_A_LINE_MAX:
            raise BusFull(f"{READS_OF_A_LINE_MAX} requests wait for {wish.line} already; try again")
        lanes = self._lines.get(wish.line, ())
        served = next((one for one in reversed(lanes) if wish.reach in one.drivers), None)
        driver = None if served is None else served.drivers.get(wish.reach)
        if driver is not None:
            for item in wish.items:
                driver.check_item(item)
                if wish.window is not None:
                    driver.check_window(item, wish.window)
        read = OnDemandRead(str(next(self._numbers)), wish, self._clock.monotonic_s())
        self._reads[read.id] = read
        _log.info("read_asked", user=wish.user, meter=wish.meter, line=wish.line, items=wish.items)
        if served is None or driver is None:
            read.end(LineClosed(f"{wish.line}: it is being started; try again in a moment"))
        else:
            name = f"on_demand[{wish.line}].{read.id}"
            read.carried_by(served.group.create_task(self._carry_out(read, served), name=name))
        return read

    def find(self, read_id: str, user: str) -> OnDemandRead:
        """A request of a user.

        Raises:
            Unknown: there is none, or it is another's.

        """
        read = self._reads.get(read_id)
        if read is None or read.wish.user != user:
            raise Unknown(f"there is no read {read_id!r}: it was fetched, cancelled, or left for too long")
        return read

    async def follow(self, read: OnDemandRead, wait_s: float) -> None:
        """Wait until a request has ended, at most so long; its results are the caller's from then on."""
        await read.follow(wait_s, self._clock)
        if read.state is not ReadState.WAITING:
            self._reads.pop(read.id, None)

    def cancel(self, read: OnDemandRead) -> None:
        """Give a request up, and forget it."""
        read.cancel()
        self._reads.pop(read.id, None)

    def before(self, read: OnDemandRead) -> int:
        """How many requests of its line were there earlier and are not done."""
        return sum(int(other.id) < int(read.id) for other in self._waiting(read.wish.line))

    def _waiting(self, line: str) -> list[OnDemandRead]:
        return [
            read
            for read in self._reads.values()
            if read.wish.line == line and read.state is ReadState.WAITING
        ]

    def _forget_left(self) -> None:
        now_s = self._clock.monotonic_s()
        ended = [read for read in self._reads.values() if read.state is not ReadState.WAITING]
        for read in ended:
            if read.is_left(now_s):
                del self._reads[read.id]

    # --- at the line -------------------------------------------------------------------------

    async def _carry_out(self, read: OnDemandRead, served: _Served) -> None:
        try:
            async with (
                read.within_its_time(self._clock),
                served.turns.setdefault(read.wish.meter, asyncio.Lock()),
            ):
                await self._read_items(read, served)
        except TimeoutError:
            if read.is_left(self._clock.monotonic_s()):
                read.cancel()
                self._reads.pop(read.id, None)
            else:
                read.end(self._out_of_time(read))

    async def _read_items(self, read: OnDemandRead, served: _Served) -> None:
        alone = read.wish.window is not None  # records of one item fill an answer
        while read.left:
            try:
                found = await self._answers(read, served, alone=alone)
            except (ReplyTimeout, BusFull) as error:
                return read.end(error)
            except LineError as error:
                return read.end(self._since(error, served.line))
            if found is None:
                alone = True
            else:
                read.brought(found)
        return read.end()

    async def _answers(self, read: OnDemandRead, served: _Served, *, alone: bool) -> _Found | None:
        """What comes of the items that go first; ``None``: of several nothing, and each is to be asked alone.

        Raises:
            ReplyTimeout: the meter is silent, and was asked as often as it may be.
            BusFull, LineError: from the line.

        """
        wish, driver = read.wish, served.drivers[read.wish.reach]
        for number in range(wish.tries):
            if number:
                await asyncio.sleep(LATE_ANSWER_S)  # the line is the others' meanwhile
            found_s, told = served.silent.get(wish.meter, (read.begun_s, ""))
            if found_s > read.begun_s:  # for somebody else, while this one waited
                raise ReplyTimeout(told)
            items = read.left[:1] if alone else driver.group(wish.address, read.left)
            try:
                return await self._asked(wish, items, driver, served.line)
            except ReplyTimeout:
                continue
        asked = f"asked {wish.tries} times" if wish.tries > 1 else "asked once"
        told = f"no answer from meter {wish.meter} ({wish.address}) on {wish.line}, {asked}"
        served.silent[wish.meter] = self._clock.monotonic_s(), told
        raise ReplyTimeout(told)

    async def _asked(self, wish: Wish, items: Sequence[str], driver: Driver, line: Line) -> _Found | None:
        """What one request for some items brings; ``None``: nothing of several."""
        address, priority = wish.address, Priority.ON_DEMAND
        try:
            if len(items) > 1:
                return await driver.read_group(line, address, items, as_status=False, priority=priority)
            answer = await driver.read(line, address, items[0], window=wish.window, priority=priority)
        except (ReplyTimeout, BusFull, LineError):
            raise
        except MeterlinkError as error:
            if len(items) == 1:
                return {items[0]: error}
            _log.info("read_asked_apart", meter=wish.meter, line=wish.line, items=items, reason=str(error))
            return None
        return {items[0]: answer}

    def _out_of_time(self, read: OnDemandRead) -> OutOfTime:
        wish = read.wish
        return OutOfTime(
            f"meter {wish.meter} on {wish.line}: not read within {wish.timeout_s:g} s; "
            f"{self.before(read)} requests were before this one"
        )

    def _since(self, error: LineError, line: Line) -> LineError:
        """The error of a line, with the time from which on it is down."""
        if line.down_since is None:
            return error
        down_s = asyncio.get_running_loop().time() - line.down_since
        since = (self._clock.utc_now() - timedelta(seconds=down_s)).astimezone(self._zone)
        return type(error)(f"{error}; {line.name} is down since {since.isoformat(' ', 'seconds')}")
