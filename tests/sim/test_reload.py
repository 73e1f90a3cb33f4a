"""Another configuration for a running daemon: what it concerns changes, and nothing else notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from meterlink.config import Settings
from meterlink.config.changes import FIXED, changes
from meterlink.daemon.control_socket import Handler
from meterlink.daemon.daemon import Daemon
from meterlink.daemon.delivery import Outside
from meterlink.daemon.manager import Manager
from meterlink.daemon.notify import Notifier
from meterlink.daemon.ordering import OrderWorld
from meterlink.errors import ConfigError, LineLost, SinkAway
from meterlink.ingest.memory import MemorySink
from meterlink.journal.reader import JournalReader
from meterlink.model.line_url import LineUrl
from meterlink.publish.relay import WINDOW
from meterlink.roster.entries import entry_of, meters_of
from meterlink.roster.plan import plan
from meterlink.transports.memory import MemoryBroker, memory_line
from meterlink.transports.stream import ByteStream
from metersim import Line, Meter, Simulation, Station
from metersim.carrier.module import CarrierModule
from metersim.carrier.ways import CarrierWays
from tests.support.agreement import readings_of, rows_in
from tests.support.simulated import START, Duplex

_EVERY_S = 30
_ONE, _TWO, _THREE = (f"{number:012d}" for number in (1, 2, 3))


class _Told(Notifier):
    """What the manager would have heard."""

    def __init__(self) -> None:
        super().__init__({})
        self.lines: list[str] = []

    def tell(self, *lines: str) -> None:
        self.lines += [line for text in lines for line in text.split("\n")]


class _Plant:
    """Two lines of simulated meters, a daemon, and a file whose content a test changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sim = Simulation(seed=1, start=START)
        self.document: dict[str, Any] = {
            "gateway": {"id": "gw", "site": "sim"},
            "lines": [{"name": name, "url": f"tcp://127.0.0.1:{n}"} for n, name in ((1, "a"), (2, "b"))],
            "meters": [_meter(_ONE, "a"), _meter(_TWO, "b")],
            "plans": [{"name": "p", "every_s": _EVERY_S, "items": ["voltage.a"]}],
        }
        self.told = _Told()
        self.dialled: list[str] = []
        self.brokers: list[MemoryBroker] = []
        self.puback_delay_s = 0.0
        self.published: list[int] = []
        self.sinks: list[MemorySink] = []
        self.sink_fails = False
        self.relogged: list[str] = []
        self.rereading: Callable[[], Settings] = self.settings
        self.desk: Handler | None = None
        self.modules: dict[str, CarrierModule] = {}

    def settings(self) -> Settings:
        return Settings.model_validate(self.document)

    def _reread(self) -> Settings:
        return self.rereading()

    def run(self, seconds: float, story: Callable[[Daemon], Awaitable[None]]) -> None:
        self.sim.run(self._run(seconds, story))

    def slots(self, address: str) -> list[float]:
        """Of the kept readings of a meter, in seconds since the start."""
        found = readings_of(rows_in(self.folder / "journal.sqlite3"))
        return [(each.slot - START).total_seconds() for each in found if each.meter == f"m{address}"]

    def outside(self, _: Settings) -> Outside:
        """Each configuration has a broker of its own."""
        fails = self.sink_fails

        def sink() -> MemorySink:
            if fails:
                raise SinkAway("no such folder")
            self.sinks.append(MemorySink())
            return self.sinks[-1]

        self.brokers.append(MemoryBroker(on_publish=self._note_published))
        self.brokers[-1].puback_delay_s = self.puback_delay_s
        return Outside(
            folder=self.folder,
            clock=self.sim.clock,
            connector=self.brokers[-1],
            sink=sink,
            rng=self.sim.random,
            reserve_octets=0,
        )

    def _note_published(self, topic: str, payload: bytes) -> None:
        if "/up/reading/" in topic:
            self.published.append(json.loads(payload)["seq"])

    async def _run(self, seconds: float, story: Callable[[Daemon], Awaitable[None]]) -> None:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as self._group:
            manager = Manager(
                notifier=self.told,
                reread=self._reread,
                outside_of=self.outside,
                relog=lambda log: self.relogged.append(log.level),
            )
            first = self.outside(self.settings())
            orders = OrderWorld(open_desk=self._open_desk)
            daemon = Daemon(self.settings(), first, self._open, orders=orders, manager=manager)
            running = self._group.create_task(daemon.run(stop, lambda _: None))
            telling = self._group.create_task(_done(story(daemon)))
            await asyncio.sleep(seconds)
            await telling
            stop.set()
            await running

    async def apply(self, *meters: Mapping[str, object]) -> None:
        """Make the roster these meters, as `meterlink roster apply` does through the daemon."""
        with JournalReader(self.folder / "journal.sqlite3") as reader:
            kept = reader.roster()
        wanted = Settings.model_validate({**self.document, "meters": meters}).meters
        touched = plan(meters_of(kept.entries.values()), wanted, self.sim.clock.utc_now()).touched
        ticket = (await self._ask("roster.begin"))["ticket"]
        await self._ask("roster.put", ticket=ticket, entries=[entry_of(meter) for meter in touched])
        answer = await self._ask("roster.commit", ticket=ticket, revision=kept.revision)
        assert kept.revision + 1 == answer["revision"], answer

    async def _ask(self, op: str, **args: Any) -> Mapping[str, Any]:
        assert self.desk is not None, "the daemon is up"
        return await self.desk("li", op, args)

    @contextlib.asynccontextmanager
    async def _open_desk(self, _: Path, desk: Handler) -> AsyncIterator[None]:
        self.desk = desk
        yield

    async def _open(self, url: LineUrl) -> ByteStream:
        self.dialled.append(str(url))
        known = {"tcp://127.0.0.1:1": [_ONE, _THREE], "tcp://127.0.0.1:2": [_TWO]}.get(str(url))
        if known is None:
            raise LineLost("connection refused")
        ours, theirs = memory_line()
        if str(url) in self.modules:
            self._group.create_task(_done(self.modules[str(url)].serve(Duplex(theirs))))
            return ours
        line = Line([Station(meter=Meter(each, seed=7)) for each in known], clock=self.sim.clock)
        self._group.create_task(_done(line.serve(Duplex(theirs))))
        return ours


