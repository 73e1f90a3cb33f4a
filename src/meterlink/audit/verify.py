"""Is the chain of acts of a journal whole? Offline, on the file or a copy, in bounded memory.

It goes from act to act, compares with every checkpoint that it comes by, in the journal and those kept
elsewhere, and stops at the first fault. What it cannot know it says: how many acts stand behind the last
checkpoint, and whose key it is when nobody gave one to compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from meterlink.audit.chain import CHECKPOINT_EVERY, Fault, FaultKind, Walk, check_signature
from meterlink.errors import RowUnreadable
from meterlink.journal.chain_rows import Link
from meterlink.model.checkpoint import Checkpoint
from meterlink.model.payload import time_out

READ_AT_ONCE: Final = 200
"""Acts in memory at once: at most 13 MB of bodies."""
UNSIGNED_MAX: Final = 2 * CHECKPOINT_EVERY
"""Acts behind the last checkpoint that a daemon may have had no time to sign."""

Progress = Callable[[int, int], None]
"""Told how many acts have been looked at, of how many."""


class ChainFile(Protocol):
    """What is read of a journal; ``JournalReader`` is one."""

    def checkpoints(self) -> list[Checkpoint]:
        """The signed places, in order."""

    def newest_number(self) -> int:
        """How many acts there should be."""

    def links(self, after: int, limit: int) -> list[Link]:
        """The rows of the chain behind a number."""

    def damage(self) -> str:
        """What is wrong with the file as such; empty: nothing."""

    def stray(self) -> tuple[int, str] | None:
        """Where something beside the chain does not fit it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What an auditor is told.

    Args:
        acts: that were looked at and are sound, from the first on.
        hash: of the last of them.
        checkpoints: with which they agree.
        signed_to: number of the act behind the last of these; 0: nothing is signed.
        signed_at: when that was; ``None``: nothing is signed.
        keys: who signed; compare them with what ``meterlink audit key`` said at the gateway.
        fault: the first that was found; ``None``: the chain is whole.

    """

    acts: int
    hash: str
    checkpoints: int
    signed_to: int
    signed_at: datetime | None
    keys: tuple[str, ...]
    fault: Fault | None

    @property
    def unsigned(self) -> int:
        """Acts behind the last checkpoint: somebody with the file may have written these anew."""
        return self.acts - self.signed_to


class _Marks:
    """The checkpoints that the walk comes by."""

    def __init__(self, keys: Collection[str]) -> None:
        self.keys = keys
        self.passed: list[Checkpoint] = []
        self.count = 0

    def check(self, mark: Checkpoint, walk: Walk) -> Fault | None:
        """Whether the chain up to here is what was signed."""
        if fault := check_signature(mark, self.keys):
            return fault
        before = self.passed[-1] if self.passed else None
        if before and not self.keys and mark.key != before.key:
            why = f"{mark.key}, and the one before with {before.key}; --key says which are good"
            return Fault(kind=FaultKind.OTHER_KEY, first=mark.number, last=mark.number, why=why)
        since = before.number if before else 0
        if mark.hash != walk.hash:
            why = f"act {mark.number} is not what the checkpoint of {time_out(mark.at)} was signed behind"
            return Fault(kind=FaultKind.REWRITTEN, first=since + 1, last=mark.number, why=why)
        if mark.number - since > CHECKPOINT_EVERY:
            return Fault(kind=FaultKind.UNSIGNED, first=since + 1, last=mark.number)
        self.count += 1
        walk.proven = walk.number
        if mark.number > since:
            self.passed.append(mark)
        return None


def verify(
    file: ChainFile,
    *,
    keys: Collection[str] = (),
    saved: Sequence[Checkpoint] = (),
    progress: Progress = lambda _done, _of: None,
) -> Findings:
    """Look at the whole chain.

    Args:
        file: the journal, or a copy.
        keys: public keys that may have signed, 64 hexadecimal digits each; empty: any, if it is one.
        saved: checkpoints that were kept elsewhere.
        progress: told now and then.

    Raises:
        JournalError: the file cannot be read.

    """
    walk, marks = Walk(), _Marks(keys)
    fault = _whole(file, walk, marks, saved, progress)
    last = marks.passed[-1] if marks.passed else None
    return Findings(
        acts=walk.number,
        hash=walk.hash,
        checkpoints=marks.count,
        signed_to=last.number if last else 0,
        signed_at=last.at if last else None,
        keys=tuple(sorted({mark.key for mark in marks.passed})),
        fault=fault,
    )


def _whole(
    file: ChainFile, walk: Walk, marks: _Marks, saved: Sequence[Checkpoint], progress: Progress
) -> Fault | None:
    try:
        waiting = sorted([*file.checkpoints(), *saved], key=lambda mark: mark.number)
    except RowUnreadable as error:
        return _beside(0, str(error))
    ahead = iter(waiting)
    fault = _along(file, walk, marks, ahead, progress)
    if fault is None and walk.number - (marks.passed[-1].number if marks.passed else 0) > UNSIGNED_MAX:
        first = marks.passed[-1].number + 1 if marks.passed else 1
        fault = Fault(kind=FaultKind.UNSIGNED, first=first, last=walk.number)
    if fault is None and (stray := file.stray()):
        fault = _beside(*stray)
    if fault is None and (words := file.damage()):
        fault = _beside(0, words)
    return fault


def _along(
    file: ChainFile, walk: Walk, marks: _Marks, ahead: Iterator[Checkpoint], progress: Progress
) -> Fault | None:
    """Every act, and every checkpoint behind the act that it stands behind."""
    newest = file.newest_number()
    mark = next(ahead, None)
    for row in _links(file):
        if fault := walk.step(row.number, row.log_id, row.kept, row.fault):
            return fault
        while mark is not None and mark.number <= walk.number:
            if fault := marks.check(mark, walk):
                return fault
            mark = next(ahead, None)
        if walk.number % READ_AT_ONCE == 0:
            progress(walk.number, newest)
    progress(walk.number, newest)
    while mark is not None:
        if fault := check_signature(mark, marks.keys):
            return fault
        mark_ahead = next(ahead, None)
        if mark_ahead is None:
            why = f"the checkpoint of {time_out(mark.at)} stands behind act {mark.number}"
            return Fault(kind=FaultKind.CUT_OFF, first=walk.number + 1, last=mark.number, why=why)
        mark = mark_ahead
    return None


def _links(file: ChainFile) -> Iterator[Link]:
    after = 0
    while rows := file.links(after, READ_AT_ONCE):
        yield from rows
        after = rows[-1].number


def _beside(log_id: int, why: str) -> Fault:
    return Fault(kind=FaultKind.BESIDE, first=0, last=0, log_id=log_id, why=why)
