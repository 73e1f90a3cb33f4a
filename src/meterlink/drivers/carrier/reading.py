"""Reading one meter through the module: which function, how long, and what a denial means for the next try.

A read that the module denied before it went anywhere may be given again; whatever is no read (an order, a
setting) is given to the module once and never again, whatever it says, for nobody can prove that a denial
means that nothing left (decision 22). The caller looks at the meter then.
Source: spec gdw1376, A3, A5, A12 and A14.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from meterlink.config.carriers import MODULE_LEADS, CarrierSettings
from meterlink.drivers.carrier.asking import BUSY, CHECKSUM, ModuleDenied, denial_of
from meterlink.drivers.carrier.latency import Latencies
from meterlink.drivers.carrier.payload import CODES, Outgoing, incoming
from meterlink.drivers.carrier.port import ModulePort
from meterlink.drivers.carrier.ways import CONCURRENT, Ways
from meterlink.drivers.carrier.window import Window
from meterlink.errors import ReplyTimeout
from meterwire.gdw1376.messages.module import Message

AGAIN_MAX_S: Final = 60.0
"""So long after its first denial a read is given again."""
PAUSES_S: Final[dict[int, float]] = {BUSY: 2.0, CHECKSUM: 0.0, 109: 1.0, 111: 5.0}
"""Before a read is given again, by denial; other denials end it."""
TOO_MANY, TOO_MANY_FRAMES, NOT_FOUND = 109, 110, 7
_LENGTHS: Final = {"F1-F1": 0xFFFF, "13-F1": 0xFF, "02-F1": 0xFF}
"""Octets that the length of a payload can say."""
_AFNS: Final = {"F1-F1": 0xF1, "13-F1": 0x13, "02-F1": 0x02}


@dataclass(eq=False, slots=True)
class MeterCall:
    """One request to one meter.

    Args:
        lane: which lane asks.
        outgoing: what is sent.
        code: protocol octet of the meter.
        sent: set when it has left for the first time.
        answer: set to the frames that came back; cancelled by a lane that gives up.
        over: set when the module is done with it, or we are with the module.

    """

    lane: int
    outgoing: Outgoing
    code: int
    sent: asyncio.Future[None]
    answer: asyncio.Future[bytes]
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def fail(self, error: BaseException) -> None:
        """Nothing will come."""
        for future in (self.sent, self.answer):
            if not future.done():
                future.set_exception(error)
                future.exception()  # whoever asked may have gone


class Reader:
    """Reads meters through one module while it is open.

    Args:
        port: of the module.
        settings: of the module.
        way: by which function, as far as the module has said.
        window: how many at once.
        latencies: how long nodes take.
        denied: counts denials by code.
        unknown: is told of a node that the module does not know.

    """

    def __init__(
        self,
        port: ModulePort,
        settings: CarrierSettings,
        *,
        way: str,
        window: Window,
        latencies: Latencies,
        denied: Counter[int],
        unknown: Callable[[str], None],
    ) -> None:
        self._port = port
        self._settings = settings
        self._window = window
        self._latencies = latencies
        self._denied = denied
        self._unknown = unknown
        self._reading: dict[str, MeterCall] = {}
        self._loop = asyncio.get_running_loop()
        fixed = settings.read_by not in {"auto", MODULE_LEADS}
        self._ways = Ways(way, fixed=fixed, now_s=self._loop.time, changed=self._narrow)
        self._single = Window(1)
        """The place of meters that are read one at a time while the others are read at once."""
        self._narrow()

    @property
    def way(self) -> str:
        """How meters are read of which nothing else is known."""
        return self._ways.module

    def _narrow(self) -> None:
        self._window.narrow(one_at_a_time=self.way != CONCURRENT)

    def code_of(self, outgoing: Outgoing, roster: int | None) -> int:
        """The protocol octet of a meter: of the roster where it is there, else of its frame."""
        if outgoing.is_698:
            return self._settings.dlt698_code
        return CODES["dlt645-2007"] if roster is None else roster

    async def carry_out(self, call: MeterCall) -> None:
        """Bring a call to its end; it has one, whatever happens, unless this is cancelled.

        Raises:
            MeterlinkError: from port or window; nothing came.

        """
        address = call.outgoing.address
        while (other := self._reading.get(address)) is not None:
            await other.over.wait()  # given up by its lane, and not yet by the module (111)
        self._reading[address] = call
        try:
            octets = await self._frames(call)
        finally:
            del self._reading[address]
            call.over.set()
        if not call.answer.done():
            call.answer.set_result(octets)

    async def _frames(self, call: MeterCall) -> bytes:
        """The answer, of several frames together where the module takes them so."""
        frames = call.outgoing.frames
        try:
            if len(frames) > 1 and (found := await self._answer(call, frames)) is not None:
                return found
        except ModuleDenied as error:
            if error.code != TOO_MANY_FRAMES or not call.outgoing.is_read:
                raise self._silent(call, error) from None
        answers = []
        for frame in frames:
            try:
                answers.append(await self._answer(call, (frame,)))
            except ModuleDenied as error:
                raise self._silent(call, error) from None
        return b"".join(found for found in answers if found is not None)

    async def _answer(self, call: MeterCall, frames: tuple[bytes, ...]) -> bytes | None:
        """The frames that a meter answers with; none where its way takes not several at once.

        Raises:
            ModuleDenied: and nothing can be tried.
            ReplyTimeout: the meter, or the module, is silent.

        """
        begun_s: float | None = None
        address, payload = call.outgoing.address, b"".join(frames)
        while True:
            way = self._ways.of(address, is_read=call.outgoing.is_read)
            if len(frames) > 1 and way != CONCURRENT:
                return None
            _check_length(payload, way)
            try:
                message = await self._exchange(call, payload, way)
            except ModuleDenied as error:
                now_s = self._loop.time()
                begun_s = now_s if begun_s is None else begun_s
                if not self._may_again(call, error, way) or now_s - begun_s > AGAIN_MAX_S:
                    raise
                await asyncio.sleep(PAUSES_S.get(error.code, 0.0))
                continue
            self._ways.answered(way)
            self._window.answered()
            found = message.values.get("payload", b"")
            if not found:
                raise ReplyTimeout(f"meter {address} does not answer the carrier module")
            return incoming(found, is_698=call.outgoing.is_698)

    async def _exchange(self, call: MeterCall, payload: bytes, way: str) -> Message:
        address = call.outgoing.address
        window = self._single if way != CONCURRENT == self.way else self._window
        async with window.place(call.lane, urgent=not call.outgoing.is_read):
            if call.answer.done():  # its lane gave up, and nothing has left
                raise ReplyTimeout(f"meter {address} was not asked in time")
            asked = await self._port.begin(_AFNS[way], 1, _values(way, call.code, payload), address)
            if not call.sent.done():
                call.sent.set_result(None)
            message = await self._port.finish(asked, self._latencies.timeout_s(address))
            if message.is_denial:
                raise denial_of(message, f"{way} of meter {address}", self._denied)
            assert asked.sent_s is not None
            if message.values.get("payload"):
                self._latencies.note(address, self._loop.time() - asked.sent_s)
            return message

    def _may_again(self, call: MeterCall, error: ModuleDenied, way: str) -> bool:
        """Whether the same frame may be given to the module again, perhaps in another way."""
        if error.code == TOO_MANY:
            self._window.denied()
        if error.code == NOT_FOUND:
            self._unknown(call.outgoing.address)
        if not call.outgoing.is_read or call.answer.done():
            return False
        if self._ways.denied(call.outgoing.address, way, error.code):
            return True
        return error.code in PAUSES_S

    @staticmethod
    def _silent(call: MeterCall, error: ModuleDenied) -> ReplyTimeout:
        return ReplyTimeout(f"no answer from meter {call.outgoing.address}: {error}")


def _check_length(payload: bytes, way: str) -> None:
    most = _LENGTHS[way]
    if len(payload) > most:
        raise ReplyTimeout(
            f"a request of {len(payload)} octets does not fit into {way} of this carrier module, "
            f"which takes {most}"
        )


def _values(way: str, code: int, payload: bytes) -> dict[str, Any]:
    values: dict[str, Any] = {"protocol": code, "len": len(payload), "payload": payload}
    if way == "F1-F1":
        values["reserved"] = 0
    elif way == "13-F1":
        values |= {"delay_related": 0, "sub_nodes": []}
    return values
