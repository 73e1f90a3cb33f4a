"""``meterlink order``, ``evidence`` and ``control`` as people type them, at a real control socket (F46)."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from meterlink.cli import app, order_confirm
from meterlink.cli.completion import granted_like
from meterlink.clock import SystemClock
from meterlink.config import load_settings
from meterlink.daemon.control_socket import SOCKET_FILE, control_socket
from meterlink.daemon.ordering import Ordering, OrderWorld
from meterlink.daemon.requests import no_control
from meterlink.daemon.settings_check import profiles_of
from meterlink.journal.journal import Journal
from meterlink.model.act import Topic
from meterlink.model.order import OrderState
from meterlink.model.payload import time_out
from meterlink.orders.cases.book import CaseBook
from meterlink.orders.naming import CASES_TOLD_MAX
from tests.support.order_gateway import PEOPLE, Proved
from tests.support.orders import at_state

pytestmark = pytest.mark.asyncio

_CONFIG = """\
[gateway]
id = "gw"
data_dir = "{folder}"

[control]
people = "{folder}/people.toml"
operator_code = "20261124"

[[lines]]
name = "street"
url = "tcp://127.0.0.1:9"

[[meters]]
id = "m7"
address = "000000000161"
line = "street"
model = "generic-remote-cost-control"
meter_number = "000000000161"
customer_number = "000012345678"
area = "east"
motor_load = false
"""


class Town:
    """A daemon's orders behind their socket, with the commands of several people.

    Args:
        folder: of the configuration and the data.

    Attributes:
        who: the person whom the local user stands for.

    """

    def __init__(self, folder: Path) -> None:
        self.who = "clara"
        self.folder = folder
        self.config = folder / "meterlink.toml"
        self.config.write_text(_CONFIG.format(folder=folder), encoding="utf-8")
        (folder / "people.toml").write_text(PEOPLE, encoding="utf-8")
        (folder / "people.toml").chmod(0o600)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Journal]:
        """The orders and their socket; no line is opened."""
        settings = load_settings(self.config)
        assert settings.control is not None
        async with Journal.open(self.folder / "journal.sqlite3", clock=SystemClock()) as journal:
            ordering = Ordering(
                settings,
                settings.control,
                journal,
                profiles_of(settings),
                clock=SystemClock(),
                rng=random.Random(1),
                world=OrderWorld(models=Proved()),
            )
            await ordering.load()

            async def answer(_: str, op: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
                return await ordering.answer(self.who, op, args)

            async with control_socket(self.folder / SOCKET_FILE, answer):
                yield journal

    async def say(self, who: str, *words: str, stdin: str = "") -> Result:
        """One command of a person."""
        self.who = who
        command = [*words, "--config", str(self.config)]
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, command, input=stdin))


def _order(order_id: str = "a-1") -> dict[str, Any]:
    deadline_at = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=30)
    return {
        "id": order_id,
        "kind": "alarm_on",
        "meter": "m7",
        "reason": "low balance",
        "deadline_at": time_out(deadline_at),
        "payment": "",
        "case": "",
        "reference": "",
    }


async def _ask(path: Path, op: str, **args: Any) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(json.dumps({"id": "1", "op": op, "args": args}).encode() + b"\n")
    answer: dict[str, Any] = json.loads(await reader.readline())
    writer.close()
    return answer


async def test_f46_the_same_id_from_a_hundred_callers_at_the_socket(tmp_path: Path) -> None:
    """A program that sends its order again and again would make a hundred of it."""
    town = Town(tmp_path)
    async with town.open() as journal:
        path, order = tmp_path / SOCKET_FILE, _order()
        answers = await asyncio.gather(*(_ask(path, "order.create", order=order) for _ in range(100)))
        other = await _ask(path, "order.create", order={**order, "reason": "another"})
        acts = await journal.acts.of_subject(Topic.ORDER, "a-1")
    assert [answers[0]] * 100 == answers
    assert answers[0]["ok"]
    assert "clash" == other["error"]["code"]
    assert ["create", "authorise"] == [kept.act.verb for kept in acts]


REHEARSED = (
    (
        "en",
        "it is stopped now by:",
        (
            "as things stand, its later steps would be stopped by:",
            "  when it is operated  CTRL-10: sam has stopped all trips",
        ),
    ),
    (
        "zh",
        "现在即被阻止:",
        ("按目前情况,后续步骤将被阻止:", "  执行时  CTRL-10: sam已停止全部停电操作"),
    ),
)
"""What a rehearsal of a trip without evidence says while trips are stopped, by language."""


async def test_an_order_from_creation_to_the_queue(tmp_path: Path) -> None:
    """What people type would not lead to an order, or to one without its history."""
    town = Town(tmp_path)
    create = ["order", "create", "a-1", "--kind", "alarm_on", "--meter", "m7", "--reason", "low"]
    deadline = ["--deadline", time_out(datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=30))]
    async with town.open():
        dry = await town.say("clara", *create, *deadline, "--dry-run", "--lang", "en")
        assert (0, "all") == (dry.exit_code, dry.stdout[:3])
        assert 0 == (await town.say("clara", *create, *deadline)).exit_code
        again = await town.say("clara", *create, *deadline, "--json")
        assert (0, "authorised") == (again.exit_code, json.loads(again.stdout)["state"])
        assert 0 == (await town.say("clara", *create, "--within", "30")).exit_code, "the same half hour"
        clash = await town.say("clara", *create, "--within", "10")
        assert 8 == clash.exit_code
        assert "wants something else" in clash.stderr
        assert 8 == (await town.say("clara", "order", "arm", "a-1")).exit_code
        operate = ["order", "operate", "a-1", "--dry-run", "--lang", "zh"]
        early = await town.say("david", *operate)
        assert (8, True) == (early.exit_code, early.stdout.startswith("STATE: 命令 a-1"))
        assert "尚未预置" in early.stdout, "nobody has armed it"
        assert 0 == (await town.say("david", "order", "arm", "a-1")).exit_code
        check = await town.say("david", *operate)
        assert (0, "条规则均通过") == (check.exit_code, check.stdout.splitlines()[0][2:])
        assert "后续步骤没有规则会阻止" in check.stdout
        trip = ["order", "create", "t-1", "--kind", "trip", "--meter", "m7", "--reason", "x", *deadline]
        check = await town.say("clara", *trip, "--dry-run", "--lang", "zh")
        assert 8 == check.exit_code
        assert "CTRL-02: 已发出0次预警" in check.stdout
        assert 0 == (await town.say("sam", "control", "stop", "--reason", "a storm")).exit_code
        for lang, now, later in REHEARSED:
            told = (await town.say("clara", *trip, "--dry-run", "--lang", lang)).stdout.splitlines()
            assert now == told[0]
            assert any("CTRL-02: " in line for line in told[1 : told.index(later[0])])
            assert any(line.startswith(later[1]) for line in told[told.index(later[0]) + 1 :])
        both = await town.say("clara", *trip, "--dry-run", "--json")
        stages = {one["rule"]: one["stage"] for one in json.loads(both.stdout)["later"]}
        assert (8, "operate") == (both.exit_code, stages["CTRL-10"])
        refused = await town.say("clara", *trip, "--lang", "en")
        assert 8 == refused.exit_code
        assert "CTRL-02: 0 warnings" in refused.stderr
        assert 2 == (await town.say("clara", "order", "show", "none")).exit_code
        listed = json.loads((await town.say("clara", "order", "list", "--json")).stdout)["orders"]
        assert ["a-1"] == [one["id"] for one in listed]
        half = await town.say("clara", "order", "cancel", "a-1", "--reason", "\udcff", "--lang", "en")
        assert (2, True) == (half.exit_code, "UTF-8" in half.stderr), (
            "an octet of another encoding is no reason"
        )
        gone = await town.say("clara", "order", "cancel", "a-1", "--reason", "typed wrongly")
        assert 0 == gone.exit_code
        shown = await town.say("clara", "order", "show", "a-1", "--lang", "zh")
        assert "已撤销" in shown.stdout
        assert "typed wrongly" in shown.stdout
        assert "原因: " in shown.stdout, "why somebody wants it"
        assert "截止时间: " in shown.stdout
        dry = await town.say("clara", *create, *deadline, "--dry-run", "--lang", "zh")
        assert (8, True) == (dry.exit_code, dry.stdout.startswith("该工单已存在")), "as creating it ends"
        assert 8 == (await town.say("clara", *create, *deadline)).exit_code
        dry = await town.say("clara", *create, *deadline, "--dry-run", "--json")
        told = json.loads(dry.stdout)
        assert (8, [], "cancelled") == (dry.exit_code, told["rules"], told["known"]["state"])


async def test_who_confirms_a_finding_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody would put his name under what he has never read, or a script under whatever stands."""
    town = Town(tmp_path)
    (tmp_path / "people.toml").write_text(
        PEOPLE + '\n[[people]]\nname = "dora"\nroles = ["dispatcher"]\n', encoding="utf-8"
    )
    find = ["order", "find", "t-1", "--finding"]
    async with town.open() as journal:
        await journal.acts.append(*at_state(OrderState.UNKNOWN, id="t-1", meter="m7").acts)
        assert 8 == (await town.say("dora", "order", "confirm", "t-1", "--found", "done")).exit_code
        told = await town.say("david", *find, "done", "--evidence", "contact open", "--lang", "en")
        assert (0, True) == (told.exit_code, "done (it was obeyed): contact open" in told.stdout)
        assert 2 == (await town.say("dora", "order", "confirm", "t-1")).exit_code, "nobody to ask"
        second = [*find, "not_done", "--evidence", "the next house"]
        assert 8 == (await town.say("anna", *second)).exit_code
        assert 0 == (await town.say("anna", *second, "--instead", "done")).exit_code
        no = await town.say("dora", "order", "confirm", "t-1", "--found", "done", "--lang", "zh")
        assert (8, True) == (no.exit_code, "当前的核实结论是 not_done" in no.stderr)
        monkeypatch.setattr(order_confirm, "can_be_asked", lambda: True)
        asked = await town.say("dora", "order", "confirm", "t-1", "--lang", "zh", stdin="n\n")
        assert (1, True) == (asked.exit_code, "not_done (未执行): the next house" in asked.stderr)
        assert 2 == (await town.say("dora", "order", "confirm", "t-1", "--json")).exit_code
        loop = asyncio.get_running_loop()

        def said_meanwhile(*_: object, **__: object) -> bool:
            """A third person tells another finding while she reads what stands."""
            town.who = "anna"
            find = {"id": "t-1", "finding": "not_done", "evidence": "heard so", "instead": "not_done"}
            found = asyncio.run_coroutine_threadsafe(_ask(tmp_path / SOCKET_FILE, "order.find", **find), loop)
            assert found.result()["ok"]
            town.who = "dora"
            return True

        with monkeypatch.context() as patched:
            patched.setattr(typer, "confirm", said_meanwhile)
            assert 8 == (await town.say("dora", "order", "confirm", "t-1")).exit_code
        assert 0 == (await town.say("dora", "order", "confirm", "t-1", stdin="y\n")).exit_code
        shown = json.loads((await town.say("dora", "order", "show", "t-1", "--json")).stdout)
        assert ("not_done", "anna") == (shown["finding"], shown["found"]["by"])


