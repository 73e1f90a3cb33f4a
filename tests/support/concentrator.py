"""A concentrator in simulated time, its meters, and a master that speaks to it with our sessions."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from metersim import Line, Meter, Simulation, Station, memory_pair
from metersim.dlt698 import Meter698
from metersim.dlt698.terminal import Habits
from metersim.line.answers import AnswerRecord
from metersim.line.faults import NO_FAULTS, Faults
from metersim.line.memory import MemoryDuplex
from metersim.terminals.archive import ADD_SEVERAL
from metersim.terminals.concentrator import Concentrator
from metersim.terminals.delivered import CURVE_TASK
from metersim.terminals.plan import CARRIER, FIRST_RS485, ConcentratorPlan, keep_calling
from metersim.terminals.ways import Ways
from metersim.works.cost_control import CostControl
from meterwire.dlt698.apdus.action import ActionRequestNormal
from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.get import GetRequestNormal, GetRequestRecord
from meterwire.dlt698.apdus.parts import SUCCESS, ActionItem, Dar, RecordRequest, RecordResult, SetItem
from meterwire.dlt698.apdus.set import SetRequestNormal
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import Data, DateTime
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.objects.concentrator import archive_data
from meterwire.dlt698.sessions.association import Association
from meterwire.dlt698.sessions.client import ClientSession
from meterwire.dlt698.sessions.listener import LINK_OK, Call, Listener, Report

ADDRESS = "020000000001"
START = datetime(2026, 10, 1, 3, tzinfo=UTC)
"""11:00 of the plant's time."""
WIRED_698, WIRED_645, CARRIER_645, CARRIER_698 = (f"00000000010{last}" for last in range(1, 5))
ANSWER_TIMEOUT_S = 200.0
SELDOM = Habits(heartbeat_s=3600)
"""For stories of days: a heartbeat a minute would be most of what is computed."""
OBEYS_PASSWORDS = CostControl(plain_orders="all")
"""Meters of 645 here take a trip under a password alone."""
SILENT = Faults(seed=1, silence=1.0)

T = TypeVar("T")


class Master:
    """A head-end that terminals dial.

    Args:
        sim: whose time it lives in.
        acknowledges: it confirms reports.

    Attributes:
        calls: logins and heartbeats.
        reports: what was reported.
        dialled: how often it was dialled.
        association: with the concentrator.

    """

    def __init__(self, sim: Simulation, *, acknowledges: bool = True) -> None:
        self.acknowledges = acknowledges
        self.calls: list[Call] = []
        self.reports: list[Report] = []
        self.dialled = 0
        self.association = Association(ServerAddress(ADDRESS))
        self.lost = 0
        self._digest = hashlib.sha256()
        self._sim = sim
        self._duplex: MemoryDuplex | None = None
        self._session: ClientSession | None = None
        self.called = asyncio.Event()
        self._news = asyncio.Event()
        self._ear = Listener(lambda _: LINK_OK)

    @property
    def digest(self) -> str:
        """Over every octet and the time at which it came."""
        return self._digest.hexdigest()

    async def dial(self) -> MemoryDuplex:
        """The terminal's end of a new connection."""
        theirs, self._duplex = memory_pair()
        self._ear = Listener(lambda _: LINK_OK)
        self.dialled += 1
        return theirs

    async def listen(self) -> None:
        """Hear whatever comes, over one connection after the other."""
        while True:
            if self._duplex is None:
                await asyncio.sleep(0.1)
                continue
            duplex = self._duplex
            while octets := await duplex.receive():
                await self._hear(octets, duplex)
            if self._duplex is duplex:
                self._duplex = None
                self.lost += 1
                self._news.set()

    async def ask(self, request: Apdu, timeout_s: float = ANSWER_TIMEOUT_S) -> Any:
        """The answer; ``None`` when none came, or the connection went."""
        return await self.run(self.association.exchange(request), timeout_s)

    async def run(self, session: ClientSession, timeout_s: float = ANSWER_TIMEOUT_S) -> Any:
        """Carry out an exchange."""
        self._session = session
        duplex = self._duplex
        try:
            async with asyncio.timeout(timeout_s):
                while not session.finished and duplex is not None and self._duplex is duplex:
                    self._news.clear()
                    if octets := session.octets_to_send():
                        await duplex.send(octets)
                    else:
                        await self._news.wait()
        except TimeoutError:
            pass
        finally:
            self._session = None
        session.expire()
        self.association.settle(session)
        return session.reply

    async def get(self, oad: str) -> Data | Dar:
        """An attribute."""
        piid = self.association.next_piid()
        answer = await self.ask(GetRequestNormal(piid=piid, oad=Oad.of(oad)))
        found: Data | Dar = answer.result.result
        return found

    async def act(self, item: ActionItem) -> Dar:
        """How a method ended."""
        answer = await self.ask(ActionRequestNormal(piid=self.association.next_piid(), item=item))
        found: Dar = answer.item.dar
        return found

    async def act_unheard(self, item: ActionItem) -> None:
        """Have a method carried out after which no answer may come."""
        await self.ask(ActionRequestNormal(piid=self.association.next_piid(), item=item), 5)

    def hang_up(self) -> None:
        """Cut the connection."""
        assert self._duplex is not None
        self._duplex.close()

    async def set(self, oad: str, data: Data) -> Dar:
        """How a write ended."""
        item = SetItem(Oad.of(oad), data)
        answer = await self.ask(SetRequestNormal(piid=self.association.next_piid(), item=item))
        found: Dar = answer.item.dar
        return found

    async def records(self, request: RecordRequest) -> RecordResult:
        """Records of a table."""
        answer = await self.ask(GetRequestRecord(piid=self.association.next_piid(), record=request))
        found: RecordResult = answer.record
        return found

    async def _hear(self, octets: bytes, duplex: MemoryDuplex) -> None:
        self._digest.update(f"{self._sim.clock.utc_now().isoformat()} {octets.hex()}\n".encode())
        if self._session is not None:
            self._session.feed(octets)
            self._news.set()
        now = DateTime.of(self._sim.clock.utc_now())
        for heard in self._ear.feed(octets, now):
            if isinstance(heard, Call):
                self.calls.append(heard)
                self.called.set()
                await duplex.send(heard.answer(now))
            elif isinstance(heard, Report):
                self.reports.append(heard)
                if self.acknowledges:
                    await duplex.send(heard.acknowledgement)


