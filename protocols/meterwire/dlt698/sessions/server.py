"""The server's side of a line, without I/O: requests come out as ``Request``, answers go in as APDUs.

One request is in hand at a time, the latest: a client that sends another has given up the one before. The
machine is IDLE; a request is SERVING until the application answers; an answer is SENDING until its octets
are taken, and where it goes out in segments, AWAITING between a piece and its acknowledgement. Requests to
groups and broadcasts come out and change nothing. What the session answers by itself, too:

- pieces of a segmented request with acknowledgements, its last piece, come again, with the answer again;
- GetNext with the next block, or with the same one again when the client names the block before it;
- RELEASE; and with ERROR what is no request, or comes before the CONNECT that the server insists on.

An answer that fits the client's frames goes out whole, a longer one in segments; one that is longer than
the APDU that the client takes is cut into blocks where it is a GET answer, or refused (DAR 254) where one
item alone is too long. The sizes are those of the CONNECT that the application allowed, until RELEASE or
``time_out``.
Source: DL/T 698.45-2017, 7.1 and 7.3; spec sections 1.5, 1.8 and 3.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any, Final

from meterwire.dlt698.apdus.apdu import Apdu, decode_apdu, encode_apdu, inner_apdu
from meterwire.dlt698.apdus.association import (
    ConnectRequest,
    ConnectResponse,
    ReleaseRequest,
    ReleaseResponse,
)
from meterwire.dlt698.apdus.get import GetRequestNext, GetResponseNext
from meterwire.dlt698.apdus.link_management import ServerErrorResponse
from meterwire.dlt698.apdus.parts import Piid
from meterwire.dlt698.apdus.secret_ranges import secret_ranges
from meterwire.dlt698.apdus.security import PlainUnit, SecurityRequest, SecurityResponse
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import AddressKind, ServerAddress
from meterwire.dlt698.link.deframer import Deframer
from meterwire.dlt698.link.frame import FUNCTION_DATA, Frame
from meterwire.dlt698.link.segments import JoinSignal, SegmentKind, decode_segment
from meterwire.dlt698.sessions.blocks import BlockGiver, GetAnswer
from meterwire.dlt698.sessions.matching import PAIRS
from meterwire.dlt698.sessions.transfer import FRAME_OCTETS_LEAST, Incoming, Outgoing, Sizes
from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.primitives.ranges import Ranges

ERROR_UNREADABLE, ERROR_NOT_SUPPORTED, ERROR_OTHER = 1, 2, 255
"""Types of ERROR-Response."""
_UNSUPPORTED_KINDS = frozenset({"service", "choice", "later-edition"})

Seal = Callable[[SecurityRequest, bytes], SecurityResponse]
"""Puts the octets of an answer into an envelope that suits that of the request."""


class ServerState(enum.Enum):
    """Where the server stands."""

    IDLE = "idle"
    SERVING = "serving"
    SENDING = "sending"
    AWAITING = "awaiting"


class ServerSignal(enum.Enum):
    """What can happen to the server."""

    REQUEST = "a request for the application"
    PREPARED = "octets have to go out"
    TAKEN = "octets taken, nothing is awaited"
    PIECE_TAKEN = "octets of a piece taken"


SERVER_TRANSITIONS: Final[dict[ServerState, dict[ServerSignal, ServerState]]] = {
    ServerState.IDLE: {
        ServerSignal.REQUEST: ServerState.SERVING,
        ServerSignal.PREPARED: ServerState.SENDING,
    },
    ServerState.SERVING: {
        ServerSignal.REQUEST: ServerState.SERVING,
        ServerSignal.PREPARED: ServerState.SENDING,
    },
    ServerState.SENDING: {
        ServerSignal.REQUEST: ServerState.SERVING,
        ServerSignal.PREPARED: ServerState.SENDING,
        ServerSignal.TAKEN: ServerState.IDLE,
        ServerSignal.PIECE_TAKEN: ServerState.AWAITING,
    },
    ServerState.AWAITING: {
        ServerSignal.REQUEST: ServerState.SERVING,
        ServerSignal.PREPARED: ServerState.SENDING,
    },
}


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What a client asked.

    Args:
        apdu: out of its envelope, unless that is enciphered.
        asked: the address that was asked, perhaps a group or the broadcast.
        client: who asks, CA.
        envelope: in which it came.
        frame: that brought it, or its last piece.

    """

    apdu: Apdu
    asked: ServerAddress
    client: int
    envelope: SecurityRequest | None
    frame: Frame

    @property
    def expects_answer(self) -> bool:
        """Whether the client waits for an answer; groups and broadcasts are not answered."""
        return self.asked.expects_answer