async def test_evidence_from_a_file_and_from_a_pipe(tmp_path: Path) -> None:
    """Records would be lost without a word, or taken in twice."""
    town = Town(tmp_path)
    now = time_out(datetime.now(UTC))
    record = {"kind": "warning", "id": "w1", "sender": "billing", "at": now, "meter": "m7", "channel": "sms"}
    lines = json.dumps(record) + "\n\nnot json\n" + json.dumps({**record, "id": "w2", "meter": "m9"}) + "\n"
    (tmp_path / "today.jsonl").write_text(lines)
    async with town.open():
        first = await town.say("billing", "evidence", "import", str(tmp_path / "today.jsonl"), "--lang", "en")
        assert (1, "3 records: 1 new, 2 refused\n") == (first.exit_code, first.stdout)
        assert ":3: not JSON" in first.stderr
        assert ":4: meter: there is no 'm9'" in first.stderr
        again = await town.say("billing", "evidence", "import", "-", "--json", stdin=json.dumps(record))
        assert 0 == again.exit_code
        assert [{"line": 1, "id": "billing:w1", "meter": "m7", "is_new": False}] == (
            json.loads(again.stdout)["records"]
        )


async def test_the_kill_switch_takes_one_to_stop_and_two_to_resume(tmp_path: Path) -> None:
    """One person could let trips go again that another has stopped."""
    town = Town(tmp_path)
    async with town.open():
        assert 8 == (await town.say("nobody", "control", "stop", "--reason", "x")).exit_code
        assert 0 == (await town.say("clara", "control", "stop", "--reason", "wrong list")).exit_code
        assert 0 == (await town.say("sam", "control", "resume", "--reason", "withdrawn")).exit_code
        assert "no orders" in (await town.say("clara", "order", "list", "--lang", "en")).stdout
        still = await town.say("clara", "control", "status", "--lang", "en")
        assert "all trips are stopped by clara" in still.stdout
        assert 0 == (await town.say("steve", "control", "resume", "--reason", "agreed")).exit_code
        now = await town.say("clara", "control", "status", "--json")
        assert "" == json.loads(now.stdout)["stopped_by"]


