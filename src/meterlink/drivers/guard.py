"""The wall around a driver: what breaks over a meter's answer costs that answer, and nobody else anything.

Meters send what no standard has foreseen, and sooner or later one of them finds a fault of ours. It must not
end the tasks of its line, on which its neighbours wait: here any exception that is none of a driver's own
becomes a ``BadAnswer`` of that one meter, is logged whole and counted. Nothing else of ``meterlink`` needs to
think of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.drivers.base import Brought, Depth, Driver, MeterAnswer, StoredAnswer, Wanted, Window
from meterlink.drivers.events import EventCounts, EventRecords
from meterlink.errors import BadAnswer, MeterlinkError
from meterlink.model.data_classes import DataClass

_log = structlog.get_logger(__name__)


class GuardedDriver:
    """A driver out of which nothing comes but what ``Driver`` names.

    Args:
        driver: any.

    Attributes:
        faults: answers over which it broke.

    """

    def __init__(self, driver: Driver) -> None:
        self.faults = 0
        self._driver = driver
        self.check_item = driver.check_item
        self.check_instant = driver.check_instant
        self.check_status = driver.check_status
        self.check_window = driver.check_window
        self.check_stored = driver.check_stored
        self.event_kinds = driver.event_kinds
        self.association_lost = driver.association_lost
        self.group = driver.group

    async def read(
        self, line: Exchanging, address: str, item: str, *, window: Window | None = None, priority: Priority
    ) -> MeterAnswer:
        """See ``Driver.read``."""
        with self._wall(line, address):
            return await self._driver.read(line, address, item, window=window, priority=priority)

    async def read_status(
        self, line: Exchanging, address: str, item: str, *, priority: Priority
    ) -> MeterAnswer:
        """See ``Driver.read_status``."""
        with self._wall(line, address):
            return await self._driver.read_status(line, address, item, priority=priority)

    async def read_group(
        self, line: Exchanging, address: str, items: Sequence[str], *, as_status: bool, priority: Priority
    ) -> Brought:
        """See ``Driver.read_group``."""
        with self._wall(line, address):
            return await self._driver.read_group(line, address, items, as_status=as_status, priority=priority)

    @property
    def has_events(self) -> bool:
        """See ``EventReader.has_events``."""
        return self._driver.has_events

    @property
    def stored(self) -> Mapping[DataClass, Depth]:
        """See ``Driver.stored``."""
        return self._driver.stored

    async def read_stored(
        self, line: Exchanging, address: str, wanted: Wanted, *, priority: Priority
    ) -> StoredAnswer:
        """See ``Driver.read_stored``."""
        with self._wall(line, address):
            return await self._driver.read_stored(line, address, wanted, priority=priority)

    async def read_event_counts(
        self, line: Exchanging, address: str, kinds: Sequence[str], *, priority: Priority
    ) -> EventCounts:
        """See ``EventReader.read_event_counts``."""
        with self._wall(line, address):
            return await self._driver.read_event_counts(line, address, kinds, priority=priority)

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
        with self._wall(line, address):
            return await self._driver.read_event_records(
                line, address, kind, lasts, count=count, priority=priority
            )

    @contextmanager
    def _wall(self, line: Exchanging, address: str) -> Iterator[None]:
        """Our errors pass; any other is a fault of this program, met in one meter's answer."""
        try:
            yield
        except MeterlinkError:
            raise
        except Exception as error:
            self.faults += 1
            _log.error("answer_broke_us", line=line.name, address=address, faults=self.faults, exc_info=error)
            raise BadAnswer(
                f"meter {address} answered, and this program broke over it ({type(error).__name__}): "
                "a fault of ours, which the log holds whole"
            ) from error
