"""What a meter of DL/T 698.45 tells along with an answer: follow reports, and that events wait (ACD).

Nobody acknowledges them: a meter says the same with every answer until its records are read. So what stands
in answer after answer is handed on until it has been kept, once; when it goes away and comes back, it is
told anew.
Source: spec dlt698, sections 2.1 and 6.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import partial
from hashlib import sha256
from typing import Final

import structlog

from meterlink.clock import Clock
from meterlink.drivers.dlt698.reports import Told
from meterlink.drivers.events import ReportedEvent
from meterlink.drivers.reports import Report
from meterlink.model.event_kinds import EVENTS_WAIT
from meterwire.dlt698.apdus.apdu import encode_apdu
from meterwire.dlt698.apdus.get import (
    GetResponseNext,
    GetResponseNormal,
    GetResponseNormalList,
    GetResponseRecord,
)
from meterwire.dlt698.apdus.parts import AttributeResults, Piid
from meterwire.dlt698.apdus.report import ReportNotificationList, ReportNotificationRecordList
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.sessions import listener as wire
from meterwire.dlt698.sessions.client import ClientSession

ASIDES_MAX: Final = 64
"""Follow reports of one answer that are handed on; an answer has one, one in blocks perhaps one in each."""
_NEW_EVENTS: Final = "33200200"
_READS: Final = (GetResponseNormal, GetResponseNormalList, GetResponseRecord, GetResponseNext)
"""Answers that would tell again what still stands."""
_KEY_DIGITS: Final = 32

_Notification = ReportNotificationList | ReportNotificationRecordList
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Standing:
    """Something that a meter tells answer for answer.

    Args:
        since: when it came first.
        kept: somebody has kept it.

    """

    since: datetime
    kept: bool = False

    def keep(self) -> None:
        self.kept = True


class Asides:
    """What one meter tells along with its answers, on its way to whoever keeps it.

    Args:
        address: of the meter, 12 digits.
        clock: our time.
        zone: what the meter's clock shows.
        report: where it goes.

    """

    def __init__(self, address: str, *, clock: Clock, zone: tzinfo, report: Callable[[Report], None]) -> None:
        self._address = address
        self._clock = clock
        self._zone = zone
        self._report = report
        self._reports: dict[bytes, _Standing] = {}
        self._waiting: _Standing | None = None

    def heard(self, session: ClientSession) -> None:
        """Hand on what came along in an exchange, whatever became of its answer."""
        now = self._clock.utc_now()
        told = {encode_apdu(one): one for one in _notifications(session)}
        if told or (isinstance(session.reply, _READS) and not session.events_wait):
            self._reports = {octets: self._reports.get(octets, _Standing(now)) for octets in told}
        for octets, notification in told.items():
            standing = self._reports[octets]
            if not standing.kept:
                self._report(self._told(notification, octets, session, standing))
        if session.events_wait:
            self._waiting = self._waiting or _Standing(now)
            if not self._waiting.kept:
                self._report(self._waits(self._waiting))
        elif isinstance(session.reply, _READS):
            self._waiting = None

    def _told(
        self, notification: _Notification, octets: bytes, session: ClientSession, standing: _Standing
    ) -> Report:
        as_report = wire.Report(
            server=ServerAddress(self._address),
            notification=notification,
            octets=octets,
            envelope=session.envelope,
            fault=None,
            acknowledgement=b"",
        )
        received_at = self._clock.utc_now()
        told = Told(as_report, address=self._address, zone=self._zone, received_at=received_at)
        if told.broken is not None:
            _log.error("frame_broke_us", terminal=self._address, exc_info=told.broken)
        return Report(
            terminal=self._address,
            parts=told.parts,
            key=self._key(told.key, standing),
            summary=told.summary,
            received_at=received_at,
            acknowledge=partial(standing.keep),
        )

    def _waits(self, standing: _Standing) -> Report:
        happened = ReportedEvent(
            address=self._address,
            kind=EVENTS_WAIT,
            occurred_at=None,
            ended_at=None,
            values=(),
            source=f"dlt698.45 {_NEW_EVENTS}",
        )
        return Report(
            terminal=self._address,
            parts=(happened,),
            key=self._key(EVENTS_WAIT, standing),
            summary=f"events that wait to be read ({_NEW_EVENTS})",
            received_at=self._clock.utc_now(),
            acknowledge=partial(standing.keep),
        )

    def _key(self, what: str, standing: _Standing) -> str:
        """The same for what is handed on once more because nobody has kept it yet."""
        words = f"{self._address} along {standing.since.isoformat()} {what}"
        return sha256(words.encode()).hexdigest()[:_KEY_DIGITS]


def _notifications(session: ClientSession) -> Iterator[_Notification]:
    """Follow reports as the notifications that would tell the same; without the number of an answer."""
    for follow in session.follow_reports[:ASIDES_MAX]:
        if isinstance(follow, AttributeResults):
            yield ReportNotificationList(piid=Piid(0), results=follow.items)
        else:
            yield ReportNotificationRecordList(piid=Piid(0), records=follow.items)