async def test_an_authorisation_is_taken_back(tmp_path: Path) -> None:
    """A dispatcher who calls somebody back would have to send another person, or hear nothing of it."""
    town = Town(tmp_path)
    deadline = time_out(datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=30))
    order = {**_order("c-1"), "kind": "permit_close", "deadline_at": deadline, "reference": "desk:w1"}
    record = {"kind": "work_order", "id": "w1", "sender": "desk", "at": time_out(datetime.now(UTC))}
    work = {**record, "meter": "m7", "until": deadline, "why": "restored by hand"}
    revoke = ["control", "revoke", "c-1", "--reason", "人员调班"]
    async with town.open() as journal:
        told = await town.say("david", "evidence", "import", "-", "--json", stdin=json.dumps(work))
        assert 0 == told.exit_code, told.output
        town.who = "clara"
        assert (await _ask(tmp_path / SOCKET_FILE, "order.create", order=order))["ok"]
        assert 8 == (await town.say("david", *revoke)).exit_code, "nobody has it"
        context = typer.Context(typer.main.get_command(app))
        context.params["config"] = town.config
        for lang, words in (("en", "fred may operate order c-1 no more\n"), ("zh", "已收回fred对工单c-1的")):
            assert 0 == (await town.say("david", "control", "grant", "c-1", "fred")).exit_code
            assert (["c-1"], []) == (granted_like(context, "c"), granted_like(context, "d"))
            assert 8 == (await town.say("clara", *revoke)).exit_code
            done = await town.say("david", *revoke, "--lang", lang)
            assert (0, True) == (done.exit_code, done.stdout.startswith(words))
            assert [] == granted_like(context, "c")
        assert 0 == (await town.say("david", "control", "grant", "c-1", "fred")).exit_code
        as_json = json.loads((await town.say("david", *revoke, "--json")).stdout)
        assert {"id": "c-1", "person": "fred", "revoked": True, "transmissions": 0} == as_json
        act = (await journal.acts.of_subject(Topic.POLICY, "grant:c-1"))[-1].act
        assert ("revoke", "david", "人员调班") == (act.verb, act.actor, act.body["why"])
        assert ["dispatcher"] == act.body["roles"]


