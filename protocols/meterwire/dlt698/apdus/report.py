"""REPORT: a server tells what nobody asked for, and is answered. Source: spec section 3.8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from meterwire.dlt698.apdus.parts import (
    AttributeResult,
    Declared,
    FollowReport,
    Piid,
    RecordResult,
    TimeTag,
    apdu,
)
from meterwire.dlt698.axdr.coding import PASSED_ON
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import Octets


@apdu(0x88, 1)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReportNotificationList(Declared):
    """Attributes."""

    piid: Piid
    results: tuple[AttributeResult, ...]
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x88, 2)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReportNotificationRecordList(Declared):
    """Records."""

    piid: Piid
    records: tuple[RecordResult, ...]
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x88, 3)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReportNotificationTransData(Declared):
    """Frames that came in through a port."""

    piid: Piid
    port: Oad
    data: tuple[Annotated[Octets, PASSED_ON], ...]
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x08, 1)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReportResponseList(Declared):
    """The attributes arrived."""

    piid: Piid
    oads: tuple[Oad, ...]
    time_tag: TimeTag | None = None


@apdu(0x08, 2)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReportResponseRecordList(Declared):
    """The records arrived."""

    piid: Piid
    oads: tuple[Oad, ...]
    time_tag: TimeTag | None = None


@apdu(0x08, 3)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReportResponseTransData(Declared):
    """The frames arrived."""

    piid: Piid
    time_tag: TimeTag | None = None
