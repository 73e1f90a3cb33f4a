"""A real daemon leaves a key, a reserve and a chain that a verifier of another process finds whole."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from meterlink.audit.keys import KEY_FILE
from meterlink.daemon.audited import JOURNAL_FILE, RESERVE_FILE
from meterlink.journal.reserve import RESERVE_OCTETS
from tests.support.gateway import METERLINK, Process, write_config


def _run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [METERLINK, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=15)


def test_what_a_daemon_leaves_can_be_verified(tmp_path: Path) -> None:
    """The commands of the documentation would not work on what the daemon writes."""
    config = write_config(tmp_path, {"tcp://127.0.0.1:1": ["000000000001"]})
    daemon = Process("run", config)
    daemon.start()
    try:
        while_it_runs = _run("audit", "verify", "--json", "--config", config)
        key = _run("audit", "key", "--config", config).stdout.strip()
    finally:
        daemon.terminate()
    assert 0 == while_it_runs.returncode, while_it_runs.stderr
    assert json.loads(while_it_runs.stdout)["ok"]
    data = tmp_path / "data"
    assert 0o600 == (data / KEY_FILE).stat().st_mode & 0o777
    assert RESERVE_OCTETS == (data / RESERVE_FILE).stat().st_size
    copy = tmp_path / "copy.sqlite3"
    copy.write_bytes((data / JOURNAL_FILE).read_bytes())
    copied = _run("audit", "verify", copy, "--key", key)
    assert (0, "") == (copied.returncode, copied.stderr)
    assert 0 == _run("work", "list", "--config", config).returncode


def test_a_key_that_others_can_read_stops_the_start(tmp_path: Path) -> None:
    """Checkpoints would be signed with a key that anybody on the machine has."""
    config = write_config(tmp_path, {"tcp://127.0.0.1:1": ["000000000001"]})
    daemon = Process("run", config)
    daemon.start()
    daemon.terminate()
    (tmp_path / "data" / KEY_FILE).chmod(0o644)
    for words in (("run",), ("audit", "key")):
        done = _run(*words, "--config", config)
        assert 1 == done.returncode
        assert "chmod 600" in done.stderr