async def _done(work: Awaitable[None]) -> None:
    await work


def _meter(address: str, line: str, **more: object) -> dict[str, object]:
    return {"id": f"m{address}", "address": address, "line": line, **more}


async def _reload(daemon: Daemon, plant: _Plant) -> str:
    """Ask, and wait until the manager hears READY again; what the status says then."""
    plant.told.lines.clear()
    daemon.ask_reload()
    return await _reloaded(plant)


async def _reloaded(plant: _Plant) -> str:
    while "READY=1" not in plant.told.lines:  # noqa: ASYNC110 (a list, as the manager's socket would be)
        await asyncio.sleep(0.01)
    assert plant.told.lines[0] == "RELOADING=1"
    assert plant.told.lines[1].startswith("MONOTONIC_USEC=")
    return plant.told.lines[-1]


def test_tb1_an_equal_configuration_changes_nothing(tmp_path: Path) -> None:
    """TB-1: each reload would open every line again, and begin the delivery anew."""
    plant = _Plant(tmp_path)

    async def story(daemon: Daemon) -> None:
        await asyncio.sleep(1.5 * _EVERY_S)
        tasks, dialled = asyncio.all_tasks(), [*plant.dialled]
        status = await _reload(daemon, plant)
        assert status.startswith("STATUS=2 lines")
        lasting = {"relay", "ingest", "delivery", "line[a]", "line[b]", "bus[a].owner", "journal.writer"}
        assert set() == lasting - {task.get_name() for task in tasks if not task.done()}
        assert dialled == plant.dialled
        assert 1 == len(plant.brokers)

    plant.run(4 * _EVERY_S - 1, story)
    assert [0.0, 30.0, 60.0, 90.0] == plant.slots(_ONE) == plant.slots(_TWO)


