"""A meter that is taken out of the roster and listed again: what is told of the time in between."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from meterlink.cli import app
from meterlink.daemon.audited import JOURNAL_FILE
from metersim import Meter, Station
from tests.support.collection_truth import Book
from tests.support.faulty_line import MIDNIGHT
from tests.support.simulated import START, SimulatedGateway

_STAYS, _LEAVES = "000000000001", "000000000002"
_PLANS = [{"name": "moment", "every_s": 60, "items": ["voltage.a"]}]


def _gateway(folder: Path) -> SimulatedGateway:
    return SimulatedGateway(
        folder, [Station(meter=Meter(address, seed=1)) for address in (_STAYS, _LEAVES)], plans=_PLANS
    )


def _config(folder: Path) -> Path:
    text = f'[gateway]\nid = "gw"\ndata_dir = "{folder}"\n'
    text += '[[plans]]\nname = "moment"\nevery_s = 60\nitems = ["voltage.a"]\n'
    path = folder / "meterlink.toml"
    path.write_text(text)
    return path


def _ask(folder: Path, *words: str) -> Any:
    result = CliRunner().invoke(app, [*words, "--json", "--config", str(_config(folder))])
    return json.loads(result.stdout)


def _why(folder: Path, meter: str, minutes: int) -> tuple[str, str, str]:
    slot = (START + timedelta(minutes=minutes)).isoformat()
    [found] = _ask(folder, "why", meter, slot)["found"]
    return found["state"], found["reason"], found["en"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five minutes of both meters, five of one, ten without a daemon, and five of both again."""
    folder = tmp_path_factory.mktemp("gateway")
    gateway = _gateway(folder)
    gateway.run(seconds=299)
    name = f"m{_LEAVES}"
    address = gateway.addresses.pop(name)
    gateway.apply_roster()
    gateway.run(seconds=300)
    gateway.sim.clock.advance(300)
    gateway.addresses[name] = address
    gateway.apply_roster()
    gateway.sim.clock.advance(300)
    gateway.run(seconds=300)
    return folder


def test_the_time_out_of_service_is_told_and_not_counted(folder: Path) -> None:
    """People would look for a daemon that had stood still, and the rate of its line would suffer for it."""
    for minutes in (5, 9, 14):
        state, reason, sentence = _why(folder, _LEAVES, minutes)
        assert ("waived", "not_in_service") == (state, reason)
        assert "not counted: the meter was not in service" in sentence


def test_where_the_daemon_did_not_run_that_is_told(folder: Path) -> None:
    """A meter that was in service would be told to have been out of it."""
    assert ("expired", "not_running") == _why(folder, _LEAVES, 17)[:2]
    assert ("expired", "not_running") == _why(folder, _STAYS, 12)[:2]
    assert ("expired", "not_running") == _why(folder, _STAYS, 17)[:2]
    assert "kept" == _why(folder, _STAYS, 7)[0]
    assert "kept" == _why(folder, _LEAVES, 21)[0]


def test_a_day_counts_each_for_what_it_was(folder: Path) -> None:
    """The rate of a day would be that of meters that nobody was to read."""
    told = _ask(folder, "completeness", "--day", "2026-11-22", "--by", "meter")
    rows = {row["name"]: row for row in told["rows"]}
    assert (9, 0) == (rows[f"m{_STAYS}"]["lost"], rows[f"m{_STAYS}"]["waived"])
    assert (4, 10) == (rows[f"m{_LEAVES}"]["lost"], rows[f"m{_LEAVES}"]["waived"])


_STORED: list[dict[str, object]] = [
    {"class": "daily_freeze"},
    {"class": "curve", "every_s": 3600, "items": ["forward_active_energy"]},
]


def test_stored_classes_of_a_meter_listed_again(tmp_path: Path) -> None:
    """What it held of its time in service was never fetched, and its days out counted as missing."""
    stations = [Station(meter=Meter(address, seed=1)) for address in (_STAYS, _LEAVES)]
    gateway = SimulatedGateway(tmp_path, stations, plans=_STORED, start=MIDNIGHT)
    gateway.run(seconds=5 * 3600)
    name = f"m{_LEAVES}"
    address = gateway.addresses.pop(name)
    gateway.apply_roster()
    gateway.run(seconds=2 * 86_400)
    gateway.addresses[name] = address
    gateway.apply_roster()
    gateway.run(seconds=4 * 3600)
    days = Book(tmp_path / JOURNAL_FILE).slots()
    hours = [days[name, "curve", MIDNIGHT + timedelta(hours=n)] for n in range(2 * 24 + 8)]
    assert ["kept"] * 5 + ["waived"] * 48 + ["kept"] * 3 == [one.state for one in hours]
    assert {"not_in_service"} == {one.reason for one in hours[5:53]}
    nights = [days[name, "daily_freeze", MIDNIGHT + timedelta(days=n)].state for n in range(3)]
    assert ["kept", "waived", "waived"] == nights
