"""Acts in the journal: all of them or none, one step once, one chain whatever happens."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.clock import SystemClock
from meterlink.errors import DiskFull, JournalError, Overtaken, RowUnreadable, StepTaken
from meterlink.journal import act_rows
from meterlink.journal import acts as act_log
from meterlink.journal.acts import ACTS_AT_ONCE, READ_MAX
from meterlink.journal.journal import Journal
from meterlink.journal.reader import JournalReader
from meterlink.journal.store import Step, Store
from meterlink.model.act import BODY_OCTETS_MAX, FIRST_HASH, Act, Basis, KeptAct, Topic, canonical, link
from meterlink.model.checkpoint import Checkpoint
from tests.support.acts import act
from tests.support.records import EPOCH, record

_TABLES = ["act", "checkpoint"]
_CHECKPOINT = Checkpoint(number=1, at=EPOCH, hash="ab" * 32, key="cd" * 32, signature="ef" * 64)


def _journal(path: Path) -> Journal:
    return Journal.open(path, clock=SystemClock())


def _is_chain(kept: Sequence[KeptAct]) -> bool:
    before = FIRST_HASH
    for number, each in enumerate(kept, start=1):
        before = link(before, each.act, number)
        if (number, before) != (each.number, each.hash):
            return False
    return True


def _edit(path: Path, statement: str, *drop: str) -> None:
    db = sqlite3.connect(path)
    with db:
        for trigger in drop:
            db.execute(f"DROP TRIGGER {trigger}")
        db.execute(statement)
    db.close()


# --- appending -----------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_acts_come_back_as_they_were(tmp_path: Path) -> None:
    """What is read back differs from what somebody did, and every fold over it is wrong."""
    given_acts = [
        act(1, reason="欠费", amount_cents=100),
        act(2, verb="approve", is_open=False),
        act(subject="o-2"),
    ]
    async with _journal(tmp_path / "j.db") as journal:
        assert 3 == await journal.acts.append(*given_acts)
        assert given_acts == [each.act for each in await journal.acts.after(0)]
        assert given_acts[:2] == [each.act for each in await journal.acts.of_subject(Topic.ORDER, "o-1")]
        last = await journal.acts.last_of(Topic.ORDER, "o-1")
        assert last is not None
        assert given_acts[1] == last.act
        assert None is await journal.acts.last_of(Topic.ORDER, "nobody")
        rows = await journal.rows_after(0, 10)
        assert given_acts == [row.record.act for row in rows if isinstance(row.record, KeptAct)]


@pytest.mark.asyncio
async def test_the_looks_find_what_they_name_and_nothing_else(tmp_path: Path) -> None:
    """A rule that counts trips, or a list of what is open, would see too much or too little."""
    async with _journal(tmp_path / "j.db") as journal:
        acts = journal.acts
        await acts.append(
            act(subject="a"),
            act(subject="b", meter="m2"),
            act(subject="b", topic=Topic.CASE),
            act(2, subject="a", verb="operate", is_open=False),
            act(subject="c", verb="operate"),
        )
        assert ["b", "c"] == await acts.subjects(Topic.ORDER, only_open=True)
        assert ["a", "b", "c"] == await acts.subjects(Topic.ORDER, only_open=False)
        assert ["b"] == await acts.subjects(Topic.ORDER, only_open=False, after="a", limit=1)
        assert [1, 4, 5] == [each.number for each in await acts.of_meter("m1", [Topic.ORDER])]
        assert [3] == [each.number for each in await acts.of_meter("m1", [Topic.CASE, Topic.WORK], after=1)]
        assert [5, 4] == [each.number for each in await acts.of_verb(Topic.ORDER, "operate", since=EPOCH)]
        newest = await acts.of_verb(Topic.ORDER, "operate", since=EPOCH + timedelta(seconds=2))
        assert [4] == [each.number for each in newest]
        assert [4, 5] == [each.number for each in await acts.after(3, limit=READ_MAX + 1)]


@pytest.mark.asyncio
async def test_one_bad_step_keeps_out_all_of_its_company(tmp_path: Path) -> None:
    """An order would be created without the payment that it comes from, or the other way round."""
    async with _journal(tmp_path / "j.db") as journal:
        await journal.acts.append(act(1))
        for wrong in (1, 3):
            with pytest.raises(StepTaken, match=f"order o-1 step {wrong}"):
                await journal.acts.append(act(1, subject="o-2"), act(wrong))
        assert [] == await journal.acts.of_subject(Topic.ORDER, "o-2")
        assert 1 == len(await journal.acts.after(0))
        await journal.acts.append(act(1, subject="o-2"), act(2), act(3))
        assert _is_chain(await journal.acts.after(0))


_ELSEWHERE: dict[str, Any] = {"subject": "x-1", "meter": "m2"}


@pytest.mark.parametrize(
    ("fresh", "overtakes"),
    [
        (act(topic=Topic.POLICY, subject="kill-switch", meter=""), True),
        (act(topic=Topic.POLICY, **_ELSEWHERE), True),
        (act(topic=Topic.EVIDENCE, subject="x-1"), True),
        (act(topic=Topic.EVIDENCE, subject="x-1", meter=""), True),
        (act(topic=Topic.EVIDENCE, **_ELSEWHERE), False),
        (act(topic=Topic.ORDER, subject="x-1"), True),
        (act(topic=Topic.ORDER, **_ELSEWHERE), False),
        (act(topic=Topic.ORDER, **_ELSEWHERE, is_open=False), True),
        (act(topic=Topic.EVIDENCE, **_ELSEWHERE, is_open=False), False),
        (act(topic=Topic.ALARM, subject="x-1"), False),
    ],
)
@pytest.mark.asyncio
async def test_a_decision_that_was_overtaken_is_not_kept(tmp_path: Path, fresh: Act, overtakes: bool) -> None:
    """An order would be sent by a verdict that knew nothing of the kill switch, or wait for strangers."""
    async with _journal(tmp_path / "j.db") as journal:
        await journal.acts.append(act(1), replace(fresh, subject="known", step=1))
        basis = Basis(
            number=await journal.acts.newest_number(),
            meter="m1",
            here=frozenset({Topic.EVIDENCE, Topic.ORDER}),
            anywhere=frozenset({Topic.POLICY}),
            ends=frozenset({Topic.ORDER}),
        )
        first, second = await asyncio.gather(
            journal.acts.append(fresh), journal.acts.append(act(2), basis=basis), return_exceptions=True
        )
        assert isinstance(first, int)
        assert overtakes is isinstance(second, Overtaken)
        assert (1 if overtakes else 2) == len(await journal.acts.of_subject(Topic.ORDER, "o-1"))
        assert _is_chain(await journal.acts.after(0))


@pytest.mark.asyncio
async def test_of_a_hundred_who_want_a_step_one_gets_it(tmp_path: Path) -> None:
    """Two would both believe that the order is theirs to send."""
    async with _journal(tmp_path / "j.db") as journal:
        for step in (1, 2):
            results = await asyncio.gather(
                *(journal.acts.append(replace(act(step), actor=f"a{n}")) for n in range(100)),
                return_exceptions=True,
            )
            assert 99 == sum(isinstance(result, StepTaken) for result in results)
            assert 1 == sum(isinstance(result, int) for result in results)
        assert [1, 2] == [each.act.step for each in await journal.acts.after(0)]


@pytest.mark.asyncio
async def test_an_act_that_nobody_waited_for_is_told_of(tmp_path: Path) -> None:
    """Who looks only where the log has grown would never see what a person did who had gone meanwhile."""
    async with _journal(tmp_path / "j.db") as journal:
        begun = journal.acts.growth.begun
        waiting = asyncio.create_task(journal.acts.append(act(1)))
        await asyncio.sleep(0)  # it is in the queue
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await journal.acts.append(act(2))
        assert 2 == await journal.acts.newest_number()
        assert begun + 2 == journal.acts.growth.begun
        assert 1 == journal.acts.growth.count, "the first one's caller was not told"


@pytest.mark.asyncio
async def test_acts_and_readings_share_commits(tmp_path: Path) -> None:
    """Each act would wait for a disk of its own, or a refused step take readings along."""
    commits: list[int] = []

    class Counting(Store):
        def commit(self, steps: Sequence[Step]) -> list[int]:
            commits.append(len(steps))
            return super().commit(steps)

    async with Journal.open(tmp_path / "j.db", clock=SystemClock(), opener=Counting.open) as journal:
        done = await asyncio.gather(
            *(journal.keep(record(n)) for n in range(50)),
            *(journal.acts.append(act(subject=f"o-{n}")) for n in range(50)),
            journal.acts.append(act(7)),
            return_exceptions=True,
        )
        assert isinstance(done[-1], StepTaken)
        assert list(range(1, 101)) == done[:-1]
        assert 101 in commits
        assert _is_chain(await journal.acts.after(0))


@pytest.mark.asyncio
async def test_the_chain_goes_on_over_restarts(tmp_path: Path) -> None:
    """A chain that begins anew with each start proves nothing about the starts before."""
    for start in range(1, 4):
        async with _journal(tmp_path / "j.db") as journal:
            await journal.acts.append(act(start), act(subject=f"s-{start}"))
    async with _journal(tmp_path / "j.db") as journal:
        kept = await journal.acts.after(0)
    assert 6 == len(kept)
    assert _is_chain(kept)


# --- limits and bad acts -------------------------------------------------------------------------------


def _body_of(octets: int) -> dict[str, Any]:
    """A body with which an act is exactly so long at the last place that a chain can have."""
    bare = len(canonical(act(text=""), 2**63 - 1))
    return {"text": "x" * (octets - bare)}


@pytest.mark.asyncio
async def test_at_the_limits_acts_are_kept(tmp_path: Path) -> None:
    """A limit that is off by one breaks inside the transaction, where it takes others along."""
    async with _journal(tmp_path / "j.db") as journal:
        await journal.acts.append(act(**_body_of(BODY_OCTETS_MAX)))
        with pytest.raises(ValueError, match="65536 are allowed"):
            await journal.acts.append(act(2, **_body_of(BODY_OCTETS_MAX + 1)))
        await journal.acts.append(*(act(subject=f"s-{n}") for n in range(ACTS_AT_ONCE)))
        for many in (0, ACTS_AT_ONCE + 1):
            with pytest.raises(ValueError, match=f"{many} acts at once"):
                await journal.acts.append(*(act(subject=f"t-{n}") for n in range(many)))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (replace(act(), at=EPOCH.replace(tzinfo=None)), "zone"),
        (act(x=1.5), "no float"),
        (act(x={"y": [EPOCH]}), "no datetime"),
        (act(x={1: "y"}), "is text, not int"),
        (act(x="\ud800"), "surrogates"),
        (replace(act(), meter="\ud800"), "surrogates"),
        (act(0), "a step from 1"),
        (replace(act(), step=2**63), "a step from 1"),
        (act(subject=""), "a subject"),
        (act(verb=""), "a verb"),
    ],
)
@pytest.mark.asyncio
async def test_a_malformed_act_is_refused_alone(tmp_path: Path, broken: Act, words: str) -> None:
    """Found inside the transaction it would end the writer, and with it the daemon."""
    async with _journal(tmp_path / "j.db") as journal:
        good = asyncio.ensure_future(journal.acts.append(act(subject="good")))
        with pytest.raises(ValueError, match=words):
            await journal.acts.append(broken)
        assert 1 == await good


@pytest.mark.parametrize(
    "body", [MappingProxyType({}), MappingProxyType({"a": MappingProxyType({"b": (1, None, True)})})]
)
@pytest.mark.asyncio
async def test_a_body_of_read_only_tables_is_kept(tmp_path: Path, body: Mapping[str, Any]) -> None:
    """An act without a body has such a one; it would end the writer."""
    async with _journal(tmp_path / "j.db") as journal:
        await journal.acts.append(replace(act(), body=body), Act(
            topic=Topic.WORK, subject="w", step=1, verb="open", at=EPOCH, actor="x"
        ))  # fmt: skip
        assert _is_chain(await journal.acts.after(0))


@pytest.mark.asyncio
async def test_a_body_changed_while_it_waits_is_kept_as_it_was(tmp_path: Path) -> None:
    """The act would say something else than what was looked at, and perhaps nothing that can be written."""
    body: dict[str, Any] = {"rules": ["CTRL-01"]}
    async with _journal(tmp_path / "j.db") as journal:
        appending = asyncio.ensure_future(journal.acts.append(replace(act(), body=body)))
        await asyncio.sleep(0)
        body["rules"].append(object())
        await appending
        (kept,) = await journal.acts.after(0)
        assert {"rules": ["CTRL-01"]} == kept.act.body


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
_LEAVES = st.none() | st.booleans() | st.integers() | _TEXT
_LISTS = st.lists(_LEAVES, max_size=3)
_JSON = _LEAVES | _LISTS | st.dictionaries(_TEXT, _LEAVES | _LISTS, max_size=3)


@given(st.dictionaries(_TEXT, _JSON, max_size=4))
def test_the_octets_of_an_act_do_not_depend_on_the_order_of_its_keys(body: dict[str, Any]) -> None:
    """An honest copy of the log would look forged."""
    octets = canonical(replace(act(), body=body), 1)
    turned = dict(reversed(body.items()))
    assert octets == canonical(replace(act(), body=turned), 1)
    assert octets.isascii()


# --- damage --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", _TABLES)
@pytest.mark.parametrize("statement", ["UPDATE {} SET at = 0", "DELETE FROM {}",
                                       "INSERT OR REPLACE INTO {} SELECT * FROM {}"])  # fmt: skip
@pytest.mark.asyncio
async def test_acts_and_checkpoints_are_append_only(tmp_path: Path, table: str, statement: str) -> None:
    """Not even SQL from inside may edit what somebody did."""
    async with _journal(tmp_path / "j.db") as journal:
        await journal.acts.append(act())
        await journal.acts.sign(_CHECKPOINT)
        await journal.acts.sign(replace(_CHECKPOINT, hash="00" * 32))
    store = Store.open(tmp_path / "j.db")
    with pytest.raises(JournalError, match="append-only"):
        store.commit([lambda db: db.execute(statement.format(table, table)).rowcount])
    store.close()
    async with _journal(tmp_path / "j.db") as journal:
        assert [act()] == [each.act for each in await journal.acts.after(0)]
        assert [_CHECKPOINT] == await journal.acts.checkpoints()


@pytest.mark.parametrize(
    "change",
    ["body = '[]'", "body = '{'", "body = '{\"a\": 1}'", "at = 9223372036854775807", "topic = 'x'",
     "is_open = 2", "body = '" + "[" * 30_000 + "'"],
    ids=["list", "no JSON", "blanks", "no time", "no topic", "open twice", "brackets"],
)  # fmt: skip
@pytest.mark.asyncio
async def test_a_damaged_act_is_named_and_passed(tmp_path: Path, change: str) -> None:
    """One damaged row must not hold back all rows behind it, nor be taken for sound."""
    async with _journal(tmp_path / "j.db") as journal:
        for n in range(1, 4):
            await journal.acts.append(act(n))
    _edit(tmp_path / "j.db", f"UPDATE act SET {change} WHERE number = 2", "act_keeps_values")
    async with _journal(tmp_path / "j.db") as journal:
        assert [1] == [row.id for row in await journal.rows_after(0, 10)]
        with pytest.raises(RowUnreadable, match="row 2") as refused:
            await journal.rows_after(1, 10)
        assert [3] == [row.id for row in await journal.rows_after(refused.value.log_id, 10)]
        with pytest.raises(RowUnreadable, match="row 2"):
            await journal.acts.after(0)


@pytest.mark.asyncio
async def test_a_chain_without_an_end_takes_nothing_and_readings_go_on(tmp_path: Path) -> None:
    """One damaged hash would end the writer, and with it every reading of every meter."""
    async with _journal(tmp_path / "j.db") as journal:
        await journal.acts.append(act())
    _edit(tmp_path / "j.db", "UPDATE act SET hash = 'x'", "act_keeps_values")
    async with _journal(tmp_path / "j.db") as journal:
        reading, appended = await asyncio.gather(
            journal.keep(record(1)), journal.acts.append(act(2)), return_exceptions=True
        )
        assert 2 == reading
        assert isinstance(appended, JournalError)
        assert "audit verify" in str(appended)


@pytest.mark.asyncio
async def test_one_look_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who asks for everything would have a log of years in memory."""
    monkeypatch.setattr(act_log, "READ_MAX", 3)
    async with _journal(tmp_path / "j.db") as journal:
        await journal.acts.append(*(act(subject=f"s-{n}") for n in range(5)))
        looks: list[Sequence[object]] = [
            await journal.acts.after(0, limit=5),
            await journal.acts.of_meter("m1", [Topic.ORDER], limit=5),
            await journal.acts.of_verb(Topic.ORDER, "create", since=EPOCH, limit=5),
            await journal.acts.subjects(Topic.ORDER, only_open=True, limit=5),
        ]
        assert [3, 3, 3, 3] == [len(look) for look in looks]
        every = [kept.number async for kept in journal.acts.all_of_meter("m1", Topic.ORDER)]
        assert [1, 2, 3, 4, 5] == every, "look by look"


