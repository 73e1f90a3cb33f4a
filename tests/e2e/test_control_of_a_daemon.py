"""The control socket of a real ``meterlink run``, asked by the local user."""

from __future__ import annotations

import getpass
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from meterlink.cli.desk import DaemonAway, Desk, Refusal
from meterlink.daemon.control_socket import SOCKET_FILE
from meterlink.model.payload import time_out
from tests.support.gateway import METERLINK, write_config

_PEOPLE = '[[people]]\nname = "{user}"\nroles = ["clerk"]\n'
_CONTROL = '\n[control]\npeople = "{people}"\noperator_code = "20261124"\n'


def test_the_local_user_asks_the_daemon_that_runs(tmp_path: Path) -> None:
    """Orders would go nowhere, under nobody's name, or to a model that nobody has qualified."""
    people = tmp_path / "people.toml"
    people.write_text(_PEOPLE.format(user=getpass.getuser()), encoding="utf-8")
    people.chmod(0o600)
    config = write_config(tmp_path, {"tcp://127.0.0.1:1": ["000000000001"]})
    config.write_text(config.read_text() + _CONTROL.format(people=people), encoding="utf-8")
    command = [METERLINK, "run", "--config", str(config)]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    path = tmp_path / "data" / SOCKET_FILE
    try:
        assert daemon.stdout is not None
        assert json.loads(daemon.stdout.readline())["ready"]
        with Desk(path) as desk:
            order = {
                "id": "a-1",
                "kind": "alarm_on",
                "meter": "m000000000001",
                "reason": "low balance",
                "deadline_at": time_out(datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)),
                "payment": "",
                "case": "",
                "reference": "",
            }
            with pytest.raises(Refusal, match="QUAL-01: not proven of this model"):
                desk.ask("order.create", order=order)
            assert {"orders": [], "left_out": 0} == desk.ask("order.list", all=True)
            with pytest.raises(Refusal, match="may not resume"):
                desk.ask("control.resume", reason="a clerk may not")
    finally:
        daemon.terminate()
        daemon.communicate(timeout=15)
    with pytest.raises(DaemonAway):
        Desk(path)
