"""``meterlink audit`` and ``meterlink work``: what they say, in both languages, and their exit codes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from meterlink.audit.checkpoints import Signer
from meterlink.audit.keys import KEY_FILE, GatewayKey
from meterlink.cli import app
from meterlink.clock import SystemClock
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.journal.journal import Journal
from meterlink.model.checkpoint import Checkpoint
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.attention.alarms import Alarms, Seen
from meterlink.orders.attention.work import WorkItems
from meterlink.orders.attention.work_kinds import WorkKind
from metersim.loop import Simulation
from tests.support.acts import act
from tests.support.forger import forging
from tests.support.gateway import write_one_meter
from tests.support.records import EPOCH


class _Dispatcher:
    name = "李雷"
    roles = ("dispatcher",)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory as a daemon leaves it, with work, an alarm and a signed chain; and a configuration."""
    folder = tmp_path / "data"
    folder.mkdir()
    write_one_meter(tmp_path, folder)
    clock = Simulation(start=EPOCH).clock

    async def fill() -> None:
        async with Journal.open(folder / JOURNAL_FILE, clock=clock) as journal:
            work, alarms = WorkItems(journal.acts, clock), Alarms(journal.acts, clock, zone=CHINA_TIME)
            item = await work.open(
                WorkKind.FIELD_ORDER, "门锁着 [red]", actor="meterlink", meter="m1", order="o-1"
            )
            await work.assign(item.id, "小王", _Dispatcher())
            closed = await work.open(WorkKind.CONTACT, "no number", actor="meterlink", meter="m2")
            await work.close(closed.id, "reached", _Dispatcher())
            await alarms.raise_(Seen(rule="RELAY_FAULT", origin="CTRL-20", meter="m1", value="5.2 A"))
            await Signer(journal.acts, GatewayKey.open(folder), clock, zone=CHINA_TIME).sign()
            await journal.acts.append(act())

    asyncio.run(fill())
    return tmp_path


