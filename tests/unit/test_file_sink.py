"""Points in files: whole lines only, within their limits, whatever interrupts the writing."""

from __future__ import annotations

import asyncio
import os
import resource
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from meterlink.errors import SinkAway
from meterlink.ingest.files import FILE_OCTETS_MAX, FILES_MAX, FileSink


def _write(
    folder: Path, *batches: Sequence[str], file_octets_max: int = FILE_OCTETS_MAX, files_max: int = FILES_MAX
) -> None:
    """Open the folder, write the batches one after the other, close it."""

    async def body() -> None:
        sink = FileSink(folder, file_octets_max=file_octets_max, files_max=files_max)
        for batch in batches:
            await sink.write(batch)
        await sink.aclose()

    asyncio.run(body())


def _lines(folder: Path) -> list[str]:
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.lp"))]
    assert all(text.startswith("# ") and text.endswith("\n") for text in texts)
    return [line for text in texts for line in text.splitlines() if not line.startswith("#")]


def _numbered(start: int, count: int) -> list[str]:
    return [f"m v={n}.0 {n}" for n in range(start, start + count)]


def test_a_restart_goes_on_in_the_same_file(tmp_path: Path) -> None:
    """A file a restart would be thousands of files, and an overwritten one lost readings."""
    for start in (0, 10, 20):
        _write(tmp_path, _numbered(start, 10))
    assert _numbered(0, 30) == _lines(tmp_path)
    assert 1 == len(list(tmp_path.iterdir()))


@pytest.mark.parametrize("torn", [b"m v=9", b"m v=99.0 9", b"x" * 200_000])
def test_a_torn_line_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    """Half a number reads as a number: a torn line must never be taken for a value."""
    _write(tmp_path, _numbered(0, 3))
    (path,) = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(torn)
    _write(tmp_path, _numbered(3, 1))
    assert _numbered(0, 4) == _lines(tmp_path)


@pytest.mark.parametrize("left", [b"", b"# line pro"])
def test_an_empty_or_torn_first_line_is_made_anew(tmp_path: Path, left: bytes) -> None:
    """A crash right after the file was made leaves nothing, or half of its first line."""
    (tmp_path / "points-00000001.lp").write_bytes(left)
    _write(tmp_path, _numbered(0, 1))
    assert _numbered(0, 1) == _lines(tmp_path)


def test_files_rotate_at_the_limit_and_the_oldest_goes(tmp_path: Path) -> None:
    """The disk is finite; what is deleted must be the oldest, and no line may be split."""
    _write(tmp_path, *(_numbered(n, 1) for n in range(60)), file_octets_max=200, files_max=3)
    paths = sorted(tmp_path.iterdir())
    assert 3 == len(paths)
    assert all(path.stat().st_size <= 200 for path in paths)
    kept = _lines(tmp_path)
    assert _numbered(60 - len(kept), len(kept)) == kept
    assert len(kept) > 10


def test_a_batch_beyond_the_limit_has_a_file_of_its_own(tmp_path: Path) -> None:
    """A batch is written whole or not at all: it must not turn in circles because it is large."""
    _write(tmp_path, _numbered(0, 100), _numbered(100, 1), file_octets_max=200)
    assert [100, 1] == [len(path.read_text().splitlines()) - 1 for path in sorted(tmp_path.iterdir())]


def test_a_full_disk_is_away_and_comes_back_whole(tmp_path: Path) -> None:
    """What a full disk cut short must not stay as half a line between two whole ones."""
    _write(tmp_path, _numbered(0, 1))
    (path,) = tmp_path.iterdir()
    room = path.stat().st_size + 15  # one line more, and a piece of the next
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def body() -> None:
        sink = FileSink(tmp_path)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        try:
            with pytest.raises(SinkAway, match="File too large: free some space"):
                await sink.write(_numbered(1, 3))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        await sink.write(_numbered(1, 3))  # the same batch again
        await sink.aclose()

    asyncio.run(body())
    lines = _lines(tmp_path)
    assert {*_numbered(0, 4)} == {*lines}
    assert 5 == len(lines)  # the line that fitted came twice, and the piece is gone


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The operator must see which folder."""
    (tmp_path / "file").touch()
    with pytest.raises(SinkAway, match="file/points: Not a directory"):
        _write(tmp_path / "file" / "points")


def test_strangers_in_the_folder_stay(tmp_path: Path) -> None:
    """Somebody's notes beside the points are neither read nor deleted."""
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "points-1.lp").write_text("mine")
    _write(tmp_path, *(_numbered(n, 1) for n in range(20)), file_octets_max=100, files_max=1)
    assert "mine" == (tmp_path / "points-1.lp").read_text() == (tmp_path / "notes.txt").read_text()


def test_a_batch_is_on_disk_before_it_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker forgets a message once it is acknowledged: after a power cut nobody would have it."""
    synced: list[bytes] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        fsync(descriptor)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            synced.append((tmp_path / "points-00000001.lp").read_bytes())

    monkeypatch.setattr(os, "fsync", note)
    _write(tmp_path, _numbered(0, 3), _numbered(3, 2))
    assert synced[-2].endswith(b"m v=2.0 2\n")
    assert synced[-1].endswith(b"m v=4.0 4\n")
