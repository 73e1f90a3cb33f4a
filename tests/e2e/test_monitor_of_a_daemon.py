"""/metrics, /livez and /readyz of a running daemon."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.support.gateway import METERLINK, write_config
from tests.support.metersim_process import running_metersim
from tests.support.processes import LOOPBACK, announced, request, wait_until


def _page(port: int, path: str) -> tuple[int, dict[str, Any]]:
    status, body = request(f"http://{LOOPBACK}:{port}{path}")
    return status, json.loads(body)


def _numbers(port: int) -> dict[tuple[str, ...], float]:
    _, text = request(f"http://{LOOPBACK}:{port}/metrics")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_watcher_sees_the_work_and_what_is_wrong(tmp_path: Path) -> None:
    """Who watches would see a green light while a line is dead, or no number of what is read."""
    with running_metersim(tmp_path, "--meters=2") as plant:
        lines = {plant.urls[0]: plant.meters[0], "tcp://127.0.0.1:1": ["000000000009"]}
        config = write_config(tmp_path, lines)
        command = [METERLINK, "run", "--config", str(config)]
        with announced(command, tmp_path / "log") as (_, ready):
            port = ready["monitor"]

            def read() -> float:
                return _numbers(port).get(("meterlink_exchanges_total", "line1", "answered"), 0)

            wait_until(lambda: read() >= 8, what="a round of both meters")
            numbers = _numbers(port)
            assert numbers["meterlink_exchange_seconds_count", "line1"] >= 8
            assert numbers["meterlink_journal_changes_total",] > 0
            assert numbers["meterlink_disk_free_bytes",] > 0
            assert numbers["meterlink_exchanges_total", "line2", "lost"] > 0
            assert (200, {"ok": True, "stuck": [], "more": 0}) == _page(port, "/livez")
            status, troubles = _page(port, "/readyz")
            assert 503 == status
            assert ["line line2"] == list(troubles["reasons"]), "the broker and the journal are well"
            assert "127.0.0.1:1" in troubles["reasons"]["line line2"]


def test_a_wrong_file_of_people_is_seen_and_costs_no_reading(tmp_path: Path) -> None:
    """A slip of the pen would keep a whole plant from being read, or orders from being seen to rest."""
    with running_metersim(tmp_path) as plant:
        config = write_config(tmp_path, {plant.urls[0]: plant.meters[0]})
        people = tmp_path / "people.toml"
        people.write_text("[[people]\n", encoding="utf-8")
        people.chmod(0o600)
        control = f'[control]\npeople = "{people}"\noperator_code = "20261124"\n'
        config.write_text(config.read_text() + control, encoding="utf-8")
        command = [METERLINK, "run", "--config", str(config)]
        with announced(command, tmp_path / "log") as (process, ready):
            port = ready["monitor"]
            wait_until(
                lambda: _numbers(port).get(("meterlink_exchanges_total", "line1", "answered"), 0) > 0,
                what="a meter that is read",
            )
            status, troubles = _page(port, "/readyz")
            assert (503, ["people"]) == (status, list(troubles["reasons"]))
            assert "people.toml: not TOML" in troubles["reasons"]["people"]
            listed = subprocess.run(
                [METERLINK, "order", "list", "--config", str(config)],
                capture_output=True,
                text=True,
                check=False,
            )
            assert 8 == listed.returncode
            assert "nobody may do anything until this is right" in listed.stderr
            own = pwd.getpwuid(os.getuid()).pw_name
            people.write_text(f'[[people]]\nname = "{own}"\nroles = ["viewer"]\n', encoding="utf-8")
            os.kill(process.pid, signal.SIGHUP)
            wait_until(
                lambda: "people_changed" in (tmp_path / "log").read_text(encoding="utf-8"),
                what="a file of people that is read again",
            )
            status, well = _page(port, "/readyz")
            assert (200, {}) == (status, well["reasons"])


def test_the_port_can_be_left_out(tmp_path: Path) -> None:
    """Who watches nothing wants no port at all."""
    config = write_config(tmp_path, {"tcp://127.0.0.1:1": ["000000000009"]})
    config.write_text(config.read_text() + "[monitoring]\nenabled = false\n", encoding="utf-8")
    with announced([METERLINK, "run", "--config", str(config)], tmp_path / "log") as (_, ready):
        assert ready["monitor"] is None


def test_the_port_can_be_chosen_and_costs_nothing_when_it_is_taken(tmp_path: Path) -> None:
    """Prometheus needs a port that stays; and no meter may go unread for it."""
    config = write_config(tmp_path, {"tcp://127.0.0.1:1": ["000000000009"]})
    with announced([METERLINK, "run", "--config", str(config)], tmp_path / "log") as (_, ready):
        port = ready["monitor"]
        other = tmp_path / "other"
        other.mkdir()
        twin = write_config(other, {"tcp://127.0.0.1:1": ["000000000009"]})
        twin.write_text(twin.read_text() + f"[monitoring]\nport = {port}\n", encoding="utf-8")
        words = [METERLINK, "run", "--config", str(twin)]
        with announced(words, other / "log") as (_, second):
            assert second["monitor"] is None, "the port is taken, and meters are read all the same"
            assert "monitor.unavailable" in (other / "log").read_text(encoding="utf-8")