def _no_toml() -> Settings:
    raise ConfigError("meterlink.toml:3: not TOML", "meterlink.toml:3: 不是 TOML 格式")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (None, "meterlink.toml:3: not TOML"),
        ({"meters": [], "lines": [{"name": "b", "url": "tcp://127.0.0.1:2"}]}, "the roster does not fit"),
        ({"mqtt": {"url": "mqtt://127.0.0.1:1", "password": "env:METERLINK_NO_SUCH"}}, "mqtt.password"),
        ({"plans": [{"name": "p", "items": ["voltag.a"]}]}, "voltage.a"),
        ({"gateway": {"id": "other", "site": "sim"}}, "gateway.id"),
        ({"gateway": {"id": "gw", "site": "there"}}, "gateway.site"),
        ({"gateway": {"id": "gw", "site": "sim", "data_dir": "elsewhere"}}, "gateway.data_dir"),
        ({"monitoring": {"port": 9}}, "monitoring"),
    ],
)  # fmt: skip
def test_f56_an_invalid_reload_leaves_all_as_it_is(
    tmp_path: Path, change: Mapping[str, Any] | None, words: str
) -> None:
    """F56: a typing error would stop the reading of a whole plant, or half of the new file hold."""
    plant = _Plant(tmp_path)

    async def story(daemon: Daemon) -> None:
        await asyncio.sleep(1.5 * _EVERY_S)
        before, dialled = plant.document, [*plant.dialled]
        lines = [*before["lines"], {"name": "c", "url": "tcp://127.0.0.1:3"}]
        plant.document = {**before, "lines": lines, "retention": {"instant_days": 9}, **(change or {})}
        if change is None:
            plant.rereading = _no_toml
        status = await _reload(daemon, plant)
        assert "the old one holds" in status
        assert words in status
        assert (dialled, 1) == (plant.dialled, len(plant.brokers))
        plant.document, plant.rereading = before, plant.settings
        assert (await _reload(daemon, plant)).startswith("STATUS=2 lines"), "a good one takes the word back"

    plant.run(4 * _EVERY_S - 1, story)
    assert [0.0, 30.0, 60.0, 90.0] == plant.slots(_ONE) == plant.slots(_TWO)


def test_only_the_line_that_changed_begins_anew(tmp_path: Path) -> None:
    """A meter more on one line would cost every other line its connection."""
    plant = _Plant(tmp_path)

    async def story(daemon: Daemon) -> None:
        await asyncio.sleep(1.5 * _EVERY_S)
        plant.told.lines.clear()
        await plant.apply(*plant.document["meters"], _meter(_THREE, "a"))
        await _reloaded(plant)

    plant.run(4 * _EVERY_S - 1, story)
    assert ["tcp://127.0.0.1:1", "tcp://127.0.0.1:2", "tcp://127.0.0.1:1"] == plant.dialled
    assert [0.0, 30.0, 60.0, 90.0] == plant.slots(_ONE) == plant.slots(_TWO)
    assert [30.0, 60.0, 90.0] == plant.slots(_THREE), "the slot in hand is read, too"
    assert 1 == len(plant.brokers)


