"""A program that lets the disk under an open journal fail, and says in JSON what became of the journal.

``python -m tests.support.failing_disk FAULT FOLDER``, as root, in a mount namespace of its own: an ext4 file
system in a file becomes the disk. FAULT is ``read_only`` (the kernel takes the file system for damaged and
writes nothing any more, EROFS) or ``fails`` (what lies under it takes no block any more, EIO).
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from meterlink.clock import SystemClock
from meterlink.errors import JournalError
from meterlink.journal.journal import Journal
from meterlink.journal.reader import JournalReader
from meterlink.journal.soundness import faults
from tests.support.records import record

MEGA: Final = 1024 * 1024
UNDER_OCTETS: Final = 24 * MEGA
"""What there is under the disk; the disk itself seems greater."""
DISK_OCTETS: Final = 96 * MEGA
RECORDS_MAX: Final = 20_000


class Disk:
    """An ext4 file system in a file, which itself stands in a file system that can be filled.

    Args:
        folder: empty.

    """

    def __init__(self, folder: Path) -> None:
        self.place, self._under = folder / "disk", folder / "under"
        self._image = self._under / "image"
        self._filler = self._under / "filler"
        self.place.mkdir()
        self._under.mkdir()
        _run("mount", "-t", "tmpfs", "-o", f"size={UNDER_OCTETS}", "tmpfs", str(self._under))
        with self._image.open("wb") as image:
            image.truncate(DISK_OCTETS)
        _run("mkfs.ext4", "-q", "-F", str(self._image))
        self.mount()

    def mount(self) -> None:
        """Put it where the journal is, after an end also."""
        _run("mount", "-o", "loop", str(self._image), str(self.place))

    def unmount(self) -> None:
        """Take it away."""
        _run("umount", str(self.place))

    def read_only(self) -> None:
        """The kernel finds the file system damaged."""
        _run("mount", "-o", "remount,abort", str(self.place))

    def fails(self) -> None:
        """What lies under it takes no new block."""
        with self._filler.open("wb") as filler:
            try:
                while True:
                    filler.write(bytes(65_536))
                    filler.flush()
            except OSError:
                return

    def is_well_again(self) -> None:
        """What lies under it has room."""
        self._filler.unlink(missing_ok=True)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


async def play(fault: str, disk: Disk) -> dict[str, Any]:
    """Keep, let the disk fail, keep on; then mount it again, and keep."""
    path = disk.place / "j.db"
    happen: dict[str, Callable[[], None]] = {"read_only": disk.read_only, "fails": disk.fails}
    seen: dict[str, Any] = {}
    confirmed: list[int] = []
    async with Journal.open(path, clock=SystemClock()) as journal:
        for number in range(3):
            confirmed.append(await journal.keep(record(number)))
        happen[fault]()
        refused: list[str] = []
        for number in range(3, RECORDS_MAX):
            try:
                confirmed.append(await journal.keep(record(number, items=100)))
            except JournalError as error:
                refused.append(str(error))
                if len(refused) == 3:
                    break
        seen["refused"], seen["trouble"] = refused, journal.work.trouble
        seen["still_read"] = len(await journal.rows_after(0, 3))
        disk.is_well_again()
        by_itself: list[int | str] = []
        for number in range(3):
            try:
                by_itself.append(await journal.keep(record(RECORDS_MAX + number)))
            except JournalError as error:
                by_itself.append(str(error))
        confirmed += [one for one in by_itself if isinstance(one, int)]
        seen["by_itself"] = by_itself
    disk.unmount()
    disk.mount()
    async with Journal.open(path, clock=SystemClock()) as journal:
        rows: list[int] = []
        while found := await journal.rows_after(rows[-1] if rows else 0, 500):
            rows += [row.id for row in found]
        seen["lost"] = sorted(set(confirmed).difference(rows))
        seen["kept_again"] = await journal.keep(record(RECORDS_MAX + 3))
    with JournalReader(path) as reader:
        seen["faults"] = [str(one) for one in faults(reader)]
    disk.unmount()
    return seen


if __name__ == "__main__":
    print(json.dumps(asyncio.run(play(sys.argv[1], Disk(Path(sys.argv[2]))))))
