"""Callers who mean no good cost themselves their connection, and nobody else anything.

Two towns are alike but for such callers, fifty and more on each port. What the head-end and the good
terminals say to each other, and when, is the same in both; memory stays; each caller is gone within the
limit that the daemon names, and the log has one line for each.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from structlog.testing import capture_logs

from meterlink.bus.endurance import RUBBISH_OCTETS_MAX, UNASKED_OCTETS_MAX
from meterlink.bus.exchange import Session, Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.bus.wire import ANSWER_OCTETS_MAX
from meterlink.config import Settings
from meterlink.daemon.dial_in import Gatehouse
from meterlink.errors import LineLost, ReplyTimeout
from meterlink.journal.journal import Journal
from meterlink.model.line_url import ListenUrl
from meterlink.transports.caller import IDENTIFY_OCTETS_MAX, IDENTIFY_TIMEOUT_S
from meterlink.transports.hall import Hall
from meterlink.transports.log_budget import CALLER_LINE_EACH_S, CALLER_LINES_MAX
from meterlink.transports.memory_server import dial
from meterlink.transports.stream import ByteStream
from metersim import Line as Wires
from metersim import Meter, Simulation, Station
from metersim.dlt698 import Meter698
from metersim.dlt698.terminal import Habits, Terminal
from metersim.gdw1376.plan import FIRST_RS485, TerminalPlan
from metersim.gdw1376.terminal import address_of
from metersim.gdw1376.ways import Ways1376
from meterwire.dlt645 import ReadRequest, ReadSession
from meterwire.dlt698.apdus.get import GetRequestNormal
from meterwire.dlt698.apdus.parts import Piid
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.sessions.client import ClientSession
from meterwire.gdw1376.messages.terminal import request, unit
from meterwire.gdw1376.sessions.terminal_exchange import TerminalExchange
from tests.support import hostile
from tests.support.hostile import HEARTBEAT_S, Ended, Speaks, Speaks698, Speaks1376, SpeaksSerial
from tests.support.simulated import Duplex

START = datetime(2026, 10, 1, 3, tzinfo=UTC)
CALLERS = 25
"""Hostile callers on each port: of strangers of each kind, of known terminals in all."""
MEMORY_MAX_KB = 50 * 1024
OWN_MEMORY = Path("/proc/self/status")
GOOD = 3
"""Good terminals of each port."""
KNOWN = GOOD + CALLERS
"""Terminals that are configured on each port."""
IDLE_S = 2 * HEARTBEAT_S + 60.0
"""So long a terminal may be silent that beats as ours say they do."""
FOR_S = 700.0
HOSTILE_AT_S = 200.0
ASK_EACH_S, REPORT_EACH_S = 20.0, 90.0
PORT_698, PORT_1376, PORT_SERIAL = 9698, 9376, 9645
NAMES: dict[int, Callable[[int], str]] = {
    PORT_698: lambda number: f"{number:012d}",
    PORT_1376: lambda number: f"0171-{number}",
    PORT_SERIAL: lambda number: f"DTU-{number:04d}",
}
CALLED: dict[int, str] = {PORT_698: "terminal", PORT_1376: "terminal", PORT_SERIAL: "device"}
SPEAKS: dict[int, Speaks] = {
    PORT_698: Speaks698(),
    PORT_1376: Speaks1376(),
    PORT_SERIAL: SpeaksSerial(),
}


@dataclass(slots=True)
class Heard:
    """What one good terminal and the head-end said to each other, and when."""

    digest: Any = field(default_factory=hashlib.sha256)
    pieces: int = 0
    connections: int = 0

    def note(self, way: str, octets: bytes) -> None:
        """Octets that passed."""
        self.pieces += 1
        self.digest.update(f"{asyncio.get_running_loop().time():.9f} {way} {octets.hex()}\n".encode())


class Town:
    """A gatehouse with two ports, their lines, and the good terminals.

    Args:
        folder: of the journal.

    """

    def __init__(self, folder: Path) -> None:
        self.sim = Simulation(seed=1, start=START)
        self.heard: dict[str, Heard] = {}
        self.answered = 0
        self.halls: dict[int, Hall[Any]] = {}
        self._folder = folder
        places = [(port, NAMES[port](number), number) for port in NAMES for number in range(1, KNOWN + 1)]
        lines = [
            {
                "name": f"{port}-{name}",
                "url": f"listen://127.0.0.1:{port}?{CALLED[port]}={name}",
                **({"terminal": {"heartbeat_min": HEARTBEAT_S // 60}} if port == PORT_1376 else {}),
            }
            for port, name, _ in places
        ]
        meters = [
            {
                "id": f"m{port}-{number}",
                "address": name if port == PORT_698 else f"{number:012d}",
                "line": f"{port}-{name}",
                "protocol": "dlt698.45" if port == PORT_698 else "dlt645-2007",
            }
            for port, name, number in places
        ]
        self.settings = Settings.model_validate({"lines": lines, "meters": meters})

    def run(self, meanwhile: Callable[[Town], Any]) -> None:
        """Let it live, and something else happen meanwhile."""
        self.sim.run(self._live(meanwhile))

    @asynccontextmanager
    async def _listening(self, _: str, port: int, hall: Hall[Any]) -> AsyncIterator[int]:
        self.halls[port] = hall
        yield port
        await hall.close()

    async def _live(self, meanwhile: Callable[[Town], Any]) -> None:
        async with Journal(self._folder / "journal", clock=self.sim.clock) as journal:
            gatehouse = Gatehouse(self.settings, journal, self.sim.clock)
            async with gatehouse.open(self._listening), asyncio.TaskGroup() as group:
                tasks = []
                goods = {PORT_698: self._good698, PORT_1376: self._good1376, PORT_SERIAL: self._good_server}
                for line, _ in self.settings.meters_by_line():
                    url = line.parsed_url
                    assert isinstance(url, ListenUrl)
                    way = gatehouse.way(line, _nowhere)
                    owner = Line(line.name, opener=way, timing=Timing(), rng=random.Random(1))
                    tasks.append(group.create_task(owner.run()))
                    name = url.terminal or url.device
                    number = int(name.rpartition("-")[2])
                    if number <= GOOD:
                        good = goods[url.endpoint[1]](owner, name, number)
                        tasks += [group.create_task(one) for one in good]
                    elif url.device:
                        tasks.append(group.create_task(self._asked(owner, _read(number), number, sure=False)))
                work = group.create_task(meanwhile(self))
                await asyncio.sleep(FOR_S)
                await work
                for task in tasks:
                    task.cancel()
            self.reports = gatehouse.reports.kept

    # --- good terminals -----------------------------------------------------------------------

    def _good698(self, line: Line, name: str, number: int) -> Iterator[Any]:
        wires = Wires([Station(meter=Meter698(name, seed=number))], clock=self.sim.clock, record=_nobody)
        terminal = Terminal(wires, clock=self.sim.clock, habits=Habits(heartbeat_s=60))

        def ask() -> Session:
            wanted = GetRequestNormal(piid=Piid.of(number), oad=Oad.of("00100200"))
            return ClientSession(wanted, server=ServerAddress(name), client=0x10)

        async def report() -> None:
            while True:
                await asyncio.sleep(REPORT_EACH_S + number)
                assert await terminal.report([Oad.of("00100200")]), "a report is confirmed"

        yield self._called(PORT_698, name, terminal.serve)
        yield self._asked(line, ask, number)
        yield report()

    def _good1376(self, line: Line, name: str, number: int) -> Iterator[Any]:
        meter = Meter(f"{number:012d}", seed=number)
        wires = Wires([Station(meter=meter)], clock=self.sim.clock, record=_nobody)
        ways = Ways1376(heartbeat_s=60, curve_minutes=5)
        terminal = TerminalPlan(address=name, ways=ways).build({FIRST_RS485: wires}, clock=self.sim.clock)

        def ask() -> Session:
            wanted = request(
                address_of(name), 0x0C, [unit(0x0C, 2), unit(0x0C, 129, point=1)], sequence=number
            )
            return TerminalExchange(wanted)

        yield terminal.run()
        yield self._called(PORT_1376, name, terminal.serve)
        yield self._asked(line, ask, number)

    async def _called(self, port: int, name: str, serve: Callable[[Any], Any]) -> None:
        heard = self.heard[f"{port}/{name}"] = Heard()
        while True:
            heard.connections += 1
            await serve(_Noted(dial(self.halls[port], peer=name), heard))
            await asyncio.sleep(5)

    def _good_server(self, line: Line, name: str, number: int) -> Iterator[Any]:
        meter = Meter(f"{number:012d}", seed=number)
        wires = Wires([Station(meter=meter)], clock=self.sim.clock, record=_nobody)

        async def serve(duplex: Duplex) -> None:
            await duplex.send(name.encode())
            await wires.serve(duplex)

        yield self._called(PORT_SERIAL, name, serve)
        yield self._asked(line, _read(number), number)

    async def _asked(self, line: Line, ask: Callable[[], Session], number: int, *, sure: bool = True) -> None:
        await asyncio.sleep(10 + number / 7)
        while True:
            with suppress(*(() if sure else (LineLost, ReplyTimeout))):
                await line.exchange(ask(), priority=Priority.ON_DEMAND)
                self.answered += sure
            await asyncio.sleep(ASK_EACH_S)


class _Noted(Duplex):
    """A good terminal's end of a connection, written down."""

    def __init__(self, stream: Any, heard: Heard) -> None:
        super().__init__(stream)
        self._noted = heard

    async def receive(self) -> bytes:
        octets = await super().receive()
        self._noted.note("down", octets)
        return octets

    async def send(self, octets: bytes) -> None:
        self._noted.note("up", octets)
        await super().send(octets)


