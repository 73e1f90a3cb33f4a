"""What a meter answers to a request, as APDUs: GET, SET, ACTION, CONNECT; nothing of frames here.

Who is not associated by password may read and no more (DAR 15 for the rest); a broadcast may set the clock
by the method that is made for it. A request that came too late by its time tag is answered with DAR 32 and
does nothing. Source: spec sections 2.1, 3.3 to 3.7 and 4.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from metersim.dlt698.records import NO_SUCH_ATTRIBUTE, NO_SUCH_OBJECT, ROWS_MAX
from metersim.dlt698.registers import DENIED, FACTORY, REPORTS_ALLOWED
from metersim.works.clock import ClockOutOfRange, MeterClock
from metersim.works.moments import PLANT_TIME
from meterwire.dlt698.apdus import action, get
from meterwire.dlt698.apdus import set as writing
from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.association import (
    ConnectRequest,
    ConnectResponse,
    NullSecurity,
    PasswordSecurity,
)
from meterwire.dlt698.apdus.link_management import ServerErrorResponse
from meterwire.dlt698.apdus.parts import (
    SUCCESS,
    ActionItem,
    ActionResult,
    ActionThenGetResult,
    AttributeResult,
    Dar,
    RecordRequest,
    RecordResult,
    SetItem,
    SetResult,
    SetThenGetResult,
    TimeTag,
)
from meterwire.dlt698.axdr.data import data_to_octets
from meterwire.dlt698.axdr.selection import Oad, Omd
from meterwire.dlt698.axdr.values import Data, DateTimeS
from meterwire.dlt698.link.frame import FRAME_OCTETS_MAX
from meterwire.dlt698.objects.object_rows import Object
from meterwire.dlt698.sessions.server import ERROR_NOT_SUPPORTED
from meterwire.dlt698.sessions.transfer import FRAME_OCTETS_LEAST

TYPE_UNFIT: Final = Dar(7)
OUT_OF_RANGE: Final = Dar(8)
NOT_AUTHORISED: Final = Dar(15)
TIME_TAG_INVALID: Final = Dar(32)
TOO_MUCH: Final = Dar(254)
"""Vendor extension: the answer would be longer than any that can be cut."""

CONNECT_ALLOWED, WRONG_PASSWORD, VERSION_MISMATCH, OTHER = 0, 1, 5, 255
VERSION: Final = 0x16
CLOCK: Final = Oad(0x4000, 2, 0)
BROADCAST_TIME: Final = Omd(0x4000, 127, 0)
BROADCAST_STEP_MAX: Final = timedelta(minutes=5)
"""A broadcast moves the clock by so much at most, and once a day. Source: DL/T 645-2007, 7.1.6, likewise."""

TIMEOUT_S_MAX: Final = 0xFFFFFFFF
_PROTOCOL_BITS: Final = (0, 1, 2, 3, 6, 7, 8, 9, 12, 13, 14, 17, 20, 21, 22, 23, 24, 25, 26)
_FUNCTION_BITS: Final = (0, 1, 7, 17)
_TAG_SPANS: Final = {
    0: timedelta(seconds=1),
    1: timedelta(minutes=1),
    2: timedelta(hours=1),
    3: timedelta(days=1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a meter says of itself in a CONNECT, and how it numbers blocks.

    Args:
        frame: longest frame that it sends and takes, 64 to 16,385 octets.
        apdu: longest APDU that it takes, 64 to 16,385 octets.
        timeout_s: an association may be silent so long, 1 s or more.
        first_block: number of an answer's first block: 1 in the standard's example, 0 in some firmware.

    Raises:
        ValueError: a figure out of its range.

    """

    frame: int = 1024
    apdu: int = 2000
    timeout_s: int = 7200
    first_block: int = 1

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_octets("a frame", self.frame)
        check_octets("an APDU", self.apdu)
        if not 1 <= self.timeout_s <= TIMEOUT_S_MAX:
            raise ValueError(f"an association that ends after {self.timeout_s} s: 1 to {TIMEOUT_S_MAX}")
        if self.first_block not in {0, 1}:
            raise ValueError(f"blocks that begin with number {self.first_block}: 0 or 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How a request came.

    Args:
        at: true time, aware.
        trusted: in an association by password.
        broadcast: to everybody or a group; nobody is answered.

    """

    at: datetime
    trusted: bool = False
    broadcast: bool = False


class Attributes(Protocol):
    """What a device gives when it is read; `metersim.dlt698.registers.Registers` of a meter."""

    reports_allowed: bool

    def read(self, oad: Oad, at: datetime) -> Data | Dar:
        """The attribute, or an element of it, or why not."""

    def object(self, oi: int, at: datetime) -> Object | None:
        """The object, where the device has it."""


class Records(Protocol):
    """The record tables of a device; `metersim.dlt698.records.RecordReader` of a meter."""

    def read(self, request: RecordRequest, at: datetime) -> RecordResult:
        """The answer to one GetRecord."""


class Services:
    """The services of one device.

    Args:
        registers: reads its attributes.
        records: reads its tables.
        clock: its clock.
        password: that a client has to know who wants to change something; ``None``: nobody can.
        limits: its sizes.

    """

    def __init__(
        self,
        registers: Attributes,
        records: Records,
        clock: MeterClock,
        *,
        password: str | None,
        limits: Limits,
    ) -> None:
        self._registers = registers
        self._records = records
        self._clock = clock
        self._password = password
        self._limits = limits
        self._answers: dict[type, Callable[[Any, Circumstances], Apdu]] = {
            ConnectRequest: self._connect,
            get.GetRequestNormal: self._get,
            get.GetRequestNormalList: self._get_list,
            get.GetRequestRecord: self._get_record,
            get.GetRequestRecordList: self._get_records,
            get.GetRequestMD5: self._get_md5,
            writing.SetRequestNormal: self._set,
            writing.SetRequestNormalList: self._set_list,
            writing.SetThenGetRequestNormalList: self._set_then_get,
            action.ActionRequestNormal: self._act,
            action.ActionRequestNormalList: self._act_list,
            action.ActionThenGetRequestNormalList: self._act_then_get,
        }

    def answer(self, request: Any, how: Circumstances) -> Apdu:
        """The answer; an ERROR to what no meter here can do (PROXY, other mechanisms).

        Args:
            request: an APDU of a client.
            how: how it came.

        """
        answer = self._answers.get(type(request))
        if answer is None:
            return ServerErrorResponse(
                piid=request.piid, error=ERROR_NOT_SUPPORTED, time_tag=getattr(request, "time_tag", None)
            )
        return answer(request, how)

    # --- CONNECT ---

    def _connect(self, request: ConnectRequest, how: Circumstances) -> ConnectResponse:
        """Names no more than the client did: there are clients that take more for a broken agreement."""
        del how
        limits = self._limits
        return ConnectResponse(
            piid=request.piid,
            factory=FACTORY,
            version=min(request.version, VERSION),
            protocol_conformance=_common(request.protocol_conformance, _PROTOCOL_BITS),
            function_conformance=_common(request.function_conformance, _FUNCTION_BITS),
            tx_max=_at_most(request.rx_max, limits.frame),
            rx_max=_at_most(request.tx_max, limits.frame),
            rx_window=1,
            apdu_max=_at_most(request.apdu_max, limits.apdu),
            timeout_s=_at_most(request.timeout_s, limits.timeout_s),
            result=self._admitted(request),
            time_tag=request.time_tag,
        )

    def _admitted(self, request: ConnectRequest) -> int:
        match request.auth:
            case NullSecurity():
                return CONNECT_ALLOWED
            case PasswordSecurity(password):
                return CONNECT_ALLOWED if password == self._password else WRONG_PASSWORD
            case _:
                return OTHER  # there is no security module

    # --- GET ---

    def _get(self, request: get.GetRequestNormal, how: Circumstances) -> Apdu:
        result = self._read(request.oad, request.time_tag, how)
        return get.GetResponseNormal(piid=request.piid, result=result, time_tag=request.time_tag)

    def _get_list(self, request: get.GetRequestNormalList, how: Circumstances) -> Apdu:
        results = tuple(self._read(oad, request.time_tag, how) for oad in request.oads)
        return get.GetResponseNormalList(piid=request.piid, results=results, time_tag=request.time_tag)

    def _get_record(self, request: get.GetRequestRecord, how: Circumstances) -> Apdu:
        [record] = self._rows((request.record,), request.time_tag, how)
        return get.GetResponseRecord(piid=request.piid, record=record, time_tag=request.time_tag)

    def _get_records(self, request: get.GetRequestRecordList, how: Circumstances) -> Apdu:
        records = self._rows(request.records, request.time_tag, how)
        return get.GetResponseRecordList(piid=request.piid, records=records, time_tag=request.time_tag)

    def _get_md5(self, request: get.GetRequestMD5, how: Circumstances) -> Apdu:
        read = self._read(request.oad, request.time_tag, how).result
        found: Dar | bytes = read if isinstance(read, Dar) else _md5(read)
        return get.GetResponseMD5(piid=request.piid, oad=request.oad, result=found, time_tag=request.time_tag)

    def _read(self, oad: Oad, tag: TimeTag | None, how: Circumstances) -> AttributeResult:
        late = self._late(tag, how)
        return AttributeResult(oad, late or self._registers.read(oad, how.at))

    def _rows(
        self, requests: tuple[RecordRequest, ...], tag: TimeTag | None, how: Circumstances
    ) -> tuple[RecordResult, ...]:
        """Records of several tables; together no more rows than of one, the rest is refused."""
        late = self._late(tag, how)
        found: list[RecordResult] = []
        left = ROWS_MAX
        for request in requests:
            refused = late or (None if left > 0 else TOO_MUCH)
            result = RecordResult(request.oad, request.rcsd, refused) if refused else None
            found.append(result or self._records.read(request, how.at))
            left -= len(found[-1].result) if isinstance(found[-1].result, tuple) else 0
        return tuple(found)

    # --- SET ---

    def _set(self, request: writing.SetRequestNormal, how: Circumstances) -> Apdu:
        result = self._write(request.item, request.time_tag, how)
        return writing.SetResponseNormal(piid=request.piid, item=result, time_tag=request.time_tag)

    def _set_list(self, request: writing.SetRequestNormalList, how: Circumstances) -> Apdu:
        results = tuple(self._write(item, request.time_tag, how) for item in request.items)
        return writing.SetResponseNormalList(piid=request.piid, items=results, time_tag=request.time_tag)

    def _set_then_get(self, request: writing.SetThenGetRequestNormalList, how: Circumstances) -> Apdu:
        """The reads follow at once: nothing here needs the delay to settle."""
        results = []
        for oad, data, get_oad, _ in request.items:
            written = self._write(SetItem(oad, data), request.time_tag, how)
            results.append(SetThenGetResult(oad, written.dar, self._read(get_oad, request.time_tag, how)))
        return writing.SetThenGetResponseNormalList(
            piid=request.piid, items=tuple(results), time_tag=request.time_tag
        )

    def _write(self, item: SetItem, tag: TimeTag | None, how: Circumstances) -> SetResult:
        late = self._late(tag, how)
        return SetResult(item.oad, late or self._written(item, how))

    def _written(self, item: SetItem, how: Circumstances) -> Dar:
        if self._registers.object(item.oad.oi, how.at) is None:
            return NO_SUCH_OBJECT
        if item.oad not in {CLOCK, REPORTS_ALLOWED}:
            known = isinstance(self._registers.read(item.oad, how.at), Data)
            return DENIED if known else NO_SUCH_ATTRIBUTE
        if not how.trusted:
            return NOT_AUTHORISED
        if item.oad == CLOCK:
            return self._set_clock(item.data, how)
        if item.data.type != "bool":
            return TYPE_UNFIT
        self._registers.reports_allowed = bool(item.data.value)
        return SUCCESS

    def _set_clock(self, data: Data, how: Circumstances, *, broadcast: bool = False) -> Dar:
        if data.type != "date_time_s" or not isinstance(data.value, DateTimeS):
            return TYPE_UNFIT
        civil = data.value.civil()
        if civil is None:
            return OUT_OF_RANGE
        shown = civil.replace(tzinfo=PLANT_TIME)
        if broadcast and (refused := self._broadcast_refused(shown, how.at)):
            return refused
        try:
            self._clock.set(shown, how.at, broadcast=broadcast)
        except ClockOutOfRange:
            return OUT_OF_RANGE
        return SUCCESS

    def _broadcast_refused(self, shown: datetime, at: datetime) -> Dar | None:
        now = self._clock.shows(at)
        if abs(shown - now) > BROADCAST_STEP_MAX:
            return OUT_OF_RANGE
        today = any(one.broadcast and one.after.date() == now.date() for one in self._clock.settings)
        return DENIED if today else None

    # --- ACTION ---

    def _act(self, request: action.ActionRequestNormal, how: Circumstances) -> Apdu:
        result = self._perform(request.item, request.time_tag, how)
        return action.ActionResponseNormal(piid=request.piid, item=result, time_tag=request.time_tag)

    def _act_list(self, request: action.ActionRequestNormalList, how: Circumstances) -> Apdu:
        results = tuple(self._perform(item, request.time_tag, how) for item in request.items)
        return action.ActionResponseNormalList(piid=request.piid, items=results, time_tag=request.time_tag)

    def _act_then_get(self, request: action.ActionThenGetRequestNormalList, how: Circumstances) -> Apdu:
        results = []
        for omd, data, get_oad, _ in request.items:
            done = self._perform(ActionItem(omd, data), request.time_tag, how)
            read = self._read(get_oad, request.time_tag, how)
            results.append(ActionThenGetResult(omd, done.dar, done.data, read))
        return action.ActionThenGetResponseNormalList(
            piid=request.piid, items=tuple(results), time_tag=request.time_tag
        )

    def _perform(self, item: ActionItem, tag: TimeTag | None, how: Circumstances) -> ActionResult:
        late = self._late(tag, how)
        return ActionResult(item.omd, late or self._performed(item, how))

    def _performed(self, item: ActionItem, how: Circumstances) -> Dar:
        found = self._registers.object(item.omd.oi, how.at)
        if found is None:
            return NO_SUCH_OBJECT
        if item.omd == BROADCAST_TIME:
            if not how.trusted and not how.broadcast:
                return NOT_AUTHORISED
            return self._set_clock(item.data, how, broadcast=True)
        if found.row(item.omd.method, is_method=True) is None:
            return NO_SUCH_ATTRIBUTE
        return DENIED if how.trusted else NOT_AUTHORISED

    # --- time tags ---

    def _late(self, tag: TimeTag | None, how: Circumstances) -> Dar | None:
        """DAR 32 when its time is over by the meter's clock; a delay of 0 and tags of the future pass."""
        if tag is None or not tag.delay.value:
            return None
        sent, span = tag.sent_at.civil(), _TAG_SPANS.get(tag.delay.unit)
        if sent is None or span is None:
            return TIME_TAG_INVALID
        now = self._clock.shows(how.at).replace(tzinfo=None)
        return TIME_TAG_INVALID if now - sent > tag.delay.value * span else None


def check_octets(what: str, octets: int) -> None:
    """Whether a size can be told and be kept to.

    Raises:
        ValueError: it cannot.

    """
    if not FRAME_OCTETS_LEAST <= octets <= FRAME_OCTETS_MAX:
        raise ValueError(f"{octets} octets of {what}: {FRAME_OCTETS_LEAST} to {FRAME_OCTETS_MAX}")


def _at_most(named: int, own: int) -> int:
    """The smaller of what both name; 0 names nothing."""
    return min(named or own, own)


def _md5(data: Data) -> bytes:
    """Over the attribute as it would have been sent; the standard asks for this function by name."""
    return hashlib.md5(data_to_octets(data), usedforsecurity=False).digest()


def _bits(numbers: tuple[int, ...], octets: int) -> bytes:
    word = sum(1 << octets * 8 - 1 - number for number in numbers)
    return word.to_bytes(octets, "big")


def _common(theirs: bytes, ours: tuple[int, ...]) -> bytes:
    """What both sides know."""
    known = _bits(ours, len(theirs))
    return bytes(one & other for one, other in zip(theirs, known, strict=True))
