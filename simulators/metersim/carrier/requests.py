"""Frames that a concentrator has carried to meters: one at a time (02, 13), or several at once (F1)."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import Any, Final

from metersim.carrier.nodes import Node
from metersim.carrier.reading import Reader, meter_frames
from metersim.carrier.standing import (
    ADDRESS_UNKNOWN,
    BEING_READ,
    BUSY,
    INVALID_DATA,
    NO_ANSWER,
    NOT_IN_NETWORK,
    NOT_SUPPORTED,
    TOO_MANY_FRAMES,
    TOO_MANY_REQUESTS,
    WRONG_FORMAT,
    Denied,
    Standing,
)
from meterwire.gdw1376.link.module_frame import Frame, UpInfo
from meterwire.gdw1376.messages.module import Message, answer

FORWARD, MONITOR, CONCURRENT = 0x02, 0x13, 0xF1
READS: Final = MappingProxyType(
    {(FORWARD, 1): "data forward", (MONITOR, 1): "monitor a slave", (CONCURRENT, 1): "concurrent reading"}
)
"""What is carried to a meter, by AFN and Fn."""
SHORT_OCTETS_MAX: Final = 0xFF
"""Octets of a meter's frames in 02 and 13, whose length has one octet."""
CHANNEL: Final = 1


class MeterRequests:
    """Carries what the concentrator asks meters.

    Args:
        standing: how the module stands.
        reader: carries frames to meters.

    Attributes:
        overtaken: answers that came before that of an earlier request.

    """

    def __init__(self, standing: Standing, reader: Reader) -> None:
        self.overtaken = 0
        self._standing = standing
        self._reader = reader
        self._single: Node | None = None
        self._concurrent: dict[str, Node] = {}

    @property
    def in_flight(self) -> int:
        """Meters that are being asked by AFN F1."""
        return len(self._concurrent)

    def forget(self) -> None:
        """Nothing is under way any more, as after a reset."""
        self._single = None
        self._concurrent.clear()

    async def answer(self, message: Message) -> Frame:
        """What the module answers, after the meter has, or has not.

        Raises:
            Denied: the module refuses, or says so that the meter is silent.

        """
        node = self._node(message)
        if message.frame.afn == CONCURRENT:
            return await self._many(message, node)
        return await self._one(message, node)

    def _node(self, message: Message) -> Node:
        addresses, values = message.frame.addresses, message.values
        if addresses is None:
            raise Denied(WRONG_FORMAT)
        if not values["payload"]:
            raise Denied(INVALID_DATA)
        node = self._standing.nodes.get(addresses.destination)
        if node is None:
            raise Denied(ADDRESS_UNKNOWN)
        return node

    async def _one(self, message: Message, node: Node) -> Frame:
        if self._single is not None or self._standing.leads:
            raise Denied(BUSY)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        self._single = node
        try:
            answers = await self._exchange(message, node)
        finally:
            if self._single is node:
                self._single = None
        if len(answers) > SHORT_OCTETS_MAX:  # it has no room in the answer
            answers = b""
        said = self._said(message, node, answers)
        if message.frame.afn == MONITOR:
            said["uplink_s"] = round((loop.time() - began_s) / 2)
        return self._frame(message, node, said)

    async def _many(self, message: Message, node: Node) -> Frame:
        ways = self._standing.ways
        if not ways.window:
            raise Denied(NOT_SUPPORTED)
        if node.address in self._concurrent:
            raise Denied(BEING_READ)
        if len(self._concurrent) >= ways.window:
            raise Denied(TOO_MANY_REQUESTS)
        if len(meter_frames(message.values["payload"])) > ways.frames:
            raise Denied(TOO_MANY_FRAMES)
        self._concurrent[node.address] = node
        try:
            answers = await self._exchange(message, node)
        finally:
            self.overtaken += next(iter(self._concurrent), node.address) != node.address
            if self._concurrent.get(node.address) is node:
                del self._concurrent[node.address]
        return self._frame(message, node, self._said(message, node, answers))

    async def _exchange(self, message: Message, node: Node) -> bytes:
        return await self._reader.exchange(node, meter_frames(message.values["payload"]))

    def _said(self, message: Message, node: Node, answers: bytes) -> dict[str, Any]:
        """The data of the answer.

        Raises:
            Denied: there is none, and that is how this module says so.

        """
        if not answers and self._standing.ways.silent_reply == "denied":
            raise Denied(NO_ANSWER if node.joined else NOT_IN_NETWORK)
        protocol = message.values["protocol"]
        return {"protocol": protocol, "len": len(answers), "payload": answers}

    def _frame(self, message: Message, node: Node, said: dict[str, Any]) -> Frame:
        asked = message.frame
        info = UpInfo(
            asked.info.sequence,
            relay_level=node.level,
            channel=CHANNEL,
            phase=node.phase,
            command_quality=node.quality,
            answer_quality=node.quality,
        )
        return answer(asked, asked.afn, asked.fn, said)._replace(info=info)
