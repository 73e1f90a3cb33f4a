"""Auxiliary fields of 1376.1 at the end of a frame's body: PW and Tp going down, EC and Tp coming up.

Which of them are there the head tells: PW by AFN and direction, EC by ACD, Tp by TpV. Where a command comes
without its PW, nothing in the frame says so: terminals take its length off in any case, and so do we.
Source: spec section B1.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.gdw1376.formats.times import Moment, TimeFormat
from meterwire.gdw1376.link.terminal_frame import ID_2005, Frame, body_at, encode

PASSWORD_AFNS: Final = frozenset({0x01, 0x04, 0x05, 0x06, 0x0F, 0x10})
"""Commands that end with PW."""
PASSWORD_OCTETS: Final = 16
PASSWORD_OCTETS_2005: Final = 2
EVENT_COUNT_OCTETS: Final = 2
TIME_TAG_OCTETS: Final = 6
_TIME: Final = TimeFormat(("second", "minute", "hour", "day"))


class TimeTag(NamedTuple):
    """Tp: when a request was made, and how late it may be obeyed.

    Args:
        number: PFC, counts frames, 0..255.
        time: second, minute, hour and day; ``None`` where a nibble is no digit.
        delay_min: longest delay in minutes, 0..255; 0: do not judge.
        unread: the octets of a time that is ``None``, so that an answer can copy them; empty otherwise.

    """

    number: int
    time: Moment | None
    delay_min: int = 0
    unread: bytes = b""


class Auxiliary(NamedTuple):
    """The auxiliary fields of one frame; ``repr`` leaves PW out.

    Args:
        password: PW, 16 octets (2 in the 2005 generation); empty where the frame has none.
        event_counts: EC1 (important) and EC2 (general), or ``None``.
        time_tag: Tp, or ``None``.

    """

    password: bytes = b""
    event_counts: tuple[int, int] | None = None
    time_tag: TimeTag | None = None

    def __repr__(self) -> str:
        """All but PW."""
        return f"Auxiliary(event_counts={self.event_counts}, time_tag={self.time_tag})"


NO_AUXILIARY: Final = Auxiliary()


def password_octets(frame: Frame) -> int:
    """Octets of PW that a frame has."""
    if frame.from_terminal or frame.afn not in PASSWORD_AFNS:
        return 0
    return PASSWORD_OCTETS_2005 if frame.protocol_id == ID_2005 else PASSWORD_OCTETS


def auxiliary_octets(frame: Frame) -> int:
    """Octets of all auxiliary fields that a frame has."""
    counts = EVENT_COUNT_OCTETS if frame.from_terminal and frame.attention else 0
    return password_octets(frame) + counts + TIME_TAG_OCTETS * frame.has_time


def split(frame: Frame) -> tuple[bytes, Auxiliary]:
    """The data part and the auxiliary fields of a frame.

    Raises:
        RemoteProtocolError: the body is shorter than its auxiliary fields (kind ``"auxiliary"``).

    """
    size = auxiliary_octets(frame)
    at = len(frame.body) - size
    if at < 0:
        sentence = f"the body has {len(frame.body)} octets, its auxiliary fields need {size}"
        raise RemoteProtocolError(sentence, kind="auxiliary", octets=encode(frame), offset=body_at())
    data, rest = frame.body[:at], frame.body[at:]
    password, rest = rest[: password_octets(frame)], rest[password_octets(frame) :]
    counts = None
    if frame.from_terminal and frame.attention:
        counts, rest = (rest[0], rest[1]), rest[EVENT_COUNT_OCTETS:]
    tag = _tag(rest) if frame.has_time else None
    return data, Auxiliary(password, counts, tag)


def joined(frame: Frame, data: bytes, auxiliary: Auxiliary) -> bytes:
    """The body of a frame: data part and auxiliary fields.

    Args:
        frame: whose head says which fields there are; its own body is not looked at.
        data: the data part.
        auxiliary: the fields.

    Raises:
        LocalProtocolError: the fields are not those that the head says, or one is out of range.

    """
    password, counts, tag = auxiliary
    if len(password) != password_octets(frame):
        raise LocalProtocolError(
            f"AFN {frame.afn:02X}H needs a PW of {password_octets(frame)} octets, not {len(password)}"
        )
    if (counts is not None) != (frame.from_terminal and frame.attention):
        raise LocalProtocolError("event counters go with ACD, from a terminal")
    if (tag is not None) != frame.has_time:
        raise LocalProtocolError("a time tag goes with TpV")
    try:
        return data + password + bytes(counts or ()) + (b"" if tag is None else _tag_octets(tag))
    except ValueError:
        raise LocalProtocolError("event counters, PFC and the delay are from 0 to 255") from None


def _tag(octets: bytes) -> TimeTag:
    number, time, delay_min = octets[0], octets[1:-1], octets[-1]
    moment = _TIME.decode(time)
    return TimeTag(number, moment, delay_min, time if moment is None else b"")


def _tag_octets(tag: TimeTag) -> bytes:
    time = tag.unread if tag.time is None and len(tag.unread) == _TIME.octets else _TIME.encode(tag.time)
    return bytes((tag.number,)) + time + bytes((tag.delay_min,))
