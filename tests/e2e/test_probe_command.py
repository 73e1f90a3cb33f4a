"""``meterlink probe`` on lines with meters of either edition, somebody else's meter, several, and none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.foreign_meter import foreign_meter
from tests.support.metersim_process import running_metersim

METERLINK = str(Path(sys.executable).with_name("meterlink"))


def _probe(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [METERLINK, "probe", "--line", url, "--timeout-ms", "150", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=15)


def _json(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    document = json.loads(run.stdout)
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("protocol", ["dlt645-2007", "dlt645-1997", "dlt698.45"])
@pytest.mark.parametrize("place", ["--tcp=127.0.0.1:0", "--pty"])
def test_a_meter_is_found(tmp_path: Path, protocol: str, place: str) -> None:
    """Whoever hangs up a meter would have to guess how it talks."""
    with running_metersim(tmp_path, f"--protocol={protocol}", place, "--first-address=161") as plant:
        run = _probe(plant.urls[0], "--json")
        person = _probe(plant.urls[0])
    assert 0 == run.returncode, run.stderr
    found = _json(run)["found"]
    assert (protocol, "000000000161") == (found["protocol"], found["address"])
    rate = {"dlt645-2007": 2400, "dlt645-1997": 1200, "dlt698.45": 9600}[
        protocol
    ]  # as their generic profiles have it
    assert ((rate, "even") if place == "--pty" else (None, None)) == (found["baud"], found["parity"])
    assert "" == run.stderr
    assert 0 == person.returncode
    assert f"--protocol {protocol} --address 000000000161 --item" in person.stdout
    assert "answers: 000000000161" in person.stderr


def test_somebody_elses_meter_is_found(tmp_path: Path) -> None:
    """We would find our own meters only."""
    with foreign_meter(tmp_path, over="tcp") as meter:
        run = _probe(meter.url, "--json", "--address", meter.address, "--timeout-ms", "2000")
    assert ("dlt645-2007", meter.address) == (_json(run)["found"]["protocol"], _json(run)["found"]["address"])


def test_one_of_several_is_found_by_its_address(tmp_path: Path) -> None:
    """On a shared line the answers collide; people must be told, and have a way round."""
    with running_metersim(tmp_path, "--meters=3", "--protocol=dlt645-1997") as plant:
        [url] = plant.urls
        together = _probe(url)
        one = _probe(url, "--address", "000000000002", "--json")
    assert 3 == together.returncode
    assert "several meters" in together.stderr
    assert "000000000002" == _json(one)["found"]["address"]


def test_how_a_probe_can_fail(tmp_path: Path) -> None:
    """A script tells an empty line from a broken one by the exit code."""
    with running_metersim(tmp_path, "--meters=1") as plant:
        nobody = _probe(plant.urls[0], "--address", "999", "--json", "--timeout-ms", "50")
    assert (3, None) == (nobody.returncode, _json(nobody)["found"])
    assert ["dlt645-2007", "dlt698.45", "dlt645-1997"] == [one["protocol"] for one in _json(nobody)["tries"]]
    no_line = _probe("tcp://127.0.0.1:1", "--json")
    assert (5, "LineLost") == (no_line.returncode, _json(no_line)["error"]["kind"])
    assert 2 == _probe("tcp://127.0.0.1").returncode


def test_every_rate_and_parity_is_tried(tmp_path: Path) -> None:
    """A meter at another rate would not be found."""
    with running_metersim(tmp_path, "--pty") as plant:
        device = plant.urls[0].partition("?")[0]
        run = _probe(f"{device}?baud=600&parity=none", "--address", "999", "--json", "--timeout-ms", "50")
    assert 3 == run.returncode
    tried = [one["line"].partition("?")[2] for one in _json(run)["tries"]]
    assert "baud=600&parity=none" == tried[0]
    rates = (600, 1200, 2400, 4800, 9600, 19200)
    assert {f"baud={rate}&parity={parity}" for rate in rates for parity in ("even", "none")} == set(tried)
    assert 36 == len(tried)