class World:
    """A concentrator with two meters on RS-485 and two behind the carrier, and its master.

    Args:
        seed: of everything.
        ways: how the concentrator does things; ``None``: as delivered, with heartbeats each hour.
        dead: addresses of meters that never answer.
        curve: it collects a curve.
        idle: it collects nothing.
        plan: what else is different.

    """

    def __init__(
        self,
        *,
        seed: int = 1,
        ways: Ways | None = None,
        dead: Sequence[str] = (),
        curve: bool = False,
        idle: bool = False,
        **plan: Any,
    ) -> None:
        self.sim = Simulation(seed=seed, start=START)
        self.answers: list[AnswerRecord] = []
        self.meters: dict[str, Meter | Meter698] = {
            WIRED_698: Meter698(WIRED_698, seed=seed),
            WIRED_645: Meter(WIRED_645, seed=seed, control=OBEYS_PASSWORDS),
            CARRIER_645: Meter(CARRIER_645, seed=seed, control=OBEYS_PASSWORDS),
            CARRIER_698: Meter698(CARRIER_698, seed=seed),
        }
        lines = {
            FIRST_RS485: self._line((WIRED_698, WIRED_645), dead),
            CARRIER: self._line((CARRIER_645, CARRIER_698), dead),
        }
        figures: dict[str, Any] = {
            "address": ADDRESS,
            "seed": seed,
            "ways": ways or Ways(call=SELDOM),
            **plan,
        }
        self.concentrator: Concentrator = ConcentratorPlan(**figures).build(lines, clock=self.sim.clock)
        tasks = self.concentrator.collector.tasks
        if not curve:
            del tasks[CURVE_TASK.number]
        if idle:
            tasks.clear()
        self.master = Master(self.sim)

    def run(self, story: Callable[[Master], Awaitable[T]]) -> T:
        """Let the concentrator dial and log in, and tell a story; its result."""
        return self.sim.run(self._told(story))

    async def _told(self, story: Callable[[Master], Awaitable[T]]) -> T:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self.concentrator.run(), name="concentrator"),
                group.create_task(self.master.listen(), name="master"),
                group.create_task(keep_calling(self.concentrator.terminal, self.master.dial), name="calling"),
            ]
            await self.master.called.wait()
            result = await story(self.master)
            for task in tasks:
                task.cancel()
        return result

    def meter698(self, address: str) -> Meter698:
        """One of its meters of DL/T 698.45."""
        meter = self.meters[address]
        assert isinstance(meter, Meter698)
        return meter

    def keep_password(self, address: str, password: bytes) -> None:
        """Have the concentrator's archive keep a meter's password; none when it is empty."""
        archive = self.concentrator.archive
        entry = archive.entry(address)
        assert entry is not None
        changed = archive_data([replace(entry, password=Data("octet-string", password))])
        assert SUCCESS == archive.act(ADD_SEVERAL, changed)

    def answered(self, address: str) -> int:
        """How many answers a meter has given."""
        return sum(record.address == address for record in self.answers)

    def _line(self, addresses: Sequence[str], dead: Sequence[str]) -> Line:
        stations = [
            Station(
                meter=self.meters[address],
                faults=SILENT if address in dead else NO_FAULTS,
            )
            for address in addresses
        ]
        return Line(stations, clock=self.sim.clock, record=self.answers.append)


def by_address(result: RecordResult) -> Mapping[str, list[tuple[Data, ...]]]:
    """Rows by the address in their first column."""
    assert isinstance(result.result, tuple), result.result
    found: dict[str, list[tuple[Data, ...]]] = {}
    for address, *cells in result.result:
        found.setdefault(address.value.digits, []).append(tuple(cells))
    return found
