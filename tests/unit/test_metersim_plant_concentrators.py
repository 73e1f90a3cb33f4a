"""Concentrators of a plant file: read, checked, built with the meters behind them, and called."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from metersim import Simulation
from metersim.dlt698.terminal import Habits
from metersim.plant.built import BuiltPlant
from metersim.plant.checked import PlantError
from metersim.plant.opening import open_plant
from metersim.plant.plant import Plant, read_plant
from metersim.plant.schema import schema
from metersim.serving.served import SystemClock
from metersim.terminals.collector import Persistence
from metersim.terminals.plan import CARRIER, FIRST_RS485
from metersim.terminals.proxy import ProxyHabits
from metersim.terminals.ways import Mishap, Ways
from meterwire.dlt698.link.deframer import Deframer
from tests.support.processes import LOOPBACK

START = datetime(2026, 10, 1, 3, tzinfo=UTC)
DAY_S = 86400
FILE = """\
plant: hamlet
lines: []
concentrators:
  - address: 20000000001
    at: listen
    shortest_s: 0.1
    longest_s: 0.5
    meters:
      - {count: 2, address: 161}
      - {address: 200, profile: dlt698.45/generic}
  - {address: 20000000002, at: listen, port: rs485, clock_ahead_s: 90, meters: [{address: 300}]}
