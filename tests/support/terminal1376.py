"""A concentrator of 1376.1 in simulated time, its meters, and a master that speaks with our sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from metersim import Line, Meter, Simulation, Station, memory_pair
from metersim.dlt698 import Meter698
from metersim.gdw1376.calling import SETTLED, Roaming, keep_calling
from metersim.gdw1376.plan import CARRIER, FIRST_RS485, TerminalPlan
from metersim.gdw1376.ways import Ways1376
from metersim.line.answers import AnswerRecord
from metersim.line.faults import NO_FAULTS, Faults
from metersim.line.memory import MemoryDuplex
from meterwire.gdw1376.functions.terminal import LINK
from meterwire.gdw1376.link.auxiliary import NO_AUXILIARY, Auxiliary
from meterwire.gdw1376.link.deframer import TERMINAL, Deframer
from meterwire.gdw1376.link.terminal_frame import Address, Frame, decode
from meterwire.gdw1376.messages.terminal import Group, Message, request, unit
from meterwire.gdw1376.sessions.terminal_exchange import TerminalExchange
from meterwire.gdw1376.sessions.terminal_listener import Report, TerminalListener

NAME = "0171-2082"
MASTER = 5
ADDRESS = Address("0171", 2082, MASTER)
START = datetime(2026, 10, 1, 3, tzinfo=UTC)
"""11:00 of the plant's time."""
WIRED_698, WIRED_645, CARRIER_645, CARRIER_698 = (f"00000000010{last}" for last in range(1, 5))
POINTS = {WIRED_698: 1, WIRED_645: 2, CARRIER_645: 3, CARRIER_698: 4}
ANSWER_TIMEOUT_S = 200.0
SILENT = Faults(seed=1, silence=1.0)

T = TypeVar("T")


