"""Which octets are secret: passwords, keys, cipher blocks and MACs; operator codes are not.

Two questions: which octets of one frame's DATA (``secret_spans``), and which octets of a piece of the wire
(``secret_ranges``), where echoes, other masters' frames, rubbish and broken frames stand beside our own.
What cannot be told is taken for secret. Source: spec sections 2.1 and 2.2; control-and-prepayment 2.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meterwire.dlt645.items import security
from meterwire.dlt645.items.bit_words import WORD_OCTETS_MAX
from meterwire.dlt645.items.dictionary import dictionary
from meterwire.dlt645.link.frame import OVERHEAD_OCTETS, START, Frame, frame_at, frame_end
from meterwire.dlt645.link.functions import DI_OCTETS, READS, SECURITY, Edition, edition
from meterwire.dlt645.messages.command import SECRET_FIELDS
from meterwire.dlt645.messages.command_codec import Span, address_kind, field_spans
from meterwire.dlt645.messages.control import MAC_LEVELS
from meterwire.primitives import bcd
from meterwire.primitives.ranges import Ranges, marked

MAC_OCTETS: Final = 4
"""Octets of the MAC behind data that is written under level 99H."""
_PLAIN_LEVELS = frozenset({*range(10), 0x11})
"""Password levels whose data goes in plain: 0 to 9, and the factory's 11H."""
_PASSWORDS = 0x04000C  # 04 00 0C 01 to 0A
_PASSWORDS_1997 = frozenset({0xC212, 0xC21F})
_HEADER_OCTETS = 10
_READ_ANSWERS = {
    "dlt645-2007": bytes((0x91, 0x92, 0xB1, 0xB2, 0xD1, 0xD2)),
    "dlt645-1997": bytes((0x81, 0x82, 0xA1, 0xA2, 0xC1, 0xC2)),
}
"""Control octets of answers to reads; that of no frame with a secret of the same meter is one bit away."""


def secret_ranges(octets: bytes, hint: Edition = "dlt645-2007", *, reading: Frame | None = None) -> Ranges:
    """Which octets of a piece of the wire are secret; never raises.

    Shown is what good frames explain: their headers, what in their DATA is known not to be secret, and FEH in
    front of them. The checksum of a frame with a secret in it is secret too, being a sum over it. Of octets
    outside of good frames, the answer to ``reading`` is shown as far as its L octet goes: address, control
    octet and identifier are those that we expect, and a damaged answer is what people want to look at.

    Args:
        octets: what was sent, or what came before the next request: whole frames, or broken ones.
        hint: the edition of the codes that both have.
        reading: the request, when the turn is that of a read.

    """
    start = len(octets) - len(octets.lstrip(b"\xfe"))
    if frame_end(octets, start) == len(octets) and octets.find(START, start + 8) < 0:  # the usual case
        frame = frame_at(octets, start, len(octets))
        return _within(frame, start, len(octets), hint)
    shown, hidden = bytearray(len(octets)), bytearray(len(octets))
    while start >= 0:
        if (end := frame_end(octets, start)) > 0:
            begin = len(octets[:start].rstrip(b"\xfe"))
            shown[begin:end] = b"\x01" * (end - begin)
            for first, after in _within(frame_at(octets, start, end), start, end, hint):
                hidden[first:after] = b"\x01" * (after - first)
        start = octets.find(START, start + 1)
    if reading is not None and address_kind(reading.address) == "single":
        for first, after in _broken_answers(octets, shown, reading):
            shown[first:after] = b"\x01" * (after - first)
    return marked(bytes(hide or not show for hide, show in zip(hidden, shown, strict=True)))


def secret_spans(frame: Frame, hint: Edition = "dlt645-2007") -> Ranges:
    """The secret octets of ``frame.data``, as (first, one after), in order.

    Args:
        frame: of either edition.
        hint: the edition of the codes that both have.

    """
    of = edition(frame.function, hint)
    size = len(frame.data)
    if not size:
        return ()
    if frame.abnormal:
        return () if frame.from_meter and size <= WORD_OCTETS_MAX else ((0, size),)
    if frame.function in READS or _is_read_again(frame, of):
        return _read_spans(frame, of)
    spans = field_spans(frame, "dlt645-2007" if frame.function == SECURITY else of)
    if spans is None:
        return ((0, size),)
    return tuple(secret for span in spans for secret in _secrets_in(frame, span, spans))


