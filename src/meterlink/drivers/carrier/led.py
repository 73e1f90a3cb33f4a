"""Reading while the module leads: it says whose turn it is (14-F1), is given a frame, and reports (06-F2).

A read of ours waits until the module asks for its meter, is given to it as the answer, and ends with the
report of that meter. What is no read, and what somebody waits for (an order, a person), is not left to the
module: it goes as where we lead, with the module paused. So does everything while the module asks for nobody.
A meter of which nothing is due is answered with "failed", so that the module asks again in its next round.
Source: spec gdw1376, A8, A13 and A15.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from meterlink.drivers.carrier.latency import Latencies
from meterlink.drivers.carrier.outstanding import Strays
from meterlink.drivers.carrier.payload import address_in, incoming
from meterlink.drivers.carrier.port import ModulePort
from meterlink.drivers.carrier.reading import MeterCall
from meterlink.errors import LineBusy, ReplyTimeout
from meterwire.errors import LocalProtocolError
from meterwire.gdw1376.messages.module import Message

WAIT_MAX_S: Final = 240.0
"""Longest wait for the module to ask; a line's watch counts it as it does the wait for a place."""
IDLE_S: Final = 120.0
"""A module that has asked for nobody for so long does not lead now."""
LOOK_S: Final = 2.0
"""How often a read that waits looks whether it has to go otherwise."""
NEXT_S: Final = 2.0
"""So long the module is kept waiting for the next thing of a meter that has just been read: it would go on to
the next meter, and come back in its next round only."""
MARGIN_S: Final = 10.0
"""Between the meter's answer and the module's report of it. Source: spec gdw1376, A15."""
TOLD_KEPT: Final = 256
"""Reports of which is remembered that they were taken: one whose confirmation was lost is told again."""
LATE_S: Final = 600.0
"""What a module reports of a meter so long after we gave up is the late answer to our frame."""
FRAME_OCTETS_MAX: Final = 255
"""Longest frame: its length has one octet."""
_READ_IT, _DONE, _NOTHING_NOW = 2, 1, 0
"""Answers to 14-F1; of a stranger the module shall not ask again. Source: spec gdw1376, A13."""


@dataclass(eq=False, slots=True)
class _Waiting:
    """A read until its meter has answered.

    Args:
        call: the lane's.
        given: set when the module was given its frame.
        answer: set to what the module reported.

    """

    call: MeterCall
    given: asyncio.Future[None]
    answer: asyncio.Future[bytes]


