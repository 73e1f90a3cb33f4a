"""A terminal of Q/GDW 1376.1 in memory: what it answers stands in a store that the test fills."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from meterlink.transports.stream import ByteStream
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.functions import terminal as table
from meterwire.gdw1376.link.terminal_frame import ID_2009, Address
from meterwire.gdw1376.messages.terminal import ALL_CONFIRMED, Group, Message, unit
from meterwire.gdw1376.sessions.terminal_listener import LOGIN
from meterwire.gdw1376.sessions.terminal_server import Answers, TerminalServer

Key = tuple[int, int, int, Any]
"""AFN, Fn, point and time mark (of a curve its start)."""
Meter = Callable[[bytes], bytes]
"""What a meter answers to a frame; nothing: it is silent."""


def entry(number: int, point: int, address: str, **fields: Any) -> dict[str, Any]:
    """One entry of an archive."""
    return {
        "index": number,
        "point": point,
        "port": 31,
        "baud_code": 3,
        "protocol": 30,
        "addr": address,
        "password": bytes(6),
        "tariffs": 4,
        "integer_digits": 6,
        "decimals": 2,
        "collector": "000000000000",
        "class_small": 0,
        "class_large": 0,
        **fields,
    }


class StockedTerminal:
    """A terminal that answers from its store, and forwards frames to its meters.

    Args:
        name: ``0171-2082``.
        archive: entries as of ``entry``.
        store: values of a unit by AFN, Fn, point and date or start.
        forward: what a meter answers to the frame forwarded to it.
        seconds: each forwarding takes.

    Attributes:
        shown: what its clock shows, naive; ``None``: it does not tell, unless its store holds 0C F2.

    """

    def __init__(
        self,
        name: str = "0171-2082",
        *,
        archive: Sequence[Mapping[str, Any]] = (),
        store: Mapping[Key, Mapping[str, Any]] | None = None,
        forward: Meter = lambda _: b"",
        seconds: float = 0.0,
        wide: bool = False,
        protocol_id: int = ID_2009,
        units_max: int = 99,
    ) -> None:
        area, number = name.split("-")
        address = Address(area.zfill(6) if wide else area, int(number))
        self.asked: list[Message] = []
        self.events: list[dict[str, Any]] = []
        self.forwarded: list[dict[str, Any]] = []
        self.archive = list(archive)
        self.store = dict(store or {})
        self.forward = forward
        self.seconds = seconds
        self.units_max = units_max
        self.password = bytes(16)
        self.shown: Callable[[], datetime] | None = None
        self.server = TerminalServer(address, self.answers, protocol_id=protocol_id)

    def answers(self, message: Message) -> Answers:
        """See ``TerminalServer``."""
        self.asked.append(message)
        afn = message.head.afn
        if message.head.protocol_id == ID_2009 and message.auxiliary.password not in {b"", self.password}:
            return []
        if len(message.units) > self.units_max:
            return []
        groups = [group for one in message.units for group in self._unit(afn, one.fn, one.point, one.values)]
        return [groups] if groups else []

    def _unit(self, afn: int, fn: int, point: int, values: Mapping[str, Any]) -> list[Group]:
        if (afn, fn) == (table.QUERY, 10):
            wanted = [one for one in self.archive if one["index"] in values["indexes"]]
            told = {"count": len(wanted), "meters": wanted}
            return [unit(afn, fn, told, way="up")] if wanted else []
        if afn == table.FORWARD:
            self.forwarded.append(dict(values))
            answer = self.forward(values["payload"])
            told = {"port": values["port"], "len": len(answer), "payload": answer}
            return [unit(afn, fn, told, way="up")]
        if afn == table.EVENTS:
            return self._told_events(fn, values)
        if afn == table.CONTROL:
            return [unit(table.CONFIRM, ALL_CONFIRMED, way="up")]
        mark = values.get("date") or values.get("start")
        found = self.store.get((afn, fn, point, mark))
        if found is None and (afn, fn) == (table.CLASS_1, 2) and self.shown is not None:
            found = {"clock": Moment.to_the_second(self.shown())}
        if found is None:
            return []
        return [unit(afn, fn, {**values, **found}, point=point, way="up")]

    def _told_events(self, fn: int, values: Mapping[str, Any]) -> list[Group]:
        some = self.events[values["pm"] : values["pn_ptr"] or 256]
        if len(some) != (values["pn_ptr"] - values["pm"]) % 256:
            return []
        counts = list(self.server.event_counts or (0, 0))
        return [unit(table.EVENTS, fn, {"ec": counts, **values, "events": some}, way="up")]

    async def serve(self, stream: ByteStream, *, login: bool = True) -> None:
        """Log in, and answer until the connection ends."""
        if login:
            self.server.call(LOGIN)
            await stream.send(self.server.octets_to_send())
        while True:
            self.server.feed(await stream.receive())
            if self.seconds and self.forwarded:
                await asyncio.sleep(self.seconds)
            await stream.send(self.server.octets_to_send())
