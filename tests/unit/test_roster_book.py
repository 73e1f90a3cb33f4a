"""The roster in the journal: all of a change or none, by who knows the roster as it is, and never unseen."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from meterlink.clock import SystemClock
from meterlink.config.meters import CUSTOMER_WAS_MAX, METERS_MAX
from meterlink.errors import BadRequest, ConfigError, JournalError, StepTaken
from meterlink.journal import roster_log
from meterlink.journal.journal import Journal
from meterlink.journal.reader import JournalReader
from meterlink.model.act import Act, Topic
from meterlink.model.reading import Reading, Record
from meterlink.model.roster_change import EntryChange
from meterlink.roster.book import RosterBook
from meterlink.roster.entries import entry_of, meter_of
from meterlink.roster.exchange import Exchange
from meterlink.roster.faults import FAULTS_MAX, RosterRefused
from meterlink.roster.history import fault_in
from meterlink.roster.plan import plan
from meterlink.roster.saying import Saying, followed
from tests.support.roster_changer import METERS
from tests.support.rosters import CHECKS, NOW, a_book, meter

_ROOT = Path(__file__).parents[2]
_FILE = "journal.sqlite3"


@pytest.mark.asyncio
async def test_a_roster_is_as_it_was_applied(tmp_path: Path) -> None:
    """Who and when, old and new, must stand in the journal, and be the same after a start."""
    async with a_book(tmp_path) as book:
        assert (0, {}) == ((await book.held()).revision, (await book.held()).meters)
        first = await book.apply([meter(1), meter(2)], revision=0, actor="li", note="area 12")
        assert (1, 2, 0, 0) == (first.revision, first.added, first.changed, first.retired)
        gone = meter(2, in_service_until=NOW)
        second = await book.apply([meter(1, area="east"), gone], revision=1, actor="wang")
        assert (2, 0, 2, 1) == (second.revision, second.added, second.changed, second.retired)
        nothing = await book.apply([meter(1, area="east")], revision=2, actor="wang")
        assert 2 == nothing.revision, "nothing became other, so there is no revision of it"
    async with a_book(tmp_path) as book:
        held = await book.held()
        assert (2, {"m1": meter(1, area="east"), "m2": gone}) == (held.revision, held.meters)
    with JournalReader(tmp_path / _FILE) as reader:
        told = [(kept.revision, kept.actor, kept.verb) for kept in reader.roster_changes_of("m1")]
        assert [(1, "li", "apply"), (2, "wang", "apply")] == told
        assert {"area": "east"} == reader.roster_changes_of("m1")[1].change.new
        acts = reader.acts_of_subject(Topic.ROSTER, "roster")
        assert ["area 12", ""] == [kept.act.body["note"] for kept in acts]
        assert fault_in(reader) is None


@pytest.mark.asyncio
async def test_of_two_who_change_it_at_once_only_one_can(tmp_path: Path) -> None:
    """The later one would undo what he has never seen."""
    async with a_book(tmp_path) as book:
        outcomes = await asyncio.gather(
            *(book.apply([meter(n)], revision=0, actor=f"p{n}") for n in range(3)), return_exceptions=True
        )
        assert [StepTaken, StepTaken] == [type(one) for one in outcomes if isinstance(one, Exception)]
        assert 1 == len((await book.held()).meters)
        with pytest.raises(StepTaken, match="revision 0, but of 1"):
            await book.apply([meter(7)], revision=0, actor="late")


@pytest.mark.asyncio
async def test_a_roster_with_one_fault_changes_nothing(tmp_path: Path) -> None:
    """Half a file in the roster is a roster that nobody has."""
    async with a_book(tmp_path) as book:
        with pytest.raises(RosterRefused, match=r"row 9, line of m2: no line is named 'nowhere'") as refused:
            await book.apply([meter(1), meter(2, line="nowhere")], revision=0, actor="li", rows={"m2": 9})
        assert 1 == refused.value.count
        assert 0 == (await book.held()).revision
        many = [meter(n, line="nowhere") for n in range(FAULTS_MAX + 1)]
        with pytest.raises(RosterRefused) as refused:
            await book.apply(many, revision=0, actor="li")
        assert (FAULTS_MAX, FAULTS_MAX + 1) == (len(refused.value.faults), refused.value.count)


@pytest.mark.asyncio
async def test_another_meter_never_takes_an_id_over(tmp_path: Path) -> None:
    """Debts, consents and orders of one meter would be those of another, and nobody have said why."""
    other = "000000000007"
    async with a_book(tmp_path) as book:
        nameless = meter(2, meter_number="")
        await book.apply([meter(1), nameless], revision=0, actor="li")
        await book.apply([meter(2), meter(1, in_service_until=NOW)], revision=1, actor="li")
        for wrong in (meter(1, meter_number=other), meter(1, meter_number=""), meter(2, meter_number=other)):
            with pytest.raises(RosterRefused, match=r"meter_number of m\d: .*roster exchange"):
                await book.apply([wrong], revision=2, actor="li")
        corrected = meter(2, meter_number=other)
        applied = await book.apply([corrected], revision=2, actor="li", saying=Saying.CORRECTED)
        assert other == applied.meters["m2"].meter_number
    with JournalReader(tmp_path / _FILE) as reader:
        acts = reader.acts_of_subject(Topic.ROSTER, "roster")
        assert [None, None, True] == [kept.act.body.get("corrected") for kept in acts]


@pytest.mark.asyncio
async def test_whose_meter_it_is_becomes_other_by_a_word(tmp_path: Path) -> None:
    """Whom a wrong number protected would be cut off once it is right; or the next tenant owe his debts."""
    wrong, right, tenant = (f"{number:012}" for number in (91, 92, 93))
    async with a_book(tmp_path) as book:
        await book.apply([meter(1, customer_number=wrong)], revision=0, actor="li")
        for other in (right, ""):
            with pytest.raises(
                RosterRefused, match=r"customer_number of m1: .*--new-customers.*--correct-nu"
            ):
                await book.apply([meter(1, customer_number=other)], revision=1, actor="li")
        for revision, number, saying, was in (
            (1, right, Saying.CORRECTED, (wrong,)),
            (2, tenant, Saying.NEW_CUSTOMERS, ()),
            (3, right, Saying.CORRECTED, (tenant,)),
        ):
            changed = meter(1, customer_number=number)
            applied = await book.apply([changed], revision=revision, actor="li", saying=saying)
            assert was == applied.meters["m1"].customer_was
        same = plan(applied.meters, [changed], NOW)
        assert (1, True) == (same.unchanged, same.is_empty), "no file knows what people said"
    with JournalReader(tmp_path / _FILE) as reader:
        said = [kept.act.body.get("saying") for kept in reader.acts_of_subject(Topic.ROSTER, "roster")]
        assert [None, "corrected", "new_customers", "corrected"] == said


def test_so_many_earlier_numbers_are_kept() -> None:
    """A number that is corrected each month would make an entry that grows for ever."""
    was = tuple(f"{number:012}" for number in range(CUSTOMER_WAS_MAX))
    old = meter(1, customer_number="000000000091", customer_was=was)
    found = followed(old, meter(1, customer_number="000000000092"), Saying.CORRECTED)
    assert (*was[1:], "000000000091") == found.customer_was
    with pytest.raises(ConfigError, match="customer_was"):
        meter_of({**entry_of(found), "customer_was": [*found.customer_was, was[0]]})


@pytest.mark.asyncio
async def test_as_many_changes_as_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit a revision is kept, one more and nothing is."""
    assert 200_000 == roster_log.CHANGES_MAX
    monkeypatch.setattr(roster_log, "CHANGES_MAX", 2)
    async with Journal.open(tmp_path / _FILE, clock=SystemClock()) as journal:
        before = await journal.roster.kept()
        changes = [EntryChange(meter=f"m{n}", old=None, new={"id": f"m{n}"}) for n in range(3)]
        act = Act(topic=Topic.ROSTER, subject="roster", step=1, verb="apply", at=NOW, actor="li")
        for wrong in (changes, []):
            with pytest.raises(ValueError, match="1 to 2"):
                await journal.roster.apply(act, wrong, before)
        with pytest.raises(ValueError, match="another revision"):
            await journal.roster.apply(replace(act, step=2), changes[:2], before)
        assert 1 == await journal.roster.apply(act, changes[:2], before)
        with pytest.raises(StepTaken):
            await journal.roster.apply(act, changes[:1], before)
        assert ["m0", "m1"] == list((await journal.roster.kept()).entries)


