"""The long check of the API is cut into slices that make up the whole, and goes on where it was stopped."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

from tests.support.check_api import PHASES, Played, Said, Slice, operation_ids, play, slices

_PHASES = PHASES.split(",")


def _all(examples: int = 450) -> list[Slice]:
    return list(slices(examples, of=200, operations=operation_ids(), phases=_PHASES))


def test_slices_make_up_the_whole() -> None:
    """So many examples would be told as asked, and fewer, or the same ones again, have been."""
    found = Counter[tuple[str, str]]()
    for one in _all():
        found[one.phase, one.operation] += one.examples
    fuzzed = {("fuzzing", operation): 450 for operation in operation_ids()}
    assert {("stateful", ""): 450, ("examples", ""): 450, ("coverage", ""): 450, **fuzzed} == found
    assert len(_all()) == len({tuple(one.arguments) for one in _all()}), "two slices ask the same"
    assert {"completeness", "consumption", "daily_freeze"} < set(operation_ids())


def test_a_run_that_was_stopped_goes_on(tmp_path: Path) -> None:
    """Hours would begin at the beginning with each break, and so never be whole."""
    asked: list[str] = []

    def ask(one: Slice) -> Said:
        asked.append(one.name)
        return Said(0, "Test cases:\n  120 generated, 118 passed, 2 skipped\n")

    for _ in range(3):
        before = len(asked)
        left = iter([False] * 5)
        assert play(_all(), Played(tmp_path, "a"), ask, until=partial(next, left, True)) is None
        assert before + 5 == len(asked)
    assert play(_all(), Played(tmp_path, "a"), ask, until=lambda: False) is None
    assert [one.name for one in _all()] == asked, "each once, in order"
    assert {118} == set(Played(tmp_path, "a").cases.values())
    assert {} == Played(tmp_path, "b").cases, "another program was not asked"


def test_what_went_wrong_is_asked_again(tmp_path: Path) -> None:
    """A slice that found something would pass for played the next time."""
    first, *_ = _all()
    assert first == play(_all(), Played(tmp_path, "a"), lambda _: Said(1, "FAILED"), until=lambda: False)
    assert {} == Played(tmp_path, "a").cases
