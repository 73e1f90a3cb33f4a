"""The client's ear: what servers begin by themselves, on a line or a connection that nobody asked on.

Takes the octets that no exchange claims. A terminal that dials in logs in (LINK), beats and logs out; its
calls are answered by octets, with the four times by which it can set its clock. Reports come as
``Report`` with the octets that acknowledge them: who keeps a report first and acknowledges it then loses
none, for an unanswered report is sent again. One that cannot be read comes as well, with its octets and its
fault, because a terminal repeats it until it is answered; an enciphered one does not, for nobody here can
tell that it is a report. Pieces of a segmented report are acknowledged at once; that says nothing of the
report.

The state is that of one connection: DIALLED until a known terminal calls (a heartbeat will do, for the head
may have been restarted in between), ONLINE with that terminal, CLOSED after its logout and after a call
from an unknown terminal or from another one: then the caller closes the connection. On a line without
LINK, as RS-485, it stays DIALLED, and reports of every known server are taken.
Source: DL/T 698.45-2017, 7.3.1 and 7.3.8; spec sections 3.2, 3.4 and 3.8.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from meterwire.dlt698.apdus.apdu import Apdu, decode_apdu, encode_apdu, inner_apdu
from meterwire.dlt698.apdus.association import ReleaseNotification
from meterwire.dlt698.apdus.link_management import ClientErrorResponse, LinkRequest, LinkResponse, LinkResult
from meterwire.dlt698.apdus.parts import Piid
from meterwire.dlt698.apdus.report import (
    ReportNotificationList,
    ReportNotificationRecordList,
    ReportNotificationTransData,
    ReportResponseList,
    ReportResponseRecordList,
    ReportResponseTransData,
)
from meterwire.dlt698.apdus.secret_ranges import secret_ranges
from meterwire.dlt698.apdus.security import PlainUnit, SecurityResponse
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import DateTime
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.deframer import Deframer
from meterwire.dlt698.link.frame import FUNCTION_LINK, Frame
from meterwire.dlt698.sessions.client import Protect
from meterwire.dlt698.sessions.transfer import Incoming
from meterwire.errors import RemoteProtocolError
from meterwire.primitives.ranges import Ranges

LOGIN, HEARTBEAT, LOGOUT = 0, 1, 2
"""Types of a LINK-Request."""
_CALLS: Final = frozenset({LOGIN, HEARTBEAT, LOGOUT})
LINK_OK: Final = 0
LINK_ADDRESS_DUPLICATE: Final = 1
LINK_ILLEGAL_DEVICE: Final = 2
LINK_CAPACITY_EXCEEDED: Final = 3
ACKNOWLEDGED_MAX: Final = 100
"""Most objects that an acknowledgement names, so that it fits into one frame; for more it names none."""
_REPORT = 0x88
_NOT_SUPPORTED = 2
"""ERROR type: service not supported."""


class CallState(enum.Enum):
    """Where a connection with a terminal stands."""

    DIALLED = "dialled"
    ONLINE = "online"
    CLOSED = "closed"


class CallSignal(enum.Enum):
    """What can happen to a connection with a terminal."""

    TAKEN = "login or heartbeat of a known terminal"
    LOGGED_OUT = "logout"
    TURNED_AWAY = "call of an unknown or another terminal"


CALL_TRANSITIONS: Final[dict[CallState, dict[CallSignal, CallState]]] = {
    CallState.DIALLED: {
        CallSignal.TAKEN: CallState.ONLINE,
        CallSignal.LOGGED_OUT: CallState.CLOSED,
        CallSignal.TURNED_AWAY: CallState.CLOSED,
    },
    CallState.ONLINE: {
        CallSignal.TAKEN: CallState.ONLINE,
        CallSignal.LOGGED_OUT: CallState.CLOSED,
        CallSignal.TURNED_AWAY: CallState.CLOSED,
    },
    CallState.CLOSED: {},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A terminal's login, heartbeat or logout.

    Args:
        server: the terminal.
        request: what it said.
        received_at: our time when it came.
        result: 0 ok, 1 address duplicate, 2 illegal device, 3 capacity exceeded.
        frame: that brought it.

    """

    server: ServerAddress
    request: LinkRequest
    received_at: DateTime
    result: int
    frame: Frame

    def answer(self, response_at: DateTime, *, clock_trusted: bool = True) -> bytes:
        """Octets of the answer.

        Args:
            response_at: our time when it goes out.
            clock_trusted: our clock is right; terminals may set theirs by it.

        """
        response = LinkResponse(
            piid=Piid.of(self.request.piid.number, high_priority=self.request.piid.high_priority),
            result=LinkResult.of(self.result, clock_trusted=clock_trusted),
            request_time=self.request.time,
            receive_time=self.received_at,
            response_time=response_at,
        )
        return _sent_back(self.frame, response)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a server reported.

    Args:
        server: who.
        notification: the report; ``None`` when it cannot be read.
        octets: its APDU, out of the envelope if it came in one that is plain.
        envelope: in which it came; its MAC has not been checked.
        fault: why it cannot be read.
        acknowledgement: octets to send once the report is kept.

    """

    server: ServerAddress
    notification: ReportNotificationList | ReportNotificationRecordList | ReportNotificationTransData | None
    octets: bytes = field(repr=False)
    envelope: SecurityResponse | None
    fault: RemoteProtocolError | None = field(repr=False)
    acknowledgement: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A server tells that its association with us timed out; nobody answers."""

    server: ServerAddress
    notice: ReleaseNotification


