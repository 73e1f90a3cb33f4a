"""A whole gateway in simulated time: the daemon, simulated meters, a broker and a database in memory.

::

    gateway = SimulatedGateway(tmp_path, stations=[...])
    gateway.run(minutes=5)
    gateway.check()
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from meterlink.clock import Clock
from meterlink.config import Settings
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.daemon.control_socket import Handler
from meterlink.daemon.daemon import Daemon
from meterlink.daemon.delivery import Outside
from meterlink.daemon.enrolment import book_of
from meterlink.daemon.ordering import OrderWorld
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import LineClosed, LineLost
from meterlink.ingest.memory import MemorySink
from meterlink.journal.journal import Journal
from meterlink.model.line_url import LineUrl
from meterlink.model.reading import LogRow
from meterlink.orders.qualifying.models import Models
from meterlink.roster.plan import plan
from meterlink.roster.saying import Saying
from meterlink.security.adapter import Opener
from meterlink.transports.hall import PortOpener
from meterlink.transports.memory import MemoryBroker, memory_line
from meterlink.transports.stream import ByteStream
from meterlink.transports.tcp_server import listening
from metersim import AnswerRecord, Line, Simulation, Station
from metersim.line import wires
from metersim.line.port import Port
from tests.support.agreement import Answer, readings_by_key, readings_of, rows_in, unkept_answers
from tests.support.strikes import Strikes

ITEMS = ("forward_active_energy", "voltage.a", "current.a")
START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


class Duplex:
    """Our stream as the simulator's duplex.

    Args:
        stream: the far end of a line.
        heard: is told what comes, before the meters are.

    """

    def __init__(self, stream: ByteStream, heard: Callable[[bytes], None] = lambda _: None) -> None:
        self._stream = stream
        self._heard = heard

    async def receive(self) -> bytes:
        try:
            octets = await self._stream.receive()
            self._heard(octets)
            return octets
        except (LineLost, LineClosed):
            return b""

    async def send(self, octets: bytes) -> None:
        try:
            await self._stream.send(octets)
        except (LineLost, LineClosed) as error:
            raise ConnectionResetError(str(error)) from None

    async def aclose(self) -> None:
        """The far end goes."""
        await self._stream.aclose()


class OwnClock:
    """The gateway's clock, which may be wrong while those of the meters go on."""

    def __init__(self, world: Clock) -> None:
        self._world = world
        self.ahead = timedelta()

    def utc_now(self) -> datetime:
        return self._world.utc_now() + self.ahead

    def monotonic_s(self) -> float:
        return self._world.monotonic_s()


