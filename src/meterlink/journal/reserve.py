"""Room put aside: a file of zeros beside the journal that is given up, slice by slice, to what must be kept.

A full disk must not keep anybody from being switched on again, and nothing is sent that was not kept before.
So acts may use the reserve, and nothing else may but what makes room: once a slice has been given, readings
are refused until the reserve is whole again and as much room is free beside it. What is read often is refused
before that, while there is a little room left. Pages of the file that hold nothing are room too, for nobody
else on the disk can take them: so where old rows make room (``housekeeping``), all comes back by itself,
though the file does not become smaller. Source: decision 12.
"""

from __future__ import annotations

import contextlib
import enum
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from meterlink.errors import DiskFull, JournalError
from meterlink.journal.store import Step, Store

RESERVE_OCTETS: Final = 16 * 1024 * 1024
"""The whole reserve."""
SLICE_OCTETS: Final = 1024 * 1024
"""Given up at a time: others on the same disk see no more of it than the act in hand needs."""
TIGHT_OCTETS: Final = 64 * 1024 * 1024
"""With less room than this beside the reserve, what is read often is no longer kept."""
COMFORT: Final = 1.25
"""When room is made, it is so many times that much: not to begin again with the next reading."""


class Rank(enum.IntEnum):
    """What goes first when there is little room: the lowest."""

    OFTEN = 0
    """Curves and values of the moment: there will be others."""
    READING = 1
    """Freezes and events: bills rest on them."""
    STATE = 2
    """Cursors and other rows that change in place."""
    ACT = 3
    """Orders and their records: they may use the reserve."""
    ROOM = 4
    """Taking rows out: it may use the reserve too, and gives back more than it takes."""


def free_octets(folder: Path) -> int:
    """Octets that are free on the disk of a folder; 0 where nobody can tell."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return 0
    return disk.f_bavail * disk.f_frsize


class Reserve:
    """The reserve of one journal; used on the journal's thread.

    Args:
        path: the file; on the disk of the journal.
        octets: its size.
        tight_octets: see ``TIGHT_OCTETS``.
        free: tells how many octets are free on the disk of a folder.

    """

    def __init__(
        self,
        path: Path,
        *,
        octets: int = RESERVE_OCTETS,
        tight_octets: int = TIGHT_OCTETS,
        free: Callable[[Path], int] = free_octets,
    ) -> None:
        self._path = path
        self._octets = octets
        self._tight_octets = tight_octets
        self._free = free
        self._held = 0

    def least_rank(self, unused: Callable[[], int] = lambda: 0) -> Rank:
        """The lowest rank that may be kept now; makes the reserve whole where there is room for that.

        Args:
            unused: tells the octets of pages in the file that hold nothing; asked when the disk is tight.

        """
        free = self._free_octets()
        is_whole = self._held >= self._octets or self._refill(free)
        if is_whole and free >= self._tight_octets:
            return Rank.OFTEN
        inside = unused()
        if self._held + inside < self._octets:
            return Rank.STATE
        return Rank.READING if self._room(free, inside) < self._tight_octets else Rank.OFTEN

    def room_missing(self, unused: Callable[[], int], *, comfortable: bool) -> int:
        """Octets by which there is too little room for what is read often; 0: there is enough.

        Args:
            unused: as of ``least_rank``.
            comfortable: want ``COMFORT`` times as much.

        """
        wanted = round(self._tight_octets * (COMFORT if comfortable else 1.0))
        free = self._free_octets()
        missing = wanted - self._room(free, 0)
        return max(0, missing - unused()) if missing > 0 else 0

    def _room(self, free: int, inside: int) -> int:
        """Beside what acts may have."""
        return free + self._held + inside - self._octets

    def give(self) -> bool:
        """Give up a slice; ``False``: nothing is left."""
        held = self._size()
        if held == 0:
            return False
        self._held = max(0, held - SLICE_OCTETS)
        try:
            os.truncate(self._path, self._held)
        except OSError:
            return False
        return True

    def _refill(self, free: int) -> bool:
        """Make it whole, if as much is free beside it; it may be whole from an earlier start."""
        self._held = self._size()
        missing = self._octets - self._held
        if missing > 0 and free >= missing + self._octets:
            with contextlib.suppress(OSError):
                self._write()
        return self._held >= self._octets

    def _write(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._octets)
            os.fsync(descriptor)
            self._held = self._octets
        finally:
            os.close(descriptor)

    def _size(self) -> int:
        """Octets that the disk really holds for it: a copy of it may be all holes."""
        try:
            found = self._path.stat()
        except OSError:
            return 0
        return min(found.st_size, found.st_blocks * 512, self._octets)

    def _free_octets(self) -> int:
        return self._free(self._path.parent)


def commit(
    store: Store, changes: Sequence[tuple[Rank, Step]], reserve: Reserve | None
) -> list[int | JournalError]:
    """Commit what there is room for in one transaction; for each change its result, or why it was refused.

    Args:
        store: the file.
        changes: in order.
        reserve: ``None``: there is none, and all changes are alike.

    """
    least = Rank.OFTEN if reserve is None else reserve.least_rank(store.unused_octets)
    refusal: JournalError = DiskFull(
        f"{store.path}: the disk is almost full, and the rest is kept for orders: free some space"
    )
    folded = False
    while True:
        steps = [step for rank, step in changes if rank >= least]
        try:
            kept = iter(store.commit(steps) if steps else ())
        except JournalError as error:
            if isinstance(error, DiskFull) and not folded:
                folded = True
                store.fold()
                continue
            wants_more = reserve is not None and any(rank >= Rank.ACT for rank, _ in changes)
            if not (isinstance(error, DiskFull) and wants_more and reserve is not None and reserve.give()):
                return [error] * len(changes)
            least, refusal = Rank.STATE, error
        else:
            return [next(kept) if rank >= least else refusal for rank, _ in changes]