def _read(number: int) -> Callable[[], Session]:
    """Asks a meter of DL/T 645 for its energy."""
    return lambda: ReadSession(ReadRequest(address=f"{number:012d}", di=0x00010000))


async def _nowhere() -> ByteStream:
    raise LineLost("these lines are all dialled")


def _memory(key: str) -> int:
    """Kilooctets of this process: now (VmRSS), or at most (VmHWM)."""
    [line] = [line for line in OWN_MEMORY.read_text().splitlines() if line.startswith(f"{key}:")]
    return int(line.split()[1])


def _nobody(_: object) -> None:
    pass


async def _nothing(_: Town) -> None:
    pass


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Town:
    """The town without any hostile caller."""
    town = Town(tmp_path_factory.mktemp("quiet"))
    town.run(_nothing)
    assert len(NAMES) * GOOD * (FOR_S / ASK_EACH_S - 2) < town.answered
    assert {1} == {heard.connections for heard in town.heard.values()}
    assert GOOD * (FOR_S // REPORT_EACH_S - 2) < town.reports
    return town


class Kind(NamedTuple):
    """Callers of one kind.

    Args:
        story: what they say.
        why: words of the reason for which they are cut off.
        pause_s: before each thing that they say.
        lasts_s: at most.
        octets: that may leave before they notice: what the ends and the way between hold is on top of what
            is heard.

    """

    story: hostile.Story
    why: str
    pause_s: float = 0.0
    lasts_s: float = 0.0
    octets: int = 400_000


STRANGERS = (
    Kind(hostile.wrong_address, "no line is configured for", octets=IDENTIFY_OCTETS_MAX),
    Kind(hostile.nameless_flood, ""),
    Kind(hostile.nameless_trickle, f"within {IDENTIFY_TIMEOUT_S:g} s", 2.0, IDENTIFY_TIMEOUT_S),
    Kind(hostile.rubbish, "octets without a login"),
)
MAD = (
    Kind(hostile.known_rubbish, f"more than {RUBBISH_OCTETS_MAX}"),
    Kind(hostile.known_answers, f"more than {UNASKED_OCTETS_MAX}"),
    Kind(hostile.known_beats, f"more than {UNASKED_OCTETS_MAX}"),
    Kind(hostile.known_reports, "more"),
    Kind(hostile.known_trickle, f"rubbish came for {IDLE_S:g} s", 1.0, IDLE_S + 1),
)
MAD_SERVERS = (
    Kind(hostile.known_rubbish, f"more than {ANSWER_OCTETS_MAX}", 0.0, 2 * ASK_EACH_S),
    Kind(hostile.known_answers, f"more than {ANSWER_OCTETS_MAX}", 0.0, 2 * ASK_EACH_S),
)
"""Nobody hears a serial server between two questions: the kernel keeps what it says, and bids it wait."""
UNREGISTERED = "no line is configured for a serial server"


@dataclass(slots=True)
class Visited:
    """A town that hostile callers have visited."""

    town: Town
    ends: dict[tuple[int, str], tuple[Kind, Ended]]
    logs: list[MutableMapping[str, Any]]
    grown: int


def _visited(folder: Path, kinds: Mapping[int, Sequence[Kind]], count: int, first: int) -> Visited:
    """So many on each port, all at once."""
    town = Town(folder)
    callers = [
        (port, NAMES[port](first + number), on_it[number % len(on_it)])
        for port, on_it in kinds.items()
        for number in range(count)
    ]
    ends: dict[tuple[int, str], tuple[Kind, Ended]] = {}
    grown = 0

    async def call(port: int, name: str, kind: Kind) -> None:
        far = dial(town.halls[port], peer=f"hostile {name}")
        ends[port, name] = kind, await hostile.tell(far, kind.story(SPEAKS[port], name), pause_s=kind.pause_s)

    async def come(here: Town) -> None:
        assert here is town
        nonlocal grown
        await asyncio.sleep(HOSTILE_AT_S)
        gc.collect()
        OWN_MEMORY.with_name("clear_refs").write_text("5")  # the peak is counted from here
        begun = _memory("VmRSS")
        await asyncio.gather(*(call(*caller) for caller in callers))
        grown = _memory("VmHWM") - begun

    with capture_logs() as logs:
        town.run(come)
    assert len(callers) == len(ends)
    return Visited(town, ends, logs, grown)


def _check(quiet: Town, visited: Visited) -> None:
    """The good terminals were not touched, and the hostile ones are gone in time."""
    for name, heard in quiet.heard.items():
        other = visited.town.heard[name]
        assert (heard.pieces, heard.connections) == (other.pieces, other.connections), name
        assert heard.digest.hexdigest() == other.digest.hexdigest(), name
    assert quiet.answered == visited.town.answered
    assert visited.grown < MEMORY_MAX_KB
    for (port, name), (kind, end) in visited.ends.items():
        assert end.after_s <= kind.lasts_s, (port, name, kind)
        assert end.sent <= kind.octets, (port, name, kind)


def test_strangers_cost_nobody_anything(tmp_path: Path, quiet: Town) -> None:
    """Some hundred open sockets of somebody would cost a district its readings."""
    count = len(STRANGERS) * CALLERS
    visited = _visited(tmp_path, dict.fromkeys(NAMES, STRANGERS), count, first=1000)
    _check(quiet, visited)
    told = [line for line in visited.logs if line["event"] == "caller_turned_away"]
    assert len(visited.ends) == len(told)
    for port, name in visited.ends:
        assert 1 == len(_lines_about(visited, port, name)), "one line each"
    reasons = {(line["peer"].partition(":")[0]): line["reason"] for line in told}
    for (port, name), (kind, _) in visited.ends.items():
        assert (UNREGISTERED if port == PORT_SERIAL else kind.why) in reasons[f"hostile {name}"]
    for hall in visited.town.halls.values():
        assert (count, 0) == (hall.counts.turned_away, hall.counts.crowded_out)


def test_terminals_that_have_gone_mad_cost_nobody_anything(tmp_path: Path, quiet: Town) -> None:
    """Who has logged in would be heard for ever, and what his neighbours tell would wait behind him."""
    kinds = {PORT_698: MAD, PORT_1376: MAD, PORT_SERIAL: MAD_SERVERS}
    visited = _visited(tmp_path, kinds, CALLERS, first=GOOD + 1)
    _check(quiet, visited)
    told = [line for line in visited.logs if line["event"] == "line_closed"]
    reasons = {line["line"]: line["reason"] for line in told if line["reason"] != "the owner has stopped"}
    assert len(visited.ends) == len(reasons)
    for (port, name), (kind, _) in visited.ends.items():
        assert kind.why in reasons[f"{port}-{name}"]
        lines = [line for line in told if line["line"] == f"{port}-{name}"]
        assert 1 == len(lines), "one line each"
        assert len(_lines_about(visited, port, name)) <= COMING_LINES + 1, "and nothing besides"


COMING_LINES = 2
"""Of a terminal that comes: it has dialled in, and its line is up."""
FLAPS = 2_000


def _lines_about(visited: Visited, port: int, name: str) -> list[MutableMapping[str, Any]]:
    """Every line of the log that a caller has caused."""
    known = {f"{port}-{name}", name, f"hostile {name}"}
    return [
        line
        for line in visited.logs
        if known & {line.get("line"), line.get("terminal"), line.get("peer", "").partition(":")[0]}
        and line.get("reason") != "the owner has stopped"
        and line["event"] != "line_down"  # that is who asks, and finds nobody there
    ]


@pytest.mark.parametrize("port", [PORT_698, PORT_1376, PORT_SERIAL])
def test_who_logs_in_and_hangs_up_again_and_again_fills_no_log(
    tmp_path: Path, quiet: Town, port: int
) -> None:
    """A terminal with a loose plug, or whoever knows its name, would fill the disk with lines."""
    town = Town(tmp_path)
    name = NAMES[port](GOOD + 1)

    async def flap(here: Town) -> None:
        far = dial(here.halls[port], peer=f"hostile {name}")
        with suppress(LineLost):
            await far.send(SPEAKS[port].login(name))
            await asyncio.sleep(0.005)
        await far.aclose()

    async def come(here: Town) -> None:
        await asyncio.sleep(HOSTILE_AT_S)
        for _ in range(FLAPS):
            await flap(here)
        await asyncio.sleep(2 * CALLER_LINE_EACH_S)
        await flap(here)

    with capture_logs() as logs:
        town.run(come)
    visited = Visited(town, {}, logs, 0)
    _check(quiet, visited)
    assert FLAPS + 1 + GOOD == town.halls[port].counts.logins
    found = _lines_about(visited, port, name)
    most = CALLER_LINES_MAX + FOR_S / CALLER_LINE_EACH_S + 1
    assert CALLER_LINES_MAX <= len(found) <= 2 * most, "of its hall, and of its line"
    closings = [line for line in found if line["event"] in {"line_closed", "terminal_left"}]
    assert 0 < len(closings) <= most
    assert 2 * FLAPS <= sum(1 + line.get("left_out", 0) for line in found), "what was left out is counted"
