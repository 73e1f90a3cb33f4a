"""Which octets of a piece of the wire are secret, for whoever writes traffic down.

Shown is what good frames explain: their headers, and what in their APDU is known not to be secret. A piece
of an APDU, and octets outside of frames, are secret. So is the frame check of a frame with a secret in it,
since it is computed over it. Source: spec section 1; ``secrets`` says what is secret in an APDU.
"""

from __future__ import annotations

from meterwire.dlt698.apdus.secrets import secret_spans
from meterwire.dlt698.link.deframer import Deframer, Found
from meterwire.dlt698.link.frame import checks
from meterwire.dlt698.link.segments import HEADER_OCTETS, SegmentKind, decode_segment
from meterwire.errors import RemoteProtocolError
from meterwire.primitives.ranges import Ranges, marked


def secret_ranges(octets: bytes) -> Ranges:
    """The secret octets; never raises.

    Args:
        octets: what was sent, or what came before the next request: whole frames, or broken ones.

    """
    hidden = bytearray(b"\x01" * len(octets))
    at = 0
    for found in Deframer().feed_found(octets):
        start = octets.index(found.octets, at)
        at = start + len(found.octets)
        hidden[start - found.preamble : at] = bytes(found.preamble + len(found.octets))
        for first, after in _in_frame(found):
            hidden[start + first : start + after] = b"\x01" * (after - first)
    return marked(hidden)


def _in_frame(found: Found) -> Ranges:
    """The secret octets of a good frame; its check is one of them when there is any."""
    start, end = checks(found.octets).user_data_at, len(found.octets) - 3
    spans = (
        _in_segment(found.frame.user_data) if found.frame.segmented else secret_spans(found.frame.user_data)
    )
    if not spans:
        return ()
    return (*((start + first, start + after) for first, after in spans), (end, end + 2))


def _in_segment(user_data: bytes) -> Ranges:
    """Only the header of a segment can be told."""
    try:
        kind = decode_segment(user_data).kind
    except RemoteProtocolError:
        return ((0, len(user_data)),)
    return () if kind is SegmentKind.ACK else ((HEADER_OCTETS, len(user_data)),)
