"""Carrier modules of a plant file: read, checked, built with the meters behind them, and connected to."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from metersim import Simulation
from metersim.api.views import LineView
from metersim.cli import app
from metersim.plant.built import BuiltPlant
from metersim.plant.checked import PlantError
from metersim.plant.opening import open_plant
from metersim.plant.plant import read_plant
from metersim.plant.starters import starter
from metersim.serving.served import SystemClock
from meterwire import dlt645
from meterwire.gdw1376.link.module_frame import Addresses, DownInfo
from meterwire.gdw1376.messages.module import request
from meterwire.gdw1376.sessions.module_exchange import ModuleExchange
from tests.support.carrier_host import forwarded, read_frame

START = datetime(2026, 10, 1, 3, tzinfo=UTC)
FILE = """\
plant: hamlet
seed: 7
lines:
  - name: area
    at: tcp://127.0.0.1:0
    carrier: {shortest_s: 0, longest_s: 0.02, command_s: 0}
    meters:
      - {count: 2, address: 161, baud: 2400}
      - {address: 200, profile: dlt698.45/generic}
  - {name: cable, meters: [{address: 300}]}
"""


def test_a_line_of_a_file_may_have_a_module() -> None:
    """A plant file would have no carriers, or their meters would not be of the plant."""
    built = BuiltPlant(read_plant(FILE, "hamlet.yaml"), clock=Simulation(seed=1, start=START).clock)
    module = built.lines["area"].carrier
    assert module is not None
    assert built.lines["cable"].carrier is None
    assert 7 == module.standing.ways.seed, "the plant's"
    found = [(node.address[-3:], node.protocol) for node in module.standing.nodes.all]
    assert [("161", 2), ("162", 2), ("200", 3)] == found
    view = LineView.of(built.lines["area"], None).carrier
    assert view is not None
    assert (3, 3, 0) == (view.slaves, view.joined, view.exchanges)
    assert LineView.of(built.lines["cable"], None).carrier is None


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("carrier: {loss: 2}", "loss"),
        ("carrier: {speed: 2}", "speed"),
        ("carrier: {nodes_max: 2}", "nodes_max"),
        ("carrier: {}, paced: true", "paced"),
        ("carrier: {}, medium: {echo: 1}", "medium"),
        ("carrier: {}, login: true, meters: [{profile: dlt698.45/generic}]", "login"),
        ("carrier: {}, meters: [{profile: modbus/eastron-sdm230}]", "Modbus"),
    ],
)
def test_what_no_module_is_is_refused_with_its_place(keys: str, words: str) -> None:
    """A wrong file would run as something else than was written."""
    meters = "" if "meters:" in keys else ", meters: [{count: 3}]"
    with pytest.raises(PlantError, match=words) as refused:
        read_plant(f"lines:\n  - {{{keys}{meters}}}\n", "hamlet.yaml")
    assert "hamlet.yaml:2" in str(refused.value)


@pytest.mark.asyncio
async def test_a_module_is_reached_over_tcp() -> None:
    """Nobody could put a daemon of another process before a carrier."""
    built = BuiltPlant(read_plant(FILE, "hamlet.yaml"), clock=SystemClock())
    meter = "000000000162"
    addresses = Addresses("000000000000", meter)
    asked = request(DownInfo(9), 0x13, 1, forwarded(read_frame(meter)), addresses=addresses)
    exchange = ModuleExchange(asked)
    async with asyncio.TaskGroup() as group, open_plant(built) as urls:
        running = group.create_task(built.run())
        host, _, port = urls["area"].removeprefix("tcp://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(exchange.octets_to_send())
        async with asyncio.timeout(10):
            while not exchange.finished:
                exchange.feed(await reader.read(4096))
        writer.close()
        running.cancel()
    assert exchange.answer is not None
    frames = dlt645.Deframer().feed(exchange.answer.values["payload"])
    assert [meter] == [frame.address for frame in frames]


def test_a_meter_behind_a_module_can_be_asked_by_a_test() -> None:
    """A test could not look at a meter without speaking 1376.2."""
    sim = Simulation(seed=1, start=START)
    built = BuiltPlant(read_plant(FILE, "hamlet.yaml"), clock=sim.clock)
    answer = sim.run(built.meter("000000000161").exchange(read_frame("000000000161")))
    assert ["000000000161"] == [frame.address for frame in dlt645.Deframer().feed(answer)]


def test_a_carrier_plant_to_begin_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that the program writes would not run."""
    monkeypatch.chdir(tmp_path)
    assert 0 == CliRunner().invoke(app, ["new", "area", "--kind", "carrier"]).exit_code
    told = CliRunner().invoke(app, ["check", "area.yaml"]).stdout.splitlines()
    assert "  area at tcp://127.0.0.1:0, through a carrier module" == told[1]
    document = json.loads(CliRunner().invoke(app, ["check", "area.yaml", "--json"]).stdout)
    assert 9 == len(document["lines"][0]["meters"])
    whole = re.sub(r"^( *)# (?=\w+: )", r"\1", starter("carrier", "area"), flags=re.MULTILINE)
    ways = read_plant(whole.partition("metersim run area.yaml")[2], "area.yaml").lines[0].carrier
    assert ways is not None
    assert (0.01, 2, True, 1000) == (ways.doubled, ways.leaves_a_day, ways.power_events, ways.reset_every)
