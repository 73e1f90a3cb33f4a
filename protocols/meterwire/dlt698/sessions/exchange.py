"""One exchange, without I/O, whichever side begins it: an APDU's octets out, the answer's octets in.

The machine speaks of the side that begins. It is SENDING while the first octets wait to be taken, then
WAITING. What comes may call for more octets, and then it is CONTINUING until they are taken: the next
segment of what is sent, the acknowledgement of a segment that came, the request for a next block. DONE
holds an answer, FAILED a refusal, or nothing when the deadline passed, the answer's blocks did not fit
together, it took too many turns, or the association ended. Where nobody answers (groups, broadcasts,
notices) it is DONE once the octets are taken. What does not fit the table leaves the state as it was.

Which frame is looked at: from the other side, of this exchange's direction, function and client address,
from the address asked (any that fits a wildcard; then all the rest is this one's). Which APDU is taken: see
``matching``. Everything else on the line is counted in ``ignored``; frames that the other side began by
itself are set aside for the listener.
Source: DL/T 698.45-2017, 7.1 and 7.3; spec sections 1 to 3.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from typing import Any, Final

from meterwire.dlt698.apdus.apdu import Apdu, encode_apdu
from meterwire.dlt698.apdus.secret_ranges import secret_ranges
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.deframer import Deframer
from meterwire.dlt698.link.frame import Frame
from meterwire.dlt698.link.segments import SegmentKind, decode_segment
from meterwire.dlt698.sessions.transfer import Incoming, Outgoing, Sizes
from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.primitives.ranges import Ranges

SET_ASIDE_OCTETS_MAX: Final = 64 * 1024
"""Most octets of frames that nobody asked for, kept during one exchange; more are dropped and counted."""
TURNS_MAX: Final = 32 * 1024
"""Most times that an exchange sends on after its first octets: segments, acknowledgements, next blocks.

