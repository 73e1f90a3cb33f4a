"""How far a run in simulated time is, told by somebody who stands outside of it and looks at a real clock.

A week of 2,000 meters is an hour of a processor in which nothing would be seen. Whoever tells is a thread
that reads the simulated clock and the journal's file with a connection of its own: nothing in the simulation
waits for it, and the same seed plays the same week with it and without.
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, TextIO

EVERY_S: Final = 60.0
_DAY_S: Final = 86_400.0
_KEPT: Final = 1


class Look(NamedTuple):
    """What is seen of a run from outside.

    Args:
        simulated_s: that have passed in it.
        kept: slots of its ledger that are kept.

    """

    simulated_s: float
    kept: int


@dataclass
class Progress:
    """A line now and then of how far a run is.

    Args:
        ends_at_s: simulated seconds when it is over.
        due: slots that it will have.
        look: at the run.
        real_s: a clock that goes on.
        cpu_s: this process's time on a processor.

    """

    ends_at_s: float
    due: int
    look: Callable[[], Look]
    real_s: Callable[[], float] = time.monotonic
    cpu_s: Callable[[], float] = time.process_time

    def __post_init__(self) -> None:
        self._began_s = self._told_s = self.real_s()
        self._cpu_s = self.cpu_s()

    def line(self) -> str:
        """How far it is now; the processor's share is that of the time since the last line."""
        seen, now_s, cpu_s = self.look(), self.real_s(), self.cpu_s()
        share = (cpu_s - self._cpu_s) / max(now_s - self._told_s, 1e-3)
        self._told_s, self._cpu_s = now_s, cpu_s
        day, rest_s = divmod(seen.simulated_s, _DAY_S)
        minute = int(rest_s // 60)
        return (
            f"day {day + 1:.0f} {minute // 60:02d}:{minute % 60:02d} of {self.ends_at_s / _DAY_S:.1f} days,"
            f" {seen.kept} of {self.due} slots kept, {100 * share:.0f} % of a processor,"
            f" {(now_s - self._began_s) / 60:.0f} min so far, {self._left(seen, now_s)}"
        )

    def _left(self, seen: Look, now_s: float) -> str:
        """By the pace so far: hours differ, and the first days say less than the later ones."""
        if seen.simulated_s <= 0:
            return "time left unknown"
        if seen.simulated_s >= self.ends_at_s:
            return "being judged"
        left_s = (now_s - self._began_s) * (self.ends_at_s / seen.simulated_s - 1)
        return f"some {left_s / 60:.0f} min left"

    @contextmanager
    def told(
        self,
        out: TextIO = sys.stderr,
        is_over: Callable[[threading.Event], bool] = lambda over: over.wait(EVERY_S),
    ) -> Iterator[None]:
        """Tell it as long as the block lasts.

        Args:
            out: where to.
            is_over: waits until the next line is due; true when the block has ended before.

        """
        over = threading.Event()

        def tell() -> None:
            while not is_over(over):
                print(self.line(), file=out, flush=True)

        thread = threading.Thread(target=tell, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def kept_in(journal: Path) -> int:
    """Slots that a journal's ledger has as kept; 0 before there is one.

    Args:
        journal: the file; only read.

    """
    with contextlib.suppress(sqlite3.OperationalError):  # not made yet, or being made
        db = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
        with contextlib.closing(db):
            row = db.execute("SELECT count(*) FROM slot WHERE state = ?", (_KEPT,)).fetchone()
            return int(row[0])
    return 0
