"""How far a long run is, told from outside of it."""

from __future__ import annotations

import io
import threading
from pathlib import Path

from tests.sim.reach.draft import DAY_S, Draft
from tests.sim.reach.playing import progress_of
from tests.sim.reach.progress import Look, Progress, kept_in
from tests.sim.reach.world import World


def test_a_line_says_how_far_it_is_and_how_long_it_will_take() -> None:
    """Nobody could tell an hour of work from a program that hangs."""
    looks = iter([Look(0.0, 0), Look(1.5 * DAY_S, 40_000), Look(6 * DAY_S, 90_000)])
    clocks = {"real": 1_000.0, "cpu": 10.0}
    progress = Progress(6 * DAY_S, 90_000, lambda: next(looks), lambda: clocks["real"], lambda: clocks["cpu"])
    begun = progress.line()
    clocks.update(real=1_600.0, cpu=310.0)
    later = progress.line()
    clocks.update(real=3_400.0, cpu=310.0)
    assert begun.startswith("day 1 00:00 of 6.0 days, 0 of 90000 slots kept") and "unknown" in begun
    assert (
        "day 2 12:00 of 6.0 days, 40000 of 90000 slots kept, 50 % of a processor, 10 min so far,"
        " some 30 min left" == later
    )
    assert progress.line().endswith("0 % of a processor, 40 min so far, being judged")


def test_it_is_told_from_beside_until_the_work_is_done() -> None:
    """A line would come too late, or a thread would be left behind and count for ever."""
    out, told, before = io.StringIO(), threading.Event(), threading.active_count()
    waits = iter([False, False])

    def is_over(over: threading.Event) -> bool:
        if next(waits, True):
            told.set()
            return over.wait()
        return False

    with Progress(DAY_S, 1, lambda: Look(3_600.0, 1)).told(out, is_over):
        assert told.wait(10), "the work is not waited for, and it is told all the same"
        assert before + 1 == threading.active_count()
    assert 2 == out.getvalue().count("day 1 01:00 of 1.0 days, 1 of 1 slots kept")
    assert before == threading.active_count()


def test_a_world_is_looked_at_before_it_has_a_journal(tmp_path: Path) -> None:
    """The first line of a week would end it."""
    draft = Draft(1, days=2, meters=40)
    progress = progress_of(draft, World(draft, tmp_path))
    assert Look(0.0, 0) == progress.look()
    assert 40 * (3 + 2 * 24 + 14) == progress.due


def test_what_is_no_journal_yet_has_nothing_kept(tmp_path: Path) -> None:
    """A line that falls into the moment in which the tables are made would end the run."""
    journal = tmp_path / "journal.sqlite"
    assert 0 == kept_in(journal)
    journal.touch()
    assert 0 == kept_in(journal)
