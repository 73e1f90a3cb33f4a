"""Points into rotating files of line protocol, which ``influx write --precision s --file`` takes as they are.

Where no database is configured the readings still end up somewhere that is one command away from one.
A batch is synced before it counts as written. A crash may tear the last line; the next start cuts it off, and
the broker brings its batch again.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import structlog

from meterlink.errors import SinkAway

FILE_OCTETS_MAX = 16 * 1024 * 1024
FILES_MAX = 64
"""With the octets above: 1 GiB, about ten million points; then the oldest file goes."""

_NAME = re.compile(r"points-(\d{8})\.lp")
_HEADER = b"# line protocol, precision s: influx write --bucket BUCKET --precision s --file THIS_FILE\n"
_log = structlog.get_logger(__name__)


class FileSink:
    """A folder of line-protocol files, the newest with the highest number.

    Args:
        folder: where they are; made if need be.
        file_octets_max: a file that has so many is finished.
        files_max: finished files and the one being written; the oldest beyond is deleted.

    Raises:
        SinkAway: the folder cannot be written.

    """

    def __init__(
        self, folder: Path, *, file_octets_max: int = FILE_OCTETS_MAX, files_max: int = FILES_MAX
    ) -> None:
        self._folder = folder
        self._file_octets_max = file_octets_max
        self._files_max = files_max
        self._file: BinaryIO | None = None
        self._size = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="files")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            numbers = self._numbers()
            self._number = numbers[-1] if numbers else 1
            self._open()
        except OSError as error:
            raise SinkAway(f"{folder}: {error.strerror}: look at the folder and its permissions") from error

    async def write(self, lines: Sequence[str]) -> None:
        """See ``PointSink.write``; a file takes every line."""
        octets = "".join(f"{line}\n" for line in lines).encode()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, octets)

    async def aclose(self) -> None:
        """See ``PointSink.aclose``."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _write(self, octets: bytes) -> None:
        try:
            if self._file is None:
                self._open()
            if self._size + len(octets) > self._file_octets_max and self._size > len(_HEADER):
                self._rotate()
            self._append(octets)
        except OSError as error:
            self._close()  # the next try opens it again, and cuts off what this one may have left
            raise SinkAway(
                f"{self._path()}: {error.strerror}: free some space or look at the disk"
            ) from error

    def _append(self, octets: bytes) -> None:
        assert self._file is not None
        rest = memoryview(octets)
        while rest:
            rest = rest[self._file.write(rest) :]
        os.fsync(self._file.fileno())
        self._size += len(octets)

    def _open(self) -> None:
        """Open the newest file; a line without an end was torn by a crash and is cut off."""
        path = self._path()
        fresh = not path.exists()
        # Unbuffered: what is not written is not to be written later by a flush that nobody sees.
        self._file = path.open("xb" if fresh else "r+b", buffering=0)
        self._size = 0 if fresh else _whole_lines(self._file)
        self._file.truncate(self._size)
        self._file.seek(self._size)
        if self._size == 0:
            self._append(_HEADER)
            _sync_folder(self._folder)

    def _rotate(self) -> None:
        self._close()
        self._number += 1
        self._open()
        for number in self._numbers()[: -self._files_max]:
            path = self._path(number)
            _log.warning("files.oldest_deleted", path=str(path), octets=path.stat().st_size)
            path.unlink()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _numbers(self) -> list[int]:
        names = (_NAME.fullmatch(path.name) for path in self._folder.iterdir())
        return sorted(int(name[1]) for name in names if name)

    def _path(self, number: int | None = None) -> Path:
        return self._folder / f"points-{self._number if number is None else number:08}.lp"


def _whole_lines(file: BinaryIO, block_octets: int = 65_536) -> int:
    """Where the last whole line ends, found from the end."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - block_octets)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
