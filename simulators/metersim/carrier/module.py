"""A carrier module of Q/GDW 1376.2: its serial side, its list of slaves, and its way to their meters.

One host is connected at a time, as one concentrator is to a real module; a new connection ends the one
before. What the module does by itself (its network, its own reading, its reports) goes on for as long as
`CarrierModule.run` runs, whether somebody is connected or not: a request that has left for a meter is not
taken back when its host hangs up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from random import Random
from typing import Any, Final

from metersim.carrier.air import Air
from metersim.carrier.leading import Leader
from metersim.carrier.network import Network
from metersim.carrier.nodes import Node, NodeList
from metersim.carrier.queries import QUERIES, QUERY, index_of
from metersim.carrier.reading import Reader
from metersim.carrier.requests import READS, MeterRequests
from metersim.carrier.rubbish import frames_in, with_rubbish
from metersim.carrier.settings import SETTINGS, Errand
from metersim.carrier.standing import (
    FRAME_OCTETS_MAX,
    NO_SUCH_FN,
    NOT_SUPPORTED,
    WRONG_LENGTH,
    Denied,
    Standing,
)
from metersim.carrier.telling import Teller
from metersim.carrier.ways import CarrierWays
from metersim.line.line import Duplex
from metersim.serving.served import Served
from meterwire.gdw1376.layouts.nodes import Values
from meterwire.gdw1376.link.module_frame import ADDRESS_OCTETS, OVERHEAD_OCTETS, Frame
from meterwire.gdw1376.messages.module import Message, answer, confirmation, denial
from meterwire.gdw1376.sessions.module_server import OPEN_MAX, ModuleServer

KNOWN: Final = frozenset({*QUERIES, *SETTINGS, *READS, (QUERY, 11)})
"""What the module can be asked and told, by AFN and Fn."""
DOUBLE_S_MAX: Final = 5.0
ERRANDS_MAX: Final = 256
"""What it does at one time beside obeying; one more is dropped."""


class CarrierModule:
    """One module.

    Args:
        lines: the meter of each address on its wires.
        protocols: what each of them speaks, as frames number it.
        ways: how it is set up.

    Attributes:
        standing: what it knows and does now.
        air: the stations at the meters.
        reader: its exchanges with meters.
        requests: what the concentrator asks meters through it.
        resets: how often it was reset.
        dropped: requests and reports for which it had no room.

    """

    def __init__(
        self, lines: Mapping[str, Served], *, protocols: Mapping[str, int], ways: CarrierWays
    ) -> None:
        self.resets = 0
        self.dropped = 0
        self._ways = ways
        self._random = Random(f"{ways.seed}/carrier")  # noqa: S311  # repeatable is what it has to be
        self.standing = Standing(
            ways=ways,
            nodes=NodeList(ways.nodes_max, ways.seed),
            protocols=protocols,
            main_node=ways.main_node,
            monitor_s=ways.monitor_s,
        )
        self.air = Air(lines)
        self.reader = Reader(self.standing, self.air, self._random, self.reset)
        self._network = Network(self.standing.nodes, ways, self._random, self._moved)
        self.requests = MeterRequests(self.standing, self.reader)
        self._leader = Leader(self.standing, self.reader, self)
        self._teller = Teller(self.standing, self._random, self.call)
        self._session = ModuleServer(mode=ways.mode)
        self._answered: dict[int, dict[str, Any]] = {}
        self._host: _Host | None = None
        self._group: asyncio.TaskGroup | None = None
        self._begin_life()
        if ways.archive:
            for address in list(protocols)[: ways.nodes_max]:
                self.standing.nodes.add(address, protocols[address]).joined = True

    async def run(self) -> None:
        """Be a module, until cancelled; begins as if power had come."""
        self._begin_life()
        async with asyncio.TaskGroup() as group:
            self._group = group
            for name, work in (
                ("network", self._network.run()),
                ("commands", self._obey()),
                ("reports", self._repeat()),
                ("leader", self._leader.run()),
                ("power", self._announce()),
            ):
                group.create_task(work, name=f"carrier.{name}")

    async def serve(self, duplex: Duplex) -> None:
        """Be connected over ``duplex`` until the other side ends it, or somebody else connects.

        Args:
            duplex: the connection.

        """
        host = _Host(duplex)
        if self._host is not None:
            self._host.end()
        self._host = host
        try:
            async with asyncio.TaskGroup() as group:
                host.listening = group.create_task(self._listen(host), name="carrier.host")
        finally:
            if self._host is host:
                self._host = None

    def reset(self) -> None:
        """Fail and begin anew: silent for a while, with nothing under way and no slave in the network."""
        self.resets += 1
        self._session.give_up()
        self._answered.clear()
        self.requests.forget()
        self._life += 1
        self._off = True
        self.standing.working = self.standing.paused = False
        self.standing.searches += 1
        for node in self.standing.nodes.all:
            node.joined = False
        self._spawn(self._come_back(), "reset")

    # --- what the leader and the requests need ---

    async def call(self, afn: int, fn: int, values: Values) -> int | None:
        """Begin an exchange with the concentrator; its number, or ``None`` where too many are open."""
        if self._off or self._session.open_reports >= OPEN_MAX:
            self.dropped += not self._off
            return None
        number = self._session.report(afn, fn, values)
        self._repeats = 0
        await self._flush()
        return number

    async def answer_to(self, number: int, *, within_s: float) -> dict[str, Any] | None:
        """What is answered to it; ``None``: nothing in time, and it is withdrawn."""
        await self._closed(number, within_s)
        self._session.withdraw(number)
        return self._answered.pop(number, None)

    async def confirmed(self, number: int, *, within_s: float) -> bool:
        """Whether it was confirmed in time; it stays open otherwise."""
        return await self._closed(number, within_s)

    # --- octets ---

    async def _listen(self, host: _Host) -> None:
        with suppress(ConnectionError):
            while octets := await host.duplex.receive():
                if not self._off:
                    self._session.feed(octets)
                    self._sort()

    def _sort(self) -> None:
        """Give each thing that the concentrator said to who is concerned."""
        for message in self._session.answers():
            self._answered[message.frame.info.sequence] = message.values
        self._news.set()
        for message in self._session.requests():
            if (message.frame.afn, message.frame.fn) in READS:
                self._spawn(self._fetch(message), "read")
            elif self._commands.full():
                self.dropped += 1
            else:
                self._commands.put_nowait(message)

    async def _closed(self, number: int, within_s: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._session.is_open(number):
                    self._news.clear()
                    await self._news.wait()
        return not self._session.is_open(number)

    async def _answer(self, frame: Frame) -> None:
        if not self._off:
            self._session.answer(frame)
            await self._flush()

    async def _flush(self) -> None:
        for octets in frames_in(self._session.octets_to_send()):
            rubbish = self._random.random() < self._ways.rubbish
            said = with_rubbish(octets, self._random) if rubbish else octets
            if self._host is not None:
                with suppress(ConnectionError):  # nobody is left to hear it
                    await self._host.duplex.send(said)

    # --- requests ---

    async def _obey(self) -> None:
        """Answer queries and orders, one after the other."""
        while True:
            message = await self._commands.get()
            life = self._life
            await asyncio.sleep(self._random.uniform(0, self._ways.command_s))
            if life == self._life:
                await self._command(message)

    async def _command(self, message: Message) -> None:
        frame, errand = message.frame, Errand.NOTHING
        try:
            self._check(message)
            if frame.afn == QUERY and frame.fn == 11:
                told = index_of(KNOWN, message.values["asked_afn"])
                said = answer(frame, frame.afn, frame.fn, told)
            elif query := QUERIES.get((frame.afn, frame.fn)):
                said = answer(frame, frame.afn, frame.fn, query(self.standing, message.values))
            else:
                errand = SETTINGS[frame.afn, frame.fn](self.standing, message.values)
                said = confirmation(frame)
        except Denied as no:
            said = denial(frame, no.code)
        await self._answer(said)
        self._run_errand(errand, message)

    def _check(self, message: Message) -> None:
        """Raises `Denied` for what the module does not know, or cannot read."""
        frame = message.frame
        if (frame.afn, frame.fn) not in KNOWN:
            raise Denied(NO_SUCH_FN if any(afn == frame.afn for afn, _ in KNOWN) else NOT_SUPPORTED)
        addresses = 0 if frame.addresses is None else 2 + len(frame.addresses.relays)
        if OVERHEAD_OCTETS + ADDRESS_OCTETS * addresses + len(frame.data) > FRAME_OCTETS_MAX:
            raise Denied(WRONG_LENGTH)
        if message.fields is None:
            raise Denied(WRONG_LENGTH)

    async def _fetch(self, message: Message) -> None:
        """Carry a frame to a meter, and its answer back."""
        life = self._life
        try:
            self._check(message)
            said = await self.requests.answer(message)
        except Denied as no:
            said = denial(message.frame, no.code)
            if life == self._life:
                await self._answer(said)
            return
        if self._random.random() < self._ways.late:
            await asyncio.sleep(self._ways.late_s)
        if life != self._life:
            return
        await self._answer(said)
        if self._random.random() < self._ways.doubled:
            await asyncio.sleep(self._random.uniform(0, DOUBLE_S_MAX))
            if life == self._life:
                await self._answer(said)

    def _run_errand(self, errand: Errand, message: Message) -> None:
        match errand:
            case Errand.RESET:
                self.reset()
            case Errand.JOIN:
                self._network.join_new()
            case Errand.REJOIN:
                self._network.join_again()
            case Errand.SEARCH:
                minutes = message.values["duration_min"]
                self._spawn(self._teller.search(minutes), "search")
            case Errand.BROADCAST:
                self._spawn(self.reader.broadcast(message.values["payload"]), "broadcast")
            case Errand.WORK:
                self._leader.look()
            case Errand.NOTHING:  # with what `Standing` says
                pass

    # --- what it does by itself ---

    def _begin_life(self) -> None:
        """What a loop holds is made anew: the next run may be in another one."""
        self._group = None
        self._commands: asyncio.Queue[Message] = asyncio.Queue(OPEN_MAX)
        self._news = asyncio.Event()
        self._life = 0
        self._off = False
        self._repeats = 0
        self._spawned = 0

    def _spawn(self, work: Any, name: str) -> None:
        """Do something beside the rest; nothing while the module does not run, or does too much."""
        if self._group is None or self._spawned >= ERRANDS_MAX:
            work.close()
            self.dropped += 1
            return
        self._spawned += 1
        task = self._group.create_task(work, name=f"carrier.{name}")
        task.add_done_callback(self._ended)

    def _ended(self, _: asyncio.Task[None]) -> None:
        self._spawned -= 1

    async def _announce(self) -> None:
        """The report that power came: its run mode."""
        await self.call(QUERY, 10, QUERIES[QUERY, 10](self.standing, {}))

    async def _come_back(self) -> None:
        life = self._life
        await asyncio.sleep(self._ways.reset_s)
        if life == self._life:
            self._off = False
            self._network.join_again()
            await self._announce()

    async def _repeat(self) -> None:
        """Send again what nobody has confirmed, and forget it in the end."""
        while True:
            await asyncio.sleep(self._ways.repeat_s)
            if self._off or self._host is None or not self._session.open_reports:
                continue
            if self._repeats >= self._ways.repeats:
                self._session.give_up()
                self._news.set()
                continue
            self._repeats += 1
            self._session.repeat()
            await self._flush()

    def _moved(self, node: Node) -> None:
        """A slave left the network, or came back."""
        if self._ways.power_events and self.standing.reports_allowed:
            self._spawn(self._teller.power(node), "event")


class _Host:
    """Who is connected."""

    def __init__(self, duplex: Duplex) -> None:
        self.duplex = duplex
        self.listening: asyncio.Task[None] | None = None

    def end(self) -> None:
        """Send it away."""
        if self.listening is not None:
            self.listening.cancel()


__all__ = ["KNOWN", "CarrierModule"]