async def test_without_a_daemon_the_commands_say_so(tmp_path: Path) -> None:
    """Who types into a dead machine would believe that something was ordered."""
    town = Town(tmp_path)
    away = await town.say("clara", "order", "list")
    assert 10 == away.exit_code
    assert "does not answer" in away.stderr
    for lang, words in (("en", "does not answer"), ("zh", "守护进程没有应答")):
        away = await town.say("clara", "control", "status", "--lang", lang)
        assert (10, "", True) == (away.exit_code, away.stdout, words in away.stderr)
    away = await town.say("clara", "control", "status", "--json")
    error = json.loads(away.stdout)["error"]
    assert (10, "daemon_away", True) == (away.exit_code, error["code"], "守护进程" in error["zh"])


async def test_an_order_of_a_case_that_there_is_not_is_refused(tmp_path: Path) -> None:
    """A mistyped case would stand in the order for years, and nobody find what it was given for."""
    town = Town(tmp_path)
    create = ["order", "create", "a-1", "--kind", "alarm_on", "--meter", "m7", "--reason", "low"]
    create += ["--within", "30"]
    async with town.open() as journal:
        for dry in ([], ["--dry-run"]):
            none = await town.say("clara", *create, *dry, "--case", "c12", "--lang", "zh")
            assert (2, "电表m7没有停电流程 'c12':一个也没有\n") == (none.exit_code, none.stderr)
        for name in ("c20", *(f"c1{number}" for number in range(3, 4 + CASES_TOLD_MAX))):
            told: dict[str, Any] = {"actor": "clara", "body": {"told": "?"}}
            await CaseBook(journal.acts, SystemClock()).begin(name, "m8" if name == "c20" else "m7", **told)
        for named in ("c12", "c20"):
            other = await town.say("clara", *create, "--case", named, "--lang", "en")
            there = ", ".join(f"c1{number}" for number in range(4, 4 + CASES_TOLD_MAX))
            assert (2, f"meter m7 has no case '{named}': it has {there}\n") == (other.exit_code, other.stderr)
        assert [] == await journal.acts.of_subject(Topic.ORDER, "a-1")
        assert 0 == (await town.say("clara", *create, "--case", "c13")).exit_code


async def test_without_control_everything_is_refused(tmp_path: Path) -> None:
    """A gateway that only reads would take orders that nobody has allowed."""
    town = Town(tmp_path)
    async with control_socket(tmp_path / SOCKET_FILE, no_control):
        told = await town.say("clara", "order", "list")
    assert 8 == told.exit_code
    assert "[control]" in told.stderr
