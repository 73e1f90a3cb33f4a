"""ACTION: methods are called, and attributes read then. Source: spec section 3.7."""

from __future__ import annotations

from dataclasses import dataclass

from meterwire.dlt698.apdus.parts import (
    ActionItem,
    ActionResult,
    ActionThenGetItem,
    ActionThenGetResult,
    Declared,
    FollowReport,
    Piid,
    TimeTag,
    apdu,
)


@apdu(0x07, 1)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ActionRequestNormal(Declared):
    """One method."""

    piid: Piid
    item: ActionItem
    time_tag: TimeTag | None = None


@apdu(0x07, 2)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ActionRequestNormalList(Declared):
    """Several methods."""

    piid: Piid
    items: tuple[ActionItem, ...]
    time_tag: TimeTag | None = None


@apdu(0x07, 3)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ActionThenGetRequestNormalList(Declared):
    """Several methods, each followed by a read."""

    piid: Piid
    items: tuple[ActionThenGetItem, ...]
    time_tag: TimeTag | None = None


@apdu(0x87, 1)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ActionResponseNormal(Declared):
    """One method."""

    piid: Piid
    item: ActionResult
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x87, 2)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ActionResponseNormalList(Declared):
    """Several methods."""

    piid: Piid
    items: tuple[ActionResult, ...]
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x87, 3)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ActionThenGetResponseNormalList(Declared):
    """Several methods, each followed by a read."""

    piid: Piid
    items: tuple[ActionThenGetResult, ...]
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None