def _run(data: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--config", str(data / "meterlink.toml")])


def _key(data: Path) -> str:
    return GatewayKey.open(data / "data").public_hex


def test_a_whole_chain_is_told_and_what_nobody_can_know(data: Path) -> None:
    """An auditor would take for proven what nobody has signed."""
    done = _run(data, "audit", "verify", "--lang", "en")
    assert 0 == done.exit_code
    assert [
        "The chain is whole: 6 acts, in agreement with 1 checkpoints.",
        "Signed up to act 5 (2026-11-22T00:00:00Z); the 1 behind it could have been rewritten.",
        f"No --key was given. Compare {_key(data)} with what `meterlink audit key` prints at the gateway.",
    ] == done.stdout.splitlines()
    with_key = _run(data, "audit", "verify", "--lang", "zh", "--key", _key(data))
    assert "链完整:共 6 条记录,与 1 个检查点一致。" == with_key.stdout.splitlines()[0]
    assert 2 == len(with_key.stdout.splitlines())


def test_a_forged_chain_is_named_in_both_languages_and_for_programs(data: Path) -> None:
    """Whoever reads only one of them would not learn which row it is."""
    with forging(data / "data" / JOURNAL_FILE) as db:
        db.execute("UPDATE act SET actor = 'x' WHERE number = 3")
    told = {lang: _run(data, "audit", "verify", "--lang", lang) for lang in ("en", "zh")}
    assert [11, 11] == [one.exit_code for one in told.values()]
    assert "NOT whole: act 3 (row 3 of the log) does not follow" in told["en"].stdout
    assert "第 3 条记录(日志第 3 行)与前一条不衔接" in told["zh"].stdout
    done = _run(data, "audit", "verify", "--json")
    document = json.loads(done.stdout)
    assert (11, False, 2) == (done.exit_code, document["ok"], document["acts"])
    assert ("edited", 2, 3, 3) == tuple(document["fault"][name] for name in ("kind", "first", "last", "row"))


def test_a_saved_checkpoint_and_key_tell_what_was_cut_off(data: Path, tmp_path: Path) -> None:
    """The way that the help describes must be one that works."""
    for name in ("key", "checkpoint"):
        (tmp_path / name).write_text(_run(data, "audit", name).stdout)
    saved = ["--key", str(tmp_path / "key"), "--checkpoint", str(tmp_path / "checkpoint")]
    whole = _run(data, "audit", "verify", "--json", *saved)
    assert (0, 2) == (whole.exit_code, json.loads(whole.stdout)["checkpoints"])
    assert 5 == Checkpoint.from_json((tmp_path / "checkpoint").read_text()).number
    with forging(data / "data" / JOURNAL_FILE) as db:
        for statement in (
            "DELETE FROM act WHERE number > 3",
            "DELETE FROM log WHERE id > 3",
            "DELETE FROM checkpoint",
            "UPDATE sqlite_sequence SET seq = 3 WHERE name = 'log'",
        ):
            db.execute(statement)
    done = _run(data, "audit", "verify", "--json", *saved)
    fault = json.loads(done.stdout)["fault"]
    assert (11, "cut_off", 4, 5) == (done.exit_code, fault["kind"], fault["first"], fault["last"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--key", "zz"], "cannot be read"),
        (["--key", "KEYLESS"], "no public key"),
        (["--checkpoint", "nowhere"], "cannot be read"),
        (["--checkpoint", "KEYLESS"], "no checkpoint"),
        (["--checkpoint", "OTHER"], "of version 2"),
    ],
)
def test_a_wrong_key_or_checkpoint_is_told_first(data: Path, options: list[str], words: str) -> None:
    """A file that was mixed up would be passed over, and the chain be called whole."""
    (data / "KEYLESS").write_text("hello")
    (data / "OTHER").write_text('{"v": 2}')
    there = [str(data / word) if word.isupper() else word for word in options]
    done = _run(data, "audit", "verify", *there)
    assert 2 == done.exit_code
    assert words in " ".join(done.output.replace("│", " ").split())


def test_what_is_not_there_is_told(data: Path, tmp_path: Path) -> None:
    """A command that shows nothing and says that all is well would be believed."""
    (data / "data" / KEY_FILE).unlink()
    assert 1 == _run(data, "audit", "key").exit_code
    assert not (data / "data" / KEY_FILE).exists()
    assert 7 == _run(data, "audit", "verify", str(tmp_path / "nowhere.db")).exit_code
    (tmp_path / "text").write_text("hello" * 1_000)
    assert 7 == _run(data, "work", "list", "--journal", str(tmp_path / "text")).exit_code
    assert 2 == CliRunner().invoke(app, ["audit", "verify", "--config", str(tmp_path / "no.toml")]).exit_code

    async def empty() -> None:
        async with Journal.open(tmp_path / "empty.db", clock=SystemClock()):
            pass

    asyncio.run(empty())
    assert 1 == _run(data, "audit", "checkpoint", str(tmp_path / "empty.db")).exit_code
    done = _run(data, "audit", "verify", str(tmp_path / "empty.db"), "--lang", "en")
    assert (0, "The chain is whole: 0 acts, in agreement with 0 checkpoints.\n") == (
        done.exit_code,
        done.stdout,
    )


def test_work_lists_what_waits(data: Path) -> None:
    """A field order that is not seen is a customer without power."""
    done = _run(data, "work", "list", "--lang", "en")
    assert 0 == done.exit_code
    head, item, alarm = done.stdout.splitlines()
    assert ["id", "what", "meter", "since", "state", "why"] == head.split()
    assert "field_order:o-1" == item.split()[0]
    assert item.rstrip().endswith("open (小王)  门锁着 [red]")
    assert ["RELAY_FAULT:m1:2026-11-22", "RELAY_FAULT", "(serious,", "1)", "m1"] == alarm.split()[:5]
    assert "未结" in _run(data, "work", "list", "--lang", "zh").stdout
    lines = _run(data, "work", "list", "--all", "--json").stdout.splitlines()
    assert 3 == len(lines)
    assert {"m2"} == {
        json.loads(line)["meter"]
        for line in _run(data, "work", "list", "--all", "--json", "--meter", "m2").stdout.splitlines()
    }
    assert (
        "nothing waits for a person\n" == _run(data, "work", "list", "--meter", "m9", "--lang", "en").stdout
    )


def test_work_shows_one_with_its_story(data: Path) -> None:
    """Whoever takes it over would begin anew."""
    done = _run(data, "work", "show", "field_order:o-1", "--lang", "en")
    assert 0 == done.exit_code
    assert "  2026-11-22T00:00:00Z 李雷 assign 小王" in done.stdout.splitlines()
    alarm = _run(data, "work", "show", "RELAY_FAULT:m1:2026-11-22", "--lang", "zh")
    assert "原因: 5.2 A" in alarm.stdout.splitlines()
    shown = json.loads(_run(data, "work", "show", "RELAY_FAULT:m1:2026-11-22", "--json").stdout)
    assert ("serious", 1, "open") == (shown["severity"], shown["count"], shown["state"])
    nobody = _run(data, "work", "show", "nobody")
    assert (1, True) == (nobody.exit_code, "no work item and no alarm 'nobody'" in nobody.output)
