"""Which octets of an APDU are secret: passwords, keys, signatures, cipher blocks and MACs.

The declarations mark what is always secret, ``secret_objects.csv`` whose data is, and a frame that is
passed through a port is looked into. What cannot be told is taken for secret.
Source: spec sections 3.3, 3.9 and 3.10; control-and-prepayment 4.1 and 4.7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from meterwire.dlt698.apdus.apdu import walk_apdu
from meterwire.dlt698.apdus.get import GetResponseMD5
from meterwire.dlt698.apdus.parts import RecordRequest, RecordResult
from meterwire.dlt698.apdus.secret_objects import FRAME, Types, has_own, hides, secret_types, types_named
from meterwire.dlt698.apdus.security import PlainUnit
from meterwire.dlt698.axdr.coding import Span
from meterwire.dlt698.axdr.selection import Oad, Omd, SelectEqual, SelectRange
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.link import frame as frame698
from meterwire.errors import RemoteProtocolError
from meterwire.primitives.ranges import Ranges

_PASSED_ON: Final = frozenset({"ProxyTransCommandRequest", "ProxyTransCommandResponse"})
_REPORTED: Final = "ReportNotificationTransData"
_DIGESTED: Final = "GetResponseMD5"
_NESTED_MAX: Final = 4
"""Frames in frames in frames that are looked into."""

_TELLING: Final = (bytes, Data)
"""Values that may be secret by themselves; a tuple, for a union would be made anew for each part."""

Foreign = Callable[[bytes], Ranges]
"""The secret octets of a passed-on frame of another protocol, preamble included; of anything else all."""


def _all_of(octets: bytes) -> Ranges:
    return ((0, len(octets)),) if octets else ()


def secret_spans(octets: bytes, foreign: Foreign = _all_of) -> Ranges:
    """The secret octets of an APDU, as (first, one after), in order.

    Args:
        octets: an APDU; a piece of one, or anything that is none, is secret as a whole.
        foreign: looks into a passed-on frame that is none of this protocol; by default it is secret.

    """
    return tuple(_secrets(octets, 0, 0, foreign))


def _secrets(octets: bytes, base: int, nested: int, foreign: Foreign) -> Iterator[tuple[int, int]]:
    try:
        span = walk_apdu(octets)
    except RemoteProtocolError:
        if octets:
            yield base, base + len(octets)
        return
    for start, end in _in_span(span, frozenset(), nested, span.name, foreign):
        yield base + start, base + end


def _in_span(
    span: Span, types: Types, nested: int, service: str, foreign: Foreign
) -> Iterator[tuple[int, int]]:
    if not (span.parts or span.secret or isinstance(span.value, _TELLING)):
        return  # a number or a name, as most are
    if span.secret or (service == _DIGESTED and _is_digest(span, types)):
        yield span.start, span.end
    elif isinstance(span.value, PlainUnit) and not span.parts[-1].parts:
        yield from _payload(span.parts[-1], nested, foreign, whole_apdu=True)
    elif _is_passed_on(span, service):
        yield from _payload(span, nested, foreign, whole_apdu=False)
    elif isinstance(span.value, Data) and span.value.type not in {"array", "structure"}:
        yield from _in_scalar(span, types, nested, foreign)
    else:
        types |= _types_of(span.value)
        for part in span.parts:
            yield from _in_span(part, types, nested, service, foreign)
            if isinstance(span.value, Data) and isinstance(part.value, Data):
                types |= types_named(part.value)  # an object in a structure tells what stands behind it


def _in_scalar(span: Span, types: Types, nested: int, foreign: Foreign) -> Iterator[tuple[int, int]]:
    """Its octets without the type, or what is secret of the frame in it."""
    data = span.value
    if data.type == "octet-string" and FRAME in types and data.type not in types:
        yield from _in_frame(data.value, span.end - len(data.value), nested, foreign)
    elif span.end > span.start + 1 and hides(data, types):
        yield span.start + 1, span.end


def _types_of(value: Any) -> Types:
    """Types that are secret inside a result, an item, a record or a selector."""
    match value:
        case RecordResult() | RecordRequest():
            return types_named(value.oad) | types_named(value.rcsd)
        case SelectEqual() | SelectRange() | GetResponseMD5():
            return secret_types(value.oad)
    first = value[0] if isinstance(value, tuple) and value else None
    return secret_types(first) if isinstance(first, Oad | Omd) and hasattr(value, "_fields") else frozenset()


def _is_digest(span: Span, types: Types) -> bool:
    """Whether it is the digest of a value with a secret in it: whoever guesses the secret can prove it."""
    return isinstance(span.value, bytes) and span.name == "result" and not span.parts and has_own(types)


def _is_passed_on(span: Span, service: str) -> bool:
    """Whether the octets are those of a frame for, or from, a port."""
    if not isinstance(span.value, bytes) or span.parts or span.start == 0:
        return False
    return (service in _PASSED_ON and span.name in {"command", "result"}) or (
        service == _REPORTED and span.name.isdigit()
    )


def _payload(span: Span, nested: int, foreign: Foreign, *, whole_apdu: bool) -> Iterator[tuple[int, int]]:
    payload = span.value
    base = span.end - len(payload)
    if whole_apdu and nested >= _NESTED_MAX:
        yield base, span.end
    elif whole_apdu:
        yield from _secrets(payload, base, nested + 1, foreign)
    else:
        yield from _in_frame(payload, base, nested, foreign)


def _in_frame(octets: bytes, base: int, nested: int, foreign: Foreign) -> Iterator[tuple[int, int]]:
    """Secrets of a frame in a frame, of this protocol or another one."""
    if nested >= _NESTED_MAX:
        yield base, base + len(octets)
        return
    try:
        frame = frame698.decode(octets.lstrip(b"\xfe"))
    except RemoteProtocolError:
        for start, end in foreign(octets):
            yield base + start, base + end
        return
    at = frame698.checks(octets).user_data_at
    end = at + len(frame.user_data)
    found = [(at, end)] if frame.segmented else list(_secrets(frame.user_data, at, nested + 1, foreign))
    if found and frame.user_data:
        yield from ((base + start, base + after) for start, after in found)
        yield base + end, base + end + frame698.FCS_OCTETS