Heard = Call | Report | Released


class Listener:
    """One ear for one line or connection.

    Args:
        result_for: what to tell a terminal that calls; 0 lets it in. Also asked for reports: those of a
            server that gets another result are dropped.
        protect: puts the acknowledgement of a report that came in an envelope into one.

    Attributes:
        ignored: frames seen that were not for the ear.
        turned_away: calls and reports of servers that are not let in.

    """

    def __init__(self, result_for: Callable[[ServerAddress], int], *, protect: Protect | None = None) -> None:
        self.ignored = 0
        self.turned_away = 0
        self._result_for = result_for
        self._protect = protect
        self._deframer = Deframer()
        self._incoming = Incoming()
        self._state = CallState.DIALLED
        self._terminal: ServerAddress | None = None
        self._octets = b""

    @property
    def state(self) -> CallState:
        """Where the connection stands."""
        return self._state

    @property
    def terminal(self) -> ServerAddress | None:
        """Who is online."""
        return self._terminal

    def octets_to_send(self) -> bytes:
        """Acknowledgements of segments, once; ``b""`` when there are none."""
        octets, self._octets = self._octets, b""
        return octets

    def feed(self, octets: bytes, received_at: DateTime) -> list[Heard]:
        """Take octets from the line, in any pieces; never raises.

        Args:
            octets: as they came.
            received_at: our time.

        """
        frames = self._deframer.feed(octets)
        return [heard for frame in frames if (heard := self._heard(frame, received_at)) is not None]

    def give_up(self, received_at: DateTime) -> list[Heard]:
        """The line fell silent inside a frame; what stands behind its start."""
        frames = self._deframer.give_up()
        return [heard for frame in frames if (heard := self._heard(frame, received_at)) is not None]

    def secret_ranges(self, octets: bytes) -> Ranges:
        """Which of these octets are secret."""
        return secret_ranges(octets)

    def _heard(self, frame: Frame, received_at: DateTime) -> Heard | None:
        heard: Heard | None = None
        due = len(self._octets)
        if self._state is not CallState.CLOSED and frame.from_server and not frame.started_by_client:
            apdu = self._whole(frame)
            if apdu is not None:
                heard = self._call(frame, apdu, received_at) if _is_link(frame) else self._told(frame, apdu)
        if heard is None and len(self._octets) == due:
            self.ignored += 1
        return heard

    def _whole(self, frame: Frame) -> bytes | None:
        """The APDU, if the frame completes one."""
        if not frame.segmented:
            return frame.user_data
        try:
            arrival = self._incoming.feed(frame)
        except RemoteProtocolError:
            return None
        if arrival.acknowledgement is not None:
            self._octets += link.encode(arrival.acknowledgement)
        return arrival.apdu

    def _call(self, frame: Frame, octets: bytes, received_at: DateTime) -> Call | None:
        try:
            request = decode_apdu(octets)
        except RemoteProtocolError:
            return None
        if not isinstance(request, LinkRequest) or request.type not in _CALLS:
            return None
        result = self._admitted(frame.server)
        if result != LINK_OK:
            self.turned_away += 1
            self._signal(CallSignal.TURNED_AWAY)
        elif request.type == LOGOUT:
            self._signal(CallSignal.LOGGED_OUT)
        else:
            self._terminal = frame.server
            self._signal(CallSignal.TAKEN)
        return Call(server=frame.server, request=request, received_at=received_at, result=result, frame=frame)

    def _admitted(self, server: ServerAddress) -> int:
        """0, or why not; a connection belongs to one terminal."""
        if self._terminal is not None and server.digits != self._terminal.digits:
            return LINK_ILLEGAL_DEVICE
        return self._result_for(server)

    def _told(self, frame: Frame, octets: bytes) -> Report | Released | None:
        if self._admitted(frame.server) != LINK_OK:
            self.turned_away += 1
            return None
        envelope: SecurityResponse | None = None
        message: Apdu | None = None
        fault: RemoteProtocolError | None = None
        try:
            message = decode_apdu(octets)
            if isinstance(message, SecurityResponse):
                envelope = message
                octets = message.unit.octets if isinstance(message.unit, PlainUnit) else b""
                message = inner_apdu(message)
        except RemoteProtocolError as broken:
            fault, message = broken, None
        if isinstance(message, ReleaseNotification):
            return Released(server=frame.server, notice=message)
        if not isinstance(message, tuple(_ACKNOWLEDGED)):
            if octets[:1] != bytes((_REPORT,)):
                return None
            message = None
        return self._report(frame, message, octets, envelope, fault)

    def _report(
        self,
        frame: Frame,
        message: Any,
        octets: bytes,
        envelope: SecurityResponse | None,
        fault: RemoteProtocolError | None,
    ) -> Report:
        response = _acknowledgement(message, octets)
        if envelope is not None and self._protect is not None:
            response = self._protect(encode_apdu(response))
        return Report(
            server=frame.server,
            notification=message,
            octets=octets,
            envelope=envelope,
            fault=fault,
            acknowledgement=_sent_back(frame, response),
        )

    def _signal(self, signal: CallSignal) -> None:
        self._state = CALL_TRANSITIONS[self._state].get(signal, self._state)


