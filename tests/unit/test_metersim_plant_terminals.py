"""Terminals of 1376.1 in a plant file: read, checked, built with the meters behind them, and called."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from datetime import UTC, datetime

import pytest

from metersim import Simulation
from metersim.gdw1376.archive import POINTS_MAX
from metersim.gdw1376.calling import Roaming
from metersim.gdw1376.ways import QUIRKS, Ways1376, drawn_quirks
from metersim.plant.built import BuiltPlant
from metersim.plant.checked import PlantError
from metersim.plant.opening import open_plant
from metersim.plant.plant import TERMINALS_MAX, Plant, read_plant
from metersim.plant.schema import schema
from metersim.plant.terminal_row import TerminalRow
from metersim.serving.served import SystemClock
from meterwire.gdw1376.link.terminal_frame import decode
from meterwire.gdw1376.sessions.terminal_listener import TerminalListener
from tests.support.processes import LOOPBACK

START = datetime(2026, 10, 1, 3, tzinfo=UTC)
FILE = """\
plant: hamlet
terminals:
  - address: 0171-2082
    at: listen
    shortest_s: 0.1
    longest_s: 0.5
    meters:
      - {count: 2, address: 161}
      - {address: 200, profile: dlt698.45/generic}
  - {address: 0171-2083, at: listen, port: rs485, clock_ahead_s: 90, meters: [{address: 300}]}
