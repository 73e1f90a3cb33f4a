"""A meter that speaks unasked on a line that we open, alone or beside meters of DL/T 645."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from meterlink.bus.dialling import REOPEN_MAX_S
from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line as BusLine
from meterlink.bus.queue import Priority
from meterlink.config import Settings
from meterlink.daemon.dial_in import Gatehouse
from meterlink.drivers.base import Driver
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.drivers.dlt698.driver import Dlt698Driver
from meterlink.drivers.dlt698.ear import LineSession
from meterlink.drivers.reports import Report
from meterlink.errors import JournalError
from meterlink.journal.journal import Journal
from meterlink.journal.store import Step, Store
from meterlink.model.event import Event
from meterlink.model.zone import CHINA_TIME
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from metersim import Line, Meter, Simulation, Station
from metersim.dlt698 import Meter698
from meterwire.dlt698.apdus.link_management import LinkRequest
from meterwire.dlt698.apdus.parts import Piid
from meterwire.dlt698.apdus.report import ReportResponseRecordList
from meterwire.dlt698.axdr.values import DateTime
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.objects.item_values import Contents
from meterwire.dlt698.sessions.report import Notification, ReportSession
from tests.support.reports import events, told
from tests.support.simulated import Duplex, SimulatedGateway

OURS, OF_645, STRANGER = "000000000161", "000000000162", "000000000999"
URL = "tcp://127.0.0.1:5000"
TIMING = Timing(reply_timeout_s=2.0, octet_gap_s=0.5)
SILENT_S = 5.0


def _failure(number: int = 24) -> Notification:
    row: Contents = {"event_number": Decimal(number), "event_started_at": "2026-01-01 07:58:00"}
    return told(events(row), number=number)


def _session(notification: Notification | None = None, address: str = OURS) -> ReportSession:
    return ReportSession(notification or _failure(), server=ServerAddress(address))


class _Wires(Duplex):
    """The far end: what arrives there, and what meters say there by themselves.

    Attributes:
        heard: the octets of each piece, and when it arrived.
        before_answers: said by somebody else just before a meter answers, each once.

    """

    def __init__(self, stream: ByteStream) -> None:
        super().__init__(stream)
        self.stream = stream
        self.heard: list[tuple[float, bytes]] = []
        self.before_answers: list[bytes] = []

    async def receive(self) -> bytes:
        octets = await super().receive()
        self.heard.append((asyncio.get_running_loop().time(), octets))
        return octets

    async def send(self, octets: bytes) -> None:
        if self.before_answers:
            await self.stream.send(self.before_answers.pop(0))
            before = len(self.heard)
            await asyncio.sleep(0.3)
            assert before == len(self.heard), "nobody speaks while a meter is asked"
        await super().send(octets)

    def answered(self, session: ReportSession) -> bool:
        """Whether a report was acknowledged."""
        for _, octets in self.heard:
            session.feed(octets)
        return isinstance(session.reply, ReportResponseRecordList)


class _Store(Store):
    """A file on a disk that can be full."""

    full = False

    def commit(self, steps: Sequence[Step]) -> list[int]:
        if self.full:
            raise JournalError("the disk is full")
        return super().commit(steps)


class _Plant:
    """A gateway's line with a meter of each protocol."""

    def __init__(self, path: Path) -> None:
        self.sim = Simulation()
        self.path = path
        self.store: _Store | None = None
        self.wires: list[_Wires] = []
        self.line: BusLine
        self.gatehouse: Gatehouse

    @property
    def far(self) -> _Wires:
        """The wires of now."""
        return self.wires[-1]

    def life(self, body: Callable[[], Awaitable[None]]) -> list[Event]:
        """Start, do something, and end all at once; the events in the journal then."""

        async def main() -> list[Event]:
            async with self._running() as journal:
                await asyncio.sleep(1)
                await body()
                rows = await journal.rows_after(0, 100)
                return [row.record for row in rows if isinstance(row.record, Event)]

        return self.sim.run(main())

    async def read(self, protocol: str, item: str = "frequency") -> Decimal | None:
        clock, random_octets = self.sim.clock, self.sim.random.randbytes
        driver: Driver = Dlt645Driver(clock)
        if protocol == "dlt698.45":
            driver = Dlt698Driver(clock, random_octets=random_octets)
        address = OURS if protocol == "dlt698.45" else OF_645
        answer = await driver.read(self.line, address, item, priority=Priority.ON_DEMAND)
        return answer.values[0].value

    def _open(self, path: Path) -> Store:
        self.store = _Store.open(path)
        return self.store

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[Journal]:
        protocols = {OURS: "dlt698.45", OF_645: "dlt645-2007"}
        settings = Settings.model_validate(
            {
                "meters": [
                    {"id": f"m{address}", "address": address, "line": URL, "protocol": protocol}
                    for address, protocol in protocols.items()
                ]
            }
        )
        stations = [Station(meter=Meter698(OURS, seed=1)), Station(meter=Meter(OF_645, seed=1))]
        plant = Line(stations, clock=self.sim.clock, record=lambda _: None)
        async with Journal.open(self.path, clock=self.sim.clock, opener=self._open) as journal:
            self.gatehouse = Gatehouse(settings, journal, self.sim.clock)
            async with self.gatehouse.open(_no_port), asyncio.TaskGroup() as group:
                tasks: list[asyncio.Task[None]] = []

                async def opener() -> ByteStream:
                    near, far = memory_line()
                    self.wires.append(_Wires(far))
                    tasks.append(group.create_task(plant.serve(self.far), name="plant"))
                    return near

                [(line, _)] = settings.meters_by_line()
                ear = self.gatehouse.ear(line.name)
                assert ear is not None
                self.line = BusLine(line.name, opener=opener, timing=TIMING, rng=self.sim.random, ear=ear)
                tasks.append(group.create_task(self.line.run(), name="owner"))
                yield journal
                for task in tasks:
                    task.cancel()


