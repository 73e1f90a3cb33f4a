"""Patterns of models' names: whether one name could fit two of them."""

from __future__ import annotations

import functools
import re

_TOKEN = re.compile(r"\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)
_WILD = re.compile(r"[*?\[]")


def overlap(one: str, other: str) -> bool:
    """Whether some name fits both.

    Args:
        one: letters, ``*`` for any number of any, ``?`` and ``[...]`` for one; a set counts as any letter.
        other: the same.

    """
    first, second = _WILD.split(one, maxsplit=1)[0], _WILD.split(other, maxsplit=1)[0]
    shorter = min(len(first), len(second))
    if first[:shorter] != second[:shorter]:
        return False  # nearly all pairs end here
    mine, theirs = _tokens(one), _tokens(other)
    # What of the other pattern may still be to come, after each token of this one.
    reached = _skip(theirs, {0})
    for token in mine:
        reached = _skip(theirs, _after(token, theirs, reached))
    return len(theirs) in reached


def _after(token: str, theirs: tuple[str, ...], reached: set[int]) -> set[int]:
    """The places in ``theirs`` that may be reached when ``token`` has been used up."""
    if token == "*":  # noqa: S105 - a wildcard
        return set(range(min(reached), len(theirs) + 1)) if reached else set()
    found = set()
    for place in reached:
        if place == len(theirs):
            continue
        if theirs[place] == "*":
            found.add(place)
        elif "?" in (token, theirs[place]) or token == theirs[place]:
            found.add(place + 1)
    return found


def _skip(theirs: tuple[str, ...], reached: set[int]) -> set[int]:
    """And those behind a ``*`` that stands for nothing."""
    found = set(reached)
    for place in range(len(theirs)):
        if place in found and theirs[place] == "*":
            found.add(place + 1)
    return found


@functools.lru_cache(maxsize=2_048)
def _tokens(pattern: str) -> tuple[str, ...]:
    return tuple("?" if token[0] == "[" and len(token) > 1 else token for token in _TOKEN.findall(pattern))