class SimulatedGateway:
    """One line of simulated meters and the daemon that reads them.

    Args:
        folder: for the journal.
        stations: the meters on the line.
        every_s: interval of the plan.
        seed: of everything.
        plans: as in the configuration; by default one of values of the moment.
        start: first wall time.
        protocols: by address, of the meters that do not speak the edition of 2007.
        models: by address, where the configuration names one.
        profiles: folder of profiles beside those that come with the program.
        reply_timeout_ms: of the line; ``None``: its meters' profiles say it.
        more: other tables of the configuration.
        meter_keys: by address, other keys of the meters.
        order_models: what is proven of the meters' models; nothing by default.
        provider: makes the way to every security provider, in a group of tasks.
        port: its octets take their time, at this rate; ``None``: none.

    Attributes:
        plans: of the configuration; another one holds from the next start on.
        strikes: faults that meet control frames.
        serve: what stands at the far end of the line instead of the stations, until it ends.
        dial_s: how long it takes to open the line.
        url: of the line.
        line_keys: other keys of the line.
        port_opener: listens where terminals dial in.
        requests: on a line whose octets take their time: when each question left, and its octets.

    """

    def __init__(
        self,
        folder: Path,
        stations: Sequence[Station],
        *,
        every_s: int = 30,
        seed: int = 1,
        protocols: Mapping[str, str] | None = None,
        models: Mapping[str, str] | None = None,
        profiles: Path | None = None,
        reply_timeout_ms: int | None = 500,
        plans: Sequence[Mapping[str, object]] | None = None,
        start: datetime = START,
        more: Mapping[str, object] | None = None,
        meter_keys: Mapping[str, Mapping[str, object]] | None = None,
        order_models: Models | None = None,
        provider: Callable[[asyncio.TaskGroup], Opener] | None = None,
        port: Port | None = None,
    ) -> None:
        self.requests: list[tuple[float, bytes]] = []
        self._port = port
        self.url = "tcp://127.0.0.1:1"
        self.line_keys: dict[str, object] = {}
        self.port_opener: PortOpener = listening
        self.sim = Simulation(seed=seed, start=start)
        self.clock = OwnClock(self.sim.clock)
        self.folder = folder
        self.answers: list[AnswerRecord] = []
        self.broker = MemoryBroker()
        self.sink = MemorySink()
        self.strikes = Strikes(seed=seed, start=start, now=self.sim.clock.utc_now)
        self.serve: Callable[[Duplex], Awaitable[None]] | None = None
        self.plugged = True
        self.dialled = 0
        self.dial_s = 0.0
        self.started_at = start
        self.line_name = "line1"
        self._stations = list(stations)
        self.plans = plans or [{"name": "p", "every_s": every_s, "items": ITEMS}]
        self._protocols = protocols or {}
        self._models = models or {}
        self._profiles = profiles
        self._reply_timeout_ms = reply_timeout_ms
        self._ends: list[ByteStream] = []
        self._desk: Handler | None = None
        self._order_models = order_models
        self._more = more or {}
        self._provider = provider
        self.meter_keys = meter_keys or {}
        self.addresses = {f"m{station.meter.address}": station.meter.address for station in stations}

    def run(
        self, *, seconds: float, meanwhile: Callable[[], Awaitable[None]] | None = None, kill: bool = False
    ) -> None:
        """Run the daemon for so long, then stop it in order, or cancel all of it at once (``kill``)."""
        self.sim.run(self._run(seconds, meanwhile, kill))

    def apply_roster(self, saying: Saying = Saying.NOTHING) -> None:
        """Make the journal's roster that of this gateway, as `meterlink roster apply meterlink.toml` does."""

        async def apply() -> None:
            settings = self._settings()
            async with Journal.open(self.folder / JOURNAL_FILE, clock=self.clock, is_start=False) as journal:
                book = book_of(settings, MeterProfiles(self._profiles), journal, self.clock)
                held = await book.held()
                found = plan(held.meters, settings.meters, self.clock.utc_now())
                await book.apply(found.touched, revision=held.revision, actor="a test", saying=saying)

        asyncio.run(apply())

    def rows(self) -> list[LogRow]:
        """The whole journal."""
        return rows_in(self.folder / JOURNAL_FILE)

    def slots_of(self, address: str, item: str) -> list[datetime]:
        """Slots in which a reading of an item was kept."""
        return sorted(r.slot for r in readings_of(self.rows()) if (r.meter, r.item) == (f"m{address}", item))

    def unplug(self) -> None:
        """Pull the adapter out."""
        self.plugged = False
        for end in self._ends:
            asyncio.get_running_loop().create_task(end.aclose())

    async def say(self, octets: bytes) -> None:
        """Let a meter speak unasked."""
        await self._ends[-1].send(octets)

    def check(self) -> None:
        """No value that no meter gave; the database is the journal."""
        answers = [
            Answer(n, answer.at, answer.address, answer.values, bool(answer.faults))
            for n, answer in enumerate(self.answers)
            if answer.values
        ]
        unkept_answers(answers, self.rows(), self.addresses)
        self.check_database()

    def check_database(self) -> None:
        """The database is the journal (``database_differences``)."""
        assert [] == self.database_differences()

    def database_differences(self) -> list[str]:
        """Where journal and database differ in measurement, meter, field, time or value of a reading."""
        stored = {
            (measurement, dict(tags)["meter"], field, time_s): float(value)
            for (measurement, tags, time_s), fields in self.sink.points.items()
            for field, value in fields.items()
            if measurement != "event" and not field.endswith("marks")
        }
        kept = {
            (row.record.data_class, meter, item.replace(".", "_"), slot): value
            for row in self.rows()
            for (meter, item, slot), value in readings_by_key(readings_of([row])).items()
        }
        unstored = [f"only in the journal: {one}" for one in kept.items() - stored.items()]
        return unstored + [f"only in the database: {one}" for one in stored.items() - kept.items()]

    async def _run(self, seconds: float, meanwhile: Callable[[], Awaitable[None]] | None, kill: bool) -> None:
        stop = asyncio.Event()
        self.desk_opened = asyncio.Event()
        async with asyncio.TaskGroup() as plant:
            self._plant = plant
            self._line = Line(
                self._stations,
                clock=self.sim.clock,
                record=self.answers.append,
                rules=self.strikes.rules,
                client=self._port,
                paced=self._port is not None,
            )
            outside = Outside(
                folder=self.folder,
                clock=self.clock,
                connector=self.broker,
                sink=lambda: self.sink,
                rng=self.sim.random,
                reserve_octets=0,  # hundreds of test folders would hold one each
            )
            way = self._provider(plant) if self._provider else None
            world = OrderWorld(
                open_desk=self._open_desk,
                models=self._order_models,
                provider_opener=None if way is None else lambda _: way,
            )
            daemon = Daemon(self._settings(), outside, self._open, self.port_opener, orders=world)
            running = plant.create_task(daemon.run(stop, lambda _: None))
            if meanwhile is not None:
                plant.create_task(_until_done(meanwhile))
            await asyncio.sleep(seconds)
            if kill:
                running.cancel()
            stop.set()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            for end in self._ends:
                await end.aclose()
            self._ends.clear()

    async def ask(self, user: str, op: str, **args: Any) -> Mapping[str, Any]:
        """What a local user asks of the daemon, as through its control socket."""
        assert self._desk is not None, "the daemon is up"
        return await self._desk(user, op, args)

    @contextlib.asynccontextmanager
    async def _open_desk(self, _: Path, handler: Handler) -> AsyncIterator[None]:
        self._desk = handler
        self.desk_opened.set()
        yield
        self._desk = None

    async def _open(self, _: LineUrl) -> ByteStream:
        self.dialled += 1
        if self.dial_s:
            await asyncio.sleep(self.dial_s)
        if not self.plugged:
            raise LineLost("no such device")
        ours, theirs = memory_line()
        self._ends.append(theirs)
        self._plant.create_task(self._serve(Duplex(theirs, self._heard)))
        return ours

    async def serve_stations(self, duplex: wires.Duplex) -> None:
        """What stands at the far end otherwise."""
        await self._line.serve(duplex)

    async def _serve(self, duplex: Duplex) -> None:
        await (self.serve or self.serve_stations)(duplex)

    def _heard(self, octets: bytes) -> None:
        if self._port is not None:
            self.requests.append((self.sim.clock.monotonic_s(), octets))
        self.strikes.heard(octets)

    def _settings(self) -> Settings:
        meters = [
            {
                "id": meter,
                "address": address,
                "line": self.line_name,
                "protocol": self._protocols.get(address, "dlt645-2007"),
                "model": self._models.get(address, ""),
                **self.meter_keys.get(address, {}),
            }
            for meter, address in self.addresses.items()
        ]
        return Settings.model_validate(
            {
                "gateway": {"id": "gw", "site": "sim", "profiles": self._profiles},
                "lines": [
                    {
                        "name": "line1",
                        "url": self.url,
                        **self.line_keys,
                        "reply_timeout_ms": self._reply_timeout_ms,
                        "baud": self._port and self._port.baud,
                    }
                ],
                "meters": meters,
                "plans": self.plans,
                **self._more,
            }
        )


async def _until_done(meanwhile: Callable[[], Awaitable[None]]) -> None:
    await meanwhile()


def slots_between(first: datetime, every_s: int, count: int) -> list[datetime]:
    """So many slots from the first on."""
    return [first + timedelta(seconds=every_s * n) for n in range(count)]