@asynccontextmanager
async def _no_port(host: str, port: int, hall: object) -> AsyncIterator[int]:
    raise AssertionError(f"nobody listens at {host}:{port} for {hall}")
    yield port


def test_a_report_is_kept_and_then_acknowledged(tmp_path: Path) -> None:
    """A power failure would be told into the air: nobody asks, and nobody listened."""
    plant, session = _Plant(tmp_path / "j.db"), _session()

    async def body() -> None:
        await plant.far.stream.send(session.octets_to_send())
        await asyncio.sleep(SILENT_S)
        assert plant.far.answered(session)

    [event] = plant.life(body)
    assert (f"m{OURS}", "power_down") == (event.meter, event.kind)
    assert datetime(2025, 12, 31, 23, 58, tzinfo=UTC) == event.occurred_at


def test_no_journal_no_acknowledgement(tmp_path: Path) -> None:
    """Acknowledged with a full disk, a power failure would be known to nobody."""
    plant, session = _Plant(tmp_path / "j.db"), _session()

    async def body() -> None:
        assert plant.store is not None
        plant.store.full = True
        await plant.far.stream.send(session.octets_to_send())
        await asyncio.sleep(SILENT_S)
        assert [] == plant.far.heard
        plant.store.full = False
        await asyncio.sleep(60)
        assert plant.far.answered(session)

    assert 1 == len(plant.life(body))


@pytest.mark.parametrize("protocol", ["dlt645-2007", "dlt698.45"])
def test_a_report_amid_an_exchange_harms_neither(tmp_path: Path, protocol: str) -> None:
    """The answer would be lost, or our word for the report collide with it on two wires."""
    plant, session = _Plant(tmp_path / "j.db"), _session()

    async def body() -> None:
        undisturbed = await plant.read(protocol)
        plant.far.before_answers = [session.octets_to_send()]
        assert undisturbed is not None
        assert undisturbed == await plant.read(protocol)
        await asyncio.sleep(SILENT_S)
        assert plant.far.answered(session)

    assert 1 == len(plant.life(body))


def test_a_line_that_is_never_idle_acknowledges_all_the_same(tmp_path: Path) -> None:
    """Where questions always wait, a meter would tell the same for ever, and give up."""
    plant, session = _Plant(tmp_path / "j.db"), _session()

    async def body() -> None:
        plant.far.before_answers = [session.octets_to_send()]
        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(plant.read("dlt645-2007"))
        last_asked = max(at for at, octets in plant.far.heard if OF_645[-2:] in octets.hex())
        plant.far.heard = [(at, octets) for at, octets in plant.far.heard if at < last_asked]
        assert plant.far.answered(session)

    assert 1 == len(plant.life(body))