def _is_link(frame: Frame) -> bool:
    return frame.function == FUNCTION_LINK


def _sent_back(frame: Frame, apdu: Apdu) -> bytes:
    """Octets of an answer to a frame, in its own manner: addresses, function, scrambling."""
    answer = frame._replace(user_data=encode_apdu(apdu), from_server=False, segmented=False, reserved=False)
    return link.encode(answer)


def _list_taken(report: Any) -> Apdu:
    return ReportResponseList(piid=_plain(report.piid), oads=_oads(report.results))


def _records_taken(report: Any) -> Apdu:
    return ReportResponseRecordList(piid=_plain(report.piid), oads=_oads(report.records))


def _oads(results: Any) -> tuple[Oad, ...]:
    return tuple(one.oad for one in results) if len(results) <= ACKNOWLEDGED_MAX else ()


def _frames_taken(report: Any) -> Apdu:
    return ReportResponseTransData(piid=_plain(report.piid))


_ACKNOWLEDGED: Final[dict[type, Callable[[Any], Apdu]]] = {
    ReportNotificationList: _list_taken,
    ReportNotificationRecordList: _records_taken,
    ReportNotificationTransData: _frames_taken,
}


def _acknowledgement(report: Any, octets: bytes) -> Apdu:
    """The word that stops a server from repeating; for what cannot be read as well."""
    if report is not None:
        return _ACKNOWLEDGED[type(report)](report)
    piid = _plain(Piid(octets[2])) if len(octets) > 2 else Piid(0)
    match octets[1:2]:
        case b"\x01":
            return ReportResponseList(piid=piid, oads=())
        case b"\x02":
            return ReportResponseRecordList(piid=piid, oads=())
        case b"\x03":
            return ReportResponseTransData(piid=piid)
    return ClientErrorResponse(piid=piid, error=_NOT_SUPPORTED)


def _plain(piid: Piid) -> Piid:
    """A PIID without ACD, as clients send it."""
    return Piid.of(piid.number, high_priority=piid.high_priority)