"""


def _collected(plant: Plant) -> dict[str, object]:
    """Records of each terminal after two hours, and the digest of its line."""
    sim = Simulation(seed=1, start=START)
    built = BuiltPlant(plant, clock=sim.clock)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(built.run())
            await asyncio.sleep(7300)
            running.cancel()

    sim.run(main())
    found: dict[str, object] = {name: len(one.store) for name, one in built.terminals.items()}
    return {**found, "digest": built.digest("behind-0171-2082")}


def test_a_terminal_of_a_file_reads_its_meters() -> None:
    """A plant file would name terminals that do nothing."""
    plant = read_plant(FILE, "hamlet.yaml")
    found = _collected(plant)
    # Three freezes and two points of each meter.
    assert (15, 5) == (found["0171-2082"], found["0171-2083"])
    assert found == _collected(plant), "one file, one run"


def test_a_terminal_is_reached_in_the_same_process() -> None:
    """A test would talk to the wires behind the terminal, and never to the terminal."""
    sim = Simulation(seed=1, start=START)
    built = BuiltPlant(read_plant(FILE, "hamlet.yaml"), clock=sim.clock)

    async def main() -> bytes:
        async with built.connect("behind-0171-2083") as duplex:
            return await duplex.receive()

    login = decode(sim.run(main()))
    assert ("0171", 2083, 0x02) == (login.address.area, login.address.terminal, login.afn)
    assert "behind-0171-2082" == built.meter("000000000200").line.name


def test_a_row_says_what_others_do_otherwise() -> None:
    """A tester of a head-end would have to write Python for a terminal that is not the usual one."""
    figures = (
        f"password: '{'7f' * 16}', rounds: 1, pause_s: 60, records_max: 10, lacks: fill, heartbeat_s: 30, "
        "silent_reply: deny, reset_at_frame: 2, reset_s: 40, reports: true, curve_minutes: 15, "
        "frame_octets: 100, quirks: [fir_zero, four_zeros], roam_s: 600, linger_s: 30, at: 'dial://h:1'"
    )
    rows = f"[{{address: 0001-8}}, {{address: 0001-9, {figures}, meters: [{{address: 7}}]}}]"
    plant = read_plant(f"terminals: {rows}\n", "p.yaml")
    built = BuiltPlant(plant, clock=Simulation(seed=1, start=START).clock)
    usual, other = (one.ways for one in built.terminals.values())
    assert Ways1376() == usual
    assert (
        Ways1376(
            password=b"\x7f" * 16,
            rounds=1,
            pause_s=60,
            records_max=10,
            lacks="fill",
            heartbeat_s=30,
            silent_reply="deny",
            reset_at_frame=2,
            reset_s=40,
            reports=True,
            curve_minutes=15,
            frame_octets=100,
            quirks=frozenset({"fir_zero", "four_zeros"}),
        )
        == other
    )
    assert Roaming(every_s=600, linger_s=30) == plant.terminals[1].roaming
    assert "7f7f" not in f"{plant.terminals} {other}".lower()


def test_quirks_of_a_fleet_are_drawn() -> None:
    """A plant of 200 terminals would be of one make."""
    rows = [{"address": f"0171-{number}", "quirks": "any", "at": "listen"} for number in range(1, 31)]
    plant = Plant(terminals=tuple(TerminalRow(**{**row, "at": "listen"}) for row in rows))  # type: ignore[arg-type]
    drawn = [row.plan(plant.seed).ways.quirks for row in plant.terminals]
    assert [drawn_quirks(f"{plant.seed}/{row['address']}") for row in rows] == drawn
    assert frozenset(QUIRKS) == frozenset().union(*drawn)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("address: 171-2082", "address: .*0171-2082"),
        ("address: 0171-65535", "address: .*65534"),
        ("address: 0171-1, at: pty", "at: a terminal is reached"),
        ("address: 0171-1, roam_s: 60", "roam_s: only who calls"),
        ("address: 0171-1, shortest_s: 9, longest_s: 8", "shortest_s: over longest_s"),
        ("address: 0171-1, meters: []", "meters: a terminal has one meter"),
        (f"address: 0171-1, meters: [{{count: {POINTS_MAX + 1}}}]", "meters: .* at most"),
        ("address: 0171-1, meters: [{profile: modbus/sunspec-203}]", "meters: .*Modbus"),
        ("address: 0171-1, curve_minutes: 7", "curve_minutes: .*15"),
        ("address: 0171-1, points_from: 2040, meters: [{count: 2}]", "points_from: .*2041"),
        ("address: 0171-1, quirks: [shy]", "quirks"),
        ("address: 0171-1, password: '71'", "password: .*32 hexadecimal"),
        ("address: 0171-1, heartbeat_s: 15301", "heartbeat_s"),
    ],
)
def test_a_fault_is_named_with_its_place(row: str, words: str) -> None:
    """Somebody would look for it in a plant that runs and does something else."""
    with pytest.raises(PlantError, match=rf"p.yaml:1: terminals\[1\].{words}"):
        read_plant(f"terminals: [{{{row}}}]\n", "p.yaml")


def test_two_terminals_of_one_address_and_too_many_are_refused() -> None:
    """A master would hear two that are one."""
    with pytest.raises(PlantError, match="two lines are called behind-0171-1"):
        read_plant("terminals: [{address: 0171-1}, {address: 0171-1}]\n", "p.yaml")
    rows = ", ".join(f"{{address: 0171-{number}}}" for number in range(1, TERMINALS_MAX + 2))
    with pytest.raises(PlantError, match="terminals"):
        read_plant(f"terminals: [{rows}]\n", "p.yaml")


def test_every_key_of_a_terminal_is_described() -> None:
    """Editors would show a key that nobody explains."""
    described = schema()["$defs"]["TerminalRow"]["properties"]
    assert {field.name for field in fields(TerminalRow)} == set(described)
    assert all(one["description"] for one in described.values())


def test_terminals_call_over_tcp() -> None:
    """What is in a file would work in the tests' memory only."""

    async def main() -> list[str]:
        listeners: list[TerminalListener] = []
        came = asyncio.Event()

        async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            listener = TerminalListener(lambda _: True)
            listeners.append(listener)
            while octets := await reader.read(1024):
                listener.feed(octets)
                writer.write(listener.octets_to_send())
                if len([one for one in listeners if one.terminal]) == 2:
                    came.set()
            writer.close()

        server = await asyncio.start_server(hear, LOOPBACK, 0)
        port = server.sockets[0].getsockname()[1]
        rows = ", ".join(
            f"{{address: 0171-{number}, at: 'dial://{LOOPBACK}:{port}', curve_minutes: 0}}"
            for number in (1, 2)
        )
        built = BuiltPlant(read_plant(f"terminals: [{rows}]\n", "p.yaml"), clock=SystemClock())
        async with open_plant(built) as urls, asyncio.timeout(10):
            await came.wait()
            assert {f"dial://{LOOPBACK}:{port}"} == set(urls.values())
        server.close()
        return sorted(f"{one.terminal.area}-{one.terminal.terminal}" for one in listeners if one.terminal)

    assert ["0171-1", "0171-2"] == asyncio.run(main())
