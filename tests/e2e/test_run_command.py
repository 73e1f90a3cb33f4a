"""``meterlink run`` and its neighbours as programs: starting, refusing, stopping."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.gateway import METERLINK, write_config
from tests.support.metersim_process import running_metersim
from tests.support.processes import LOOPBACK, children, wait_until


def _run(*words: str | Path, seconds: float = 15) -> subprocess.CompletedProcess[str]:
    command = [METERLINK, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)


def _start(config: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [METERLINK, "run", "--config", str(config)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["ready"]
    return process


def test_it_ends_in_order_when_told(tmp_path: Path) -> None:
    """A service manager would have to kill it, and every update would cost an exchange."""
    with running_metersim(tmp_path, "--meters=2") as plant:
        config = write_config(tmp_path, {plant.urls[0]: plant.meters[0]})
        for number in (signal.SIGTERM, signal.SIGINT):
            process = _start(config)
            process.send_signal(number)
            _, log = process.communicate(timeout=15)
            assert 0 == process.returncode
            assert "stopped" == json.loads(log.splitlines()[-1])["event"]


def test_one_journal_has_one_daemon(tmp_path: Path) -> None:
    """Two daemons on one journal would read every meter twice."""
    config = write_config(tmp_path, {"tcp://127.0.0.1:1": ["000000000001"]})
    first = _start(config)
    try:
        second = _run("run", "--config", config)
        assert 7 == second.returncode
        assert "another meterlink" in second.stderr
    finally:
        first.terminate()
        first.communicate(timeout=15)


def test_a_port_that_another_program_has_is_told_in_one_line(tmp_path: Path) -> None:
    """Whoever starts it would get a page of Python in place of the port that is taken."""
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        config = write_config(
            tmp_path,
            {f"listen://{LOOPBACK}:{port}?terminal=161": ["000000000161"]},
            protocols={f"listen://{LOOPBACK}:{port}?terminal=161": "dlt698.45"},
        )
        refused = _run("run", "--config", config)
    assert 5 == refused.returncode
    assert "Traceback" not in refused.stderr
    assert f"cannot listen on port {port} of {LOOPBACK}: another program does" in refused.stderr


def test_a_wrong_configuration_opens_nothing(tmp_path: Path) -> None:
    """A typing error must be told before the first port opens, with its line."""
    config = write_config(tmp_path, {"tcp://127.0.0.1:1": ["000000000001"]}, items=["voltag.a"])
    for command in ("run", "config"):
        words = ["config", "check"] if command == "config" else ["run"]
        refused = _run(*words, "--config", config)
        assert 2 == refused.returncode
        assert "voltage.a" in refused.stderr, "near names are told"
    config.write_text(config.read_text().replace("every_s", "every_z"))
    refused = _run("run", "--config", config)
    assert 2 == refused.returncode
    assert f"{config}:7" in refused.stderr
    assert not (tmp_path / "data").exists()


def test_a_plan_keeps_numbers_of_the_moment_only(tmp_path: Path) -> None:
    """Last month's energy would stand in the database as this minute's, and a text as a hole."""
    for item, words in {
        "forward_active_energy@settlement.1": "no value of the moment",
        "meter_date": "text or a time",
        "forward_active_max_demand": "text or a time",
        "password@level.2": "only be written",
    }.items():
        config = write_config(tmp_path, {"tcp://127.0.0.1:1": ["000000000001"]}, items=[item])
        refused = _run("config", "check", "--config", config)
        assert 2 == refused.returncode
        assert words in refused.stderr
        assert "'fast'" in refused.stderr, "the plan is named"


def test_a_check_names_the_profile_of_each_meter(tmp_path: Path) -> None:
    """A meter whose model fits no profile, or two, would be found out by its readings."""
    config = write_config(tmp_path, {"tcp://127.0.0.1:1": ["000000000001", "000000000002"]})
    own = tmp_path / "own"
    own.mkdir()
    text = config.read_text().replace("[gateway]", f'[gateway]\nprofiles = "{own}"')
    config.write_text(text + 'model = "DTZ341"\n')
    profile = (
        'profile: own/dtz\nmatches: {protocol: dlt645-2007, model: "DTZ*"}\n'
        "line: {baud: 9600, parity: even, preamble: 4}\n"
        "timing: {reply_timeout_ms: 900, octet_gap_ms: 500, turnaround_ms: 20}\n"
    )
    (own / "dtz.yaml").write_text(profile)
    good = _run("config", "check", "--config", config, "--json")
    assert {"dlt645-2007/generic": 1, "own/dtz": 1} == json.loads(good.stdout)["profiles"]
    assert (
        "profiles: dlt645-2007/generic for 1, own/dtz for 1" in _run("config", "check", "-c", config).stdout
    )
    (own / "other.yaml").write_text(profile.replace("own/dtz", "own/other"))
    both = _run("config", "check", "--config", config)
    assert (2, True) == (both.returncode, "own/dtz and own/other could both serve a model" in both.stderr)
    (own / "other.yaml").write_text(profile.replace("900", "9"))
    wrong = _run("run", "--config", config)
    assert (2, True) == (wrong.returncode, "other.yaml:4: timing.reply_timeout_ms: '9'" in wrong.stderr)


def test_the_ingest_needs_a_broker_of_its_own(tmp_path: Path) -> None:
    """It would wait for ever for a broker that lives in another process's memory."""
    config = write_config(tmp_path, {"tcp://127.0.0.1:1": ["000000000001"]})
    refused = _run("ingest", "--config", config)
    assert 2 == refused.returncode
    assert "[mqtt]" in refused.stderr


