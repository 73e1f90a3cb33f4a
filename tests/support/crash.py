"""The journal's file as a crash would leave it, inside one process: a copy taken at a chosen commit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from meterlink.journal.sent_mark import SUFFIX
from meterlink.journal.store import Step, Store


def copy_journal(path: Path, to: Path) -> None:
    """Copy what a kill -9 would leave: the file, its write-ahead log and its mark, not the shared memory."""
    for suffix in ("", "-wal"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            shutil.copyfile(source, to.with_name(to.name + suffix))
    if (mark := path.with_suffix(SUFFIX)).exists():
        shutil.copyfile(mark, to.with_suffix(SUFFIX))


def crashing_at(commit: int, to: Path) -> Callable[[Path], Store]:
    """An opener for ``Journal.open`` that copies the file right after the k-th commit of that opening.

    Args:
        commit: k, from 1; the first commit is the one of the start itself.
        to: where the copy goes.

    """

    class Copying(Store):
        _commits = 0

        def commit(self, steps: Sequence[Step]) -> list[int]:
            results = super().commit(steps)
            type(self)._commits += 1
            if commit == type(self)._commits:
                copy_journal(self.path, to)
            return results

    return Copying.open