def _within(frame: Frame, start: int, end: int, hint: Edition) -> Ranges:
    """The secret octets of a good frame on the wire."""
    if not (spans := secret_spans(frame, hint)):
        return ()
    first_of_data = start + _HEADER_OCTETS
    ranges = [(first_of_data + first, first_of_data + after) for first, after in spans]
    if ranges[-1][1] == end - 2:
        ranges[-1] = ranges[-1][0], end - 1
    else:
        ranges.append((end - 2, end - 1))
    return tuple(ranges)


def _broken_answers(octets: bytes, shown: bytearray, request: Frame) -> Iterator[tuple[int, int]]:
    """Where outside of good frames an answer to ``request`` begins, as far as its L octet goes."""
    header = bytes((START,)) + bcd.octets(request.address) + bytes((START,))
    start = octets.find(header)
    while start >= 0:
        good = shown.find(1, start)
        broken = octets[start : len(octets) if good < 0 else good]
        if size := _answer_octets(broken, request):
            yield len(octets[:start].rstrip(b"\xfe")), start + size
        start = octets.find(header, start + 1)


def _answer_octets(broken: bytes, request: Frame) -> int:
    """How many octets belong to the answer that begins here; 0: it is none, or it holds a password."""
    of = edition(request.function)
    control, length = broken[8:9], broken[9:10]
    if not control or control not in _READ_ANSWERS[of] or _is_password(request.data[: DI_OCTETS[of]], of):
        return 0
    said = frame_at(broken, 0, OVERHEAD_OCTETS + DI_OCTETS[of]).data
    if not request.data.startswith(said):
        return 0
    return min(OVERHEAD_OCTETS + length[0], len(broken)) if length else len(broken)


def _is_read_again(frame: Frame, of: Edition) -> bool:
    """Whether 03H is the read again of 1997 and not the security of 2007: it names a known identifier."""
    if of != "dlt645-1997" or frame.function != SECURITY or not frame.from_meter:
        return False
    return dictionary(of).by_di(int.from_bytes(frame.data[: DI_OCTETS[of]], "little")) is not None


def _read_spans(frame: Frame, of: Edition) -> Ranges:
    """Some meters give a password when they are asked for it."""
    size = DI_OCTETS[of]
    secret = frame.from_meter and len(frame.data) > size and _is_password(frame.data[:size], of)
    return ((size, len(frame.data)),) if secret else ()


def _is_password(di_octets: bytes, of: Edition) -> bool:
    di = int.from_bytes(di_octets, "little")
    return di in _PASSWORDS_1997 if of == "dlt645-1997" else di >> 8 == _PASSWORDS


def _secrets_in(frame: Frame, span: Span, spans: tuple[Span, ...]) -> Iterator[tuple[int, int]]:
    if span.name == "payload":
        yield from _payload_secrets(frame, span, spans)
    elif span.name in SECRET_FIELDS or (
        span.name == "execution_word" and span.end - span.start > WORD_OCTETS_MAX
    ):
        yield span.start, span.end


def _payload_secrets(frame: Frame, span: Span, spans: tuple[Span, ...]) -> Iterator[tuple[int, int]]:
    raw = {one.name: frame.data[one.start : one.end] for one in spans}
    if frame.function == SECURITY:
        yield from _security_secrets(frame, int.from_bytes(raw["di"], "little"), span)
        return
    if "level" not in raw:
        yield span.start, span.end  # infrared authentication: nobody knows what stands there
        return
    level = raw["level"][0]
    password = _is_password(raw["di"], edition(frame.function))
    if level in MAC_LEVELS and not password:
        yield max(span.start, span.end - MAC_OCTETS), span.end
    elif level not in _PLAIN_LEVELS or password:
        yield span.start, span.end


def _security_secrets(frame: Frame, di: int, span: Span) -> Iterator[tuple[int, int]]:
    """The secret fields; everything when the length fits no layout, or when it is not the whole answer."""
    payload = frame.data[span.start : span.end]
    fields = security.split(di, "reply" if frame.from_meter else "request", payload)
    if fields is None or frame.has_following:
        yield span.start, span.end
        return
    for value in fields:
        if value.field.name in security.SECRETS:
            yield span.start + value.start, span.start + value.start + len(value.raw)
