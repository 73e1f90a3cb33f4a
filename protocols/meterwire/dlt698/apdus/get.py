"""GET: attributes and records are read, whole or in blocks. Source: spec section 3.5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from meterwire.dlt698.apdus.parts import (
    AttributeResult,
    AttributeResults,
    Dar,
    Declared,
    FollowReport,
    Piid,
    RecordRequest,
    RecordResult,
    RecordResults,
    TimeTag,
    apdu,
)
from meterwire.dlt698.axdr.coding import PASSED_ON, OctetString
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.syntax import OneOf
from meterwire.dlt698.axdr.values import Bool, LongUnsigned


@apdu(0x05, 1)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GetRequestNormal(Declared):
    """One attribute."""

    piid: Piid
    oad: Oad
    time_tag: TimeTag | None = None


@apdu(0x05, 2)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GetRequestNormalList(Declared):
    """Several attributes."""

    piid: Piid
    oads: tuple[Oad, ...]
    time_tag: TimeTag | None = None


@apdu(0x05, 3)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GetRequestRecord(Declared):
    """Records of one table."""

    piid: Piid
    record: RecordRequest
    time_tag: TimeTag | None = None


@apdu(0x05, 4)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GetRequestRecordList(Declared):
    """Records of several tables."""

    piid: Piid
    records: tuple[RecordRequest, ...]
    time_tag: TimeTag | None = None


@apdu(0x05, 5)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GetRequestNext(Declared):
    """The next block; ``last_block`` is the number of the last one received."""

    piid: Piid
    last_block: LongUnsigned
    time_tag: TimeTag | None = None


@apdu(0x05, 6)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GetRequestMD5(Declared):
    """The MD5 of an attribute."""

    piid: Piid
    oad: Oad
    time_tag: TimeTag | None = None


@apdu(0x85, 1)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GetResponseNormal(Declared):
    """One attribute."""

    piid: Piid
    result: AttributeResult
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x85, 2)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GetResponseNormalList(Declared):
    """Several attributes."""

    piid: Piid
    results: tuple[AttributeResult, ...]
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x85, 3)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GetResponseRecord(Declared):
    """Records of one table."""

    piid: Piid
    record: RecordResult
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x85, 4)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GetResponseRecordList(Declared):
    """Records of several tables."""

    piid: Piid
    records: tuple[RecordResult, ...]
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x85, 5)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GetResponseNext(Declared):
    """One block of an answer; each block is whole items.

    Args:
        piid: PIID-ACD.
        last: no block follows.
        block: number of this block; the request for the next repeats it.
        result: items of the block, or why there is none.
        follow_report: what the server reports besides.
        time_tag: as in the request.

    """

    piid: Piid
    last: Bool
    block: LongUnsigned
    result: Annotated[
        Dar | AttributeResults | RecordResults,
        OneOf({0: Dar, 1: AttributeResults, 2: RecordResults}, "block"),
    ]
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x85, 6)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GetResponseMD5(Declared):
    """The MD5 of an attribute, or why there is none."""

    piid: Piid
    oad: Oad
    result: Annotated[
        Dar | bytes, OneOf({0: Dar, 1: Annotated[bytes, OctetString()]}, "MD5 result"), PASSED_ON
    ]
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None
