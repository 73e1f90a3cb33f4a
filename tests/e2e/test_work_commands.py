"""Work items and alarms written from the command line, through the socket of a real daemon."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
from pathlib import Path

from typer.testing import CliRunner

from meterlink.cli import app
from meterlink.clock import SystemClock
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.journal.journal import Journal
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.attention.alarms import Alarms, Seen
from meterlink.orders.attention.work import WorkItems
from meterlink.orders.attention.work_kinds import WorkKind
from tests.support.gateway import Process, write_config


def _config(folder: Path) -> Path:
    """A daemon for which whoever runs the tests is a dispatcher."""
    me = pwd.getpwuid(os.geteuid()).pw_name
    people = folder / "people.toml"
    people.write_text(f'[[people]]\nname = "{me}"\nroles = ["dispatcher"]\n', encoding="utf-8")
    people.chmod(0o600)
    config = write_config(folder, {"tcp://127.0.0.1:1": ["000000000001"]})
    control = f'\n[control]\npeople = "{people}"\noperator_code = "20261122"\n'
    config.write_text(config.read_text(encoding="utf-8") + control, encoding="utf-8")
    return config


async def _fill(path: Path) -> tuple[list[str], str]:
    """The ids of two work items, and that of an alarm."""
    clock = SystemClock()
    async with Journal.open(path, clock=clock) as journal:
        work, alarms = WorkItems(journal.acts, clock), Alarms(journal.acts, clock, zone=CHINA_TIME)
        items = [
            await work.open(kind, "why", actor="meterlink", meter="m000000000001", order="o-1")
            for kind in (WorkKind.FIELD_ORDER, WorkKind.HOLD)
        ]
        alarm = await alarms.raise_(Seen(rule="RELAY_FAULT", origin="CTRL-20", meter="m000000000001"))
    return [item.id for item in items], alarm.id


def test_work_is_written_through_the_daemon(tmp_path: Path) -> None:
    """A field order that is done could not be closed, or by somebody whose name nobody knows."""
    config = _config(tmp_path)
    (tmp_path / "data").mkdir()
    (field, hold), alarm = asyncio.run(_fill(tmp_path / "data" / JOURNAL_FILE))

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [*words, "--config", str(config)])
        return done.exit_code, done.output.strip()

    def work(*words: str) -> tuple[int, str]:
        return run("work", *words, "--lang", "en")

    assert 10 == work("note", field, "no daemon yet")[0]
    in_chinese = run("work", "list", "--lang", "zh")[1]
    assert all(word in in_chinese for word in ("现场工单 field_order", "封存 hold", "RELAY_FAULT (", "1)"))
    assert "serious" not in in_chinese
    daemon = Process("run", config)
    daemon.start()
    try:
        assert (0, f"{field}: open") == work("note", field, "门锁着")
        assert (0, f"{field}: open") == work("assign", field, "--to", "wang")
        assert (0, f"{field}: closed") == work("close", field, "--why", "closed by hand")
        code, words = work("close", hold, "--why", "I want to be done")
        assert (8, True) == (code, "it takes the role of inspector" in words)
        assert 2 == work("note", "nobody", "x")[0]
        assert (0, f"{alarm}: acknowledged") == work("acknowledge", alarm)
        assert 2 == work("close", alarm, "--why", "welded", "--owner", "li")[0]
        told = ("--why", "welded", "--owner", "li", "--prevention", "batch replaced")
        assert (0, f"{alarm}: closed") == work("close", alarm, *told)
        shown = json.loads(work("show", field, "--json")[1])
    finally:
        daemon.terminate()
    me = pwd.getpwuid(os.geteuid()).pw_name
    assert [("meterlink", "open"), (me, "note"), (me, "assign"), (me, "close")] == [
        (note["actor"], note["verb"]) for note in shown["notes"]
    ]
    assert 0 == run("audit", "verify")[0]
