"""What is shipped for deployment fits together."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.support.project import ROOT

_DEPLOY = ROOT / "deploy"


def _settings(name: str) -> list[str]:
    lines = (_DEPLOY / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith(("#", "listener", "persistence_location"))]


def test_the_container_has_the_brokers_settings_that_were_tested() -> None:
    """Two files that drift apart: the container's broker would drop what the tested one keeps."""
    tested = _settings("mosquitto/mosquitto.conf")
    assert "max_queued_messages 0" in tested
    assert tested == _settings("influxdb/mosquitto.conf")


def test_the_compose_file_opens_nothing_beyond_loopback() -> None:
    """A broker without password on all addresses would take readings from anybody."""
    text = (_DEPLOY / "influxdb/compose.yaml").read_text(encoding="utf-8")
    ports = re.findall(r"ports: \[\"(.*)\"\]", text)
    assert ["127.0.0.1:1883:1883", "127.0.0.1:8086:8086"] == ports


def test_the_unit_is_one_that_systemd_understands() -> None:
    """A misspelt setting is ignored by systemd with a warning, and the service runs without that wall."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on this machine")
    unit = str(_DEPLOY / "systemd/meterlink.service")
    done = subprocess.run([program, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    known = "Command /opt/meterlink/bin/meterlink is not executable: No such file or directory"
    said = [line for line in done.stderr.splitlines() if "meterlink.service" in line and known not in line]
    assert [] == said
