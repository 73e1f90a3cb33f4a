"""A concentrator of DL/T 698.45 in memory: a night of its meters is its store, and it calls its master."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from metersim.dlt698.terminal import Habits, Terminal
from metersim.line.line import Clock, Duplex
from metersim.terminals.ways import NETWORK_SIZES
from metersim.works.moments import PLANT_TIME
from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.get import GetRequestRecord, GetResponseRecord
from meterwire.dlt698.apdus.parts import AttributeResult, Dar, Piid, RecordResult
from meterwire.dlt698.apdus.report import ReportNotificationList
from meterwire.dlt698.axdr.selection import Oad, Tsa
from meterwire.dlt698.axdr.values import Data, DateTimeS
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.objects.concentrator import COLLECTED
from meterwire.dlt698.sessions.report import Notification, ReportSession
from meterwire.dlt698.sessions.server import ServerSession

_ABSENT = Dar(6)


class StockedConcentrator:
    """What it is asked for is taken from the night that it has; all else is not there.

    Args:
        address: 12 digits.
        clock: the true time, which its own clock shows.
        night: when its meters froze.
        energies: in hundredths of a kWh, by meter.
        heartbeat_s: between heartbeats.

    Attributes:
        terminal: what is to be served over a connection.
        asked: requests that came.
        heard: heartbeats and logins that it said.

    """

    def __init__(
        self, address: str, *, clock: Clock, night: datetime, energies: Mapping[str, int], heartbeat_s: int
    ) -> None:
        self.address = address
        self.clock = self
        self.asked: list[Apdu] = []
        self.heard = 0
        self._server = ServerAddress(address)
        self._night = Data("date_time_s", DateTimeS.of(night.astimezone(PLANT_TIME)))
        self._energies = energies
        self.terminal = Terminal(self, clock=clock, habits=Habits(heartbeat_s=heartbeat_s), caller=self)

    def shows(self, at: datetime) -> datetime:
        """See ``OwnClock.shows``."""
        return at.astimezone(PLANT_TIME)

    def report(self, oads: Sequence[Oad], at: datetime) -> Notification:
        """See ``Caller.report``: it has no attributes, and says so of each."""
        results = tuple(AttributeResult(oad, _ABSENT) for oad in oads)
        return ReportNotificationList(piid=Piid.of(0), results=results)

    def telling(self, notification: Notification) -> ReportSession:
        """See ``Caller.telling``."""
        self.heard += 1
        return ReportSession(notification, server=self._server, sizes=NETWORK_SIZES)

    async def serve(self, duplex: Duplex) -> None:
        """Answer until the connection ends."""
        session = ServerSession(self._server, preset=NETWORK_SIZES)
        while octets := await duplex.receive():
            for request in session.feed(octets):
                self.asked.append(request.apdu)
                session.answer(request, self._answer(request.apdu))
            if told := session.octets_to_send():
                await duplex.send(told)

    def _answer(self, request: Any) -> Apdu:
        assert isinstance(request, GetRequestRecord), request
        wanted = request.record
        rows: tuple[tuple[Data, ...], ...] | Dar = _ABSENT
        if wanted.oad == COLLECTED:
            rows = tuple(self._row(meter, energy) for meter, energy in self._energies.items())
        return GetResponseRecord(piid=request.piid, record=RecordResult(wanted.oad, wanted.rcsd, rows))

    def _row(self, meter: str, energy: int) -> tuple[Data, ...]:
        frozen = Data("structure", (self._night, Data("double-long-unsigned", energy)))
        return (Data("TSA", Tsa.of(meter)), self._night, self._night, frozen)