def test_a_line_with_a_module_begins_anew_and_its_meters_are_read_on(tmp_path: Path) -> None:
    """A meter more behind a carrier module would leave the others unread, or be read by no lane."""
    plant = _Plant(tmp_path)
    lines = [{"name": "a", "url": "tcp://127.0.0.1:1", "carrier": {}}, plant.document["lines"][1]]
    plant.document = {**plant.document, "lines": lines}
    wires: dict[str, Line] = {
        one: Line([Station(meter=Meter(one, seed=7))], clock=plant.sim.clock) for one in (_ONE, _THREE)
    }
    ways = CarrierWays(shortest_s=0.1, longest_s=0.5, command_s=0.1, join_s=1.0)
    module = CarrierModule(wires, protocols=dict.fromkeys(wires, 2), ways=ways)
    plant.modules["tcp://127.0.0.1:1"] = module

    async def story(daemon: Daemon) -> None:
        working = asyncio.get_running_loop().create_task(module.run())
        await asyncio.sleep(1.5 * _EVERY_S)
        plant.told.lines.clear()
        await plant.apply(*plant.document["meters"], _meter(_THREE, "a"))
        await _reloaded(plant)
        await asyncio.sleep(2.4 * _EVERY_S)
        working.cancel()

    plant.run(4 * _EVERY_S - 1, story)
    assert ["tcp://127.0.0.1:1", "tcp://127.0.0.1:2", "tcp://127.0.0.1:1"] == plant.dialled
    assert [0.0, 30.0, 60.0, 90.0] == plant.slots(_ONE) == plant.slots(_TWO)
    assert [30.0, 60.0, 90.0] == plant.slots(_THREE), "the slot in hand is read, too"


def test_lines_come_and_go(tmp_path: Path) -> None:
    """A line that was taken out would be read on, one that was added never."""
    plant = _Plant(tmp_path)

    async def story(daemon: Daemon) -> None:
        await asyncio.sleep(1.5 * _EVERY_S)
        plant.told.lines.clear()
        await plant.apply(_meter(_TWO, "b"), _meter("000000000009", "tcp://127.0.0.1:9"))
        await _reloaded(plant)

    plant.run(4 * _EVERY_S - 1, story)
    assert [0.0, 30.0] == plant.slots(_ONE)
    assert [0.0, 30.0, 60.0, 90.0] == plant.slots(_TWO)
    assert "tcp://127.0.0.1:9" in plant.dialled


def test_another_plan_concerns_every_line(tmp_path: Path) -> None:
    """Meters would be read by the old plan until the next start."""
    plant = _Plant(tmp_path)

    async def story(daemon: Daemon) -> None:
        await asyncio.sleep(1.5 * _EVERY_S)
        plant.document["plans"] = [{"name": "p", "every_s": 15, "items": ["voltage.a"]}]
        plant.document["retention"] = {"instant_days": 9}
        plant.document["log"] = {"level": "debug"}
        await _reload(daemon, plant)
        await asyncio.sleep(1)
        assert ["debug"] == plant.relogged

    plant.run(3 * _EVERY_S - 1, story)
    assert [0.0, 30.0, 45.0, 60.0, 75.0] == plant.slots(_ONE)


def test_another_broker_gets_what_the_old_one_had_not(tmp_path: Path) -> None:
    """N-2: what waits would be lost with the old connection, or lines stop while the broker changes."""
    plant = _Plant(tmp_path)

    async def story(daemon: Daemon) -> None:
        await asyncio.sleep(1.5 * _EVERY_S)
        plant.document["files"] = {"files_max": 3}
        await _reload(daemon, plant)
        assert 2 == len(plant.brokers)

    plant.run(4 * _EVERY_S - 1, story)
    assert 2 == len(plant.dialled), "no line was touched"
    assert [0.0, 30.0, 60.0, 90.0] == plant.slots(_ONE) == plant.slots(_TWO)
    stored = [len(sink.points) for sink in plant.sinks]
    assert (2, 8) == (len(stored), sum(stored))
    assert min(stored) >= 3, "each of them got its part"


def test_a_delivery_that_cannot_be_opened_leaves_the_old_one(tmp_path: Path) -> None:
    """A wrong folder in the file would end the way to the database for good."""
    plant = _Plant(tmp_path)

    async def story(daemon: Daemon) -> None:
        await asyncio.sleep(1.5 * _EVERY_S)
        plant.document["files"] = {"files_max": 3}
        plant.document["lines"][0]["reply_timeout_ms"] = 700
        plant.rereading = lambda: _failing(plant)
        status = await _reload(daemon, plant)
        assert "no such folder" in status

    def _failing(plant: _Plant) -> Settings:
        plant.sink_fails = True  # of the new way; that of the old one works
        return plant.settings()

    plant.run(4 * _EVERY_S - 1, story)
    assert [0.0, 30.0, 60.0, 90.0] == plant.slots(_ONE) == plant.slots(_TWO)
    assert 2 == len(plant.dialled), "the lines were not touched"
    assert 8 == sum(len(sink.points) for sink in plant.sinks), "all of it through the old one"


