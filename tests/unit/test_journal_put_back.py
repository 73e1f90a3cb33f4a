"""A journal that was put back from a copy gives numbers again: neither a cursor nor a seal goes by them."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from meterlink.billing import cursors
from meterlink.billing.manifest import FORMAT, FORMAT_WITHOUT_ORIGIN
from meterlink.billing.verify import verified
from meterlink.errors import JournalError, SettlementBroken
from meterlink.model.act import Topic
from tests.support.billing import FIRST_DAY, JOURNAL, TOTAL, plant
from tests.support.web import of_problem, served

PATH = "/v1/daily-freeze"


def _copied(folder: Path) -> Callable[[], None]:
    """Copy a journal that is closed; what puts the copy back."""
    shutil.copy(folder / JOURNAL, folder / "copy")

    def put_back() -> None:
        for part in folder.glob(f"{JOURNAL}*"):  # with what SQLite has beside it
            part.unlink()
        shutil.copy(folder / "copy", folder / JOURNAL)

    return put_back


@pytest.mark.asyncio
async def test_a_cursor_of_another_life_of_the_journal_is_refused(tmp_path: Path) -> None:
    """Billing would go on behind rows that it never had: m3's freeze would be on no bill."""
    async with plant(tmp_path) as at:
        await at.put(1, 2, 3)
        at.after(FIRST_DAY)
        await at.keep("m1", FIRST_DAY, {TOTAL: "1.00"})
    put_back = _copied(tmp_path)
    async with plant(tmp_path) as at, served(tmp_path) as api:
        token = api.token()
        async with api.client(token) as client:
            common = await client.get(PATH)
            await at.keep("m2", FIRST_DAY, {TOTAL: "2.00"})
            lost = await client.get(PATH)
    put_back()
    async with plant(tmp_path) as at, served(tmp_path) as api:
        at.after(FIRST_DAY)
        third = await at.keep("m3", FIRST_DAY, {TOTAL: "3.00"})
        async with api.client(token) as client:
            refused = await client.get(PATH, params={"cursor": lost.json()["cursor"]})
            assert (409, "wrong-cursor") == (refused.status_code, of_problem(refused))
            again = await client.get(PATH, headers={"If-None-Match": lost.headers["etag"]})
            assert ["m1", "m3"] == [one["meter"] for one in again.json()["freezes"]], "no 304"
            behind = (await client.get(PATH, params={"cursor": common.json()["cursor"]})).json()["freezes"]
            assert [(third, "m3")] == [(one["seq"], one["meter"]) for one in behind], (
                "the copy has these rows"
            )
    assert third == lost.json()["freezes"][-1]["seq"], "the number was given twice"


@pytest.mark.asyncio
async def test_a_day_sealed_out_of_a_journal_that_is_lost_waits_for_a_person(tmp_path: Path) -> None:
    """A supplement would begin behind rows that no seal has, and m3 be in none."""
    async with plant(tmp_path) as at:
        await at.put(1, 2, 3)
        at.after(FIRST_DAY)
        await at.keep("m1", FIRST_DAY, {TOTAL: "1.00"})
        await at.settler(formats=("csv",)).settle(FIRST_DAY, "")
    put_back = _copied(tmp_path)
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY)
        await at.keep("m2", FIRST_DAY, {TOTAL: "2.00"})
        await at.settler(formats=("csv",)).settle(FIRST_DAY, "")
    put_back()
    async with plant(tmp_path) as at:
        at.after(FIRST_DAY)
        await at.keep("m3", FIRST_DAY, {TOTAL: "3.00"})
        await at.keep("m2", FIRST_DAY, {TOTAL: "2.50"})
        settler, place = at.settler(formats=("csv",)), at.settlements().place(FIRST_DAY, "")
        for attempt in (settler.make_up(), settler.settle(FIRST_DAY, ""), settler.preview(FIRST_DAY, "")):
            with pytest.raises(SettlementBroken, match=f"{place}/0002: was sealed out of another journal"):
                await attempt
        last = await at.journal.acts.last_of(Topic.SETTLEMENT, f"{FIRST_DAY}/")
        assert last is not None
        assert 1 == last.act.step, "no act tells of a seal that is not of this journal"
        (place / "0002").rename(tmp_path / "kept")
        settled = await settler.settle(FIRST_DAY, "")
        assert settled.manifest is not None
        told = settled.manifest.as_json()
        assert (2, 2, FORMAT) == (told["number"], told["freezes"], told["format"])
        whole = verified(at.settlements().folder, [at.key.public_hex], lambda done, of: None)
        assert (2, []) == (len(whole.sealed), whole.faults)


@pytest.mark.asyncio
async def test_cursors_and_seals_from_before_origins_go_on(tmp_path: Path) -> None:
    """An upgrade would have billing begin at the beginning, and stop all sealing."""
    async with plant(tmp_path) as at:
        await at.put(1, 2)
        at.after(FIRST_DAY)
        seq = await at.keep("m1", FIRST_DAY, {TOTAL: "1.00"})
        await at.journal.acts.read(lambda store: store.look(_forget_origins))
        settled = await at.settler(formats=("csv",)).settle(FIRST_DAY, "")
        assert settled.manifest is not None
        assert FORMAT_WITHOUT_ORIGIN == settled.manifest.as_json()["format"]
        assert "origin" not in settled.manifest.as_json()
    with sqlite3.connect(tmp_path / JOURNAL) as db:
        for table in ("opening", "belief", "asked", "forgotten"):
            db.execute(f"DROP TABLE {table}")
        db.executescript("DROP INDEX gap_by_end; PRAGMA user_version = 9")
    db.close()
    async with plant(tmp_path) as at, served(tmp_path) as api:
        at.after(FIRST_DAY)
        second = await at.keep("m2", FIRST_DAY, {TOTAL: "2.00"})
        async with api.client(api.token()) as client:
            behind = await client.get(PATH, params={"cursor": cursors.written(seq)})
            assert [second] == [one["seq"] for one in behind.json()["freezes"]]
            unknown = await client.get(PATH, params={"cursor": cursors.written(second)})
            assert 409 == unknown.status_code, "no older program has written this row"
        settled = await at.settler(formats=("csv",)).settle(FIRST_DAY, "")
        assert settled.manifest is not None
        assert (2, 1) == (settled.manifest.number, settled.manifest.freezes)
        whole = verified(at.settlements().folder, [at.key.public_hex], lambda done, of: None)
        assert (2, []) == (len(whole.sealed), whole.faults)


def _forget_origins(db: sqlite3.Connection) -> None:
    db.execute("DROP TRIGGER opening_keeps_rows")
    db.execute("DELETE FROM opening")


@pytest.mark.asyncio
async def test_an_origin_that_wrote_nothing_is_forgotten_and_others_stay(tmp_path: Path) -> None:
    """A copy from its time would go on under its name; or rows of another be taken for new ones."""
    for _ in range(2):
        async with plant(tmp_path):
            pass
    async with plant(tmp_path) as at:
        await at.put(1)
        written = await at.journal.acts.read(lambda store: store.look(_openings))
    async with plant(tmp_path) as at:
        again = await at.journal.acts.read(lambda store: store.look(_openings))
        assert ([0], written) == ([behind for behind, _ in written], again[:1])
        assert 2 == len(again)
        with pytest.raises(JournalError, match="append-only"):
            await at.journal.acts.read(lambda store: store.look(lambda db: db.execute("DELETE FROM opening")))


def _openings(db: sqlite3.Connection) -> list[tuple[int, str]]:
    return db.execute("SELECT behind, origin FROM opening ORDER BY behind").fetchall()