@pytest.mark.asyncio
@pytest.mark.timeout(90)
async def test_f59_a_hundred_thousand_lines_are_kept(tmp_path: Path) -> None:
    """F59: one transaction would be too large for something on its way, and nobody would have tried."""
    one = meter(1)  # checked once: the rest of them differ in nothing that costs time
    many = [
        one.model_copy(update={"id": f"m{n}", "address": f"{n:012d}", "meter_number": ""})
        for n in range(METERS_MAX)
    ]
    async with a_book(tmp_path) as book:
        applied = await book.apply(many, revision=0, actor="li")
        assert (1, METERS_MAX) == (applied.revision, applied.added)
    with JournalReader(tmp_path / _FILE) as reader:
        kept = reader.roster().entries
        assert {one.id: one.address for one in many} == {
            name: entry["address"] for name, entry in kept.items()
        }
        assert 1 == len(reader.acts_of_subject(Topic.ROSTER, "roster")), "and not one row for each sink"
        assert ["m99999"] == [one.change.meter for one in reader.roster_changes_of("m99999")]


@pytest.mark.parametrize("seed", [1])
def test_killed_in_the_middle_the_roster_is_the_old_or_the_new_one(tmp_path: Path, seed: int) -> None:
    """Half of the meters in one area and half in another would be neither the file nor what was before."""
    random = Random(seed)
    printed: list[int] = []
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-m", "tests.support.roster_changer", str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
        ) as changer:
            assert changer.stdout is not None
            lines = [changer.stdout.readline() for _ in range(random.randrange(1, 4))]
            changer.kill()
            lines += changer.stdout.readlines()
        printed += [int(line) for line in lines if line.endswith("\n")]
        with JournalReader(tmp_path / _FILE) as reader:
            kept = reader.roster()
            areas = {str(entry["area"]) for entry in kept.entries.values()}
            assert ({"odd" if kept.revision % 2 else "even"}, METERS) == (areas, len(kept.entries))
            assert kept.revision >= max(printed), "a change that was confirmed is there"
    assert sorted(set(printed)) == printed
    with JournalReader(tmp_path / _FILE) as reader:
        assert fault_in(reader) is None


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE roster SET entry = replace(entry, 'east', 'west')", "'m1' is not as its history makes it"),
        ("DELETE FROM roster WHERE id = 'm2'", "'m2' is not as its history makes it"),
        (
            "DROP TRIGGER roster_change_keeps_values; "
            "UPDATE roster_change SET new = replace(new, 'east', 'west')",
            "revision 2 are not those that its act was made for",
        ),
        (
            "DROP TRIGGER roster_change_keeps_rows; DELETE FROM roster_change WHERE revision = 1 AND n = 1",
            "revision 1 are not those",
        ),
    ],
)
def test_a_roster_that_was_changed_beside_its_history_is_found(tmp_path: Path, sql: str, words: str) -> None:
    """Whoever can write the file could move a customer's meter, and nobody would ever know."""

    async def fill() -> None:
        async with a_book(tmp_path) as book:
            await book.apply([meter(1), meter(2)], revision=0, actor="li")
            await book.apply([meter(1, area="east")], revision=1, actor="li")

    asyncio.run(fill())
    db = sqlite3.connect(tmp_path / _FILE)
    db.executescript(sql)
    db.close()
    with JournalReader(tmp_path / _FILE) as reader:
        fault = fault_in(reader)
    assert fault is not None
    assert words in fault.en
    assert fault.zh and fault.zh != fault.en