class Master1376:
    """A head-end that one terminal dials.

    Args:
        admits: it confirms logins.
        acknowledges: it confirms reports.

    Attributes:
        dialled: connections, oldest first.
        reports: what was reported.
        calls: heads of its logins, heartbeats and logouts.
        logins: connections over which it logged in.
        deaf: it answers nothing any more.
        ended: connections that are closed.

    """

    def __init__(self, *, admits: bool = True, acknowledges: bool = True) -> None:
        self.admits = admits
        self.acknowledges = acknowledges
        self.dialled: list[MemoryDuplex] = []
        self.ended: list[MemoryDuplex] = []
        self.reports: list[Report] = []
        self.logins = 0
        self.deaf = False
        self.calls: list[Frame] = []
        self._listeners: dict[MemoryDuplex, TerminalListener] = {}
        self._exchange: TerminalExchange | None = None
        self._news = asyncio.Event()
        self._sequence = 0
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Have a place for connections, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            await asyncio.Event().wait()

    async def dial(self) -> MemoryDuplex:
        """The terminal's end of a new connection."""
        theirs, ours = memory_pair()
        self._listeners[ours] = TerminalListener(lambda _: self.admits)
        self.dialled.append(ours)
        assert self._group is not None, "run it first"
        self._group.create_task(self._hear(ours))
        return theirs

    def ending(self, duplex: MemoryDuplex) -> str:
        """Why a connection is to end."""
        return self._listeners[duplex].ending

    @property
    def online(self) -> MemoryDuplex | None:
        """The newest connection over which a terminal has logged in."""
        logged_in = [one for one in self.dialled if self._listeners[one].terminal and one not in self.ended]
        return logged_in[-1] if logged_in else None

    async def ask(
        self,
        afn: int,
        *groups: Group,
        auxiliary: Auxiliary = NO_AUXILIARY,
        timeout_s: float = ANSWER_TIMEOUT_S,
        sequence: int | None = None,
    ) -> TerminalExchange:
        """A request and what became of it."""
        self._sequence = (self._sequence + 1) % 16 if sequence is None else sequence
        asked = request(ADDRESS, afn, groups, sequence=self._sequence, auxiliary=auxiliary)
        return await self.exchange(TerminalExchange(asked), timeout_s)

    async def values(self, afn: int, fn: int, point: int = 0, **mark: Any) -> dict[str, Any] | None:
        """The fields of the answer to one unit; ``None``: denied, or no answer."""
        done = await self.ask(afn, unit(afn, fn, mark, point=point))
        return None if done.is_denied or not done.answer else done.answer[0].units[0].values

    async def exchange(
        self, exchange: TerminalExchange, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> TerminalExchange:
        """Carry out an exchange over the newest connection."""
        duplex = self.online
        assert duplex is not None, "no terminal has logged in"
        self._exchange = exchange
        try:
            async with asyncio.timeout(timeout_s):
                while not exchange.finished and duplex not in self.ended:
                    self._news.clear()
                    if octets := exchange.octets_to_send():
                        await duplex.send(octets)
                    else:
                        await self._news.wait()
        except TimeoutError:
            pass
        finally:
            self._exchange = None
        exchange.expire()
        return exchange

    async def _hear(self, duplex: MemoryDuplex) -> None:
        listener = self._listeners[duplex]
        while octets := await duplex.receive():
            if self.deaf:
                continue
            before = listener.terminal
            heads = [decode(span.octets) for span in Deframer(TERMINAL).feed(octets)]
            self.calls += [head for head in heads if head.afn == LINK]
            listener.feed(octets)
            self.logins += before is None and listener.terminal is not None
            for report in listener.reports():
                self.reports.append(report)
                if self.acknowledges:
                    listener.acknowledge(report)
            if due := listener.octets_to_send():
                await duplex.send(due)
            answers = listener.octets_for_exchange()
            if self._exchange is not None:
                self._exchange.feed(answers)
            self._news.set()
        duplex.close()
        self.ended.append(duplex)
        self._news.set()


class World1376:
    """A terminal with two meters on RS-485 and two behind the carrier, and its master.

    Args:
        seed: of everything.
        dead: addresses of meters that never answer.
        roaming: how often it gets another address.
        master: its master.
        plan: what else is different.
        ways: how it does things.

    """

    def __init__(
        self,
        *,
        seed: int = 1,
        dead: Sequence[str] = (),
        roaming: Roaming = SETTLED,
        master: Master1376 | None = None,
        plan: dict[str, Any] | None = None,
        **ways: Any,
    ) -> None:
        self.sim = Simulation(seed=seed, start=START)
        self.answers: list[AnswerRecord] = []
        self.meters: dict[str, Meter | Meter698] = {
            WIRED_698: Meter698(WIRED_698, seed=seed),
            WIRED_645: Meter(WIRED_645, seed=seed),
            CARRIER_645: Meter(CARRIER_645, seed=seed),
            CARRIER_698: Meter698(CARRIER_698, seed=seed),
        }
        lines = {
            FIRST_RS485: self._line((WIRED_698, WIRED_645), dead),
            CARRIER: self._line((CARRIER_645, CARRIER_698), dead),
        }
        made = TerminalPlan(address=NAME, seed=seed, ways=Ways1376(**ways))
        self.terminal = replace(made, **(plan or {})).build(lines, clock=self.sim.clock)
        self.master = master or Master1376()
        self._roaming = roaming

    def run(self, story: Callable[[], Awaitable[T]], *, collected: bool = True) -> T:
        """Let a story happen at 13:05, when the terminal has logged in and collected what is due."""

        async def main() -> T:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self.master.run()), group.create_task(self.terminal.run())]
                await asyncio.sleep(0)
                calling = keep_calling(self.terminal, self.master.dial, roaming=self._roaming)
                tasks.append(group.create_task(calling))
                await asyncio.sleep(7500 if collected else 1)
                try:
                    return await story()
                finally:
                    for task in tasks:
                        task.cancel()

        return self.sim.run(main())

    def true(self, address: str, item: str, at: datetime) -> Any:
        """What a meter showed at a true time."""
        return self.meters[address].value(item, at)

    def _line(self, addresses: Sequence[str], dead: Sequence[str]) -> Line:
        stations = [
            Station(
                meter=self.meters[address],
                reply_delay_ms=0,
                faults=SILENT if address in dead else NO_FAULTS,
            )
            for address in addresses
        ]
        return Line(stations, clock=self.sim.clock, record=self.answers.append)


def forward_values(octets: bytes, *, port: int = 31, timeout_s: int = 60) -> dict[str, Any]:
    """The fields of a request to forward a frame."""
    return {
        "port": port, "data_bits": 8, "parity": "even", "parity_on": 1, "stop_bits": 1, "baud_code": 3,
        "frame_timeout_ms": timeout_s * 1000, "byte_timeout_ms": 100, "len": len(octets), "payload": octets,
    }  # fmt: skip


def sent_units(message: Message) -> list[tuple[int, int]]:
    """Point and Fn of each unit."""
    return [(one.point, one.fn) for one in message.units]