class ServerSession:
    """A meter's or terminal's end of a line.

    Args:
        own: its address.
        tx_max: longest frame that it sends.
        groups: group addresses that it listens to; may change meanwhile.
        needs_connect: answer nothing but CONNECT before an association is there.
        preset: what clients take before sizes are agreed on.
        first_block: number of the first block of an answer, 0 or 1.
        seal: puts answers to requests in envelopes into one; without it they go plain and without MAC.
        preamble: FEH octets before each frame, 0 to 16.

    Attributes:
        ignored: frames seen that were not for this server.

    Raises:
        LocalProtocolError: preset sizes of less than 64 octets.

    """

    def __init__(
        self,
        own: ServerAddress,
        *,
        tx_max: int = 1024,
        groups: Set[ServerAddress] = frozenset(),
        needs_connect: bool = False,
        preset: Sizes | None = None,
        first_block: int = 1,
        seal: Seal | None = None,
        preamble: int = 0,
    ) -> None:
        if preset is not None and min(preset) < FRAME_OCTETS_LEAST:
            raise LocalProtocolError(f"sizes {tuple(preset)} are under {FRAME_OCTETS_LEAST} octets")
        self.ignored = 0
        self._own = own
        self._tx_max = tx_max
        self._groups = groups
        self._needs_connect = needs_connect
        self._preset = preset or Sizes()
        self._seal = seal
        self._preamble = preamble
        self._state = ServerState.IDLE
        self._sizes: Sizes | None = None
        self._deframer = Deframer()
        self._incoming = Incoming()
        self._request: Request | None = None
        self._outgoing: Outgoing | None = None
        self._octets = b""
        self._answered: tuple[bytes, Frame] | None = None
        self._blocks = BlockGiver(first=first_block)

    # --- what the line calls ---

    @property
    def state(self) -> ServerState:
        """Where the server stands."""
        return self._state

    @property
    def connected(self) -> bool:
        """Whether a CONNECT was allowed and nothing ended it."""
        return self._sizes is not None

    @property
    def sizes(self) -> Sizes:
        """What the client takes."""
        return self._sizes or self._preset

    def octets_to_send(self) -> bytes:
        """The octets whose turn it is, once; ``b""`` when there is nothing to send now."""
        if self._state is not ServerState.SENDING:
            return b""
        octets, self._octets = self._octets, b""
        piece = self._outgoing is not None and not self._outgoing.done
        self._signal(ServerSignal.PIECE_TAKEN if piece else ServerSignal.TAKEN)
        return octets

    def feed(self, octets: bytes) -> list[Request]:
        """Take octets from the line, in any pieces; never raises.

        Returns: requests for the application, each to be answered before the next octets are fed.
        """
        return [
            request for frame in self._deframer.feed(octets) if (request := self._took(frame)) is not None
        ]

    def give_up(self) -> list[Request]:
        """The line fell silent inside a frame; what stands behind its start."""
        return [request for frame in self._deframer.give_up() if (request := self._took(frame)) is not None]

    def secret_ranges(self, octets: bytes) -> Ranges:
        """Which of these octets are secret."""
        return secret_ranges(octets)

    # --- what the application calls ---

    def answer(self, request: Request, answer: Apdu) -> bool:
        """Answer the request in hand; whether it still was.

        Args:
            request: from ``feed``.
            answer: with the request's PIID and time tag.

        Raises:
            LocalProtocolError: the answer cannot be built, or it is too long for the client and none that
                can be cut; the request stays in hand.

        """
        if request is not self._request or not request.expects_answer:
            return False
        if not isinstance(answer, GetResponseNext):
            self._blocks.forget()
        fitting = self._fitting(answer)
        if isinstance(request.apdu, ConnectRequest) and isinstance(answer, ConnectResponse):
            self._agree(request.apdu, answer)
        self._request = None
        self._send(request, fitting)
        return True

    def next_block(self, request: GetRequestNext) -> GetResponseNext:
        """The block that is asked for in an envelope which only the application can open."""
        return self._blocks.next(request)

    def time_out(self) -> None:
        """The association was silent for too long; a notice is the caller's affair (``ReportSession``)."""
        self._sizes = None

    # --- frames ---

    def _signal(self, signal: ServerSignal) -> None:
        self._state = SERVER_TRANSITIONS[self._state].get(signal, self._state)

    def _took(self, frame: Frame) -> Request | None:
        meant = frame.server.means(self._own) or frame.server in self._groups
        mine = not frame.from_server and frame.started_by_client and frame.function == FUNCTION_DATA
        if not meant or not mine or (frame.segmented and not frame.server.expects_answer):
            self.ignored += 1
            return None
        if not frame.segmented:
            return self._take_apdu(frame, frame.user_data)
        try:
            return self._take_segment(frame)
        except RemoteProtocolError:
            self.ignored += 1
            return None

    def _take_segment(self, frame: Frame) -> Request | None:
        segment = decode_segment(frame.user_data)
        if segment.kind is SegmentKind.ACK:
            if self._outgoing is not None and self._outgoing.acknowledge(segment):
                self._prepare(self._outgoing.take())
            else:
                self.ignored += 1
            return None
        arrival = self._incoming.feed(frame)
        if arrival.apdu is not None:
            return self._take_apdu(frame, arrival.apdu)
        if arrival.acknowledgement is not None:
            self._outgoing = None
            self._prepare(link.encode(self._named(arrival.acknowledgement), preamble=self._preamble))
        elif arrival.signal is JoinSignal.AGAIN and self._answered is not None and self._request is None:
            self._start(*self._answered)
        else:
            self.ignored += 1
        return None

    def _named(self, frame: Frame) -> Frame:
        """The frame under our own address, also when a wildcard was asked."""
        if frame.server.kind is AddressKind.SINGLE and not frame.server.is_wildcard:
            return frame
        return frame._replace(server=self._own)

    # --- requests ---

    def _take_apdu(self, frame: Frame, octets: bytes) -> Request | None:
        envelope: SecurityRequest | None = None
        message: Any = None
        try:
            message = decode_apdu(octets)
            if isinstance(message, SecurityRequest):
                envelope = message
                message = inner_apdu(envelope) or envelope
        except RemoteProtocolError as fault:
            unsupported = fault.kind in _UNSUPPORTED_KINDS
            self._complain(frame, envelope, octets, ERROR_NOT_SUPPORTED if unsupported else ERROR_UNREADABLE)
            return None
        request = Request(message, frame.server, frame.client, envelope, frame)
        if type(message) not in PAIRS and not isinstance(message, SecurityRequest):
            self._complain(frame, envelope, octets, ERROR_NOT_SUPPORTED)
        elif self._needs_connect and not self.connected and not isinstance(message, ConnectRequest):
            self._complain(frame, envelope, octets, ERROR_OTHER)
        elif isinstance(message, GetRequestNext):
            self._send(request, self._blocks.next(message))
        elif isinstance(message, ReleaseRequest):
            self._sizes = None
            self._send(request, ReleaseResponse(piid=message.piid, time_tag=message.time_tag))
        else:
            return self._accepted(request)
        return None

    def _accepted(self, request: Request) -> Request:
        if request.expects_answer:
            self._request = request
            self._answered = None
            if not isinstance(request.apdu, SecurityRequest):  # that may ask for the next block
                self._blocks.forget()
            self._signal(ServerSignal.REQUEST)
        return request

    def _complain(self, frame: Frame, envelope: SecurityRequest | None, octets: bytes, error: int) -> None:
        if isinstance(getattr(envelope, "unit", None), PlainUnit):
            octets = envelope.unit.octets  # type: ignore[union-attr]
        error_apdu = ServerErrorResponse(piid=_piid_of(octets), error=error)
        self._send(Request(error_apdu, frame.server, frame.client, None, frame), error_apdu)

    # --- answers ---

    def _send(self, request: Request, answer: Apdu) -> None:
        if not request.expects_answer:
            return
        octets = encode_apdu(answer)
        if request.envelope is not None:
            octets = encode_apdu(self._sealed(request.envelope, octets))
        template = self._named(request.frame)._replace(
            user_data=b"", from_server=True, segmented=False, reserved=False
        )
        self._start(octets, template)

    def _sealed(self, envelope: SecurityRequest, octets: bytes) -> SecurityResponse:
        if self._seal is not None:
            return self._seal(envelope, octets)
        return SecurityResponse(unit=PlainUnit(octets))

    def _start(self, octets: bytes, template: Frame) -> None:
        self._answered = octets, template
        self._outgoing = Outgoing(octets, template, self.sizes.frame, preamble=self._preamble)
        self._prepare(self._outgoing.take())

    def _prepare(self, octets: bytes) -> None:
        self._octets = octets
        self._signal(ServerSignal.PREPARED)

    def _fitting(self, answer: Apdu) -> Apdu:
        """The answer, or the first of the blocks that it has to be cut into."""
        if not isinstance(answer, GetAnswer):
            if len(encode_apdu(answer)) > self.sizes.apdu and not isinstance(answer, ConnectResponse):
                raise LocalProtocolError(f"{type(answer).__name__} is longer than the client takes")
            return answer
        try:
            if len(encode_apdu(answer)) <= self.sizes.apdu:
                return answer
        except LocalProtocolError:  # longer than any APDU, or no answer at all: the blocks will show
            pass
        return self._blocks.begin(answer, self.sizes.apdu)

    def _agree(self, request: ConnectRequest, answer: ConnectResponse) -> None:
        """The answer to a CONNECT goes out in the sizes that were agreed on with it."""
        allowed = answer.result == 0
        agreed = Sizes.agreed(self._tx_max, request.rx_max, request.apdu_max)
        self._sizes = agreed if allowed else None


def _piid_of(octets: bytes) -> Piid:
    """Where most services have it; 0 where there is none."""
    at = 1 if octets[:1] in {b"\x02", b"\x03"} else 2
    return Piid(octets[at]) if len(octets) > at else Piid(0)
