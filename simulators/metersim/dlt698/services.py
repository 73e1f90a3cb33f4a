"""What a meter answers to a request, as APDUs: GET, SET, ACTION, CONNECT; nothing of frames here.

Who is not associated by password may read and no more (DAR 15 for the rest); a broadcast may set the clock
by the method that is made for it. A request that came too late by its time tag is answered with DAR 32 and
does nothing. Source: spec sections 2.1, 3.3 to 3.7 and 4.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from metersim.dlt698.admission import Admission
from metersim.dlt698.circumstances import (
    DENIED,
    NO_SUCH_ATTRIBUTE,
    NO_SUCH_OBJECT,
    NOT_AUTHORISED,
    OUT_OF_RANGE,
    TIME_TAG_INVALID,
    TYPE_UNFIT,
    Circumstances,
    Done,
    Part,
    Unfit,
)
from metersim.dlt698.control import TAGGED, RelayPart
from metersim.dlt698.modes import PLAIN_METHODS, Access, Modes
from metersim.dlt698.records import ROWS_MAX
from metersim.dlt698.selecting import SPANS
from metersim.works.clock import ClockOutOfRange, MeterClock
from metersim.works.moments import PLANT_TIME
from meterwire.dlt698.apdus import action, get
from meterwire.dlt698.apdus import set as writing
from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.association import (
    ConnectRequest,
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
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.object_rows import Object
from meterwire.dlt698.sessions.server import ERROR_NOT_SUPPORTED

TOO_MUCH: Final = Dar(254)
"""Vendor extension: the answer would be longer than any that can be cut."""

CLOCK: Final = Oad(0x4000, 2, 0)
BROADCAST_TIME: Final = Omd(0x4000, 127, 0)
BROADCAST_STEP_MAX: Final = timedelta(minutes=5)
"""A broadcast moves the clock by so much at most, and once a day. Source: DL/T 645-2007, 7.1.6, likewise."""


class Attributes(Protocol):
    """What a device gives when it is read; `metersim.dlt698.registers.Registers` of a meter."""

    def read(self, oad: Oad, at: datetime) -> Data | Dar:
        """The attribute, or an element of it, or why not."""

    def object(self, oi: int, at: datetime) -> Object | None:
        """The object, where the device has it."""

    def part(self, oi: int) -> Part | None:
        """The part of the device that has an object; ``None``: no part of its own has it."""


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
        admission: answers a CONNECT.
        modes: how strongly requests have to be protected; everything is taken by default.

    """

    def __init__(
        self,
        registers: Attributes,
        records: Records,
        clock: MeterClock,
        *,
        admission: Admission,
        modes: Modes | None = None,
    ) -> None:
        self._admission = admission
        self._modes = modes or Modes()
        self._registers = registers
        self._records = records
        self._clock = clock
        self._answers: dict[type, Callable[[Any, Circumstances], Apdu]] = {
            ConnectRequest: self._admission.connect,
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
        refused = self._late(tag, how) or self._modes.refusal(oad.oi, "read", how.reads)
        return AttributeResult(oad, refused or self._registers.read(oad, how.at))

    def _rows(
        self, requests: tuple[RecordRequest, ...], tag: TimeTag | None, how: Circumstances
    ) -> tuple[RecordResult, ...]:
        """Records of several tables; together no more rows than of one, the rest is refused."""
        late = self._late(tag, how)
        found: list[RecordResult] = []
        left = ROWS_MAX
        for request in requests:
            weak = self._modes.refusal(request.oad.oi, "read", how.reads)
            refused = late or weak or (None if left > 0 else TOO_MUCH)
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
        if (refused := self._forbidden(item.oad.oi, "write", how)) is not None:
            return refused
        if not how.trusted:
            return NOT_AUTHORISED if self._can_be_written(item.oad) else self._unwritable(item.oad, how)
        if (part := self._registers.part(item.oad.oi)) is not None:
            return self._written_there(part, item, how)
        return self._written_here(item, how)

    def _can_be_written(self, oad: Oad) -> bool:
        return oad == CLOCK or self._registers.part(oad.oi) is not None

    def _unwritable(self, oad: Oad, how: Circumstances) -> Dar:
        return DENIED if isinstance(self._registers.read(oad, how.at), Data) else NO_SUCH_ATTRIBUTE

    def _written_here(self, item: SetItem, how: Circumstances) -> Dar:
        if item.oad == CLOCK:
            return self._set_clock(item.data, how)
        return self._unwritable(item.oad, how)

    def _written_there(self, part: Part, item: SetItem, how: Circumstances) -> Dar:
        try:
            written = part.write(item, how)
        except Unfit as unfit:
            return unfit.dar
        return self._unwritable(item.oad, how) if written is None else written

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
        part = self._registers.part(item.omd.oi)
        late = self._late(tag, how)
        if isinstance(part, RelayPart) and not part.checks_expiry:
            late = None
        if tag is None and part is not None and item.omd.oi in TAGGED:
            late = TIME_TAG_INVALID
        done = Done(late) if late else self._performed(item, how)
        if done.dar and isinstance(part, RelayPart):
            part.refuse(done.dar)
        return ActionResult(item.omd, done.dar, done.data)

    def _performed(self, item: ActionItem, how: Circumstances) -> Done:
        proves_itself = item.omd in PLAIN_METHODS
        if (refused := self._forbidden(item.omd.oi, None if proves_itself else "action", how)) is not None:
            return Done(refused)
        found = dictionary().object(item.omd.oi)
        assert found is not None, "it is not forbidden"
        if (part := self._registers.part(item.omd.oi)) is None:
            return Done(self._performed_here(found, item, how))
        if found.row(item.omd.method, is_method=True) is None:
            return Done(NO_SUCH_ATTRIBUTE)
        obedient = how.everybody and isinstance(part, RelayPart) and part.obeys_everybody
        return self._performed_there(part, item, how, allowed=proves_itself or how.trusted or obedient)

    def _performed_there(self, part: Part, item: ActionItem, how: Circumstances, *, allowed: bool) -> Done:
        if not allowed:
            return Done(NOT_AUTHORISED)
        try:
            return part.act(item, how) or Done(DENIED)
        except Unfit as unfit:
            return Done(unfit.dar)

    def _performed_here(self, found: Object, item: ActionItem, how: Circumstances) -> Dar:
        if item.omd == BROADCAST_TIME:
            if not how.trusted and not how.broadcast:
                return NOT_AUTHORISED
            return self._set_clock(item.data, how, broadcast=True)
        if found.row(item.omd.method, is_method=True) is None:
            return NO_SUCH_ATTRIBUTE
        return DENIED if how.trusted else NOT_AUTHORISED

    # --- security modes and time tags ---

    def _forbidden(self, oi: int, access: Access | None, how: Circumstances) -> Dar | None:
        """Why an object cannot be changed so, before it is asked who wants to."""
        if self._registers.object(oi, how.at) is None:
            return NO_SUCH_OBJECT
        return self._modes.refusal(oi, access, how.changes) if access else None

    def _late(self, tag: TimeTag | None, how: Circumstances) -> Dar | None:
        """DAR 32 when its time is over by the meter's clock; a delay of 0 and tags of the future pass."""
        if tag is None or not tag.delay.value:
            return None
        sent, span = tag.sent_at.civil(), SPANS.get(tag.delay.unit)
        if sent is None or span is None:
            return TIME_TAG_INVALID
        now = self._clock.shows(how.at).replace(tzinfo=None)
        return TIME_TAG_INVALID if now - sent > tag.delay.value * span else None


def _md5(data: Data) -> bytes:
    """Over the attribute as it would have been sent; the standard asks for this function by name."""
    return hashlib.md5(data_to_octets(data), usedforsecurity=False).digest()
