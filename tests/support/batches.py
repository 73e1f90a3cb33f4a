"""Many small things that one test looks at one after the other: a test of its own costs more than each look.

Thousands of rows of a dictionary and of published frames, each a test, took a minute of nothing but being
collected by every worker, started and told of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, cast

import pytest

BATCH: Final = 50
"""So many a test."""

_T = TypeVar("_T")


def in_batches(
    things: Sequence[_T], names: Sequence[str]
) -> Callable[[Callable[[_T], None]], Callable[..., None]]:
    """Let a test of one thing look at all of them, ``BATCH`` a test; a failure says at which.

    Args:
        things: what the test takes as its only argument.
        names: of each, for who reads a failure.

    """
    named = list(zip(names, things, strict=True))
    batches = [named[first : first + BATCH] for first in range(0, len(named), BATCH)]

    def decorated(test: Callable[[_T], None]) -> Callable[..., None]:
        @pytest.mark.parametrize("batch", batches, ids=[f"{batch[0][0]}..." for batch in batches])
        def look(batch: list[tuple[str, Any]]) -> None:
            for name, thing in batch:
                try:
                    test(thing)
                except BaseException as error:
                    error.add_note(f"this was {name}")
                    raise

        look.__name__, look.__qualname__, look.__doc__ = test.__name__, test.__qualname__, test.__doc__
        look.__module__ = test.__module__
        return cast("Callable[..., None]", look)

    return decorated
