"""A gateway whose one line is a simulated terminal of Q/GDW 1376.1, with meters on its carrier."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from meterlink.transports.hall import Hall
from meterlink.transports.memory_server import dial
from metersim import Station
from metersim.gdw1376.plan import CARRIER, TerminalPlan
from metersim.gdw1376.terminal import Terminal1376
from metersim.gdw1376.ways import Ways1376
from metersim.terminals.port import Route
from meterwire.gdw1376.functions.terminal import FORWARD
from meterwire.gdw1376.link.deframer import TERMINAL, Deframer
from meterwire.gdw1376.messages.terminal import decode
from tests.support.order_gateway import OrderGateway
from tests.support.simulated import Duplex

NAME = "0171-2082"
QUICK = Route(shortest_s=0.2, longest_s=0.4)


class TerminalGateway(OrderGateway):
    """A daemon that takes orders for meters behind a terminal.

    Args:
        folder: as of ``OrderGateway``.
        stations: the meters on the terminal's carrier.
        dials: the terminal dials the daemon; otherwise it is dialled.
        route: the way to a meter over the carrier.
        ways: how the terminal does things.
        clock_ahead: how far its clock is ahead.
        terminal: its table in the configuration.
        archived: the meters are in its archive.

    Attributes:
        terminal: it, once the daemon runs.
        halls: of the port that it dials.

    """

    def __init__(
        self,
        folder: Path,
        stations: Sequence[Station],
        *,
        dials: bool = True,
        route: Route = QUICK,
        ways: Ways1376 | None = None,
        clock_ahead: timedelta = timedelta(),
        terminal: dict[str, object] | None = None,
        archived: bool = True,
        **more: Any,
    ) -> None:
        super().__init__(folder, stations, reply_timeout_ms=None, **more)
        self.terminal: Terminal1376 | None = None
        self.halls: list[Hall[Any]] = []
        self._works: asyncio.Task[None] | None = None
        self.url = f"listen://127.0.0.1:0?terminal={NAME}" if dials else f"tcp://127.0.0.1:1?terminal={NAME}"
        self.line_keys = {"terminal": terminal or {}}
        self._plan = TerminalPlan(
            address=NAME,
            carrier=route,
            clock_ahead=clock_ahead,
            archive=archived,
            ways=ways or Ways1376(),
        )
        if dials:
            self.port_opener = self._listening
        else:
            self.serve = self._serve_terminal

    def _made(self) -> Terminal1376:
        """The terminal, switched on."""
        if self.terminal is None:
            self.terminal = self._plan.build({CARRIER: self._line}, clock=self.sim.clock)
        if self._works is None or self._works.done():
            self._works = self._plant.create_task(_endless(self.terminal))
        return self.terminal

    def _switch_off(self) -> None:
        """The daemon has stopped: nothing more is to happen."""
        if self._works is not None:
            self._works.cancel()

    async def _serve_terminal(self, duplex: Duplex) -> None:
        await self._made().serve(duplex)
        self._switch_off()

    def _heard(self, octets: bytes) -> None:
        self._hears(octets)

    def _hears(self, octets: bytes) -> None:
        """Octets come to the terminal; those that it will forward come to the meters."""
        for span in Deframer(TERMINAL).feed(octets):  # what the daemon sends comes whole
            message = decode(span.octets)
            for one in message.units if message.head.afn == FORWARD else ():
                self.strikes.heard(one.values["payload"])

    @asynccontextmanager
    async def _listening(self, host: str, port: int, hall: Hall[Any]) -> AsyncIterator[int]:
        del host
        self.halls.append(hall)
        calling = self._plant.create_task(self._call(hall))
        yield port
        calling.cancel()
        self._switch_off()
        await hall.close()

    async def dial_again(self) -> None:
        """Dial in while the old connection still stands, and nobody has told it."""
        far = dial(self.halls[0])
        self._plant.create_task(self._made().serve(Duplex(far, self._hears)))

    async def _call(self, hall: Hall[Any]) -> None:
        """Dial in, again and again."""
        while True:
            far = dial(hall)
            await self._made().serve(Duplex(far, self._hears))
            await far.aclose()
            await asyncio.sleep(5)


async def _endless(terminal: Terminal1376) -> None:
    await terminal.run()