def _instants(folder: Path) -> list[int]:
    """The rows of the log that hold values of the moment, in its order."""
    rows = rows_in(folder / "journal.sqlite3")
    return [row.id for row in rows if row.record.data_class == "instant"]


@pytest.mark.parametrize("change", ["roster", "files", "broker"])
def test_f57_reload_during_drain(tmp_path: Path, change: str) -> None:
    """F57: of what waited for the broker some would be lost for ever, or all of it be published again."""
    plant = _Plant(tmp_path)
    plant.puback_delay_s = 5.0

    async def story(daemon: Daemon) -> None:
        plant.brokers[0].away = True
        plant.brokers[0].cut()
        await asyncio.sleep(7200)
        plant.brokers[0].away = False
        while len(plant.published) <= WINDOW:  # noqa: ASYNC110 (the broker's own list)
            await asyncio.sleep(0.1)
        kept = len(_instants(tmp_path))
        assert kept - len(plant.published) > WINDOW, "the outbox is being drained"
        if change == "roster":
            await plant.apply(_meter(_TWO, "b"), _meter(_THREE, "a"))
        elif change == "files":
            plant.document["files"] = {"files_max": 3}
        else:
            plant.document["mqtt"] = {"url": "mqtt://other:1883"}
        await _reload(daemon, plant)
        assert len(set(plant.published)) < kept, "and still is when the other configuration holds"
        await asyncio.sleep(60)

    plant.run(7300, story)
    wanted = _instants(tmp_path)
    assert wanted == list(dict.fromkeys(plant.published)), "each, and in the order of the log"
    assert len(plant.published) - len(wanted) <= WINDOW, "no more than was on its way is published again"
    assert (1 if change == "roster" else 2) == len(plant.brokers)


def test_f57_a_reload_while_the_daemon_stops(tmp_path: Path) -> None:
    """F57: a reload that comes while we stop would start lines again, and the stop would hang."""
    plant = _Plant(tmp_path)
    ended_s: list[float] = []

    async def story(daemon: Daemon) -> None:
        await asyncio.sleep(2 * _EVERY_S - 1)
        plant.document["files"] = {"files_max": 3}
        await plant.apply(_meter(_TWO, "b"), _meter(_THREE, "a"))
        loop = asyncio.get_running_loop()
        for delay_s in (0.999, 1.0, 1.001, 1.01, 2.0):
            loop.call_later(delay_s, daemon.ask_reload)

    plant.run(2 * _EVERY_S, story)
    ended_s.append((plant.sim.clock.utc_now() - START).total_seconds())
    assert ended_s[0] < 2 * _EVERY_S + 15, "it ended in order"
    assert [] == [slot for slot in plant.slots(_THREE) if slot > 2 * _EVERY_S]
    assert "STOPPING=1" in plant.told.lines


def test_every_moment_of_a_reload_may_be_the_last(tmp_path: Path) -> None:
    """A stop in the middle of a reload would leave a line behind, or lose what was kept."""
    for milliseconds in range(0, 400, 40):
        folder = tmp_path / str(milliseconds)
        folder.mkdir()
        plant = _Plant(folder)

        async def story(daemon: Daemon, plant: _Plant = plant) -> None:
            await asyncio.sleep(_EVERY_S)
            plant.document["files"] = {"files_max": 3}
            await plant.apply(_meter(_TWO, "b"), _meter(_THREE, "a"))
            daemon.ask_reload()

        plant.run(_EVERY_S + milliseconds / 1000, story)
        after = plant.sim.clock.utc_now() - START
        assert after < timedelta(seconds=_EVERY_S + 15)
        assert plant.slots(_TWO) in ([0.0], [0.0, 30.0]), f"after {milliseconds} ms"


