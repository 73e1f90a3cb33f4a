"""What a concentrator tells by itself: reports that wait until the master has confirmed them.

A report goes out in as many notifications as its APDUs have to be; each is repeated as the scheme says, and
when nobody confirmed it, again later, before all that came after it. Nothing is told unless the master has
allowed it (4300, attribute 8). Source: DL/T 698.45-2017, 7.3.8; spec sections 3.8 and 8.3.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from metersim.dlt698.terminal import Terminal
from meterwire.dlt698.apdus.apdu import Apdu, encode_apdu
from meterwire.dlt698.apdus.parts import AttributeResult, Piid, RecordResult
from meterwire.dlt698.apdus.report import ReportNotificationList, ReportNotificationRecordList
from meterwire.dlt698.sessions.report import Notification
from meterwire.errors import LocalProtocolError

PENDING_MAX: Final = 256
"""Notifications that wait; with one more the oldest is dropped."""
TELL_AGAIN_S: Final = 60.0
ROWS_MAX: Final = 64
"""Most rows of one notification."""
_SERVICE_NUMBERS: Final = 64


class _Pending(NamedTuple):
    notification: Notification
    tries: int
    timeout_s: float
    confirmed: Callable[[], None]


def _nothing() -> None:
    """Nobody wants to know."""


class Reporter:
    """Tells the master of one concentrator.

    Args:
        terminal: who is told over which connections.
        allowed: whether it may.
        octets_max: longest APDU of a notification.

    Attributes:
        told: notifications that were confirmed.
        dropped: notifications that were given up, because too many waited.

    """

    def __init__(self, terminal: Terminal, *, allowed: Callable[[], bool], octets_max: int) -> None:
        self.told = 0
        self.dropped = 0
        self._terminal = terminal
        self._allowed = allowed
        self._octets_max = octets_max
        self._pending: deque[_Pending] = deque()
        self._news = asyncio.Event()
        self._number = 0

    def tell_attributes(self, results: Sequence[AttributeResult], *, tries: int, timeout_s: float) -> None:
        """Report attributes.

        Args:
            results: what is told.
            tries: of each notification in a row.
            timeout_s: for each of them.

        """
        notification = ReportNotificationList(piid=self._next_piid(), results=tuple(results))
        self._put(notification, tries, timeout_s)

    def tell_records(
        self,
        record: RecordResult,
        *,
        tries: int,
        timeout_s: float,
        confirmed: Callable[[], None] = _nothing,
    ) -> None:
        """Report records, in as many notifications as they need; no rows are no report.

        Args:
            record: the rows and their columns.
            tries: of each notification in a row.
            timeout_s: for each of them.
            confirmed: called when the master has confirmed one.

        """
        for part in self._cut(record):
            notification = ReportNotificationRecordList(piid=self._next_piid(), records=(part,))
            self._put(notification, tries, timeout_s, confirmed)

    def look(self) -> None:
        """Something has changed: it may be allowed now, or somebody may listen."""
        self._news.set()

    async def run(self) -> None:
        """Tell what waits, until cancelled."""
        try:
            await self._tell_all()
        finally:
            self._news = asyncio.Event()  # the next run may be in another loop

    async def _tell_all(self) -> None:
        while True:
            if not self._pending or not self._allowed() or not self._terminal.online:
                await self._pause()
                continue
            first = self._pending[0]
            confirmed = await self._terminal.tell(
                first.notification, tries=first.tries, timeout_s=first.timeout_s
            )
            if not confirmed:
                await self._pause()
            elif self._pending and self._pending[0] is first:
                self._pending.popleft()
                self.told += 1
                first.confirmed()

    async def _pause(self) -> None:
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(TELL_AGAIN_S if self._pending else None):
                await self._news.wait()

    def _put(
        self,
        notification: Notification,
        tries: int,
        timeout_s: float,
        confirmed: Callable[[], None] = _nothing,
    ) -> None:
        if len(self._pending) == PENDING_MAX:
            self._pending.popleft()
            self.dropped += 1
        self._pending.append(_Pending(notification, tries, timeout_s, confirmed))
        self._news.set()

    def _cut(self, record: RecordResult) -> Iterator[RecordResult]:
        rows = record.result if isinstance(record.result, tuple) else ()
        begin = 0
        for end in range(1, len(rows) + 1):
            if end - begin > ROWS_MAX or not self._fits(record._replace(result=rows[begin:end])):
                if end - 1 > begin:
                    yield record._replace(result=rows[begin : end - 1])
                begin = end - 1
        if rows:
            yield record._replace(result=rows[begin:])

    def _fits(self, record: RecordResult) -> bool:
        apdu: Apdu = ReportNotificationRecordList(piid=Piid(0), records=(record,))
        try:
            return len(encode_apdu(apdu)) <= self._octets_max
        except LocalProtocolError:
            return False

    def _next_piid(self) -> Piid:
        self._number = (self._number + 1) % _SERVICE_NUMBERS
        return Piid.of(self._number)
