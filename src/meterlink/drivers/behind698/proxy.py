"""Requests for a meter of DL/T 698.45, carried out by the concentrator before it (PROXY 1 and 2).

What asks a meter straight asks it so too: a request for attributes or records goes to the concentrator, which
asks the meter, and the answer is given back as the meter's own. Meters are told by their address, never by
their place in the answer. That a meter said nothing (DAR 33) is a silence like any other; so is that the
concentrator has no time for it now (DAR 2). A concentrator that does not know such a request at all is not
asked again in that way while its connection lasts: each meter would cost one exchange in vain.
Source: spec dlt698, sections 3.9 and 8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.drivers.behind698.ways import Behind, Patiently
from meterlink.drivers.dlt698.portion import Portion
from meterlink.drivers.dlt698.talk import RequestOf, RequestRefused, Talk, code_words
from meterlink.errors import BadAnswer, ReplyTimeout
from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.get import (
    GetRequestNormal,
    GetRequestNormalList,
    GetRequestRecord,
    GetResponseNormal,
    GetResponseNormalList,
    GetResponseRecord,
)
from meterwire.dlt698.apdus.parts import AttributeResult, Dar, Piid
from meterwire.dlt698.apdus.proxy import (
    ProxyGetRequestRecord,
    ProxyGetResponseList,
    ProxyGetResponseRecord,
)
from meterwire.dlt698.axdr.selection import Oad, Tsa
from meterwire.dlt698.objects.answers import NO_ANSWER
from meterwire.dlt698.objects.concentrator import proxy_get

BUSY: Final = Dar(2)
"""Temporary failure: later it may do."""
_LATER: Final = frozenset({NO_ANSWER, BUSY})
METERS_REFUSED: Final = 3
"""So many different meters refused by an ERROR, none answered since, and it is taken for one without it."""
WITHOUT_S: Final = 3_600.0
"""So long at most: its connection may have ended, and another one begun, while nobody asked."""


@dataclass(slots=True)
class _Refusing:
    """What a concentrator says of one kind of request.

    Args:
        meters: for which it said no, and never yes.
        known: type of the ERROR by which it says that it does not do it at all, until ``until_s``.

    """

    meters: set[str] = field(default_factory=set)
    known: int | None = None
    until_s: float = 0.0

    def refused(self, address: str, error: RequestRefused, now_s: float) -> None:
        """It did not take a request for a meter."""
        self.meters.add(address)
        if error.is_of_service or len(self.meters) >= METERS_REFUSED:
            self.known, self.until_s = error.error, now_s + WITHOUT_S
            self.meters.clear()


class ProxyTalk:
    """Asks the meters behind one concentrator; an ``Asking`` of ``Dlt698Driver``.

    Args:
        talk: with the concentrator.
        behind: which one, and how long it may take.
        now_s: monotonic time.

    """

    def __init__(self, talk: Talk, behind: Behind, now_s: Callable[[], float]) -> None:
        self._talk = talk
        self._behind = behind
        self._now_s = now_s
        self._portion = Portion(now_s)
        self._breaks = talk.breaks
        self._refusing: dict[bool, _Refusing] = {}

    def lost(self, address: str) -> None:
        """See ``Asking.lost``: no association with a meter is kept here."""

    def portion(self, address: str) -> Portion:
        """See ``Asking.portion``: it is the concentrator that has to send the answer."""
        return self._portion

    async def ask(self, line: Exchanging, address: str, request_of: RequestOf, *, priority: Priority) -> Any:
        """See ``Asking.ask``.

        Raises:
            Refused: the concentrator does not do such a thing at all.
            BadAnswer: its answer does not fit.
            ReplyTimeout: the meter is silent, or the concentrator busy.
            ConfigError, LineLost, LineBusy, LineClosed, BusFull: as of ``Talk.ask``.

        """
        asked = request_of(Piid.of(0))
        reply = await self._carried(line, address, asked, priority)
        if isinstance(asked, GetRequestRecord):
            return self._record(address, reply)
        results = self._results(address, reply)
        self._check_heard(address, [result.result for result in results])
        if isinstance(asked, GetRequestNormal):
            return GetResponseNormal(piid=reply.piid, result=results[0])
        return GetResponseNormalList(piid=reply.piid, results=tuple(results))

    async def _carried(self, line: Exchanging, address: str, asked: Apdu, priority: Priority) -> Any:
        """What the concentrator answers; see ``ask``."""
        if self._breaks != self._talk.breaks:
            self._breaks = self._talk.breaks
            self._refusing.clear()
        kind = isinstance(asked, GetRequestRecord)
        refusing = self._refusing.setdefault(kind, _Refusing())
        if refusing.known is not None and self._now_s() < refusing.until_s:
            raise RequestRefused(f"{self._who} does not ask meters for us", error=refusing.known)
        try:
            reply = await self._talk.ask(
                Patiently(line, self._behind.answer_timeout_s),
                self._behind.terminal,
                lambda piid: self._request(asked, address, piid),
                priority=priority,
            )
        except RequestRefused as error:
            if isinstance(asked, GetRequestNormal) or not error.may_be_too_long:
                refusing.refused(address, error, self._now_s())
            raise
        self._refusing.pop(kind, None)
        return reply

    def _request(self, asked: Apdu, address: str, piid: Piid) -> Apdu:
        timeout_s = self._behind.meter_timeout_s
        match asked:
            case GetRequestRecord(record=record):
                return ProxyGetRequestRecord(
                    piid=piid, timeout_s=timeout_s, tsa=Tsa.of(address), record=record
                )
            case GetRequestNormal(oad=oad):
                wanted: dict[str, tuple[Oad, ...]] = {address: (oad,)}
            case GetRequestNormalList(oads=oads):
                wanted = {address: oads}
            case _:
                raise AssertionError(f"{type(asked).__name__} does not go through a concentrator")
        return proxy_get(piid, wanted, timeout_s=timeout_s, meter_timeout_s=timeout_s)

    def _record(self, address: str, reply: Any) -> GetResponseRecord:
        if not isinstance(reply, ProxyGetResponseRecord):
            raise self._unfit(address, reply)
        if reply.tsa.digits != address:
            raise BadAnswer(f"{self._who} answered records of meter {address} with those of another")
        if isinstance(reply.record.result, Dar):
            self._check_heard(address, [reply.record.result])
        return GetResponseRecord(piid=reply.piid, record=reply.record)

    def _results(self, address: str, reply: Any) -> list[AttributeResult]:
        if not isinstance(reply, ProxyGetResponseList):
            raise self._unfit(address, reply)
        found = [one for target in reply.targets if target.tsa.digits == address for one in target.items]
        if not found:
            raise ReplyTimeout(f"{self._who} says nothing of meter {address}")
        return found

    def _check_heard(self, address: str, results: list[Any]) -> None:
        """What comes first is what was wanted most: without it the rest can wait too."""
        if isinstance(results[0], Dar) and results[0] in _LATER:
            words = code_words("dar", results[0])
            raise ReplyTimeout(f"{self._who} has no answer of meter {address}: {words}")

    @property
    def _who(self) -> str:
        return f"terminal {self._behind.terminal}"

    def _unfit(self, address: str, reply: Any) -> BadAnswer:
        return BadAnswer(f"{self._who} answered for meter {address} with {type(reply).__name__}")