def test_a_meter_enters_and_leaves_service_on_its_day(tmp_path: Path) -> None:
    """A meter would be read from the next start on only, and one on a scrap heap until then."""
    plant = _Plant(tmp_path)

    def day(seconds: float) -> datetime:
        return START + timedelta(seconds=seconds)

    plant.document["meters"] = [
        _meter(_ONE, "a", in_service_until=day(1.5 * _EVERY_S)),
        _meter(_TWO, "b"),
        _meter(_THREE, "a", in_service_since=day(2.5 * _EVERY_S)),
    ]

    async def story(_: Daemon) -> None:
        plant.document["gateway"] = {"id": "half written"}

    plant.run(5 * _EVERY_S - 1, story)
    assert [0.0, 30.0] == plant.slots(_ONE)
    assert [90.0, 120.0] == plant.slots(_THREE), "a slot that began before it was there is not its"
    assert [0.0, 30.0, 60.0, 90.0, 120.0] == plant.slots(_TWO)
    assert 1 == plant.dialled.count("tcp://127.0.0.1:2")


def test_meters_of_the_file_are_told_and_not_taken(tmp_path: Path) -> None:
    """A reload would undo what was applied to the roster, or nobody learn that the file is not followed."""
    plant = _Plant(tmp_path)

    async def story(daemon: Daemon) -> None:
        await asyncio.sleep(1.5 * _EVERY_S)
        plant.document["meters"] = [_meter(_TWO, "b"), _meter(_THREE, "a")]
        with capture_logs() as logs:
            await _reload(daemon, plant)
        [told] = [line for line in logs if line["event"] == "roster_differs_from_file"]
        assert [1, 0, 1] == told["counts"]

    plant.run(4 * _EVERY_S - 1, story)
    assert 2 == len(plant.dialled)
    assert ([0.0, 30.0, 60.0, 90.0], []) == (plant.slots(_ONE), plant.slots(_THREE))


def test_a_roster_that_lines_cannot_follow_is_told(tmp_path: Path) -> None:
    """Whoever brings a terminal that dials in would wait for its readings, and not be told to start anew."""
    plant = _Plant(tmp_path)

    async def story(_: Daemon) -> None:
        await asyncio.sleep(1.5 * _EVERY_S)
        plant.told.lines.clear()
        dials_in = _meter(_THREE, f"listen://127.0.0.1:9?terminal={_THREE}", protocol="dlt698.45")
        await plant.apply(*plant.document["meters"], dials_in)
        said = await _reloaded(plant)
        assert "lines of listen://: start it anew" in said

    plant.run(4 * _EVERY_S - 1, story)
    assert [0.0, 30.0, 60.0, 90.0] == plant.slots(_ONE) == plant.slots(_TWO)
    assert 2 == len(plant.dialled)


def test_what_cannot_be_changed_is_found_by_name() -> None:
    """A key that nobody looks at would hold in the file and not in the daemon."""
    base: dict[str, Any] = {"meters": [_meter(_ONE, "tcp://127.0.0.1:1")]}
    old = Settings.model_validate(base)
    assert not changes(old, Settings.model_validate(base))
    listen = Settings.model_validate({"meters": [_meter(_ONE, f"listen://127.0.0.1:9?terminal={_ONE}")]})
    assert ("lines of listen://",) == changes(old, listen).fixed
    tables = {name.partition(".")[0] for name in FIXED}
    reached = {"lines", "meters", "plans", "mqtt", "embedded_broker", "influx", "files", "ingest"}
    at_once = {"retention", "log", "alarms"}
    assert set(Settings.model_fields) == tables | reached | at_once, "each key has its place"
    assert changes(old, Settings.model_validate({**base, "alarms": {"manual_read_days": 5}})).alarms
