"""``meterlink roster`` while a real daemon runs: it changes the roster, and the file is left alone."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from meterlink.cli import app
from meterlink.model.zone import CHINA_TIME
from tests.support.gateway import Process, write_config

_HEAD = "id,address,line,area\n"


def test_a_roster_is_changed_through_the_daemon(tmp_path: Path) -> None:
    """Whoever brings a roster would have to stop the readings of a whole town for it."""
    config = write_config(tmp_path, {"tcp://127.0.0.1:1": ["000000000001"]})

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["roster", *words, "--config", str(config), "--lang", "en"])
        return done.exit_code, done.output

    def told(*words: str) -> Any:
        return json.loads(run(*words, "--json")[1])

    many = tmp_path / "many.csv"
    rows = [f"x{n},{n:012d},line1,{'東' * 40}\n" for n in range(2, 1_502)]
    many.write_text(_HEAD + "m000000000001,000000000001,line1,\n" + "".join(rows), encoding="utf-8")
    daemon = Process("run", config)
    daemon.start()
    try:
        assert {"revision": 2, "added": 1_500, "changed": 0, "retired": 0} == told(
            "apply", str(many), "--yes"
        )
        assert ([], {}, []) == tuple(told("plan", str(many))[key] for key in ("added", "changed", "retired"))
        one = tmp_path / "one.csv"
        one.write_text(_HEAD + "x2,000000000002,line1,west\n", encoding="utf-8")
        code, said = run("apply", str(one), "--yes", "--partial")
        assert (0, True) == (code, "rules of orders know it now" in said)
        words = ("--new-number", "000000009999", "--removed-at", "2026-01-01", "--last-register", "7")
        assert 4 == told("exchange", "x3", *words, "--first-register", "0")["revision"]
        assert 2 == run("exchange", "x3", *words, "--first-register", "0")[0]
        assert "whole: 4 revisions, 1502 meters" in run("verify")[1]
        yesterday = datetime.now(CHINA_TIME).date() - timedelta(days=1)
        settle = ["settle", "--day", yesterday.isoformat(), "--config", str(config), "--json"]
        for is_new in (True, False):
            settled = json.loads(CliRunner().invoke(app, settle).stdout)["areas"]
            assert {"": is_new, "東" * 40: is_new} == {one["area"]: one["is_new"] for one in settled}
        assert 1_501 == sum(one["counts"]["in_service"] for one in settled), "one was exchanged"
    finally:
        daemon.terminate()
    ready = daemon.start()
    daemon.terminate()
    assert ["line1"] == ready["lines"]
    assert '"meters": 1501' in daemon.log.read_text(encoding="utf-8")
