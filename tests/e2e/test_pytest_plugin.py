"""The pytest plugin in test runs of other people: as a process, in a folder that is not ours."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from meterwire.dlt645 import ReadRequest, encode, to_frame
from tests.support.metersim_process import METERSIM
from tests.support.octets import plain_client
from tests.support.processes import announced

FAILING = """\
import socket

from meterwire.dlt645 import ReadRequest, encode, to_frame


def test_it_fails(metersim_plant):
    plant = metersim_plant({"plant": "east", "seed": 5})
    with socket.create_connection((plant.meter().host, plant.meter().port)) as client:
        client.sendall(encode(to_frame(ReadRequest(address=plant.meter().address, di=0x00010000))))
        client.recv(4096)
    simulated = metersim_plant.simulated(seed=6)
    assert (plant.seed, simulated.seed) == (0, 0)


def test_it_passes(metersim_meter):
    assert metersim_meter.answers == 0


def test_it_has_no_plant():
    assert False
"""
FOREIGN = """\
import sys


def test_nothing_is_imported():
    ours = {"metersim", "meterwire", "meterprofiles", "meterlink"}
    print("IMPORTED", *sorted(name for name in sys.modules if name.partition(".")[0] in ours))
    print("ALL", *sorted(sys.modules))
"""
_RUN_TIMEOUT_S = 15


def _pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    others = ("anyio", "asyncio", "cacheprovider", "hypothesispytest", "platformdirs", "schemathesis")
    command = [sys.executable, "-m", "pytest", *(f"-pno:{name}" for name in others), *options]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=_RUN_TIMEOUT_S
    )


def test_a_run_without_meters_pays_nothing(tmp_path: Path) -> None:
    """Every test run on the machine of somebody who installed us would import half a daemon."""
    (tmp_path / "test_foreign.py").write_text(FOREIGN, encoding="utf-8")
    done = _pytest(tmp_path, "-s", "-W", "error", "--strict-markers")
    assert 0 == done.returncode, done.stdout
    assert "IMPORTED metersim metersim.pytest_plugin\n" in done.stdout
    without = _pytest(tmp_path, "-s", "-p", "no:metersim")
    with_it, bare = (set(re.findall(r"^ALL (.*)$", run.stdout, re.M)[0].split()) for run in (done, without))
    assert {"metersim", "metersim.pytest_plugin"} == with_it - bare


def test_a_failure_says_how_to_have_it_again(tmp_path: Path) -> None:
    """Somebody would see a test fail in CI and have nothing to look at."""
    (tmp_path / "test_it.py").write_text(FAILING, encoding="utf-8")
    done = _pytest(tmp_path, "--tb=short", "--basetemp", str(tmp_path / "scratch"))
    assert 1 == done.returncode
    assert 1 == len(re.findall("^-+ metersim -+$", done.stdout, re.M)), done.stdout
    assert "plant east: seed 5, wall-clock time" in done.stdout
    assert "plant plant: seed 6, simulated time" in done.stdout
    assert re.search(r"^  line-1: 16 octets out, 20 in, sha256 [0-9a-f]{64}$", done.stdout, re.M)
    again = re.findall("^  again: pytest (.*)$", done.stdout, re.M)
    assert ["test_it.py::test_it_fails"] * 2 == again, "one option would give both plants the same seed"

    [replay] = re.findall(r"^  its octets: metersim (.*)$", done.stdout, re.M)
    request = encode(to_frame(ReadRequest(address="000000000001", di=0x00010000)))
    replaying = announced([METERSIM, *shlex.split(replay), "--json"], tmp_path / "replay.log")
    with replaying as (_, ready), plain_client(ready["url"]) as client:
        [frame] = client.ask(request)
    assert "000000000001" == frame.address


def test_a_seed_stands_over_all(tmp_path: Path) -> None:
    """The command that is to bring a failure back would run another plant."""
    (tmp_path / "test_it.py").write_text(FAILING, encoding="utf-8")
    assert 0 == _pytest(tmp_path, "--metersim-seed=0", "-k", "it_fails").returncode
    done = _pytest(tmp_path, "--metersim-seed=7", "-k", "it_fails")
    again = re.findall("^  again: pytest (.*)$", done.stdout, re.M)
    assert ["test_it.py::test_it_fails --metersim-seed=7"] * 2 == again


def test_a_seed_stands_in_the_ini_file(tmp_path: Path) -> None:
    """A project that always runs with another seed would have to say so in every command."""
    (tmp_path / "test_it.py").write_text(FAILING, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmetersim_seed = 0\n", encoding="utf-8")
    assert 0 == _pytest(tmp_path, "-k", "it_fails").returncode
    refused = _pytest(tmp_path, "--metersim-seed=many")
    assert 4 == refused.returncode
    assert "metersim seed 'many': write a whole number of 0 to" in refused.stderr


def test_fixtures_and_marker_are_documented(tmp_path: Path) -> None:
    """`pytest --fixtures` and `pytest --markers` are where people look first."""
    fixtures, markers = _pytest(tmp_path, "--fixtures").stdout, _pytest(tmp_path, "--markers").stdout
    assert {"metersim_plant", "metersim_meter"} == set(re.findall(r"^(metersim_\w+) -- ", fixtures, re.M))
    assert "Makes plants of simulated meters, which end with the test." in fixtures
    assert "@pytest.mark.metersim(plant=None" in markers
