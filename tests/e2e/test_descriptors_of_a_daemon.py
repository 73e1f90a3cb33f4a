"""A daemon that has no descriptor left, as `prlimit` makes it."""

from __future__ import annotations

import contextlib
import resource
import socket
import sqlite3
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from meterlink.daemon.audited import JOURNAL_FILE
from tests.support.gateway import METERLINK, write_config
from tests.support.metersim_process import running_metersim
from tests.support.processes import LOOPBACK, announced, request, wait_until

_CALLERS = 8
_ROUNDS = 6
"""Of both meters, one a second, without descriptors."""
_LINES_MAX = 10
"""What the daemon may write in that time, readings not counted; it wrote 1,600 tracebacks a second."""


def _answered(port: int) -> float:
    _, text = request(f"http://{LOOPBACK}:{port}/metrics")
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "meterlink_exchanges_total" and sample.labels["outcome"] == "answered"
    )


def _kept(journal: Path) -> int:
    """Records in the journal."""
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM log WHERE kind = 'reading'").fetchone()[0])


def test_f26_a_daemon_without_descriptors_reads_on_and_says_so_once(tmp_path: Path) -> None:
    """F26: callers who find no descriptor would fill the disk with the log, or the line stop being read."""
    log = tmp_path / "log"
    with running_metersim(tmp_path, "--meters=2") as plant, contextlib.ExitStack() as callers:
        config = write_config(tmp_path, {plant.urls[0]: plant.meters[0]})
        with announced([METERLINK, "run", "--config", str(config)], log) as (program, ready):
            port, pid = ready["monitor"], program.pid
            wait_until(lambda: _answered(port) >= 4, what="a round of both meters")
            limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            before, written = _answered(port), len(log.read_bytes())
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (10, limits[1]))
            for _ in range(_CALLERS):
                caller = callers.enter_context(socket.socket())
                caller.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    caller.connect((LOOPBACK, port))
            journal = tmp_path / "data" / JOURNAL_FILE
            kept = _kept(journal)
            wait_until(lambda: _kept(journal) >= kept + _ROUNDS * 2, what="a line that is read all the while")
            told = log.read_bytes()[written:].decode()
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
            callers.close()
            after = 0.0

            def is_back() -> bool:
                nonlocal after
                with contextlib.suppress(OSError):
                    after = _answered(port)
                return after > 0

            wait_until(is_back, what="the monitor")
        assert after >= before + _ROUNDS * 2
        assert 1 == told.count("callers_not_taken"), told
        assert "Traceback" not in told
        assert len(told.splitlines()) <= _LINES_MAX, told