The longest answer in blocks, in the pieces of 200 octets that meters send, takes some 21 000.
"""


class State(enum.Enum):
    """Where an exchange stands."""

    SENDING = "sending"
    WAITING = "waiting"
    CONTINUING = "continuing"
    DONE = "done"
    FAILED = "failed"


class Signal(enum.Enum):
    """What can happen to an exchange."""

    SENT = "octets taken"
    SENT_TO_ALL = "octets taken, and nobody answers"
    MORE = "more octets have to go out"
    ANSWER = "the whole answer"
    REFUSED = "an error instead of an answer"
    BROKEN = "blocks that do not fit together, too many, or too many turns"
    RELEASED = "the association ended"
    EXPIRED = "deadline passed"


TRANSITIONS: Final[dict[State, dict[Signal, State]]] = {
    State.SENDING: {
        Signal.SENT: State.WAITING,
        Signal.SENT_TO_ALL: State.DONE,
        Signal.EXPIRED: State.FAILED,
    },
    State.WAITING: {
        Signal.MORE: State.CONTINUING,
        Signal.ANSWER: State.DONE,
        Signal.REFUSED: State.FAILED,
        Signal.BROKEN: State.FAILED,
        Signal.RELEASED: State.FAILED,
        Signal.EXPIRED: State.FAILED,
    },
    State.CONTINUING: {Signal.SENT: State.WAITING, Signal.EXPIRED: State.FAILED},
    State.DONE: {},
    State.FAILED: {},
}


class Exchange(ABC):
    """What both kinds of exchange share; ``session`` and ``session_report`` say what an answer is.

    Args:
        apdu: what is sent.
        template: a frame without user data: addresses, direction, scrambling.
        sizes: what the peer takes.
        preamble: FEH octets before each frame, 0 to 16.

    Attributes:
        reply: the answer, or the refusal; ``None`` while unfinished and when there was none.
        answered_by: the frame that brought the answer, or its last piece.
        ignored: frames seen that were not of this exchange.
        fault: what was wrong with the last frame of this exchange that could not be taken for its answer;
            who gets no reply can tell by it a meter that answers badly from one that is silent.
        was_sent: octets were taken; from then on they may be at the other side.

    Raises:
        LocalProtocolError: the APDU cannot be built or sent.

    """

    def __init__(self, apdu: Apdu, template: Frame, *, sizes: Sizes, preamble: int) -> None:
        self.reply: Any = None
        self.answered_by: Frame | None = None
        self.ignored = 0
        self.fault: RemoteProtocolError | None = None
        self.was_sent = False
        self._sizes = sizes
        self._preamble = preamble
        self._template = template
        self._deframer = Deframer()
        self._incoming = Incoming()
        self._state = State.SENDING
        self._peer = template.server
        self._set_aside = bytearray()
        self._outgoing = self._prepared(apdu)
        if not self._answer_is_due() and self._outgoing.in_pieces:
            raise LocalProtocolError("what nobody answers must fit into one frame")
        self._octets = self._outgoing.take()
        self._turns = 0

    # --- what the line calls ---

    @property
    def state(self) -> State:
        """Where the exchange stands."""
        return self._state

    @property
    def finished(self) -> bool:
        """Whether nothing more will be sent or taken."""
        return not TRANSITIONS[self._state]

    def octets_to_send(self) -> bytes:
        """The octets whose turn it is, once; ``b""`` when there is nothing to send now."""
        if self._state not in {State.SENDING, State.CONTINUING}:
            return b""
        self.was_sent = True
        self._signal(Signal.SENT if self._answer_is_due() else Signal.SENT_TO_ALL)
        return self._octets

    def feed(self, octets: bytes) -> None:
        """Take octets from the line, in any pieces; never raises."""
        for found in self._deframer.feed_found(octets):
            if self._is_notice(found.frame):
                self._keep_aside(found.octets)
                self._heard_notice(found.frame)
            elif self._state is State.WAITING and self._is_ours(found.frame):
                self._take(found.frame)
            else:
                self.ignored += 1

    def expire(self) -> None:
        """The caller's deadline passed; without effect on a finished exchange."""
        self._signal(Signal.EXPIRED)

    def secret_ranges(self, octets: bytes) -> Ranges:
        """Which of these octets are secret: of a request, or of all that came before the next."""
        return secret_ranges(octets)

    def unclaimed(self) -> bytes:
        """Frames that the other side began by itself, for the listener; once."""
        octets = bytes(self._set_aside)
        self._set_aside.clear()
        return octets

    # --- what the two kinds of exchange say ---

    def _answer_is_due(self) -> bool:
        return self._template.server.expects_answer

    @abstractmethod
    def _take_apdu(self, frame: Frame, octets: bytes) -> None:
        """Look at a whole APDU of the peer.

        Raises:
            RemoteProtocolError: it is none.

        """

    def _heard_notice(self, frame: Frame) -> None:  # noqa: B027 - most exchanges do not care
        """The server began an exchange of its own meanwhile."""

    # --- how it is done ---

    def _signal(self, signal: Signal) -> None:
        self._state = TRANSITIONS[self._state].get(signal, self._state)

    def _prepared(self, apdu: Apdu) -> Outgoing:
        return Outgoing(encode_apdu(apdu), self._template, self._sizes.frame, preamble=self._preamble)

    def _is_notice(self, frame: Frame) -> bool:
        """Whether a server began an exchange of its own while this one is the client's."""
        by_server = frame.from_server and not frame.started_by_client
        return by_server and self._template.started_by_client

    def _is_ours(self, frame: Frame) -> bool:
        mine = self._template
        same_exchange = (
            frame.from_server != mine.from_server
            and frame.started_by_client == mine.started_by_client
            and frame.function == mine.function
        )
        return same_exchange and self._is_peer(frame)

    def _is_peer(self, frame: Frame) -> bool:
        return frame.client == self._template.client and self._peer.is_answered_by(frame.server)

    def _take(self, frame: Frame) -> None:
        try:
            if frame.segmented:
                self._take_segment(frame)
            else:
                self._take_apdu(frame, frame.user_data)
        except RemoteProtocolError as fault:
            self.fault = fault
            self.ignored += 1

    def _take_segment(self, frame: Frame) -> None:
        segment = decode_segment(frame.user_data)
        if segment.kind is SegmentKind.ACK:
            if self._outgoing.acknowledge(segment):
                self._more(self._outgoing.take())
            else:
                self.ignored += 1
            return
        arrival = self._incoming.feed(frame)
        if arrival.acknowledgement is not None:
            self._more(link.encode(arrival.acknowledgement, preamble=self._preamble))
        elif arrival.apdu is not None:
            self._take_apdu(frame, arrival.apdu)
        else:
            self.ignored += 1
            if self._incoming.left_alone(arrival):
                sentence = f"a segment without end: {arrival.signal.value}"
                self.fault = RemoteProtocolError(sentence, kind="endless")

    def _more(self, octets: bytes) -> None:
        self._turns += 1
        if self._turns > TURNS_MAX:
            sentence = f"the answer has no end after {TURNS_MAX} turns"
            self.fault = RemoteProtocolError(sentence, kind="endless")
            self._signal(Signal.BROKEN)
            return
        self._octets = octets
        self._signal(Signal.MORE)

    def _ask(self, apdu: Apdu) -> None:
        """Send another APDU in the same exchange."""
        self._outgoing = self._prepared(apdu)
        self._more(self._outgoing.take())

    def _settle(self, signal: Signal, frame: Frame, reply: object) -> None:
        self.reply, self.answered_by = reply, frame
        self._signal(signal)

    def _keep_aside(self, octets: bytes) -> None:
        if len(self._set_aside) + len(octets) > SET_ASIDE_OCTETS_MAX:
            self.ignored += 1
        else:
            self._set_aside += octets