@pytest.mark.asyncio
async def test_a_full_disk_keeps_the_chain_whole(tmp_path: Path) -> None:
    """A refused act that left a trace would be a hole in the chain for ever."""
    stores: list[Store] = []

    def small(path: Path) -> Store:
        stores.append(Store.open(path, pages_max=60))
        return stores[0]

    async with Journal.open(tmp_path / "j.db", clock=SystemClock(), opener=small) as journal:
        kept = 0
        with pytest.raises(DiskFull, match="free some space"):
            for n in range(1, 1_000):
                await journal.acts.append(act(n, note="x" * 500))
                kept = n
        assert 0 < kept < 999
        stores[0].commit([lambda db: db.execute("PRAGMA max_page_count = 1000").fetchone()[0]])
        await journal.acts.append(act(kept + 1))
        assert kept + 1 == len(await journal.acts.after(0))
        assert _is_chain(await journal.acts.after(0))


# --- from another process ------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_reader_sees_what_the_daemon_has_kept(tmp_path: Path) -> None:
    """People could look at orders only while the daemon is away."""
    async with _journal(tmp_path / "j.db") as journal:
        await journal.acts.append(act(), act(subject="o-2", is_open=False), act(2, verb="operate"))
        await journal.acts.sign(_CHECKPOINT)
        with JournalReader(tmp_path / "j.db") as reader:
            reader.check()
            acts = journal.acts
            assert await acts.of_subject(Topic.ORDER, "o-1") == reader.acts_of_subject(Topic.ORDER, "o-1")
            assert await acts.last_of(Topic.ORDER, "o-1") == reader.last_act_of(Topic.ORDER, "o-1")
            assert ["o-1"] == reader.subjects(Topic.ORDER, only_open=True)
            assert ["o-2"] == reader.subjects(Topic.ORDER, only_open=False, after="o-1")
            assert [_CHECKPOINT] == reader.checkpoints()
            await journal.acts.append(act(3))
            assert 3 == len(reader.acts_of_subject(Topic.ORDER, "o-1"))
            with pytest.raises(JournalError, match="cannot be read"):
                reader.look(lambda db: db.execute("DELETE FROM subject").rowcount)


