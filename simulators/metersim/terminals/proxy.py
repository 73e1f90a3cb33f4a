"""PROXY: a concentrator asks its meters what a master asks of them, and passes frames on as they are.

Meters on different ports are asked at the same time, those on one port one after the other; who is silent
costs itself its time, as far as the time for the whole lasts. What was not answered by then is DAR 33. Each
meter is asked once: what changes something may have been done although nobody answered. A meter of 698.45
hears the master's time tag, and what changes something in the association that the archive has a password
for; what it says of that comes back as it is. A SECURITY envelope for a meter travels in a frame.
Source: DL/T 698.45-2017, 7.3.9; spec sections 3.9 and 8.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from metersim.terminals.meters import Meters
from metersim.terminals.port import URGENT, PortBusy
from metersim.terminals.reading import DENIED, NO_ANSWER, NOT_THERE, OTHER, Reader698, Silent
from meterwire.dlt698.apdus import action, proxy
from meterwire.dlt698.apdus import set as writing
from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.link_management import ServerErrorResponse
from meterwire.dlt698.apdus.parts import (
    SUCCESS,
    ActionResult,
    ActionThenGetResult,
    AttributeResult,
    Dar,
    Piid,
    RecordResult,
    SetResult,
    SetThenGetResult,
    TimeTag,
)
from meterwire.dlt698.axdr.selection import Oad, Omd, Tsa
from meterwire.dlt698.axdr.values import Data

BUDGET_S: Final = 120
BUDGET_S_MAX: Final = 0xFFFF
TARGETS_MAX: Final = 64
"""Most meters of one request; more are refused (DAR 2)."""
BUSY: Final = Dar(2)
FORWARD: Final = Omd(0xF209, 127)
SilentReply = Literal["dar", "empty"]
"""How a frame that nobody answered comes back: DAR 33, or no octets. Source: spec section 8.2."""

_PORT: Final = Oad(0xF209, 2, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyHabits:
    """How a concentrator asks for others.

    Args:
        budget_s: longest time for one request, 1 to 65,535 s; shorter where the request says so.
        silent_reply: how a frame that nobody answered comes back.

    Raises:
        ValueError: ``budget_s`` is out of its range.

    """

    budget_s: int = BUDGET_S
    silent_reply: SilentReply = "dar"

    def __post_init__(self) -> None:
        """Check the range."""
        if not 1 <= self.budget_s <= BUDGET_S_MAX:
            raise ValueError(f"{self.budget_s} s for a request: 1 to {BUDGET_S_MAX} s")

    def within_s(self, asked_s: int) -> int:
        """What is left of a time that was asked for; 0 asks for none."""
        return min(asked_s or self.budget_s, self.budget_s)


class _Kind(NamedTuple):
    """One of the services for lists of meters.

    Args:
        answer: class of the answer.
        result: class of what it says of one meter.
        ask: (PIID, items, time tag) -> what the meter is asked; ``None``: a read.
        failed: (item, DAR) -> what is said of an item that was not done.

    """

    answer: Any
    result: Any
    ask: Callable[[Piid, Any, TimeTag | None], Apdu] | None
    failed: Callable[[Any, Dar], Any]


def _set_failed(item: Any, dar: Dar) -> Any:
    return SetThenGetResult(item.oad, dar, AttributeResult(item.get_oad, dar))


def _action_failed(item: Any, dar: Dar) -> Any:
    return ActionThenGetResult(item.omd, dar, None, AttributeResult(item.get_oad, dar))


_KINDS: Final[dict[type, _Kind]] = {
    proxy.ProxyGetRequestList: _Kind(proxy.ProxyGetResponseList, proxy.ProxyGetResult, None, AttributeResult),
    proxy.ProxySetRequestList: _Kind(
        proxy.ProxySetResponseList,
        proxy.ProxySetResult,
        lambda piid, items, tag: writing.SetRequestNormalList(piid=piid, items=items, time_tag=tag),
        lambda item, dar: SetResult(item.oad, dar),
    ),
    proxy.ProxySetThenGetRequestList: _Kind(
        proxy.ProxySetThenGetResponseList,
        proxy.ProxySetThenGetResult,
        lambda piid, items, tag: writing.SetThenGetRequestNormalList(piid=piid, items=items, time_tag=tag),
        _set_failed,
    ),
    proxy.ProxyActionRequestList: _Kind(
        proxy.ProxyActionResponseList,
        proxy.ProxyActionResult,
        lambda piid, items, tag: action.ActionRequestNormalList(piid=piid, items=items, time_tag=tag),
        lambda item, dar: ActionResult(item.omd, dar),
    ),
    proxy.ProxyActionThenGetRequestList: _Kind(
        proxy.ProxyActionThenGetResponseList,
        proxy.ProxyActionThenGetResult,
        lambda piid, items, tag: action.ActionThenGetRequestNormalList(piid=piid, items=items, time_tag=tag),
        _action_failed,
    ),
}


class Proxy:
    """The services of one concentrator that reach through it.

    Args:
        meters: behind it.
        habits: how it asks.

    """

    def __init__(self, meters: Meters, habits: ProxyHabits) -> None:
        self._meters = meters
        self._habits = habits

    @staticmethod
    def is_meant(request: Any) -> bool:
        """Whether a request reaches through."""
        single = proxy.ProxyGetRequestRecord | proxy.ProxyTransCommandRequest
        forwards = isinstance(request, action.ActionRequestNormal) and request.item.omd == FORWARD
        return type(request) in _KINDS or isinstance(request, single) or forwards

    @staticmethod
    def changes(request: Any) -> bool:
        """Whether a request may change something, as far as a concentrator can see."""
        return type(request) in _KINDS and not isinstance(request, proxy.ProxyGetRequestList)

    async def answer(self, request: Any) -> Apdu:
        """The answer, once there is one for every meter or the time is over.

        Args:
            request: one that `is_meant`.

        """
        kind = _KINDS.get(type(request))
        if kind is not None:
            return await self._for_each(request, kind)
        if isinstance(request, proxy.ProxyGetRequestRecord):
            return await self._record(request)
        if isinstance(request, proxy.ProxyTransCommandRequest):
            return await self._passed_on(request)
        return await self._forwarded(request)

    def refused(self, request: Any, dar: Dar) -> Apdu:
        """The answer of one that was not carried out.

        Args:
            request: one that `is_meant`.
            dar: why.

        """
        kind = _KINDS.get(type(request))
        if kind is not None:
            done = [_all_failed(kind, target, dar) for target in request.targets]
            return _list_answer(request, kind, done)
        if isinstance(request, proxy.ProxyGetRequestRecord):
            return _record_answer(request, RecordResult(request.record.oad, request.record.rcsd, dar))
        if isinstance(request, proxy.ProxyTransCommandRequest):
            return _passed_on_answer(request, dar)
        return _forwarded_answer(request, ActionResult(FORWARD, dar))

    # --- lists of meters ---

    async def _for_each(self, request: Any, kind: _Kind) -> Apdu:
        """Results come in the order in which they were had, then those that were not."""
        if len(request.targets) > TARGETS_MAX:
            return self.refused(request, BUSY)
        done: dict[int, Any] = {}
        by_port: dict[Oad | None, list[int]] = {}
        for number, target in enumerate(request.targets):
            entry = self._meters.archive.entry(target.tsa.digits)
            by_port.setdefault(entry.port if entry else None, []).append(number)
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(self._habits.within_s(request.timeout_s)),
                asyncio.TaskGroup() as group,
            ):
                for oad, numbers in by_port.items():
                    asking = self._ask_all(request, kind, numbers, done)
                    group.create_task(asking, name=f"concentrator.proxy[{oad}]")
        for number, target in enumerate(request.targets):
            if number not in done:
                done[number] = _all_failed(kind, target, NO_ANSWER)
        return _list_answer(request, kind, list(done.values()))

    async def _ask_all(self, request: Any, kind: _Kind, numbers: Sequence[int], done: dict[int, Any]) -> None:
        for number in numbers:
            target = request.targets[number]
            done[number] = await self._ask(target, kind, request.time_tag)

    async def _ask(self, target: Any, kind: _Kind, tag: TimeTag | None) -> Any:
        """What one meter says."""
        reader = self._reader(target.tsa)
        if reader is None:
            return _all_failed(kind, target, NOT_THERE)
        if kind.ask is not None and not isinstance(reader, Reader698):
            return _all_failed(kind, target, DENIED)
        try:
            return await self._asked(reader, target, kind, tag)
        except Silent:
            return _all_failed(kind, target, NO_ANSWER)
        except PortBusy:
            return _all_failed(kind, target, BUSY)

    @staticmethod
    async def _asked(reader: Any, target: Any, kind: _Kind, tag: TimeTag | None) -> Any:
        """The same; raises as the reader does."""
        how: dict[str, Any] = {"timeout_s": target.timeout_s, "priority": URGENT}
        if kind.ask is None:
            return kind.result(target.tsa, await reader.attributes(target.items, tag=tag, **how))
        reply = await reader.change(kind.ask(reader.next_piid(), target.items, tag), **how)
        if isinstance(reply, ServerErrorResponse):
            return _all_failed(kind, target, OTHER)
        return kind.result(target.tsa, reply.items)

    def _reader(self, tsa: Tsa) -> Any:
        entry = self._meters.archive.entry(tsa.digits)
        return self._meters.reader(entry) if entry else None

    # --- one meter, one frame ---

    async def _record(self, request: proxy.ProxyGetRequestRecord) -> Apdu:
        reader = self._reader(request.tsa)
        if reader is None:
            return self.refused(request, NOT_THERE)
        try:
            async with asyncio.timeout(self._habits.within_s(request.timeout_s)):
                record = await reader.records(request.record, tag=request.time_tag, priority=URGENT)
        except (Silent, TimeoutError):
            return self.refused(request, NO_ANSWER)
        except PortBusy:
            return self.refused(request, BUSY)
        return _record_answer(request, record)

    async def _passed_on(self, request: proxy.ProxyTransCommandRequest) -> Apdu:
        gap_s = request.byte_timeout_ms / 1000
        reply = await self._through(request.port, request.command, request.frame_timeout_s, gap_s)
        silent = NO_ANSWER if self._habits.silent_reply == "dar" else b""
        return _passed_on_answer(request, reply or silent)

    async def _forwarded(self, request: action.ActionRequestNormal) -> Apdu:
        """F209, method 127: TSA, seconds, frame."""
        members = request.item.data.value if request.item.data.type == "structure" else ()
        if [one.type for one in members] != ["TSA", "long-unsigned", "octet-string"]:
            return self.refused(request, Dar(7))
        tsa, timeout_s, frame = (one.value for one in members)
        entry = self._meters.archive.entry(tsa.digits)
        reply = await self._through(entry.port if entry else _PORT, frame, timeout_s, 0)
        if not reply or isinstance(reply, Dar):
            return self.refused(request, reply or NO_ANSWER)
        return _forwarded_answer(request, ActionResult(FORWARD, SUCCESS, Data("octet-string", reply)))

    async def _through(self, oad: Oad, frame: bytes, timeout_s: int, gap_s: float) -> bytes | Dar:
        port = self._meters.port(oad)
        if port is None:
            return NOT_THERE
        try:
            async with asyncio.timeout(self._habits.budget_s):
                return await port.forward(frame, timeout_s=timeout_s, gap_s=gap_s)
        except TimeoutError:
            return b""
        except PortBusy:
            return BUSY


def _all_failed(kind: _Kind, target: Any, dar: Dar) -> Any:
    return kind.result(target.tsa, tuple(kind.failed(item, dar) for item in target.items))


def _list_answer(request: Any, kind: _Kind, results: Sequence[Any]) -> Apdu:
    answer: Apdu = kind.answer(piid=request.piid, targets=tuple(results), time_tag=request.time_tag)
    return answer


def _record_answer(request: proxy.ProxyGetRequestRecord, record: RecordResult) -> Apdu:
    return proxy.ProxyGetResponseRecord(
        piid=request.piid, tsa=request.tsa, record=record, time_tag=request.time_tag
    )


def _passed_on_answer(request: proxy.ProxyTransCommandRequest, result: bytes | Dar) -> Apdu:
    return proxy.ProxyTransCommandResponse(
        piid=request.piid, port=request.port, result=result, time_tag=request.time_tag
    )


def _forwarded_answer(request: action.ActionRequestNormal, result: ActionResult) -> Apdu:
    return action.ActionResponseNormal(piid=request.piid, item=result, time_tag=request.time_tag)
