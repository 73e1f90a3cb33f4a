"""``meterlink qualify`` as a person types it, at a real daemon and a simulated meter of its own process."""

from __future__ import annotations

import getpass
import json
import subprocess
from pathlib import Path

import pytest

from meterlink.orders.qualification.probes import PROBES
from tests.support.gateway import METERLINK, Process
from tests.support.metersim_process import running_metersim

ADDRESS = "000000000161"
PLANT = f"""\
plant: bench
lines:
  - at: tcp://127.0.0.1:0
    meters:
      - address: "{ADDRESS}"
        profile: dlt645-2007/remote-cost-control
        control: {{payment: remote, plain_orders: all, has_key: false}}
"""
CONFIG = """\
[gateway]
id = "gw"
site = "test"
data_dir = "{folder}/data"

[control]
people = "{folder}/people.toml"
operator_code = "20261124"

[[plans]]
name = "fast"
every_s = 60
items = ["voltage.a"]

[[lines]]
name = "bench"
url = "{url}"
reply_timeout_ms = 1000

[[meters]]
id = "bench1"
address = "{address}"
line = "bench"
model = "generic-remote-cost-control"
meter_number = "{address}"
customer_number = "{address}"
area = "lab"
lab = true
security = "password"
control_password = "file:{folder}/password"
allow_plaintext_control = true
"""


def _qualify(config: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [METERLINK, "qualify", *words, "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, input=stdin)


@pytest.mark.timeout(180)
def test_a_person_at_a_bench_qualifies_a_model(tmp_path: Path) -> None:
    """The command of the documentation would not lead from a bare meter to a qualified model."""
    (tmp_path / "plant.yaml").write_text(PLANT, encoding="utf-8")
    people = f'[[people]]\nname = "{getpass.getuser()}"\nroles = ["field"]\n'
    for name, text in {"people.toml": people, "password": "000000"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    with running_metersim(tmp_path, str(tmp_path / "plant.yaml")) as metersim:
        config = tmp_path / "meterlink.toml"
        config.write_text(
            CONFIG.format(folder=tmp_path, url=metersim.urls[0], address=ADDRESS), encoding="utf-8"
        )
        daemon = Process("run", config)
        daemon.start()
        try:
            asked = _qualify(config, "bench1", "--lang", "en", stdin="n\n")
            done = _qualify(config, "bench1", "--yes-i-stand-at-the-meter", "--json")
            listed = _qualify(config, "--show", "generic-remote-cost-control", "--lang", "en")
        finally:
            daemon.terminate()
    assert 8 == asked.returncode, asked.stdout + asked.stderr
    assert "alarm_on: The alarm goes on" in asked.stdout
    assert (0, "") == (done.returncode, done.stderr)
    walk = json.loads(done.stdout)
    assert ("qualified", "no") == (walk["result"], walk["facts"]["permit_waits_for_key"])
    assert "  expiry: obeyed" in listed.stdout


def test_the_probes_are_listed_without_a_daemon(tmp_path: Path) -> None:
    """Whoever stands at the meter would not know beforehand what will happen there."""
    shown = _qualify(tmp_path / "none.toml", "--dry-run", "--json")
    assert [probe.name for probe in PROBES] == [one["probe"] for one in json.loads(shown.stdout)["probes"]]
