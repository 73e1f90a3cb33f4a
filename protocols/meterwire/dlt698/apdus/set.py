"""SET: attributes are written, and others read then. Source: spec section 3.6."""

from __future__ import annotations

from dataclasses import dataclass

from meterwire.dlt698.apdus.parts import (
    Declared,
    FollowReport,
    Piid,
    SetItem,
    SetResult,
    SetThenGetItem,
    SetThenGetResult,
    TimeTag,
    apdu,
)


@apdu(0x06, 1)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SetRequestNormal(Declared):
    """One attribute."""

    piid: Piid
    item: SetItem
    time_tag: TimeTag | None = None


@apdu(0x06, 2)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SetRequestNormalList(Declared):
    """Several attributes."""

    piid: Piid
    items: tuple[SetItem, ...]
    time_tag: TimeTag | None = None


@apdu(0x06, 3)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SetThenGetRequestNormalList(Declared):
    """Several attributes, each followed by a read."""

    piid: Piid
    items: tuple[SetThenGetItem, ...]
    time_tag: TimeTag | None = None


@apdu(0x86, 1)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SetResponseNormal(Declared):
    """One attribute."""

    piid: Piid
    item: SetResult
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x86, 2)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SetResponseNormalList(Declared):
    """Several attributes."""

    piid: Piid
    items: tuple[SetResult, ...]
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x86, 3)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SetThenGetResponseNormalList(Declared):
    """Several attributes, each followed by a read."""

    piid: Piid
    items: tuple[SetThenGetResult, ...]
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None
