"""A concentrator of DL/T 698.45 that dials in over a socket: its meters read, its archive filled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from meterlink.cli import app
from tests.support.gateway import Process
from tests.support.metersim_process import running_metersim
from tests.support.processes import LOOPBACK, free_port

TERMINAL = "111111111111"
PLANT = """\
lines: []
concentrators:
  - address: {terminal}
    at: dial://{host}:{port}
    shortest_s: 0
    longest_s: 0.2
    meters:
      - {{address: 401}}
      - {{address: 501, profile: dlt698.45/single-phase}}
"""
CONFIG = """\
[gateway]
id = "gw"
site = "test"
data_dir = "{data}"

[[lines]]
name = "area-12"
url = "listen://{host}:{port}?terminal={terminal}"

[[meters]]
id = "a"
address = "401"
line = "area-12"

[[meters]]
id = "c"
address = "501"
line = "area-12"
protocol = "dlt698.45"

[[meters]]
id = "new"
address = "502"
line = "area-12"
protocol = "dlt698.45"
"""


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """A daemon and a concentrator that has dialled it."""
    port = free_port()
    plant, path = tmp_path / "plant.yaml", tmp_path / "meterlink.toml"
    plant.write_text(PLANT.format(terminal=TERMINAL, host=LOOPBACK, port=port), encoding="utf-8")
    told = CONFIG.format(data=tmp_path / "data", host=LOOPBACK, port=port, terminal=TERMINAL)
    path.write_text(told, encoding="utf-8")
    daemon = Process("run", path)
    daemon.start()
    try:
        with running_metersim(tmp_path, str(plant), "--no-table"):
            yield path
    finally:
        daemon.terminate()


def _told(config: Path, *words: str) -> tuple[int, Any]:
    done = CliRunner().invoke(app, [*words, "--json", "--config", str(config)])
    return done.exit_code, json.loads(done.stdout)


def test_meters_behind_a_terminal_that_dials_in(config: Path) -> None:
    """The whole way over sockets: nobody else would notice that a command asks nobody."""
    code, told = _told(config, "read", "a", "frequency", "--tries", "3", "--timeout", "60")
    assert (0, "000000000401") == (code, told["address"])
    code, told = _told(config, "read", "c", "voltage.a")
    assert (0, "V") == (code, told["values"][0]["unit"])
    code, told = _told(config, "terminal", "archive", "area-12")
    assert (1, ["new"]) == (code, [one["meter"] for one in told["missing"]])
    code, told = _told(config, "terminal", "download", TERMINAL)
    assert (1, ["000000000502"], []) == (code, told["to_enter"], told["entered"])
    code, told = _told(config, "terminal", "download", TERMINAL, "--do")
    assert (0, ["000000000502"]) == (code, told["entered"])
    code, plain = _plain(config, "terminal", "archive", TERMINAL, "--lang", "zh")
    assert (0, True) == (code, "终端档案与本地档案一致" in plain)


def _plain(config: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*words, "--config", str(config)])
    return done.exit_code, done.stdout