"""


def _collected(plant: Plant) -> dict[str, int]:
    """Rows of each meter after two hours, and the digest of the first line."""
    sim = Simulation(seed=1, start=START)
    built = BuiltPlant(plant, clock=sim.clock)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(built.run())
            await asyncio.sleep(7200)
            running.cancel()

    sim.run(main())
    rows = {
        entry.address: sum(len(one.store.rows(scheme, entry.address)) for scheme in (1, 2))
        for one in built.concentrators.values()
        for entry in one.archive.entries
    }
    return {**rows, built.digest("behind-020000000001"): 0}


def test_a_concentrator_of_a_file_reads_its_meters() -> None:
    """A plant file would name concentrators that do nothing."""
    plant = read_plant(FILE, "hamlet.yaml")
    found = _collected(plant)
    rows = {address: count for address, count in found.items() if count}
    # The clock of the second one is ahead, so that it has begun the last quarter.
    assert {"000000000161": 8, "000000000162": 8, "000000000200": 8, "000000000300": 9} == rows
    assert found == _collected(plant), "one file, one run"


def test_what_is_behind_a_concentrator_is_of_the_plant() -> None:
    """Its meters could not be asked whether they obeyed, nor made to fail."""
    built = BuiltPlant(read_plant(FILE, "hamlet.yaml"), clock=Simulation(seed=1, start=START).clock)
    assert ["behind-020000000001", "behind-020000000002"] == list(built.lines)
    assert "behind-020000000001" == built.meter("000000000200").line.name
    assert () == built.meter("000000000300").obeyed()
    ports = [entry.port for one in built.concentrators.values() for entry in one.archive.entries]
    assert [CARRIER] * 3 + [FIRST_RS485] == ports


def test_a_row_says_what_others_do_otherwise() -> None:
    """A tester of a head-end would have to write Python for a concentrator that is not the usual one."""
    figures = (
        "password: '71', rounds: 1, pause_s: 60, rows_max: 10, nothing_found: null_row, budget_s: 7, "
        "silent_reply: empty, reset_at_block: 2, reset_s: 40, heartbeat_s: 30, reports: true"
    )
    rows = f"[{{address: 8}}, {{address: 9, {figures}, meters: [{{address: 7}}]}}]"
    plant = read_plant(f"lines: []\nconcentrators: {rows}\n", "p.yaml")
    built = BuiltPlant(plant, clock=Simulation(seed=1, start=START).clock)
    usual, other = (one.ways for one in built.concentrators.values())
    assert Ways() == usual
    assert (
        Ways(
            password="71",
            call=Habits(heartbeat_s=30),
            persistence=Persistence(rounds=1, pause_s=60),
            proxy=ProxyHabits(budget_s=7, silent_reply="empty"),
            nothing_found="null_row",
            report_daily=True,
            reports_allowed=True,
            rows_max=10,
            mishap=Mishap(reset_at_block=2, reset_s=40),
        )
        == other
    )
    assert "71" not in f"{plant.concentrators} {other}"


def test_a_meter_of_an_edition_without_freezes_is_no_failure() -> None:
    """Each night the master would be told of a broken meter, which answers all that it can answer."""
    rows = "[{address: 1, profile: dlt645-1997/generic}, {address: 2}, {address: 3, faults: {silence: 1.0}}]"
    row = f"{{address: 9, at: listen, meters: {rows}}}"
    plant = read_plant(f"lines: []\nconcentrators: [{row}]\n", "p.yaml")
    sim = Simulation(seed=1, start=START)
    built = BuiltPlant(plant, clock=sim.clock)
    concentrator = built.concentrators["000000000009"]

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(built.run())
            await asyncio.sleep(DAY_S)
            running.cancel()

    sim.run(main())
    nights, quarters = (
        [len(concentrator.store.rows(scheme, f"{number:012}")) for number in (1, 2, 3)] for scheme in (1, 2)
    )
    assert [0, 2, 0] == nights, "that of the midnight before is collected late"
    assert [95, 95, 0] == quarters, "the last one begins as the day ends"
    assert ["000000000003"] == [failure.address for failure in concentrator.failures.newest_first()]
    assert (2, 1) == (concentrator.collector.runs[1].total, concentrator.collector.runs[1].success)


def test_the_archive_says_what_the_meters_are() -> None:
    """A head-end that goes by the archive would ask single-phase meters for three phases, or at no speed."""
    rows = """
      - {address: 1, profile: dlt698.45/single-phase}
      - {address: 2, profile: dlt698.45/three-phase, baud: 115200}
      - {address: 3, profile: dlt645-2007/single-phase, baud: 1200}
      - {address: 4, profile: dlt645-2007/three-phase}
      - {address: 5, profile: dlt645-1997/generic}
    """
    plant = read_plant(f"lines: []\nconcentrators:\n  - address: 9\n    meters:{rows}\n", "p.yaml")
    built = BuiltPlant(plant, clock=Simulation(seed=1, start=START).clock)
    meters = built.lines["behind-000000000009"].meters.values()
    profiles = [meter.row.profile for meter in meters]
    codes = {1200: 2, 2400: 3, 9600: 6}
    entries = built.concentrators["000000000009"].archive.entries
    own = [codes[profile.line.baud] for profile in profiles]
    assert [own[0], 10, 2, own[3], own[4]] == [entry.baud for entry in entries]
    assert [1, 3, 1, 3] == [entry.wiring for entry in entries][:4]
    assert [(Decimal(one.meter.voltage_v), Decimal(one.meter.basic_current_a)) for one in profiles] == [
        (entry.rated_voltage, entry.rated_current) for entry in entries
    ]
    assert [3, 3, 2, 2, 1] == [entry.protocol for entry in entries]


def test_the_archive_has_the_passwords_of_the_meters() -> None:
    """Nothing behind it could be set or ordered by PROXY."""
    rows = (
        "[{address: 1, profile: dlt698.45/generic, password: '71'}, {address: 2, profile: dlt698.45/generic}]"
    )
    plant = read_plant(f"lines: []\nconcentrators: [{{address: 9, meters: {rows}}}]\n", "p.yaml")
    built = BuiltPlant(plant, clock=Simulation(seed=1, start=START).clock)
    entries = built.concentrators["000000000009"].archive.entries
    assert [b"71", b"00000000"] == [entry.password.value for entry in entries]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("{address: 1, at: pty}", "concentrators[1].at: a concentrator is reached over tcp:// or dial://"),
        ("{address: 1, shortest_s: 9}", "concentrators[1].shortest_s: over longest_s, 8; write less"),
        ("{address: 1, longest_s: 121}", "concentrators[1].longest_s"),
        ("{address: 1, meters: []}", "concentrators[1].meters: a concentrator has one meter or more"),
        ("{address: 1, meters: [{count: 1001}]}", "1001 meters, a concentrator takes 1000 at most"),
        ("{adress: 1}", "unknown key; did you mean 'address'?"),
        ("{at: tcp://127.0.0.1:0}", "concentrators[1].address: the key is missing"),
        ("{address: 1, rounds: 101}", "concentrators[1].rounds"),
        ("{address: 1, pause_s: 86401}", "concentrators[1].pause_s"),
        ("{address: 1, rows_max: 400001}", "concentrators[1].rows_max"),
        ("{address: 1, budget_s: 0}", "concentrators[1].budget_s"),
        ("{address: 1, silent_reply: none}", "concentrators[1].silent_reply"),
        ("{address: 1, reset_at_block: 0}", "concentrators[1].reset_at_block"),
        ("{address: 1, reset_s: 3601}", "concentrators[1].reset_s"),
        ("{address: 1}, {address: 1}", "concentrators[2].address: two lines are called behind-000000000001"),
    ],
)
def test_a_wrong_row_is_refused_with_its_place(row: str, sentence: str) -> None:
    """A slip in a file of a hundred lines would be looked for by hand."""
    with pytest.raises(PlantError) as caught:
        read_plant(f"lines: []\nconcentrators: [{row}]\n", "p.yaml")
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("p.yaml:2: ")


def test_addresses_are_one_a_plant_also_behind_concentrators() -> None:
    """Nobody would know which of two meters a control was for."""
    with pytest.raises(PlantError, match=r"concentrators\[1\]\.meters\[1\]: another meter has the address"):
        read_plant("lines: [{}]\nconcentrators: [{address: 9, meters: [{address: 1}]}]\n", "p.yaml")


def test_the_schema_describes_them() -> None:
    """An editor would call a right file wrong."""
    row = schema()["$defs"]["ConcentratorRow"]
    assert row["properties"]["loss"]["description"].startswith("probability")
    assert {"$ref": "#/$defs/ConcentratorRow"} == schema()["properties"]["concentrators"]["items"]


def test_it_calls_and_waits_over_sockets() -> None:
    """A head-end could not reach it."""

    async def main() -> tuple[bytes, bytes]:
        heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.set_result(await reader.read(4096))
            writer.close()

        server = await asyncio.start_server(accept, LOOPBACK, 0)
        port = server.sockets[0].getsockname()[1]
        rows = f"{{address: 1, at: 'dial://{LOOPBACK}:{port}'}}, {{address: 2, at: 'tcp://{LOOPBACK}:0'}}"
        built = BuiltPlant(read_plant(f"lines: []\nconcentrators: [{rows}]\n", "p.yaml"), clock=SystemClock())
        async with server, open_plant(built) as urls:
            dialled = await heard
            waiting = int(urls["behind-000000000002"].rpartition(":")[2])
            reader, writer = await asyncio.open_connection(LOOPBACK, waiting)
            login = await reader.read(4096)
            writer.close()
        return dialled, login

    frames = [Deframer().feed(octets)[0] for octets in asyncio.run(main())]
    assert ["000000000001", "000000000002"] == [frame.server.digits for frame in frames]
    assert {0x81} == {frame.control for frame in frames}
