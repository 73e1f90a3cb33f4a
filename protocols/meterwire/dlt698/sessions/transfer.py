"""One APDU over the link: out in one frame or in segments, in the same way.

Neither side of it knows what an APDU says, nor which role it plays: a template frame holds addresses,
direction and scrambling. Source: spec sections 1.5 and 1.8.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.frame import Frame
from meterwire.dlt698.link.segments import (
    JoinSignal,
    JoinState,
    Segment,
    SegmentKind,
    SegmentReceiver,
    SegmentSender,
    SendState,
    cut,
    decode_segment,
    needs_segments,
)

FRAME_OCTETS: Final = 512
"""Longest frame before sizes are agreed on, on serial ports; network ports take 1024 (firmware minima)."""
FRAME_OCTETS_LEAST: Final = 64
"""A peer that names a smaller frame is sent frames of this size."""
APDU_OCTETS: Final = 2000
"""Longest APDU before sizes are agreed on."""


class Sizes(NamedTuple):
    """What a peer takes.

    Args:
        frame: longest frame, in octets, 68H and 16H included.
        apdu: longest APDU, in octets.

    """

    frame: int = FRAME_OCTETS
    apdu: int = APDU_OCTETS

    @classmethod
    def agreed(cls, own_tx_max: int, peer_rx_max: int, peer_apdu_max: int) -> Sizes:
        """The sizes after a CONNECT; 0 from the peer leaves the size as it was before.

        Args:
            own_tx_max: longest frame that we offered to send.
            peer_rx_max: longest frame that the peer takes.
            peer_apdu_max: longest APDU that the peer takes.

        """
        frame = max(min(own_tx_max, peer_rx_max or FRAME_OCTETS), FRAME_OCTETS_LEAST)
        return cls(frame, max(peer_apdu_max or APDU_OCTETS, FRAME_OCTETS_LEAST))


class Outgoing:
    """One APDU on its way out.

    Args:
        apdu: its octets.
        template: a frame without user data; addresses, direction and scrambling are taken from it.
        frame_octets_max: longest frame that the peer takes.
        preamble: FEH octets before each frame, 0 to 16.

    Raises:
        LocalProtocolError: the frames are too short for the APDU, or an address cannot be sent.

    """

    def __init__(self, apdu: bytes, template: Frame, frame_octets_max: int, *, preamble: int = 0) -> None:
        self._preamble = preamble
        self._whole = b""
        self._sender: SegmentSender | None = None
        self._template = template._replace(segmented=True)
        if needs_segments(apdu, template.server, frame_octets_max):
            self._sender = SegmentSender(cut(apdu, template.server, frame_octets_max))
        else:
            self._whole = link.encode(template._replace(user_data=apdu), preamble=preamble)

    @property
    def in_pieces(self) -> bool:
        """Whether it goes out in segments."""
        return self._sender is not None

    @property
    def done(self) -> bool:
        """Whether all of it was taken."""
        return not self._whole if self._sender is None else self._sender.state is SendState.DONE

    def take(self) -> bytes:
        """Octets of the frame whose turn it is, once; empty while an acknowledgement is awaited."""
        if self._sender is None:
            whole, self._whole = self._whole, b""
            return whole
        segment = self._sender.take()
        if segment is None:
            return b""
        return link.encode(self._template._replace(user_data=segment.octets), preamble=self._preamble)

    def acknowledge(self, segment: Segment) -> bool:
        """Whether a segment is the acknowledgement that is awaited; then the next piece can be taken."""
        return self._sender is not None and self._sender.acknowledge(segment)


class Arrival(NamedTuple):
    """What a segment frame brought.

    Args:
        signal: what the segment was.
        acknowledgement: a frame to be sent back, or ``None``.
        apdu: the whole APDU, once.

    """

    signal: JoinSignal
    acknowledgement: Frame | None = None
    apdu: bytes | None = None

    def __repr__(self) -> str:
        """All but the octets of the APDU, which may hold a secret."""
        size = None if self.apdu is None else len(self.apdu)
        return f"Arrival({self.signal.name}, {self.acknowledgement}, {size} octets)"


class Incoming:
    """Joins the segments of one APDU after another; those of another sender do not mix in.

    A first piece of another sender takes the place of a series that is not whole, and counts as starting
    over: two senders cannot keep each other's series going without end.
    """

    def __init__(self) -> None:
        self._receiver = SegmentReceiver()
        self._sender: tuple[ServerAddress, int, bool] | None = None

    def feed(self, frame: Frame) -> Arrival:
        """Take a segment frame.

        Raises:
            RemoteProtocolError: its user data begins with no segment header.

        """
        segment = decode_segment(frame.user_data)
        sender = (frame.server, frame.client, frame.started_by_client)
        if sender != self._sender:
            if segment.kind is not SegmentKind.FIRST:
                return Arrival(JoinSignal.OTHER)
            self._sender = sender
        joined = self._receiver.feed(segment)
        back = None
        if joined.acknowledgement is not None:
            octets = joined.acknowledgement.octets
            back = frame._replace(user_data=octets, from_server=not frame.from_server, reserved=False)
        return Arrival(joined.signal, back, joined.apdu)

    def left_alone(self, arrival: Arrival) -> bool:
        """Whether a piece got no acknowledgement because its series has no end.

        Args:
            arrival: that ``feed`` returned just now.

        """
        if arrival.acknowledgement is not None:
            return False
        repeats = arrival.signal in {JoinSignal.FIRST, JoinSignal.AGAIN} and self.joining
        return repeats or arrival.signal is JoinSignal.TOO_MUCH

    @property
    def joining(self) -> bool:
        """Whether a series is not whole yet."""
        return self._receiver.state is JoinState.JOINING