def test_our_word_waits_for_the_end_of_a_frame(tmp_path: Path) -> None:
    """A second meter that speaks would be talked over, and both frames be lost."""
    plant, first, second = _Plant(tmp_path / "j.db"), _session(), _session(_failure(25))

    async def body() -> None:
        octets, loop = second.octets_to_send(), asyncio.get_running_loop()
        await plant.far.stream.send(first.octets_to_send() + octets[:9])
        await asyncio.sleep(0.4)
        assert [] == plant.far.heard
        await plant.far.stream.send(octets[9:])
        ended_at = loop.time()
        await asyncio.sleep(SILENT_S)
        assert plant.far.answered(first)
        assert plant.far.answered(second)
        assert plant.far.heard[0][0] >= ended_at + TIMING.octet_gap_s

    assert 2 == len(plant.life(body))


def test_strangers_and_calls_are_not_answered(tmp_path: Path) -> None:
    """A frame of somebody else's plant would be kept as ours, or a call mute the line for the others."""
    plant, ours = _Plant(tmp_path / "j.db"), _session()
    call = LinkRequest(
        piid=Piid(0), type=0, heartbeat_s=60, time=DateTime.of(datetime(2026, 1, 1, tzinfo=UTC))
    )

    async def body() -> None:
        for stray in (_session(address=STRANGER), _session(call), _session(call, STRANGER)):
            await plant.far.stream.send(stray.octets_to_send())
            await asyncio.sleep(SILENT_S)
        assert [] == plant.far.heard
        await plant.far.stream.send(ours.octets_to_send())
        await asyncio.sleep(SILENT_S)
        assert plant.far.answered(ours)

    assert 1 == len(plant.life(body))


def test_a_line_that_broke_is_listened_to_again(tmp_path: Path) -> None:
    """Until the next question, maybe tomorrow, nobody would hear a failure; or we would dial without end."""
    plant, session = _Plant(tmp_path / "j.db"), _session()

    async def body() -> None:
        await plant.far.stream.aclose()
        await asyncio.sleep(REOPEN_MAX_S - 1)
        assert 1 == len(plant.wires)
        await asyncio.sleep(2)
        assert 2 == len(plant.wires)
        await plant.far.stream.send(session.octets_to_send())
        await asyncio.sleep(SILENT_S)
        assert plant.far.answered(session)
        await plant.far.stream.aclose()
        await asyncio.sleep(0.1)
        assert await plant.read("dlt645-2007") is not None, "a question opens it at once"

    assert 1 == len(plant.life(body))


def test_meters_of_one_address_on_two_lines_are_two() -> None:
    """The failure of the second would pass for a repeat of the first's, and be lost."""
    reports: list[Report] = []
    octets = _session().octets_to_send()
    for line in ("north", "south"):
        session = LineSession(line, {OURS}, clock=Simulation().clock, zone=CHINA_TIME, report=reports.append)
        session.feed(octets)
    assert ["line north", "line south"] == [report.place for report in reports]
    assert 2 == len({report.key for report in reports})


def test_the_daemon_hears_its_lines(tmp_path: Path) -> None:
    """A plan that runs once a day keeps nobody at the line, and what is told in between would be dropped."""
    station = Station(meter=Meter698(OURS, seed=1))
    plan = {"name": "daily", "every_s": 86_400, "items": ["frequency"]}
    gateway = SimulatedGateway(tmp_path, [station], protocols={OURS: "dlt698.45"}, plans=[plan])

    async def meanwhile() -> None:
        await asyncio.sleep(3)
        await gateway.say(_session().octets_to_send())

    gateway.run(seconds=30, meanwhile=meanwhile)
    [event] = [row.record for row in gateway.rows() if isinstance(row.record, Event)]
    assert (f"m{OURS}", "power_down") == (event.meter, event.kind)


def test_lines_without_such_a_meter_have_no_ear(tmp_path: Path) -> None:
    """A line of DL/T 645 alone would be held open, and parsed for what nobody there can say."""
    meter = {"id": "m1", "address": OF_645, "line": URL}

    async def main() -> None:
        clock = Simulation().clock
        async with Journal.open(tmp_path / "j.db", clock=clock) as journal:
            settings = Settings.model_validate({"meters": [meter]})
            [(line, _)] = settings.meters_by_line()
            assert Gatehouse(settings, journal, clock).ear(line.name) is None

    Simulation().run(main())
