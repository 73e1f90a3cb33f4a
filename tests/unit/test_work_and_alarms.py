"""Work items and alarms: who may do what to them, and that nothing of it is lost or told twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.errors import BadRequest, NotAllowed, Unknown
from meterlink.journal.journal import Journal
from meterlink.model.act import Topic
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.attention.alarms import (
    EVIDENCE_MAX,
    RAISES_MAX,
    Alarm,
    Alarms,
    AlarmState,
    Seen,
    Severity,
    raised,
    raising,
)
from meterlink.orders.attention.desk import OPS, Attention, answer
from meterlink.orders.attention.words import WORDS_MAX
from meterlink.orders.attention.work import ACTS_MAX, WorkItem, WorkItems, opening
from meterlink.orders.attention.work_kinds import CLOSERS, TWO_PERSONS, WORKERS, WorkKind
from metersim.loop import SimClock, Simulation
from tests.support.acts import act
from tests.support.records import EPOCH

_ROLES = {"viewer", "billing", "operator", "clerk", "approver", "dispatcher", "field", "inspector",
          "security", "auditor", "admin"}  # fmt: skip
_SEEN = Seen(rule="RELAY_FAULT", origin="CTRL-20", meter="m1", evidence=("o-1",))


@dataclass(frozen=True)
class _Somebody:
    name: str
    roles: frozenset[str] = field(default_factory=frozenset)


_DISPATCHER = _Somebody("李雷", frozenset({"dispatcher"}))
_OTHER = _Somebody("韩梅梅", frozenset({"dispatcher"}))
_FIELD = _Somebody("小王", frozenset({"field"}))


class _World:
    """Work items and alarms over a journal of their own."""

    def __init__(self, journal: Journal, clock: SimClock) -> None:
        self.acts = journal.acts
        self.clock = clock
        self.work = WorkItems(journal.acts, clock)
        self.alarms = Alarms(journal.acts, clock, zone=CHINA_TIME)
        self.desk = Attention(work=self.work, alarms=self.alarms)

    async def count(self) -> int:
        return await self.acts.newest_number()


@asynccontextmanager
async def _world(path: Path) -> AsyncIterator[_World]:
    clock = Simulation(start=EPOCH).clock
    async with Journal.open(path / "j.db", clock=clock) as journal:
        yield _World(journal, clock)


# --- work items ----------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_an_item_tells_its_whole_story(tmp_path: Path) -> None:
    """Whoever takes a case over would not know what was found and by whom."""
    async with _world(tmp_path) as world:
        item = await world.work.open(
            WorkKind.FIELD_ORDER, "三次远程合闸失败", actor="meterlink", meter="m1", order="o-1"
        )
        assert "field_order:o-1" == item.id
        world.clock.step_wall(timedelta(minutes=5))
        await world.work.assign(item.id, "小王", _DISPATCHER)
        await world.work.note(item.id, "门锁着", _FIELD)
        done = await world.work.close(item.id, "已现场合闸", _FIELD)
        assert (False, "小王", EPOCH) == (done.is_open, done.assignee, done.opened_at)
        told = [(note.actor, note.verb, note.text) for note in done.notes]
        assert [
            ("meterlink", "open", "三次远程合闸失败"),
            ("李雷", "assign", "小王"),
            ("小王", "note", "门锁着"),
            ("小王", "close", "已现场合闸"),
        ] == told
        assert done == await world.work.show(item.id)
        assert [] == await world.work.list()
        assert [done] == await world.work.list(only_open=False)


@pytest.mark.asyncio
async def test_an_order_has_one_item_of_a_kind(tmp_path: Path) -> None:
    """After each restart there would be one more, and nobody would know which is the true one."""
    async with _world(tmp_path) as world:
        opened = await asyncio.gather(
            *(
                world.work.open(WorkKind.UNKNOWN_OUTCOME, "?", actor="meterlink", order="o-1")
                for _ in range(5)
            )
        )
        assert 1 == len({item.id for item in opened}) == await world.count()
        await world.work.close(opened[0].id, "gone there, it is closed", _DISPATCHER)
        again = await world.work.open(WorkKind.UNKNOWN_OUTCOME, "again", actor="meterlink", order="o-1")
        assert (True, "again", 3) == (again.is_open, again.why, again.step)
        other = await world.work.open(WorkKind.HOLD, "danger", actor="meterlink", order="o-1")
        assert [other.id, again.id] == [item.id for item in await world.work.list()]
        assert [again.id] == [item.id for item in await world.work.list(after=other.id)]


@pytest.mark.asyncio
async def test_an_item_is_opened_together_with_what_makes_it_needed(tmp_path: Path) -> None:
    """An order that ended unknown, and nobody who looks."""
    async with _world(tmp_path) as world:
        first = opening(WorkKind.UNKNOWN_OUTCOME, "?", at=EPOCH, actor="meterlink", meter="m1", order="o-1")
        await world.acts.append(act(), first)
        assert (1, True) == ((await world.work.show(first.subject)).step, True)
        nobodys = opening(WorkKind.CONTACT, "no number", at=EPOCH, actor="meterlink", meter="m1")
        assert f"contact:m1:{EPOCH:%Y%m%d}T000000" == nobodys.subject


@pytest.mark.parametrize("role", sorted(_ROLES))
@pytest.mark.parametrize("kind", list(WorkKind))
@pytest.mark.asyncio
async def test_who_may_close_an_item(tmp_path: Path, kind: WorkKind, role: str) -> None:
    """A hold for danger could be lifted by whoever wants to be done with it."""
    async with _world(tmp_path) as world:
        item = await world.work.open(kind, "why", actor="meterlink", order="o-1")
        await world.work.assign(item.id, "x", _DISPATCHER)
        somebody = _Somebody("x", frozenset({role}))
        if role in CLOSERS[kind]:
            assert (kind in TWO_PERSONS) is (await world.work.close(item.id, "done", somebody)).is_open
        else:
            with pytest.raises(NotAllowed, match="x may not close"):
                await world.work.close(item.id, "done", somebody)
            assert 2 == await world.count()


def test_every_kind_has_somebody_who_may_close_it() -> None:
    """An item that nobody may close stays for ever; one that a looker may close is no check."""
    assert set(WorkKind) == set(CLOSERS)
    assert all(CLOSERS.values())
    assert set().union(*CLOSERS.values(), WORKERS) <= _ROLES - {"viewer", "billing", "auditor", "admin"}


@pytest.mark.asyncio
async def test_money_takes_two_persons(tmp_path: Path) -> None:
    """One person could write off a payment alone. (business-rules 2.3)"""
    async with _world(tmp_path) as world:
        item = await world.work.open(WorkKind.MANUAL, "count error", actor="meterlink", order="t-1")
        proposed = await world.work.close(item.id, "refund", _DISPATCHER)
        assert (True, "李雷") == (proposed.is_open, proposed.proposed_by)
        await world.work.note(item.id, "looked at", _DISPATCHER)
        with pytest.raises(NotAllowed, match="second person") as refused:
            await world.work.close(item.id, "refund", _DISPATCHER)
        assert "second_person" == refused.value.why
        assert not (await world.work.close(item.id, "agreed", _OTHER)).is_open
        again = await world.work.open(WorkKind.MANUAL, "once more", actor="meterlink", order="t-1")
        assert "" == again.proposed_by
        assert (await world.work.close(item.id, "refund", _OTHER)).is_open


@pytest.mark.asyncio
async def test_field_staff_close_what_is_theirs(tmp_path: Path) -> None:
    """Somebody could report that a meter was closed at which he never was."""
    async with _world(tmp_path) as world:
        item = await world.work.open(WorkKind.FIELD_ORDER, "why", actor="meterlink", order="o-1")
        with pytest.raises(NotAllowed, match="not assigned to 小王"):
            await world.work.close(item.id, "done", _FIELD)
        await world.work.assign(item.id, "小王", _DISPATCHER)
        assert not (await world.work.close(item.id, "done", _FIELD)).is_open


@pytest.mark.asyncio
async def test_what_is_closed_takes_nothing_more(tmp_path: Path) -> None:
    """A story that goes on after its end is read by nobody."""
    async with _world(tmp_path) as world:
        item = await world.work.open(WorkKind.OTHER, "why", actor="meterlink", meter="m1")
        await world.work.close(item.id, "done", _DISPATCHER)
        for doing in (
            world.work.note(item.id, "x", _DISPATCHER),
            world.work.assign(item.id, "x", _DISPATCHER),
            world.work.close(item.id, "x", _DISPATCHER),
        ):
            with pytest.raises(NotAllowed, match="closed"):
                await doing
        with pytest.raises(Unknown, match="no work item 'x'"):
            await world.work.show("x")


@pytest.mark.asyncio
async def test_notes_have_a_limit_and_closing_has_none(tmp_path: Path) -> None:
    """A program that writes notes in a loop would fill the log, or keep the item open for ever."""
    async with _world(tmp_path) as world:
        item = await world.work.open(WorkKind.OTHER, "x" * WORDS_MAX, actor="meterlink", meter="m1")
        for _ in range(ACTS_MAX - 1):
            await world.work.note(item.id, "x", _DISPATCHER)
        with pytest.raises(NotAllowed, match="200 acts"):
            await world.work.note(item.id, "x", _DISPATCHER)
        assert not (await world.work.close(item.id, "done", _DISPATCHER)).is_open


@pytest.mark.parametrize("text", ["", "  ", "x" * (WORDS_MAX + 1), "\x1b[2J"])
@pytest.mark.asyncio
async def test_words_say_something_and_end(tmp_path: Path, text: str) -> None:
    """An empty reason is none; one of a megabyte, or with codes for a terminal, hides another."""
    async with _world(tmp_path) as world:
        item = await world.work.open(WorkKind.OTHER, "why", actor="meterlink", meter="m1")
        for doing in (
            world.work.open(WorkKind.OTHER, text, actor="meterlink", meter="m2"),
            world.work.note(item.id, text, _DISPATCHER),
            world.work.close(item.id, text, _DISPATCHER),
        ):
            with pytest.raises(BadRequest):
                await doing
        assert 1 == await world.count()
        with pytest.raises(BadRequest, match="200 characters"):
            await world.work.open(WorkKind.OTHER, "why", actor="meterlink", meter="m" * 200)


# --- alarms --------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_same_rule_meter_and_day_is_one_alarm(tmp_path: Path) -> None:
    """A fault that is seen each minute would be a thousand alarms, and nobody would read the other one."""
    async with _world(tmp_path) as world:
        await world.alarms.raise_(_SEEN)
        world.clock.step_wall(timedelta(hours=1))
        twice = await world.alarms.raise_(replace(_SEEN, value="5 A", evidence=("o-1", "o-2")))
        assert (2, EPOCH, EPOCH + timedelta(hours=1)) == (twice.count, twice.first_seen, twice.last_seen)
        assert ("5 A", ("o-1", "o-2")) == (twice.seen.value, twice.seen.evidence)
        await world.alarms.raise_(replace(_SEEN, meter="m2"))
        await world.alarms.raise_(replace(_SEEN, rule="WALLET_DRIFT"))
        world.clock.step_wall(timedelta(hours=15))  # midnight in China
        await world.alarms.raise_(_SEEN)
        assert ["RELAY_FAULT:m1:2026-11-22", "RELAY_FAULT:m1:2026-11-23", "RELAY_FAULT:m2:2026-11-22",
                "WALLET_DRIFT:m1:2026-11-22"] == [one.id for one in await world.alarms.list()]  # fmt: skip


@pytest.mark.asyncio
async def test_alarms_of_many_at_once_are_all_counted(tmp_path: Path) -> None:
    """Two rules that see the same at once: one of them would fail."""
    async with _world(tmp_path) as world:
        await asyncio.gather(*(world.alarms.raise_(_SEEN) for _ in range(6)))
        assert 6 == (await world.alarms.show("RELAY_FAULT:m1:2026-11-22")).count


@pytest.mark.asyncio
async def test_an_alarm_stops_counting_and_forgets_old_evidence(tmp_path: Path) -> None:
    """A rule that rings without end would fill the log that orders need."""
    async with _world(tmp_path) as world:
        first = raising(_SEEN, at=EPOCH, zone=CHINA_TIME, actor="meterlink")
        full = {**first.body, "count": RAISES_MAX - 1, "evidence": [f"e-{n}" for n in range(EVIDENCE_MAX)]}
        await world.acts.append(replace(first, body=full))
        last = await world.alarms.raise_(replace(_SEEN, evidence=("new",)))
        assert (RAISES_MAX, EVIDENCE_MAX) == (last.count, len(last.seen.evidence))
        assert ("e-1", "new") == (last.seen.evidence[0], last.seen.evidence[-1])
        assert last == await world.alarms.raise_(_SEEN)
        assert [] == await raised(world.acts, _SEEN, at=EPOCH, zone=CHINA_TIME)
        assert 2 == await world.count()


@pytest.mark.parametrize(
    ("cents", "severity"),
    [(None, Severity.SERIOUS), (0, Severity.MINOR), (99_999, Severity.MINOR), (100_000, Severity.GENERAL),
     (999_999, Severity.GENERAL), (1_000_000, Severity.SERIOUS), (9_999_999, Severity.SERIOUS),
     (10_000_000, Severity.MAJOR)],
)  # fmt: skip
def test_the_severity_is_by_money(cents: int | None, severity: Severity) -> None:
    """AUD-05: general from 1 000 yuan, serious from 10 000, major from 100 000; unknown is serious."""
    assert severity is replace(_SEEN, estimate_cents=cents).severity


@pytest.mark.asyncio
async def test_an_alarm_is_closed_with_cause_owner_and_prevention(tmp_path: Path) -> None:
    """AUD-06: an incident that is clicked away comes back."""
    async with _world(tmp_path) as world:
        alarm = await world.alarms.raise_(replace(_SEEN, estimate_cents=5_000))
        told = {"cause": "继电器粘连", "owner": "李雷", "prevention": "更换批次"}
        for missing in told:
            with pytest.raises(BadRequest, match=missing):
                await world.alarms.close(alarm.id, _DISPATCHER, **{**told, missing: " "})
        with pytest.raises(NotAllowed, match="may not close alarms"):
            await world.alarms.close(alarm.id, _FIELD, **told)
        with pytest.raises(NotAllowed, match="may not acknowledge"):
            await world.alarms.acknowledge(alarm.id, _FIELD)
        seen = await world.alarms.acknowledge(alarm.id, _DISPATCHER)
        assert AlarmState.ACKNOWLEDGED is seen.state
        with pytest.raises(NotAllowed, match="acknowledged already"):
            await world.alarms.acknowledge(alarm.id, _DISPATCHER)
        assert AlarmState.ACKNOWLEDGED is (await world.alarms.raise_(replace(_SEEN, estimate_cents=1))).state
        worse = await world.alarms.raise_(replace(_SEEN, estimate_cents=10_000_000))
        assert (AlarmState.OPEN, Severity.MAJOR) == (worse.state, worse.severity)
        closed = await world.alarms.close(alarm.id, _DISPATCHER, **told)
        assert (AlarmState.CLOSED, told) == (closed.state, closed.closing)
        assert [] == await world.alarms.list()
        assert AlarmState.OPEN is (await world.alarms.raise_(_SEEN)).state, "it is there again"


@pytest.mark.asyncio
async def test_an_alarm_without_a_name_is_refused(tmp_path: Path) -> None:
    """It would stand among those of another rule, or end the writer by its length."""
    async with _world(tmp_path) as world:
        for bad in (
            replace(_SEEN, rule=""),
            replace(_SEEN, origin=""),
            replace(_SEEN, rule="R" * 200),
            replace(_SEEN, value="x" * (WORDS_MAX + 1)),
            replace(_SEEN, evidence=("x" * (WORDS_MAX + 1),)),
        ):
            with pytest.raises(BadRequest):
                await world.alarms.raise_(bad)
        with pytest.raises(Unknown, match="no alarm"):
            await world.alarms.show("x")
        most = replace(
            _SEEN, value="值" * WORDS_MAX, evidence=tuple(f"{n:0500}" for n in range(EVIDENCE_MAX))
        )
        assert most == (await world.alarms.raise_(most)).seen


# --- the desk ------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_everything_can_be_asked_for_at_the_desk(tmp_path: Path) -> None:
    """A person at a socket could see less, or more, than the program."""
    async with _world(tmp_path) as world:
        item = await world.work.open(WorkKind.OTHER, "why", actor="meterlink", meter="m1")
        alarm = await world.alarms.raise_(_SEEN)
        asked: list[tuple[str, dict[str, Any]]] = [
            ("work.show", {"item": item.id}),
            ("work.note", {"item": item.id, "text": "x"}),
            ("work.assign", {"item": item.id, "assignee": "x"}),
            ("work.close", {"item": item.id, "why": "x"}),
            ("alarm.show", {"alarm": alarm.id}),
            ("alarm.acknowledge", {"alarm": alarm.id}),
            ("alarm.close", {"alarm": alarm.id, "cause": "x", "owner": "x", "prevention": "x"}),
            ("work.list", {"only_open": False}),
            ("alarm.list", {"only_open": False, "after": ""}),
        ]
        assert set(OPS) == {op for op, _ in asked}
        answers = {op: await answer(world.desk, _DISPATCHER, op, args) for op, args in asked}
        assert (await world.work.show(item.id)).as_json() == answers["work.close"]
        assert [answers["work.close"]] == answers["work.list"]["items"]
        assert [answers["alarm.close"]] == answers["alarm.list"]["alarms"]
        assert not answers["work.close"]["is_open"]
        assert {"items": []} == await answer(world.desk, _DISPATCHER, "work.list", {})


@pytest.mark.parametrize(
    ("op", "args", "words"),
    [
        ("work.open", {}, "there is no 'work.open'"),
        ("work.show", {}, "needs item: a text"),
        ("work.show", {"item": 7}, "needs item: a text"),
        ("work.note", {"item": "x", "text": "y", "actor": "z"}, "takes no 'actor'"),
        ("work.list", {"only_open": "yes"}, "needs only_open: true or false"),
    ],
)
@pytest.mark.asyncio
async def test_a_bad_request_is_told_before_anything_is_done(
    tmp_path: Path, op: str, args: dict[str, Any], words: str
) -> None:
    """A mistyped argument would be passed over, or half a deed be done."""
    async with _world(tmp_path) as world:
        with pytest.raises(BadRequest, match=words):
            await answer(world.desk, _DISPATCHER, op, args)
        assert 0 == await world.count()


@pytest.mark.asyncio
async def test_both_are_read_back_from_their_acts_alone(tmp_path: Path) -> None:
    """A command without the daemon would show something else than the daemon."""
    async with _world(tmp_path) as world:
        item = await world.work.open(WorkKind.OTHER, "why", actor="meterlink", meter="m1")
        alarm = await world.alarms.raise_(_SEEN)
        assert item == WorkItem.of(await world.acts.of_subject(Topic.WORK, item.id))
        last = await world.acts.last_of(Topic.ALARM, alarm.id)
        assert last is not None
        assert alarm == Alarm.of(last)