class Led:
    """The reads that one module leads while its port is open, however often it begins anew.

    Args:
        roster: addresses of our meters.
        latencies: how long nodes take.
        strays: counts answers that came too late.
        calls: counts what was given to the module, and what it reported.

    """

    def __init__(
        self, roster: Collection[str], latencies: Latencies, strays: Strays, calls: Counter[str]
    ) -> None:
        self._roster = roster
        self._latencies = latencies
        self._strays = strays
        self._calls = calls
        self._loop = asyncio.get_running_loop()
        self._asked_s = self._loop.time()
        self._waiting: dict[str, _Waiting] = {}
        self._given: dict[str, _Waiting] = {}
        self._ended_s: dict[str, float] = {}
        self._gave_up_s: dict[str, float] = {}
        self._held: dict[str, tuple[ModulePort, Message]] = {}
        self._told: OrderedDict[bytes, None] = OrderedDict()

    @property
    def is_idle(self) -> bool:
        """Whether the module asks for nobody."""
        return self._loop.time() - self._asked_s > IDLE_S

    # --- reads ---------------------------------------------------------------------------------

    async def carry_out(self, call: MeterCall, is_pressed: Callable[[], bool]) -> bool:
        """Bring a read to its end, if the module leads it there; whether it has one.

        Args:
            call: of one frame.
            is_pressed: somebody waits for this, or for something behind it.

        Raises:
            LineBusy: the module had others to read for ``WAIT_MAX_S``.
            ReplyTimeout: the meter did not answer the module.

        """
        address = call.outgoing.address
        [frame] = call.outgoing.frames
        if len(frame) > FRAME_OCTETS_MAX or address in self._waiting or address in self._given:
            return False
        one = _Waiting(call, self._loop.create_future(), self._loop.create_future())
        self._waiting[address] = one
        try:
            self._give_to_one_that_waits(address)
            if not await self._until_given(one, is_pressed):
                return call.answer.done()
            await self._until_answered(one)
            return True
        finally:
            self._waiting.pop(address, None)
            self._given.pop(address, None)
            self._ended_s[address] = now_s = self._loop.time()
            if one.given.done() and (one.answer.cancelled() or not one.answer.done()):
                self._gave_up_s[address] = now_s

    async def _until_given(self, one: _Waiting, is_pressed: Callable[[], bool]) -> bool:
        """Wait until the module asks; false: it is to go otherwise, or nobody wants it any more."""
        begun_s = self._loop.time()
        while not one.given.done():
            if one.call.answer.done() or is_pressed() or self.is_idle:
                return False
            if self._loop.time() - begun_s > WAIT_MAX_S:
                raise LineBusy(f"the carrier module read other meters for {WAIT_MAX_S:g} s")
            await asyncio.wait([one.given], timeout=LOOK_S)
        return True

    async def _until_answered(self, one: _Waiting) -> None:
        call, begun_s = one.call, self._loop.time()
        address = call.outgoing.address
        try:
            async with asyncio.timeout(self._latencies.timeout_s(address) + MARGIN_S):
                octets = await one.answer
        except TimeoutError:
            raise ReplyTimeout(f"meter {address} does not answer the carrier module") from None
        self._latencies.note(address, self._loop.time() - begun_s)
        if not call.answer.done():
            call.answer.set_result(octets)

    def begin_anew(self) -> None:
        """The module began anew, and its numbers with it: nothing that it reports from now on is a repeat."""
        self._told.clear()

    # --- what the module begins ----------------------------------------------------------------

    def asked(self, port: ModulePort, call: Message) -> None:
        """14-F1: whose turn it is."""
        self._asked_s = now_s = self._loop.time()
        address = str(call.values.get("addr", ""))
        if address in self._waiting:
            self._give(address, port, call)
        elif address in self._roster and now_s - self._ended_s.get(address, -NEXT_S) < NEXT_S:
            self._held[address] = port, call
            self._loop.call_later(NEXT_S, self._let_go, address, call)
        else:
            self._answer(port, call, _NOTHING_NOW if address in self._roster else _DONE)

    def reported(self, port: ModulePort, call: Message) -> bool:
        """06-F2: whether it is the answer to a frame of ours; then it is confirmed."""
        payload = call.values.get("payload", b"")
        address = address_in(payload)
        told = hashlib.sha256(bytes((call.frame.info.sequence,)) + call.frame.data).digest()
        one = self._given.get(address)
        if told not in self._told:
            if one is not None and not one.answer.done():
                one.answer.set_result(incoming(payload, is_698=one.call.outgoing.is_698))
                self._calls["led answers"] += 1
            elif self._loop.time() - self._gave_up_s.get(address, float("-inf")) < LATE_S:
                self._strays.late += 1
            else:
                return False
        self._told[told] = None
        while len(self._told) > TOLD_KEPT:
            self._told.popitem(last=False)
        port.confirm(call)
        return True

    def _give(self, address: str, port: ModulePort, call: Message) -> None:
        one = self._given[address] = self._waiting.pop(address)
        self._calls["led reads"] += 1
        self._answer(port, call, _READ_IT, one.call.outgoing.frames[0])
        one.given.set_result(None)
        if not one.call.sent.done():
            one.call.sent.set_result(None)

    def _give_to_one_that_waits(self, address: str) -> None:
        """The module waits for the next thing of a meter, and here it is."""
        if (held := self._held.pop(address, None)) is not None:
            self._give(address, *held)

    def _let_go(self, address: str, call: Message) -> None:
        port, held = self._held.get(address, (None, None))
        if port is not None and held is call:
            del self._held[address]
            with suppress(LocalProtocolError):  # the module has taken its question back
                self._answer(port, call, _NOTHING_NOW)

    @staticmethod
    def _answer(port: ModulePort, call: Message, flag: int, frame: bytes = b"") -> None:
        values: dict[str, Any] = {
            "read_flag": flag,
            "delay_related": 0,
            "len": len(frame),
            "payload": frame,
            "sub_nodes": 0,
            "sub_node_addrs": [],
        }
        port.reply(call, values)