def test_the_history_keeps_its_rows(tmp_path: Path) -> None:
    """A bug of ours could change what was."""

    async def fill() -> None:
        async with a_book(tmp_path) as book:
            await book.apply([meter(1)], revision=0, actor="li")

    asyncio.run(fill())
    db = sqlite3.connect(tmp_path / _FILE)
    for sql in ("DELETE FROM roster_change", "UPDATE roster_change SET new = '{}'"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(sql)
    db.execute("UPDATE roster SET entry = 'x'")
    db.commit()
    db.close()
    with (
        JournalReader(tmp_path / _FILE) as reader,
        pytest.raises(JournalError, match="meter 'm1' cannot be read"),
    ):
        reader.roster()


@pytest.mark.asyncio
async def test_an_exchange_keeps_both_registers(tmp_path: Path) -> None:
    """Nobody could say what the old meter showed when it went, and the customer would not believe it."""
    clock, item = SystemClock(), "forward_active_energy"
    at = clock.utc_now() - timedelta(hours=1)
    exchange = Exchange(
        old="m1",
        new="m9",
        meter_number="000000000009",
        removed_at=at,
        installed_at=at,
        last={item: Decimal("100.00")},
        first={item: Decimal("0.02")},
        evidence="photo 4711",
    )
    async with Journal.open(tmp_path / _FILE, clock=clock) as journal:
        book = RosterBook(journal.roster, CHECKS, clock)
        await book.apply([meter(1, customer="李雷")], revision=0, actor="li")
        readings = [
            Reading(meter="m1", item=item, value=Decimal(value), unit="kWh", slot=at, taken_at=at)
            for value in ("99.99", "100.01")
        ]
        await journal.keep(Record(meter="m1", data_class="instant", readings=(readings[0],)))
        assert 2 == (await book.exchange(exchange, actor="field")).revision
        held = await book.held()
        assert ("m1", "李雷") == (held.meters["m9"].replaces, held.meters["m9"].customer)
        [kept] = await journal.acts.of_verb(Topic.ROSTER, "exchange", since=at)
        assert ("field", {item: "100.00"}, {item: "0.02"}, "photo 4711") == (
            kept.act.actor,
            kept.act.body["last"],
            kept.act.body["first"],
            kept.act.body["evidence"],
        )
        late = replace(readings[1], meter="m9", slot=at + timedelta(minutes=1))
        await journal.keep(Record(meter="m9", data_class="instant", readings=(late,)))
        again = replace(
            exchange, old="m9", new="m10", meter_number="000000000010", removed_at=clock.utc_now()
        )
        with pytest.raises(BadRequest, match=r"was read with 100\.01 already"):
            await book.exchange(replace(again, installed_at=again.removed_at), actor="field")
