"""The event that a concentrator tells of its meters: one could not be read (310F), until it could again.

While there are events that nobody has read, the concentrator sets the ACD bit of its answers.
Source: DL/T 698.45-2017, objects 310F and 3320; spec sections 2.1 and 6.5.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from metersim.dlt698.selecting import Selector
from meterwire.dlt698.axdr.selection import Oad, Rcsd, Selection, Tsa
from meterwire.dlt698.axdr.values import NULL, Data, DateTimeS
from meterwire.dlt698.objects.records import (
    EVENT_ENDED_AT,
    EVENT_NUMBER,
    EVENT_SOURCE,
    EVENT_STARTED_AT,
)

READING_FAILURE: Final = 0x310F
FAILURES_KEPT: Final = 128
"""Records of the event; the oldest go first."""
COLUMNS: Final = (EVENT_NUMBER, EVENT_STARTED_AT, EVENT_ENDED_AT, EVENT_SOURCE)


@dataclass(slots=True, kw_only=True)
class Failure:
    """One record: a meter could not be read.

    Args:
        number: of the record, from 1.
        address: of the meter, 12 digits.
        started_at: civil time of the concentrator.
        ended_at: when it could be read again; ``None`` while it cannot.

    """

    number: int
    address: str
    started_at: datetime
    ended_at: datetime | None = None

    @property
    def shown_at(self) -> datetime:
        """Its time."""
        return self.started_at

    def cells(self, columns: Rcsd) -> tuple[Data, ...]:
        """The record in some columns; NULL where it has none."""
        own = {
            EVENT_NUMBER: Data("double-long-unsigned", self.number),
            EVENT_STARTED_AT: Data("date_time_s", DateTimeS.of(self.started_at)),
            EVENT_SOURCE: Data("TSA", Tsa.of(self.address)),
        }
        if self.ended_at is not None:
            own[EVENT_ENDED_AT] = Data("date_time_s", DateTimeS.of(self.ended_at))
        return tuple(own.get(column, NULL) if isinstance(column, Oad) else NULL for column in columns)


_SELECTOR: Final = Selector[Failure](time=EVENT_STARTED_AT, number=EVENT_NUMBER)


class Failures:
    """The records of one concentrator.

    Attributes:
        unread: there are some that no client has read, nor confirmed a report of.

    """

    def __init__(self) -> None:
        self.unread = False
        self._kept: deque[Failure] = deque(maxlen=FAILURES_KEPT)
        self._open: dict[str, Failure] = {}
        self._number = 0

    def tell(self, address: str, shown: datetime, *, failed: bool) -> Failure | None:
        """A meter could be read, or not; the record when that is news.

        Args:
            address: of the meter.
            shown: civil time of the concentrator.
            failed: it could not.

        """
        before = self._open.get(address)
        if failed == (before is not None):
            return None
        if before is not None:
            before.ended_at = shown
            return self._open.pop(address)
        self._number += 1
        found = Failure(number=self._number, address=address, started_at=shown)
        if len(self._kept) == FAILURES_KEPT:
            oldest = self._kept[0]
            if self._open.get(oldest.address) is oldest:
                del self._open[oldest.address]
        self._kept.append(found)
        self._open[address] = found
        self.unread = True
        return found

    def newest_first(self) -> Iterator[Failure]:
        """The records."""
        return reversed(self._kept)

    def select(self, selection: Selection) -> list[Failure]:
        """The records that a selector means, oldest first; they count as read.

        Raises:
            Unfit: the selector is none for events.

        """
        found = _SELECTOR.select(selection, self.newest_first())
        self.read()
        return found

    def read(self) -> None:
        """The master knows of all of them."""
        self.unread = False
