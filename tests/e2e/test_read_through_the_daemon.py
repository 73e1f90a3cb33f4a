"""``meterlink read METER ITEM...`` against a real daemon, its socket, a simulated plant, and no daemon."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
from typer.testing import CliRunner

from meterlink.cli import app
from meterlink.cli.completion import OFFERED_MAX, items_like
from meterlink.daemon.control_socket import SOCKET_FILE, control_socket
from meterlink.daemon.requests import no_control
from meterlink.errors import BadRequest
from tests.support.gateway import METERLINK, Process, write_config
from tests.support.metersim_process import RunningMetersim, running_metersim

_FIRST = "000000000161"
_SILENT = "000000009999"
_DOWN = "000000000169"
_RECORDS = "load_records@class.1/load_which.2"


def _run(config: Path, *words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["read", *words, "--config", str(config)])
    return done.exit_code, done.stdout, done.stderr


def _json(config: Path, *words: str) -> tuple[int, Any]:
    code, told, _ = _run(config, *words, "--json")
    return code, json.loads(told)


@dataclass(frozen=True, slots=True)
class _Gateway:
    plant: RunningMetersim
    config: Path
    log: Path


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[_Gateway]:
    """A daemon with a meter that answers, one that is silent, and one on a line that is down."""
    with running_metersim(tmp_path, "--meters=2", "--first-address=161") as plant:
        lines = {plant.urls[0]: [_FIRST, _SILENT], "tcp://127.0.0.1:1": [_DOWN]}
        config = write_config(tmp_path, lines, every_s=3600)
        daemon = Process("run", config)
        daemon.start()
        try:
            yield _Gateway(plant, config, daemon.log)
        finally:
            daemon.terminate()


def test_a_meter_is_read_through_the_daemon(gateway: _Gateway) -> None:
    """Nobody could look at a meter while the daemon has its line."""
    config = gateway.config
    code, plain, _ = _run(config, f"m{_FIRST}", "frequency", "forward_active_energy.*")
    assert (0, True, True) == (code, f"m{_FIRST}" in plain, "taken at 应答时间 (UTC+8)" in plain)
    code, told = _json(config, "161", "frequency", "voltage.a@curve", "voltage.a")
    assert (4, f"m{_FIRST}", _FIRST) == (code, told["meter"], told["address"])
    assert ["frequency", "voltage.a"] == [value["item"] for value in told["values"]]
    assert ["Refused", "02"] == [told["error"][key] for key in ("kind", "error_word")]
    answered = [answer["values"] for answer in gateway.plant.answers()]
    assert all({value["item"]: value["value"]} in answered for value in told["values"])
    code, told = _json(config, _FIRST, _RECORDS, "--count", "2", "--timeout", "20")
    assert (0, 2) == (code, sum(value["item"].startswith("recorded_at") for value in told["values"]))
    assert f'"user": "{getpass.getuser()}"' in gateway.log.read_text(encoding="utf-8")


def test_each_way_to_fail_is_told(gateway: _Gateway) -> None:
    """A script would take a failure for a reading, a person would look for it in the wrong place."""
    config = gateway.config
    code, out, silent = _run(config, f"m{_SILENT}", "frequency", "voltage.a", "--tries", "1")
    assert (3, "") == (code, out)
    assert f"frequency, voltage.a: no answer from meter m{_SILENT}" in silent
    assert "接线" in silent
    code, _, down = _run(config, f"m{_DOWN}", "frequency")
    assert (5, True) == (code, "line2 is down since" in down)
    code, _, unknown = _run(config, f"n{_FIRST}", "frequency")
    assert (2, True) == (code, f"near it: m{_FIRST}" in unknown)
    code, told = _json(config, f"m{_FIRST}", "password@level.2")
    assert (2, "bad_request") == (code, told["error"]["kind"])
    assert "can only be written" in told["error"]["message"]
    code, told = _json(config, f"m{_FIRST}", "frequenzy")
    assert (2, True) == (code, "near it: frequency" in told["error"]["message"])
    assert 2 == _run(config, f"m{_FIRST}", "frequency", "--tries", "4")[0]
    assert 2 == _run(config, f"m{_FIRST}", *["frequency"] * 17)[0]
    code, told = _json(config, f"m{_SILENT}", "frequency", "--timeout", "1", "--tries", "3")
    assert (3, "OutOfTime") == (code, told["error"]["kind"])


def test_ctrl_c_takes_a_read_back(gateway: _Gateway) -> None:
    """The daemon would go on asking for a terminal that is gone; and who waits would not know for what."""
    words = [METERLINK, "read", f"m{_SILENT}", "frequency", "--tries=3", "--config", str(gateway.config)]
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        with subprocess.Popen(words, stderr=theirs, stdout=subprocess.DEVNULL) as asking:
            os.close(theirs)
            assert "0 of 1 items, 0 reads before" in _seen_until(screen, "before this one")
            asking.send_signal(signal.SIGINT)
            assert "taken back" in _seen_until(screen, "taken back")
            while _goes_on(screen):
                pass
        assert 0 != asking.returncode
    log = gateway.log.read_text(encoding="utf-8")
    assert '"state": "cancelled"' in log
    assert '"state": "done"' not in log


def _seen_until(screen: IO[bytes], words: str) -> str:
    """What a terminal shows, until it has shown that."""
    seen = b""
    while words.encode() not in seen:
        seen += screen.read(4096)
    return seen.decode(errors="replace")


def _goes_on(screen: IO[bytes]) -> bool:
    """Whether the other end of a terminal is still open; takes what it says."""
    try:
        return bool(screen.read(4096))
    except OSError:
        return False


def test_options_of_the_other_way_are_refused(tmp_path: Path) -> None:
    """Who names a protocol for a meter of the daemon would believe that it was asked so."""
    config = write_config(tmp_path, {"tcp://127.0.0.1:1": [_FIRST]})
    own = {"--address": "1", "--protocol": "dlt645-1997", "--preamble": "1", "--timeout-ms": "500"}
    for name, value in own.items():
        code, _, said = _run(config, "m", "frequency", name, value)
        assert (2, True) == (code, f"{name} goes with --line" in " ".join(said.split()))
    direct = ["read", "--line", "tcp://127.0.0.1:1"]
    whole = [*direct, "--address", "1", "--item", "frequency"]
    for words, said in (
        ([*whole, "--timeout", "3"], "--timeout is of the daemon"),
        ([*whole, "m1"], "--line knows no roster"),
        ([*direct, "--item", "frequency"], "--line needs --address and --item"),
        ([*direct, "--address", "1"], "--line needs --address and --item"),
    ):
        refused = CliRunner().invoke(app, words)
        assert (2, True) == (refused.exit_code, said in " ".join(refused.stderr.replace("│", "").split()))


@pytest.mark.asyncio
@pytest.mark.parametrize("has_control", [False, True])
async def test_an_older_daemon_is_told_from_a_refusal(tmp_path: Path, has_control: bool) -> None:
    """Somebody would look for a role that he lacks, or for [control], where a start anew is all it takes."""
    config = write_config(tmp_path, {"tcp://127.0.0.1:1": [_FIRST]})

    async def older(user: str, op: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        if has_control:  # as its table of requests says what is not in it
            raise BadRequest(f"there is no request {op!r}")
        return await no_control(user, op, args)

    (tmp_path / "data").mkdir()
    async with control_socket(tmp_path / "data" / SOCKET_FILE, older):
        code, told = await asyncio.to_thread(_json, config, f"m{_FIRST}", "frequency")
    assert (10, "old_daemon") == (code, told["error"]["kind"])
    assert "older than this command" in told["error"]["message"]


def test_without_a_daemon_it_says_what_to_do(tmp_path: Path) -> None:
    """Somebody at a meter would not learn that there are two ways."""
    config = write_config(tmp_path, {"tcp://127.0.0.1:1": [_FIRST]})
    code, _, said = _run(config, f"m{_FIRST}", "frequency")
    assert (10, True, True) == (code, "start it with `meterlink run`" in said, "--line" in said)
    code, told = _json(config, f"m{_FIRST}", "frequency")
    assert (10, "DaemonAway") == (code, told["error"]["kind"])
    assert 2 == _run(tmp_path / "nowhere.toml", "m", "frequency")[0]
    assert 2 == _run(config)[0], "no meter"
    assert 2 == _run(config, "m")[0], "no item"


def test_half_a_word_is_completed(tmp_path: Path) -> None:
    """Nobody types twelve digits without a mistake."""
    config = write_config(tmp_path, {"tcp://127.0.0.1:1": [_FIRST, _SILENT]})
    daemon = Process("run", config)
    daemon.start()
    daemon.terminate()

    def offered(*words: str) -> list[str]:
        line = " ".join(["meterlink", "read", "--config", str(config), *words])
        done = subprocess.run(
            [METERLINK],
            env={
                "_METERLINK_COMPLETE": "complete_bash",
                "COMP_WORDS": line,
                "COMP_CWORD": str(len(line.split()) - 1),
                "PATH": "/usr/bin:/bin",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.split()

    assert [f"m{_FIRST}"] == offered("m0000000001")
    assert ["frequency"] == [word for word in offered(f"m{_FIRST}", "freq") if word == "frequency"]
    assert OFFERED_MAX == len(items_like(""))