def test_a_first_configuration_is_a_good_one(tmp_path: Path) -> None:
    """The example that people start from would be refused."""
    config = tmp_path / "meterlink.toml"
    config.write_text(_run("config", "example").stdout)
    good = _run("config", "check", "--config", config, "--json")
    assert 0 == good.returncode
    assert json.loads(good.stdout)["ok"] is True


def test_the_demonstration_comes_through(tmp_path: Path) -> None:
    """The first thing that anybody tries."""
    shown = _run("demo", "--once", "--meters", "3", "--dir", tmp_path / "demo", seconds=19)
    assert 0 == shown.returncode, shown.stdout + shown.stderr
    assert "3 of 3 meters" in shown.stdout
    (tmp_path / "mine").mkdir()
    refused = _run("demo", "--once", "--dir", tmp_path / "mine")
    assert 1 == refused.returncode
    assert "another with --dir" in refused.stderr


@pytest.mark.parametrize(("program", "log"), [("metersim", "simulator.log"), ("meterlink", "daemon.log")])
def test_the_demonstration_ends_when_one_of_its_programs_does(tmp_path: Path, program: str, log: str) -> None:
    """Its table would stand still for ever, and who looks at it would not know why."""
    folder = tmp_path / "demo"
    command = [METERLINK, "demo", "--meters", "1", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as demo:
        try:
            answers = folder / "simulator-answers.jsonl"
            wait_until(lambda: answers.exists() and answers.stat().st_size > 0, what="the first answer")
            [found] = [child for child in children(demo.pid) if f"/{program}" in child.command]
            os.kill(found.pid, signal.SIGKILL)
            _, told = demo.communicate(timeout=15)
        finally:
            demo.terminate()
    assert (1, True) == (demo.returncode, f"{program} was ended by SIGKILL while" in told), told
    assert f"see {folder / log}" in told.replace("\n", "")


@pytest.mark.parametrize("package", ["meterlink", "metersim"])
def test_ctrl_c_while_a_program_is_imported_is_no_trace(package: str) -> None:
    """Whoever thinks better of a command would get a page of Python."""
    interrupting = (
        "import importlib.abc, importlib.metadata, sys\n"
        "class Interrupting(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name == '{package}.cli':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        f"[entry] = importlib.metadata.entry_points(group='console_scripts', name='{package}')\n"
        "entry.load()()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", interrupting], capture_output=True, text=True, check=False, timeout=15
    )
    assert (130, "", "") == (ended.returncode, ended.stdout, ended.stderr)
