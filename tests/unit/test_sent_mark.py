"""The mark beside the journal: which act it must have, and what is thought of a journal that lacks it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from meterlink.errors import JournalError
from meterlink.journal.journal import Journal
from meterlink.model.act import Act, Topic
from metersim.loop import Simulation

MARK_FILE = "journal.mark"
NOON = datetime(2026, 11, 24, 4, tzinfo=UTC)


def _run(folder: Path, script: Callable[[Journal], Awaitable[None]]) -> None:
    sim = Simulation()

    async def life() -> None:
        async with Journal.open(folder / "journal.sqlite3", clock=sim.clock) as journal:
            await script(journal)

    sim.run(life())


async def _act(journal: Journal, subject: str = "o-1") -> None:
    await journal.acts.append(
        Act(topic=Topic.ORDER, subject=subject, step=1, verb="create", at=NOON, actor="clara", body={})
    )


async def _marked(journal: Journal, subject: str = "o-1") -> None:
    assert "" == await journal.mark.doubt()
    await _act(journal, subject)
    kept = await journal.acts.last_of(Topic.ORDER, subject)
    assert kept is not None
    await journal.mark.set(kept)


def test_the_journal_of_the_mark_is_trusted(tmp_path: Path) -> None:
    """No order would go after any restart."""

    async def more(journal: Journal) -> None:
        assert "" == await journal.mark.doubt()
        await _act(journal, "o-2")
        assert "" == await journal.mark.doubt()

    _run(tmp_path, _marked)
    _run(tmp_path, more)
    assert 0o600 == (tmp_path / MARK_FILE).stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (None, "missing"),
        (b"", "damaged"),
        (b"1 " + b"0" * 64, "damaged"),
        (b"%020d " % 9 + b"0" * 64 + b"\n", "lacks act 9"),
    ],
)
def test_a_journal_without_its_mark_is_doubted(tmp_path: Path, octets: bytes | None, words: str) -> None:
    """A copy that was put back on another machine would do again what was done (decision 22)."""
    _run(tmp_path, _marked)
    (tmp_path / MARK_FILE).unlink()
    if octets is not None:
        (tmp_path / MARK_FILE).write_bytes(octets)

    async def looked(journal: Journal) -> None:
        assert words in await journal.mark.doubt()

    _run(tmp_path, looked)


def test_a_journal_that_went_another_way_is_doubted(tmp_path: Path) -> None:
    """A copy that was put back and has grown since would be taken for the newest."""
    _run(tmp_path, _marked)
    for file in tmp_path.glob("journal.sqlite3*"):
        file.unlink()

    async def other(journal: Journal) -> None:
        await _act(journal, "o-9")
        assert "is another" in await journal.mark.doubt()

    _run(tmp_path, other)


def test_the_mark_follows_the_log(tmp_path: Path) -> None:
    """A copy from before somebody paid would be taken for the newest, if nothing was sent since."""

    async def script(journal: Journal) -> None:
        await _marked(journal)
        await _act(journal, "o-2")
        await journal.mark.follow()
        (newest,) = await journal.acts.after(1)
        assert f"{2:020} {newest.hash}\n" == (tmp_path / MARK_FILE).read_text()
        (tmp_path / MARK_FILE).unlink()
        await journal.mark.follow()
        assert not (tmp_path / MARK_FILE).exists(), "nothing was appended, and nothing is written"

    _run(tmp_path, script)


def test_the_mark_of_a_doubted_journal_stays(tmp_path: Path) -> None:
    """A second start would trust a copy that the first one has doubted."""
    _run(tmp_path, _marked)
    octets = b"%020d " % 9 + b"0" * 64 + b"\n"
    (tmp_path / MARK_FILE).write_bytes(octets)

    async def looked(journal: Journal) -> None:
        assert await journal.mark.doubt()
        await _act(journal, "o-2")
        await journal.mark.follow()
        assert octets == (tmp_path / MARK_FILE).read_bytes()

    _run(tmp_path, looked)


def test_a_mark_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A frame would leave of which a copy that is put back knows nothing."""

    async def script(journal: Journal) -> None:
        await _marked(journal)
        (tmp_path / MARK_FILE).unlink()
        (tmp_path / MARK_FILE).mkdir()
        await _act(journal, "o-2")
        kept = await journal.acts.last_of(Topic.ORDER, "o-2")
        assert kept is not None
        with pytest.raises(JournalError, match=r"journal\.mark: cannot be written"):
            await journal.mark.set(kept)

    _run(tmp_path, script)
