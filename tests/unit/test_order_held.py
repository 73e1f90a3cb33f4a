"""How much one hold marks and opens: its transaction has an end, whatever stands open at a meter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from meterlink.errors import Overtaken
from meterlink.journal.journal import Journal
from meterlink.model.act import Act, Basis, Topic
from meterlink.model.payload import time_out
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.attention.words import TRIES_MAX
from meterlink.orders.attention.work import WorkItems, opening
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.book import LOOKED_MAX, Book, Step
from meterlink.orders.evidence.book import EvidenceBook
from meterlink.orders.evidence.records import Evidence, parse
from meterlink.orders.held import GOES_THERE, ITEMS_MAX, STANDING_MAX, Held
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.people import DAEMON
from meterlink.roster.roster import Roster
from metersim import Simulation
from tests.support.orders import order
from tests.support.rules import INSPECTOR, METER

START = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


def _a_hold(meter: str) -> Evidence:
    told = {"kind": "safety_hold", "id": "h1", "sender": "ivy", "at": time_out(START)}
    return parse({**told, "meter": meter, "hold": "H", "state": "set", "why": "open wires"})


def test_a_hold_marks_the_newest_work_and_opens_items_for_the_newest_orders(tmp_path: Path) -> None:
    """A meter that nobody looks after would make a hold too great to be written, when it counts."""
    sim = Simulation(seed=1, start=START)
    names = [f"o-{number:03}" for number in range(ITEMS_MAX + 1)]

    async def script() -> None:
        async with Journal.open(tmp_path / "journal.sqlite3", clock=sim.clock) as journal:
            roster, work = Roster((METER,)), WorkItems(journal.acts, sim.clock)
            evidence = EvidenceBook(journal.acts, roster, sim.clock)
            held = Held(Book(journal.acts, sim.clock), evidence, roster, CHINA_TIME)
            evidence.companions.append(held)
            for name in names:
                await work.open(WorkKind.FIELD_ORDER, "close", actor=DAEMON, meter=METER.id, order=name)
            await evidence.add(_a_hold(METER.id), INSPECTOR)
            items = await work.list()
        marked = [one.order for one in items if one.why.startswith("DO NOT CLOSE, safety hold (open wires)")]
        assert names[1:] == sorted(marked)
        secure = [one.order for one in items if one.kind is WorkKind.SECURE]
        assert names[-STANDING_MAX:] == sorted(secure)

    sim.run(script())


class _Restless:
    """Evidence of a meter comes behind each of the first looks at its holds.

    Args:
        journal: where it comes.
        times: as often.

    """

    def __init__(self, journal: Journal, times: int) -> None:
        self._journal = journal
        self._left = times

    def concerns(self, act: Act) -> bool:
        return act.topic is Topic.WORK

    async def on(self, opening: Act) -> Act | None:
        if self._left:
            self._left -= 1
            name = f"e-{self._left}"
            told = replace(opening, topic=Topic.EVIDENCE, subject=name, step=1, verb="record", body={})
            await self._journal.acts.append(told)
        return opening

    def basis(self, meters: Collection[str], number: int) -> Basis:
        return Basis(number=number, meter=min(meters), here=frozenset({Topic.EVIDENCE}))


class _Leaves:
    """A companion that leaves work with each step."""

    async def beside(self, before: Life, after: Life, act: Act) -> Sequence[Act]:
        name = after.order.id
        return [opening(WorkKind.FIELD_ORDER, "go", at=act.at, actor=DAEMON, meter=act.meter, order=name)]

    def kept(self, acts: Iterable[Act]) -> None:
        """Nothing to be done."""


@pytest.mark.parametrize(("times", "is_kept"), [(TRIES_MAX - 1, True), (TRIES_MAX, False)])
@pytest.mark.parametrize("is_beside_a_step", [False, True])
def test_looks_at_holds_that_do_not_come_to_rest_have_an_end(
    tmp_path: Path, times: int, is_kept: bool, is_beside_a_step: bool
) -> None:
    """A sender that tells of one meter without end would keep a line busy with one work item for ever."""
    assert TRIES_MAX == LOOKED_MAX
    sim = Simulation(seed=1, start=START)

    async def script() -> None:
        async with Journal.open(tmp_path / "journal.sqlite3", clock=sim.clock) as journal:
            work, book = WorkItems(journal.acts, sim.clock), Book(journal.acts, sim.clock)
            life = await book.begin(order(deadline_at=START + timedelta(hours=1)), DAEMON)
            work.holds = book.holds = _Restless(journal, times)
            book.companions.append(_Leaves())
            try:
                if is_beside_a_step:
                    await book.steps(life, Step(signal=Signal.CANCEL, actor=DAEMON, body={"told": "?"}))
                else:
                    await work.open(WorkKind.FIELD_ORDER, "go", actor=DAEMON, meter="m1", order="o-1")
            except Overtaken:
                assert not is_kept
            assert int(is_kept) == len(await work.list())
            assert (is_kept and is_beside_a_step) is not (await book.read(life.order.id)).is_open

    sim.run(script())


def test_a_hold_of_the_new_meter_is_in_the_work_of_the_old_one(tmp_path: Path) -> None:
    """Who is sent for an order of a meter that was exchanged would close the one that hangs there now."""
    sim = Simulation(seed=1, start=START)
    new = replace(METER, id="m9", replaces="m1", predecessors=("m1",))
    looks: list[int] = []

    async def script() -> None:
        async with Journal.open(tmp_path / "journal.sqlite3", clock=sim.clock) as journal:
            roster, work = Roster((new,)), WorkItems(journal.acts, sim.clock)
            evidence = EvidenceBook(journal.acts, roster, sim.clock)

            class Slow(Held):
                async def on(self, opening: Act) -> Act | None:
                    told = await super().on(opening)
                    looks.append(1)
                    if len(looks) == 1:
                        await evidence.add(_a_hold("m9"), INSPECTOR)
                    return told

            work.holds = Slow(Book(journal.acts, sim.clock), evidence, roster, CHINA_TIME)
            item = await work.open(WorkKind.FIELD_ORDER, "go", actor=DAEMON, meter="m1", order="o-1")
            assert "DO NOT CLOSE, safety hold (open wires). Before: go" == item.why
            again = await work.open(WorkKind.FIELD_ORDER, "go", actor=DAEMON, meter="m1", order="o-2")
            assert again.why == item.why, "told before it"
        assert 3 == len(looks)

    sim.run(script())


def test_work_of_the_old_meter_overtakes_a_hold_of_the_new_one(tmp_path: Path) -> None:
    """A field order that is opened while a hold is written would be found by neither of the two."""
    sim = Simulation(seed=1, start=START)
    new = replace(METER, id="m9", replaces="m1", predecessors=("m1",))

    async def script() -> None:
        async with Journal.open(tmp_path / "journal.sqlite3", clock=sim.clock) as journal:
            roster, work = Roster((new,)), WorkItems(journal.acts, sim.clock)
            evidence = EvidenceBook(journal.acts, roster, sim.clock)
            held = Held(Book(journal.acts, sim.clock), evidence, roster, CHINA_TIME)

            class Slow:
                async def beside(self, record: Evidence, act: Act) -> Sequence[Act]:
                    found = await held.beside(record, act)
                    await work.open(WorkKind.FIELD_ORDER, "go", actor=DAEMON, meter="m1", order="o-1")
                    return found

            evidence.companions.append(Slow())
            await evidence.add(_a_hold("m9"), INSPECTOR)
            (item,) = [one for one in await work.list() if one.kind is WorkKind.FIELD_ORDER]
            assert item.why.startswith("DO NOT CLOSE")

    sim.run(script())


@pytest.mark.parametrize("kind", sorted(GOES_THERE))
def test_work_that_is_opened_under_a_hold_says_so(tmp_path: Path, kind: WorkKind) -> None:
    """Whoever is sent to the meter for any reason would close it behind open wires."""
    sim = Simulation(seed=1, start=START)

    async def script() -> None:
        async with Journal.open(tmp_path / "journal.sqlite3", clock=sim.clock) as journal:
            roster, work = Roster((METER,)), WorkItems(journal.acts, sim.clock)
            evidence = EvidenceBook(journal.acts, roster, sim.clock)
            work.holds = Held(Book(journal.acts, sim.clock), evidence, roster, CHINA_TIME)
            await evidence.add(_a_hold(METER.id), INSPECTOR)
            item = await work.open(kind, "go", actor=DAEMON, meter=METER.id, order="o-1")
            assert "DO NOT CLOSE, safety hold (open wires). Before: go" == item.why

    sim.run(script())
