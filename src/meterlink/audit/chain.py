"""What a chain of acts must be, and in which words it is said that it is not; no I/O.

The walk knows the hash before and looks at one row after another. A row proves nothing alone: who changes an
act and all hashes behind it makes a chain that is whole. So signed checkpoints stand in it, and best of all
some that were kept elsewhere.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from meterlink.audit.keys import is_signed
from meterlink.model.act import FIRST_HASH, KeptAct, link
from meterlink.model.checkpoint import Checkpoint
from meterlink.model.payload import time_out

CHECKPOINT_EVERY: Final = 1_000
"""Acts from one checkpoint to the next, at most. Source: decisions 12 and 34."""
PURPOSE: Final = "checkpoint"


class FaultKind(enum.StrEnum):
    """What is wrong."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    EDITED = "edited"
    MOVED = "moved"
    REWRITTEN = "rewritten"
    CUT_OFF = "cut_off"
    BAD_SIGNATURE = "bad_signature"
    OTHER_KEY = "other_key"
    UNSIGNED = "unsigned"
    BESIDE = "beside"


_WORDS: Final[dict[FaultKind, tuple[str, str]]] = {
    FaultKind.MISSING: (
        "acts {first} to {last} are missing in the middle of the chain",
        "链中间缺少第 {first} 至 {last} 条记录",
    ),
    FaultKind.UNREADABLE: (
        "act {first} (row {row} of the log) is damaged: {why}",
        "第 {first} 条记录(日志第 {row} 行)损坏:{why}",
    ),
    FaultKind.EDITED: (
        "act {last} (row {row} of the log) does not follow on the one before it: it was edited, put in the "
        "place of another, or stands behind one that was (acts {first} to {last})",
        "第 {last} 条记录(日志第 {row} 行)与前一条不衔接:第 {first} 至 {last} 条中有被修改或调换的记录",
    ),
    FaultKind.MOVED: (
        "acts {first} and {last} stand in the log in another order than in the chain (row {row})",
        "第 {first} 条与第 {last} 条记录在日志中的次序被调换(第 {row} 行)",
    ),
    FaultKind.REWRITTEN: (
        "the chain was written anew somewhere in acts {first} to {last}: {why}",
        "第 {first} 至 {last} 条记录中有改写:{why}",
    ),
    FaultKind.CUT_OFF: (
        "acts {first} to {last}, at least, were cut off at the end: {why}",
        "末尾至少第 {first} 至 {last} 条记录被截掉:{why}",
    ),
    FaultKind.BAD_SIGNATURE: (
        "the checkpoint behind act {last} has a wrong signature: it is forged or damaged",
        "第 {last} 条记录后的检查点签名不符",
    ),
    FaultKind.OTHER_KEY: (
        "the checkpoint behind act {last} is signed with another key: {why}",
        "第 {last} 条记录后的检查点由另一把密钥签名:{why}",
    ),
    FaultKind.UNSIGNED: (
        "acts {first} to {last} bear no checkpoint, though there is one after every {every} acts at least",
        "第 {first} 至 {last} 条记录没有检查点(至少每 {every} 条应有一个)",
    ),
    FaultKind.BESIDE: ("{why}", "链旁的数据与链不符:{why}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Where a chain is first found to be wrong.

    Args:
        kind: what is wrong.
        first: place in the chain of the first act that may be another than it was; 0: none in the chain.
        last: of the last such act.
        log_id: row of the log of ``last``; 0: it is not there.
        why: more of it.

    """

    kind: FaultKind
    first: int
    last: int
    log_id: int = 0
    why: str = ""

    @property
    def en(self) -> str:
        """One sentence."""
        return self._said(0)

    @property
    def zh(self) -> str:
        """一句话."""
        return self._said(1)

    def _said(self, language: int) -> str:
        return _WORDS[self.kind][language].format(
            first=self.first,
            last=self.last,
            row=self.log_id,
            why=self.why,
            every=CHECKPOINT_EVERY,
        )


class Walk:
    """From act to act.

    Args:
        number: of the act behind which the walk begins; 0: the beginning.
        hashed: its hash.

    Attributes:
        number: of the last act that was sound.
        hash: its hash.
        proven: of the last act that a checkpoint speaks for.

    """

    def __init__(self, number: int = 0, hashed: str = FIRST_HASH) -> None:
        self.number = self.proven = number
        self.hash = hashed
        self._log_id = 0

    def step(self, number: int, log_id: int, kept: KeptAct | None, fault: str = "") -> Fault | None:
        """Go on to the next row; ``None``: it is sound.

        Args:
            number: the place that it says it has.
            log_id: its place in the log; 0: not looked at.
            kept: what it holds; ``None``: it cannot be read.
            fault: what was found wrong with it before.

        """
        expected = self.number + 1
        if number != expected:
            return Fault(kind=FaultKind.MISSING, first=expected, last=number - 1)
        if kept is None or fault:
            return Fault(kind=FaultKind.UNREADABLE, first=number, last=number, log_id=log_id, why=fault)
        if link(self.hash, kept.act, number) != kept.hash:
            first = max(self.proven + 1, self.number)
            return Fault(kind=FaultKind.EDITED, first=first, last=number, log_id=log_id)
        if log_id <= self._log_id and log_id:
            return Fault(kind=FaultKind.MOVED, first=self.number, last=number, log_id=log_id)
        self.number, self.hash, self._log_id = number, kept.hash, log_id
        return None


def signed(checkpoint: Checkpoint) -> dict[str, object]:
    """What a checkpoint's signature is over."""
    return {
        "at": time_out(checkpoint.at),
        "hash": checkpoint.hash,
        "key": checkpoint.key,
        "number": checkpoint.number,
    }


def check_signature(checkpoint: Checkpoint, keys: Collection[str]) -> Fault | None:
    """Whether somebody we trust signed it.

    Args:
        checkpoint: whatever it says.
        keys: public keys; empty: whatever key it names.

    """
    number = checkpoint.number
    if keys and checkpoint.key not in keys:
        return Fault(kind=FaultKind.OTHER_KEY, first=number, last=number, why=f"{checkpoint.key}")
    if not is_signed(checkpoint.key, checkpoint.signature, PURPOSE, signed(checkpoint)):
        return Fault(kind=FaultKind.BAD_SIGNATURE, first=number, last=number)
    return None
