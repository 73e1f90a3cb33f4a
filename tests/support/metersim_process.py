"""``metersim run`` as a process of its own, for tests that need its octets to be somebody else's."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.processes import Program, announced

METERSIM = str(Path(sys.executable).with_name("metersim"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningMetersim:
    """A running simulator.

    Args:
        urls: one a line, as ``meterlink`` writes them.
        meters: the addresses on each line.
        answers_file: its own list of what it answered.
        program: its process.

    """

    urls: list[str]
    meters: list[list[str]]
    answers_file: Path
    program: Program

    def answers(self) -> list[dict[str, Any]]:
        """Every answer given so far, also to wildcards and with faults."""
        return [json.loads(line) for line in self.answers_file.read_text(encoding="utf-8").splitlines()]


@contextmanager
def running_metersim(folder: Path, *options: str) -> Iterator[RunningMetersim]:
    """Start ``metersim run`` with its list of answers in ``folder``; end it at the end of the block.

    Args:
        folder: for its list and its log.
        options: further options, e.g. ``"--meters=8"``.

    Raises:
        ChildProcessError: it ended at once.
        TimeoutError: it did not get ready.

    """
    answers_file = folder / "answers.jsonl"
    log = folder / "metersim.log"
    with announced([METERSIM, "run", f"--answers={answers_file}", *options], log) as (program, ready):
        yield RunningMetersim(
            urls=[line["url"] for line in ready["lines"]],
            meters=[line["meters"] for line in ready["lines"]],
            answers_file=answers_file,
            program=program,
        )
