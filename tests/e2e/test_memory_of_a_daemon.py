"""How much memory the whole program needs: lines, journal, broker, ingest, monitor and API in one process."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from meterlink.daemon.audited import JOURNAL_FILE
from tests.support.gateway import METERLINK, write_config
from tests.support.metersim_process import running_metersim
from tests.support.processes import LOOPBACK, announced, request, wait_until

_RESIDENT_KIB_MAX = 160 * 1024
"""Of the 256 MB that a small gateway has; 105 MB were seen. Address space is more: threads."""
_RECORDS = 40


def _kept(journal: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM log WHERE kind = 'reading'").fetchone()[0])


def test_f25_the_whole_program_fits_a_gateway_of_256_mb(tmp_path: Path) -> None:
    """F25: with all that a gateway carries, the kernel would end it again and again."""
    with running_metersim(tmp_path, "--meters=5", "--td-ms=0") as plant:
        config = write_config(tmp_path, {plant.urls[0]: plant.meters[0]})
        config.write_text(f'{config.read_text()}[web]\nlisten = "{LOOPBACK}:0"\n', encoding="utf-8")
        with announced([METERLINK, "run", "--config", str(config)], tmp_path / "log") as (program, ready):
            journal = tmp_path / "data" / JOURNAL_FILE
            wait_until(lambda: _kept(journal) >= _RECORDS, what=f"{_RECORDS} records")
            code, _ = request(f"http://{LOOPBACK}:{ready['monitor']}/metrics")
            status = Path(f"/proc/{program.pid}/status").read_text(encoding="ascii")
    assert (200, 1) == (code, len(ready["api"]))
    seen = dict(line.split(":", 1) for line in status.splitlines())
    assert int(seen["VmHWM"].split()[0]) < _RESIDENT_KIB_MAX, seen["VmHWM"]


def test_f25_the_whole_program_starts_where_its_addresses_are_limited_to_256_mb(tmp_path: Path) -> None:
    """A gateway whose maker limits the addresses of each program would not start it: no thread has room."""
    with running_metersim(tmp_path, "--meters=1", "--td-ms=0") as plant:
        config = write_config(tmp_path, {plant.urls[0]: plant.meters[0]})
        config.write_text(f'{config.read_text()}[web]\nlisten = "{LOOPBACK}:0"\n', encoding="utf-8")
        command = [METERLINK, "run", "--config", str(config)]
        limited = ["prlimit", f"--as={256 << 20}", *command]
        with announced(limited, tmp_path / "log") as (_, ready):
            journal = tmp_path / "data" / JOURNAL_FILE
            wait_until(lambda: _kept(journal) >= 1, what="a record")
            code, _ = request(f"http://{LOOPBACK}:{ready['monitor']}/readyz")
    assert (200, 1) == (code, len(ready["api"]))
