"""Frames that a terminal forwards to its meters (10 F1), one at a time for each port.

A port that is unknown, or at work for another request, is denied. How long a meter may take the request says.
Source: spec section B3, 10.
"""

from __future__ import annotations

from typing import Final

from metersim.gdw1376.archive import PORTS
from metersim.gdw1376.ways import Ways1376
from metersim.terminals.meters import Meters
from metersim.terminals.port import URGENT, PortBusy
from meterwire.gdw1376.functions import terminal
from meterwire.gdw1376.messages.terminal import Message, unit
from meterwire.gdw1376.sessions.terminal_server import Answers

FORWARD_FN: Final = 1
_MS: Final = 1000


class Forwarding:
    """Forwards for one terminal.

    Args:
        meters: its ports.
        ways: how it does things.

    """

    def __init__(self, meters: Meters, ways: Ways1376) -> None:
        self._meters = meters
        self._ways = ways
        self._busy: set[int] = set()

    async def answer(self, message: Message) -> Answers:
        """The frame of the answer; none: denied."""
        asked = message.units[0] if len(message.units) == 1 else None
        if asked is None or asked.fn != FORWARD_FN or not asked.values:
            return ()
        number = asked.values["port"]
        oad = PORTS.get(number)
        port = None if oad is None else self._meters.port(oad)
        if port is None or number in self._busy:
            return ()
        self._busy.add(number)
        try:
            octets = await port.forward(
                asked.values["payload"],
                timeout_s=asked.values["frame_timeout_ms"] / _MS,
                gap_s=asked.values["byte_timeout_ms"] / _MS,
                priority=URGENT,
            )
        except PortBusy:
            return ()
        finally:
            self._busy.discard(number)
        if not octets and self._ways.silent_reply == "deny":
            return ()
        told = {
            "port": 0 if "port_zero" in self._ways.quirks else number,
            "len": len(octets),
            "payload": octets,
        }
        return [[unit(terminal.FORWARD, FORWARD_FN, told, point=asked.point, way="up")]]