@pytest.mark.asyncio
async def test_a_reader_says_what_is_no_journal(tmp_path: Path) -> None:
    """A traceback of SQLite tells nobody to give the right path."""
    with pytest.raises(JournalError, match="cannot be opened for reading"):
        JournalReader(tmp_path / "nowhere.db")
    (tmp_path / "text").write_text("hello" * 1_000)
    with JournalReader(tmp_path / "text") as reader, pytest.raises(JournalError, match="cannot be read"):
        reader.check()
    async with _journal(tmp_path / "j.db"):
        pass
    _edit(tmp_path / "j.db", "PRAGMA user_version = 2")
    with (
        JournalReader(tmp_path / "j.db") as reader,
        pytest.raises(JournalError, match="schema version 2, and"),
    ):
        reader.check()


@pytest.mark.asyncio
async def test_what_was_read_before_is_looked_at_again_when_it_has_changed(tmp_path: Path) -> None:
    """A row that was edited would pass for the one that was read before; or readers would share a body."""
    path = tmp_path / "journal"
    async with _journal(path) as journal:
        await journal.acts.append(act(told="as it is"))
        (first,) = await journal.acts.of_subject(Topic.ORDER, "o-1")
        assert isinstance(first.act.body, dict)
        first.act.body["told"] = "otherwise"
        (again,) = await journal.acts.of_subject(Topic.ORDER, "o-1")
        assert {"told": "as it is"} == again.act.body
    _edit(path, "UPDATE act SET body = replace(body, ':', ': ')", "act_keeps_values")
    async with _journal(path) as journal:
        with pytest.raises(RowUnreadable, match="not written as an act is"):
            await journal.acts.of_subject(Topic.ORDER, "o-1")


@pytest.mark.asyncio
async def test_long_bodies_are_not_remembered(tmp_path: Path) -> None:
    """What the daemon remembers of bodies would grow with them: 64 KiB each."""
    act_rows.remembered.cache_clear()
    edge = act_rows.REMEMBERED_OCTETS_MAX
    async with _journal(tmp_path / "journal") as journal:
        for step, octets in enumerate((edge, edge + 1), start=1):
            await journal.acts.append(act(step, text="x" * (octets - len('{"text":""}'))))
        assert 2 == len(await journal.acts.of_subject(Topic.ORDER, "o-1"))
    assert 1 == act_rows.remembered.cache_info().currsize
    assert act_rows.REMEMBERED_MAX == act_rows.remembered.cache_info().maxsize
