"""``meterlink events``: what it says, in both languages and for programs, and its exit codes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from meterlink.cli import app
from meterlink.cli.completion import kinds_like
from meterlink.clock import SystemClock
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.journal.journal import Journal
from tests.support.gateway import write_one_meter
from tests.support.records import EPOCH, event


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration, and a journal with a failure that has ended, one that lasts, and a report."""
    path = write_one_meter(tmp_path, tmp_path)

    async def fill() -> None:
        async with Journal.open(tmp_path / JOURNAL_FILE, clock=SystemClock()) as journal:
            await journal.keep(replace(event(1), ended_at=None))
            await journal.keep(event(1))
            await journal.keep(replace(event(7200, meter="m2", kind="voltage_loss.a"), ended_at=None))
            await journal.keep(replace(event(9000), kind="reported_values", occurred_at=None, ended_at=None))

    asyncio.run(fill())
    return path


def _run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["events", *arguments, "-c", str(config)])


def test_each_event_is_shown_once_in_both_languages(config: Path) -> None:
    """A failure and its end would look like two failures."""
    english = _run(config, "--lang", "en").output.splitlines()
    assert 4 == len(english)
    assert "2026-11-22 08:00:01" in english[1] and "2026-11-22 08:00:31" in english[1]
    assert "power down" in english[1] and "0:00:30" in english[1] and "voltage.a@start=230.10V" in english[1]
    assert "voltage loss phase A" in english[2] and "lasts" in english[2]
    assert "reported values" in english[3] and "(told)" in english[3]
    chinese = _run(config, "--lang", "zh").output
    assert "掉电" in chinese and "A相失压" in chinese and "未结束" in chinese


def test_programs_get_a_line_each_and_people_what_they_ask_for(config: Path) -> None:
    """Whoever counts failures of a meter would have to take a table apart."""
    told = [
        json.loads(line) for line in _run(config, "m1", "--kind", "power_down", "--json").output.splitlines()
    ]
    assert [("power_down", "掉电", 1, "2026-11-22T00:00:01Z")] == [
        (one["kind"], one["zh"], one["number"], one["began_at"]) for one in told
    ]
    assert {"item": "voltage.a@start", "unit": "V", "value": "230.10"} in told[0]["values"]
    since = (EPOCH + timedelta(hours=2)).isoformat()
    assert 2 == len(_run(config, "--since", since, "--json").output.splitlines())
    assert 3 == len(_run(config, "--since", "2026-11-22", "--json").output.splitlines())
    assert 1 == len(_run(config, "--kind", "voltage_loss", "--json").output.splitlines())
    [newest] = _run(config, "--limit", "1", "--json").output.splitlines()
    assert "reported_values" == json.loads(newest)["kind"]
    assert "no events" in _run(config, "m3", "--lang", "en").output
    assert ["power_down"] == kinds_like("power_d")


def test_wrong_arguments_and_no_journal_are_told_apart(config: Path, tmp_path: Path) -> None:
    """A script could not tell a typing error from a lost journal."""
    wrong = _run(config, "--since", "yesterday", "--lang", "en")
    assert 2 == wrong.exit_code and "2026-11-21" in wrong.output
    (tmp_path / JOURNAL_FILE).unlink()
    assert 7 == _run(config).exit_code
    assert 2 == _run(tmp_path / "nothing.toml").exit_code
