"""Segmented transfer: one APDU <-> several link frames with a segment header, stop and wait.

User data of a segment frame is a header of 16 bits, lowest octet first (bits 0-11 number, 12-13
reserved, 14-15 kind), and a piece of the APDU; an acknowledgement has no piece. There are two machines,
and neither has a clock:

- ``SegmentSender``: a piece is READY to be taken; then it waits for the acknowledgement (WAITING) with
  just its number, and the next piece is READY. The last piece is answered by the application, so the
  sender is DONE once that piece was taken. Other acknowledgements leave it as it was, one that comes after
  the end too (some terminals acknowledge the last piece). No piece goes out twice: whether a request may be
  sent again, as a switching order must not, is known to who asked, and begins a new exchange.
- ``SegmentReceiver``: a first piece opens a series (JOINING), whatever its number, each following one
  must carry the next number, the last one completes it (DONE). The piece accepted last, come again,
  is acknowledged again and not appended. A wrong number changes nothing, so the sender's timer decides.
  A new first piece starts over: what was gathered before is lost, never mixed. Either is acknowledged a
  few times only, then once not: a peer that answers each acknowledgement by starting over falls silent,
  and one that lost them sends again by its own timer. Too many pieces or octets break the series (BROKEN)
  until the next first piece.

Source: DL/T 698.45-2017, 7.1.5 (spec section 1.5).
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from meterwire.dlt698.axdr.lengths import APDU_OCTETS_MAX
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.frame import overhead_octets
from meterwire.errors import LocalProtocolError, RemoteProtocolError

NUMBERS: Final = 4096
"""Segment numbers run from 0 to 4095 and then begin again."""
HEADER_OCTETS: Final = 2
"""Octets of a segment header."""
SEGMENTS_MAX: Final = 4096
"""Most pieces of one APDU, sent or received."""

ACKNOWLEDGED_AGAIN_MAX: Final = 3
"""Most times in a row that a piece which came again is acknowledged again."""
STARTED_OVER_MAX: Final = 3
"""Most new first pieces in a row, without a whole APDU between, that are acknowledged."""

_RESERVED: Final = 0x3000


class SegmentKind(enum.IntEnum):
    """Place of a segment in its series; bits 14-15 of the header."""

    FIRST = 0
    LAST = 1
    ACK = 2
    MIDDLE = 3


class Segment(NamedTuple):
    """User data of a segment frame.

    Args:
        kind: first, middle, last, or acknowledgement.
        number: 0..4095.
        piece: octets of the APDU; none in an acknowledgement.
        reserved: bits 12-13 as received, 0..3; 0 when we send.

    Source: spec section 1.5.

    """

    kind: SegmentKind
    number: int
    piece: bytes = b""
    reserved: int = 0

    def __repr__(self) -> str:
        """All but the octets of the APDU, which may hold a secret."""
        kind, number = self.kind.name, self.number
        return f"Segment({kind}, {number}, {len(self.piece)} octets, reserved={self.reserved})"

    @property
    def octets(self) -> bytes:
        """User data of the frame.

        Raises:
            LocalProtocolError: number or reserved bits out of range, or an acknowledgement with a piece.

        """
        if not 0 <= self.number < NUMBERS or not 0 <= self.reserved <= 3:
            raise LocalProtocolError(f"segment number {self.number} is outside 0..{NUMBERS - 1}")
        if self.kind is SegmentKind.ACK and self.piece:
            raise LocalProtocolError("the acknowledgement of a segment carries no piece of an APDU")
        header = self.number | self.reserved << 12 | self.kind << 14
        return header.to_bytes(HEADER_OCTETS, "little") + self.piece


def decode_segment(user_data: bytes, *, reserved_allowed: bool = True) -> Segment:
    """Parse the user data of a segment frame.

    Args:
        user_data: as in ``Frame.user_data``, unscrambled.
        reserved_allowed: take a header with a reserved bit set; one was captured.

    Raises:
        RemoteProtocolError: kind ``"segment"``: no whole header, a reserved bit set where that is not
            allowed, or an acknowledgement with octets behind it.

    """
    if len(user_data) < HEADER_OCTETS:
        sentence = f"a segment header has 2 octets, there are {len(user_data)}"
        raise RemoteProtocolError(sentence, kind="segment", octets=user_data, offset=len(user_data))
    header = int.from_bytes(user_data[:HEADER_OCTETS], "little")
    if header & _RESERVED and not reserved_allowed:
        sentence = f"segment header {header:04X}H has a reserved bit set"
        raise RemoteProtocolError(sentence, kind="segment", octets=user_data, offset=1)
    kind, piece = SegmentKind(header >> 14), user_data[HEADER_OCTETS:]
    if kind is SegmentKind.ACK and piece:
        sentence = f"{len(piece)} octets follow the acknowledgement of a segment"
        raise RemoteProtocolError(sentence, kind="segment", octets=user_data, offset=HEADER_OCTETS)
    return Segment(kind, header % NUMBERS, piece, (header & _RESERVED) >> 12)


def needs_segments(apdu: bytes, server: ServerAddress, frame_octets_max: int) -> bool:
    """Whether an APDU is too long for one frame to a peer that takes ``frame_octets_max`` octets a frame."""
    return overhead_octets(server) + len(apdu) > frame_octets_max


def cut(apdu: bytes, server: ServerAddress, frame_octets_max: int) -> list[Segment]:
    """Cut an APDU into segments that fit the peer's frames.

    Args:
        apdu: 2 octets or more.
        server: address of the meter or terminal, for the length of the header.
        frame_octets_max: longest frame that the peer takes, 68H and 16H included.

    Raises:
        LocalProtocolError: an APDU over 65535 octets or under 2, a frame size that leaves no room, or more
            than 4096 pieces.

    """
    room = frame_octets_max - overhead_octets(server) - HEADER_OCTETS
    if not 2 <= len(apdu) <= APDU_OCTETS_MAX:
        raise LocalProtocolError(f"an APDU of {len(apdu)} octets is outside 2..{APDU_OCTETS_MAX}")
    room = min(room, (len(apdu) + 1) // 2)  # a series has a first and a last piece
    count = -(-len(apdu) // room) if room > 0 else SEGMENTS_MAX + 1
    if count > SEGMENTS_MAX:
        raise LocalProtocolError(f"frames of {frame_octets_max} octets are too short for this APDU")
    pieces = [apdu[at : at + room] for at in range(0, len(apdu), room)]
    kinds = [SegmentKind.FIRST, *[SegmentKind.MIDDLE] * (count - 2), SegmentKind.LAST]
    return [Segment(kinds[at], at % NUMBERS, piece) for at, piece in enumerate(pieces)]


# --- sending -----------------------------------------------------------------------------------


class SendState(enum.Enum):
    """Where a series that is sent stands."""

    READY = "ready"
    WAITING = "waiting"
    DONE = "done"


class SendSignal(enum.Enum):
    """What can happen to a series that is sent."""

    TAKEN = "piece taken"
    LAST_TAKEN = "last piece taken"
    ACKNOWLEDGED = "piece acknowledged"


SEND_TRANSITIONS: Final[dict[SendState, dict[SendSignal, SendState]]] = {
    SendState.READY: {SendSignal.TAKEN: SendState.WAITING, SendSignal.LAST_TAKEN: SendState.DONE},
    SendState.WAITING: {SendSignal.ACKNOWLEDGED: SendState.READY},
    SendState.DONE: {},
}


class SegmentSender:
    """Sends one APDU in pieces.

    Args:
        segments: from ``cut``.

    """

    def __init__(self, segments: list[Segment]) -> None:
        self._segments = segments
        self._at = 0
        self._state = SendState.READY

    @property
    def state(self) -> SendState:
        """Where the series stands."""
        return self._state

    def take(self) -> Segment | None:
        """The piece whose turn it is, once; ``None`` while an acknowledgement is awaited, and at the end."""
        if self._state is not SendState.READY:
            return None
        last = self._at + 1 == len(self._segments)
        self._signal(SendSignal.LAST_TAKEN if last else SendSignal.TAKEN)
        return self._segments[self._at]

    def acknowledge(self, segment: Segment) -> bool:
        """Take what the peer sent; whether it was the acknowledgement that is awaited."""
        awaited = self._state is SendState.WAITING and segment.kind is SegmentKind.ACK
        if not awaited or segment.number != self._segments[self._at].number:
            return False
        self._at += 1
        self._signal(SendSignal.ACKNOWLEDGED)
        return True

    def _signal(self, signal: SendSignal) -> None:
        self._state = SEND_TRANSITIONS[self._state].get(signal, self._state)


# --- receiving ---------------------------------------------------------------------------------


class JoinState(enum.Enum):
    """Where a series that is received stands."""

    IDLE = "idle"
    JOINING = "joining"
    DONE = "done"
    BROKEN = "broken"


class JoinSignal(enum.Enum):
    """What can happen to a series that is received."""

    FIRST = "first piece"
    MIDDLE = "next piece"
    LAST = "last piece"
    AGAIN = "the piece accepted last, again"
    OTHER = "wrong number, or an acknowledgement"
    TOO_MUCH = "too many pieces or octets"


JOIN_TRANSITIONS: Final[dict[JoinState, dict[JoinSignal, JoinState]]] = {
    JoinState.IDLE: {JoinSignal.FIRST: JoinState.JOINING},
    JoinState.JOINING: {
        JoinSignal.FIRST: JoinState.JOINING,
        JoinSignal.MIDDLE: JoinState.JOINING,
        JoinSignal.LAST: JoinState.DONE,
        JoinSignal.TOO_MUCH: JoinState.BROKEN,
    },
    JoinState.DONE: {JoinSignal.FIRST: JoinState.JOINING},
    JoinState.BROKEN: {JoinSignal.FIRST: JoinState.JOINING},
}


class Joined(NamedTuple):
    """What a received segment calls for.

    Args:
        signal: what the segment was.
        acknowledgement: to be sent back, or ``None``.
        apdu: the whole APDU, once, with its last piece.

    """

    signal: JoinSignal
    acknowledgement: Segment | None = None
    apdu: bytes | None = None

    def __repr__(self) -> str:
        """All but the octets of the APDU, which may hold a secret."""
        size = None if self.apdu is None else len(self.apdu)
        return f"Joined({self.signal.name}, {self.acknowledgement}, {size} octets)"


class SegmentReceiver:
    """Joins the pieces of one APDU after another.

    Args:
        segments_max: most pieces of one APDU, 2 or more.
        apdu_octets_max: longest APDU.

    """

    def __init__(self, *, segments_max: int = SEGMENTS_MAX, apdu_octets_max: int = APDU_OCTETS_MAX) -> None:
        self._segments_max = segments_max
        self._apdu_octets_max = apdu_octets_max
        self._state = JoinState.IDLE
        self._accepted: Segment | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._again = 0
        self._started_over = 0

    @property
    def state(self) -> JoinState:
        """Where the series stands."""
        return self._state

    def feed(self, segment: Segment) -> Joined:
        """Take a segment; says what it was, what to send back, and the APDU when it is whole."""
        signal = self._classified(segment)
        state = self._state
        self._signal(signal)
        match signal:
            case JoinSignal.FIRST:
                self._pieces, self._size = [], 0
                kept = self._kept(segment, signal)
                return self._unless_started_over(kept) if state is JoinState.JOINING else kept
            case JoinSignal.MIDDLE | JoinSignal.LAST:
                return self._kept(segment, signal)
            case JoinSignal.AGAIN if state is JoinState.JOINING:
                self._again = (self._again + 1) % (ACKNOWLEDGED_AGAIN_MAX + 1)
                return Joined(signal, Segment(SegmentKind.ACK, segment.number) if self._again else None)
            case JoinSignal.TOO_MUCH:
                self._pieces, self._accepted = [], None
        return Joined(signal)

    def _signal(self, signal: JoinSignal) -> None:
        self._state = JOIN_TRANSITIONS[self._state].get(signal, self._state)

    def _classified(self, segment: Segment) -> JoinSignal:
        accepted = self._accepted
        if segment.kind is SegmentKind.ACK:
            return JoinSignal.OTHER
        if accepted is not None and segment[:3] == accepted[:3]:
            return JoinSignal.AGAIN
        if segment.kind is SegmentKind.FIRST:
            fits = len(segment.piece) <= self._apdu_octets_max
            return JoinSignal.FIRST if fits else JoinSignal.TOO_MUCH
        joining = self._state is JoinState.JOINING and accepted is not None
        if not joining or accepted is None or segment.number != (accepted.number + 1) % NUMBERS:
            return JoinSignal.OTHER
        if len(self._pieces) == self._segments_max or self._size + len(segment.piece) > self._apdu_octets_max:
            return JoinSignal.TOO_MUCH
        return JoinSignal.LAST if segment.kind is SegmentKind.LAST else JoinSignal.MIDDLE

    def _unless_started_over(self, kept: Joined) -> Joined:
        """Without the acknowledgement when the series began anew too often."""
        self._started_over = (self._started_over + 1) % (STARTED_OVER_MAX + 1)
        return kept if self._started_over else kept._replace(acknowledgement=None)

    def _kept(self, segment: Segment, signal: JoinSignal) -> Joined:
        self._accepted = segment
        self._again = 0
        self._pieces.append(segment.piece)
        self._size += len(segment.piece)
        if signal is not JoinSignal.LAST:
            return Joined(signal, Segment(SegmentKind.ACK, segment.number))
        whole, self._pieces, self._started_over = b"".join(self._pieces), [], 0
        return Joined(signal, apdu=whole)
