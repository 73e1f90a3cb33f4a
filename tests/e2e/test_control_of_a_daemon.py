"""The control socket of a real ``meterlink run``, asked by real commands of the local user."""

from __future__ import annotations

import getpass
import json
import subprocess
from pathlib import Path

import pytest

from meterlink.cli.desk import DaemonAway, Desk
from meterlink.daemon.control_socket import SOCKET_FILE
from tests.support.gateway import METERLINK, write_config

_PEOPLE = '[[people]]\nname = "{user}"\nroles = ["clerk", "dispatcher"]\n'
_CONTROL = '\n[control]\npeople = "{people}"\noperator_code = "20261124"\n'


def _config(tmp_path: Path) -> Path:
    people = tmp_path / "people.toml"
    people.write_text(_PEOPLE.format(user=getpass.getuser()), encoding="utf-8")
    people.chmod(0o600)
    config = write_config(tmp_path, {"tcp://127.0.0.1:1": ["000000000001"]})
    config.write_text(config.read_text() + _CONTROL.format(people=people), encoding="utf-8")
    return config


def _start(config: Path) -> subprocess.Popen[str]:
    command = [METERLINK, "run", "--config", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["ready"]
    return process


def _say(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [METERLINK, *words, "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=15)


def test_the_local_user_asks_the_daemon_that_runs(tmp_path: Path) -> None:
    """Orders would go nowhere, under nobody's name, or to a model that nobody has qualified."""
    config = _config(tmp_path)
    daemon = _start(config)
    try:
        order = ["order", "create", "a-1", "--kind", "alarm_on", "--meter", "m000000000001"]
        asked = _say(config, *order, "--reason", "low", "--within", "10", "--lang", "en")
        assert 8 == asked.returncode
        assert "QUAL-01: not proven of this model" in asked.stderr
        with Desk(tmp_path / "data" / SOCKET_FILE) as desk:
            assert {"orders": [], "left_out": 0} == desk.ask("order.list", all=True)
    finally:
        daemon.terminate()
        daemon.communicate(timeout=15)
    with pytest.raises(DaemonAway):
        Desk(tmp_path / "data" / SOCKET_FILE)
