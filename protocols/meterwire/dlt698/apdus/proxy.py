"""PROXY: a concentrator asks its meters on behalf of the client. Source: spec section 3.9.

Time limits are seconds; 0 for one meter leaves it to the concentrator. A silent meter comes back as
DAR 33 for each of its objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

from meterwire.dlt698.apdus.parts import (
    ActionItem,
    ActionResult,
    ActionThenGetItem,
    ActionThenGetResult,
    AttributeResult,
    Dar,
    Declared,
    FollowReport,
    Piid,
    RecordRequest,
    RecordResult,
    SetItem,
    SetResult,
    SetThenGetItem,
    SetThenGetResult,
    TimeTag,
    apdu,
)
from meterwire.dlt698.axdr.coding import PASSED_ON, OctetString
from meterwire.dlt698.axdr.selection import Comdcb, Oad, Tsa
from meterwire.dlt698.axdr.syntax import OneOf
from meterwire.dlt698.axdr.values import LongUnsigned, Octets


class ProxyGetTarget(NamedTuple):
    """One meter, its time limit, and what is asked of it."""

    tsa: Tsa
    timeout_s: LongUnsigned
    items: tuple[Oad, ...]


class ProxyGetResult(NamedTuple):
    """What one meter answered."""

    tsa: Tsa
    items: tuple[AttributeResult, ...]


class ProxySetTarget(NamedTuple):
    """One meter, its time limit, and what is asked of it."""

    tsa: Tsa
    timeout_s: LongUnsigned
    items: tuple[SetItem, ...]


class ProxySetResult(NamedTuple):
    """What one meter answered."""

    tsa: Tsa
    items: tuple[SetResult, ...]


class ProxySetThenGetTarget(NamedTuple):
    """One meter, its time limit, and what is asked of it."""

    tsa: Tsa
    timeout_s: LongUnsigned
    items: tuple[SetThenGetItem, ...]


class ProxySetThenGetResult(NamedTuple):
    """What one meter answered."""

    tsa: Tsa
    items: tuple[SetThenGetResult, ...]


class ProxyActionTarget(NamedTuple):
    """One meter, its time limit, and what is asked of it."""

    tsa: Tsa
    timeout_s: LongUnsigned
    items: tuple[ActionItem, ...]


class ProxyActionResult(NamedTuple):
    """What one meter answered."""

    tsa: Tsa
    items: tuple[ActionResult, ...]


class ProxyActionThenGetTarget(NamedTuple):
    """One meter, its time limit, and what is asked of it."""

    tsa: Tsa
    timeout_s: LongUnsigned
    items: tuple[ActionThenGetItem, ...]


class ProxyActionThenGetResult(NamedTuple):
    """What one meter answered."""

    tsa: Tsa
    items: tuple[ActionThenGetResult, ...]


@apdu(0x09, 1)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProxyGetRequestList(Declared):
    """Attributes of several meters."""

    piid: Piid
    timeout_s: LongUnsigned
    targets: tuple[ProxyGetTarget, ...]
    time_tag: TimeTag | None = None


@apdu(0x09, 2)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProxyGetRequestRecord(Declared):
    """Records of one meter."""

    piid: Piid
    timeout_s: LongUnsigned
    tsa: Tsa
    record: RecordRequest
    time_tag: TimeTag | None = None


@apdu(0x09, 3)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProxySetRequestList(Declared):
    """Writes to several meters."""

    piid: Piid
    timeout_s: LongUnsigned
    targets: tuple[ProxySetTarget, ...]
    time_tag: TimeTag | None = None


@apdu(0x09, 4)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProxySetThenGetRequestList(Declared):
    """Writes, each followed by a read, to several meters."""

    piid: Piid
    timeout_s: LongUnsigned
    targets: tuple[ProxySetThenGetTarget, ...]
    time_tag: TimeTag | None = None


@apdu(0x09, 5)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProxyActionRequestList(Declared):
    """Methods of several meters."""

    piid: Piid
    timeout_s: LongUnsigned
    targets: tuple[ProxyActionTarget, ...]
    time_tag: TimeTag | None = None


@apdu(0x09, 6)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProxyActionThenGetRequestList(Declared):
    """Methods, each followed by a read, of several meters."""

    piid: Piid
    timeout_s: LongUnsigned
    targets: tuple[ProxyActionThenGetTarget, ...]
    time_tag: TimeTag | None = None


@apdu(0x09, 7)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProxyTransCommandRequest(Declared):
    """Octets for a port, as they are.

    Args:
        piid: service number.
        port: e.g. F2010201, the first RS-485 port.
        comdcb: settings of the port.
        frame_timeout_s: seconds until the answer begins.
        byte_timeout_ms: milliseconds between octets that end the answer.
        command: the octets, a 645 or a 698.45 frame.
        time_tag: when it was sent.

    """

    piid: Piid
    port: Oad
    comdcb: Comdcb
    frame_timeout_s: LongUnsigned
    byte_timeout_ms: LongUnsigned
    command: Annotated[Octets, PASSED_ON]
    time_tag: TimeTag | None = None


@apdu(0x89, 1)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProxyGetResponseList(Declared):
    """Attributes of several meters."""

    piid: Piid
    targets: tuple[ProxyGetResult, ...]
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x89, 2)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProxyGetResponseRecord(Declared):
    """Records of one meter."""

    piid: Piid
    tsa: Tsa
    record: RecordResult
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x89, 3)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProxySetResponseList(Declared):
    """Writes to several meters."""

    piid: Piid
    targets: tuple[ProxySetResult, ...]
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x89, 4)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProxySetThenGetResponseList(Declared):
    """Writes, each followed by a read, to several meters."""

    piid: Piid
    targets: tuple[ProxySetThenGetResult, ...]
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x89, 5)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProxyActionResponseList(Declared):
    """Methods of several meters."""

    piid: Piid
    targets: tuple[ProxyActionResult, ...]
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x89, 6)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProxyActionThenGetResponseList(Declared):
    """Methods, each followed by a read, of several meters."""

    piid: Piid
    targets: tuple[ProxyActionThenGetResult, ...]
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x89, 7)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ProxyTransCommandResponse(Declared):
    """What came back through the port, or why nothing did."""

    piid: Piid
    port: Oad
    result: Annotated[Dar | bytes, OneOf({0: Dar, 1: Annotated[bytes, OctetString()]}, "reply"), PASSED_ON]
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None
