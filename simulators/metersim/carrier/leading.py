"""A carrier module that decides what is read next: it asks (14), reads, and reports what it read (06-F2).

For each slave that this round has not read it asks what to read, until it is told that the slave is done, or
that nothing can be done. When all are read it says so (06-F3), and is idle until the next round. A slave that
does not answer is tried again after a pause.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final, Protocol

from metersim.carrier.nodes import Node
from metersim.carrier.reading import Reader, meter_frames
from metersim.carrier.standing import Standing
from meterwire.gdw1376.functions.module import REPORT, ROUTE_READ
from meterwire.gdw1376.layouts.nodes import Values

ANSWER_WAIT_S: Final = 20.0
"""How long it waits to be told what to read."""
CONFIRM_WAIT_S: Final = 120.0
"""How long it waits until a reading is confirmed, before it goes on."""
ASKS_MAX: Final = 64
"""Items of one slave in one go."""
PAUSE_S: Final = 60.0
"""Before slaves are tried again that did not answer."""
READ_IT, DONE = 2, 1
"""What a concentrator answers. Source: spec section A13."""
READING_FINISHED: Final = 1


class Caller(Protocol):
    """Begins exchanges with the concentrator."""

    async def call(self, afn: int, fn: int, values: Values) -> int | None:
        """Begin one; its number, or ``None`` where too many are open."""

    async def answer_to(self, number: int, *, within_s: float) -> dict[str, Any] | None:
        """What is answered to it; ``None``: nothing in time, and it is withdrawn."""

    async def confirmed(self, number: int, *, within_s: float) -> bool:
        """Whether it was confirmed in time; it stays open otherwise."""


class Leader:
    """Reads by itself while the module leads.

    Args:
        standing: how the module stands.
        reader: carries frames to meters.
        caller: to the concentrator.

    """

    def __init__(self, standing: Standing, reader: Reader, caller: Caller) -> None:
        self._standing = standing
        self._reader = reader
        self._caller = caller
        self._news = asyncio.Event()

    def look(self) -> None:
        """Something may be to be done."""
        self._news.set()

    async def run(self) -> None:
        """Read, until cancelled."""
        self._news = asyncio.Event()  # the next run may be in another loop
        finished = False
        while True:
            if self._standing.leads and self._standing.nodes.unread:
                finished = False
                await self._round()
            if self._standing.leads and not self._standing.nodes.unread:
                if not finished and len(self._standing.nodes):
                    await self._caller.call(REPORT, 3, {"state": READING_FINISHED})
                    finished = True
                await self._rest(None)
            else:
                await self._rest(PAUSE_S if self._standing.leads else None)

    async def _rest(self, wait_s: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._news.wait()
        self._news.clear()

    async def _round(self) -> None:
        await self._ask_time()
        for node in self._standing.nodes.unread:
            if not self._standing.leads:
                return
            if node.joined:
                await self._lead(node)

    async def _ask_time(self) -> None:
        number = await self._caller.call(ROUTE_READ, 2, {})
        if number is not None:
            await self._caller.answer_to(number, within_s=ANSWER_WAIT_S)

    async def _lead(self, node: Node) -> None:
        for _ in range(ASKS_MAX):
            if not self._standing.leads or node.address not in self._standing.nodes:
                return
            told = await self._asked(node)
            if told is None or told["read_flag"] != READ_IT:
                node.read = told is not None and told["read_flag"] == DONE
                return
            frame = await self._frame(node, told)
            if not frame or not await self._read(node, frame):
                return

    async def _asked(self, node: Node) -> dict[str, Any] | None:
        index = self._standing.nodes.index(node)
        values = {"phase": node.phase, "addr": node.address, "index": index}
        return await self._answered(1, values)

    async def _answered(self, fn: int, values: Values) -> dict[str, Any] | None:
        number = await self._caller.call(ROUTE_READ, fn, values)
        if number is None:
            return None
        return await self._caller.answer_to(number, within_s=ANSWER_WAIT_S)

    async def _frame(self, node: Node, told: dict[str, Any]) -> bytes:
        """The frame to send; what depends on the delay is asked for once more."""
        frame: bytes = told["payload"]
        if told["delay_related"]:
            delay_s = round(self._standing.ways.longest_s / 2)
            length = len(frame)
            asked = {"addr": node.address, "delay_s": delay_s, "len": length, "payload": told["payload"]}
            told = await self._answered(3, asked) or {"payload": b""}
            frame = told["payload"]
        return frame

    async def _read(self, node: Node, frame: bytes) -> bool:
        """Read one thing and report it; whether that went well."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        answer = await self._reader.exchange(node, meter_frames(frame))
        if not answer or len(answer) > 0xFF or node.address not in self._standing.nodes:
            return False
        values = {
            "index": self._standing.nodes.index(node),
            "protocol": node.protocol,
            "uplink_s": round((loop.time() - began_s) / 2),
            "len": len(answer),
            "payload": answer,
        }
        number = await self._caller.call(REPORT, 2, values)
        if number is None:
            return False
        await self._caller.confirmed(number, within_s=CONFIRM_WAIT_S)
        return True
