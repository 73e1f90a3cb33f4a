"""Which items a rule means: catalogue names, identifiers, or patterns of them.

``forward_active_energy.t1``, ``voltage.*``, ``*@daily_freeze/*``; an identifier of DL/T 645 (``00010000``,
1997: ``9010``), an OAD or OMD of DL/T 698.45 (``00100201``, ``0010*``), or a function of DL/T 645
(``1CH``: whatever is sent with it). A ``*`` stands for anything, also for ``@`` and what follows it: who
means registers and not their freezes writes no ``*``, or identifiers.
"""

from __future__ import annotations

import difflib
import fnmatch
import functools
import re
from collections.abc import Callable, Iterable
from typing import Final

from meterwire.catalogue import quantities

PATTERN_MAX: Final = 128
"""Longest pattern of an item, in characters."""
_IDENTIFIER: Final = re.compile(r"[0-9A-F]{4}|[0-9A-F]{8}|[01][0-9A-F]H").fullmatch
_BEGIN_OF_IDENTIFIER: Final = re.compile(r"[0-9A-F]{0,8}H?").fullmatch
_WILD: Final = re.compile(r"[*?\[]")
_SUFFIX: Final = re.compile(r"[.@]")
_SHAPE: Final = re.compile(r"[0-9A-Za-z_.@/*?\[\]!-]+").fullmatch


def check_item(pattern: str) -> None:
    """Refuse a pattern that can mean nothing.

    Args:
        pattern: as a rule has it.

    Raises:
        ValueError: no item is called so; the message has names that are near.

    """
    if len(pattern) > PATTERN_MAX or not _SHAPE(pattern):
        raise ValueError(
            f"item {pattern[:PATTERN_MAX]!r}: write a catalogue name, an identifier, or a pattern of one"
        )
    if _IDENTIFIER(pattern):
        return
    literal = _WILD.split(pattern, maxsplit=1)[0]
    quantity = _SUFFIX.split(literal, maxsplit=1)[0]
    if literal == pattern or quantity != literal:
        known = quantity in quantities()
    else:
        known = bool(_BEGIN_OF_IDENTIFIER(literal)) or any(name.startswith(literal) for name in quantities())
    if not known:
        raise ValueError(
            f"item {pattern!r}: the catalogue has no {quantity!r}{near(quantity, quantities())} "
            "(`meterlink items` lists all)"
        )


def near(word: str, words: Iterable[str]) -> str:
    """``, do you mean ...?`` with the nearest of some words, or nothing."""
    found = difflib.get_close_matches(word, list(words), n=3)
    return f", do you mean {' or '.join(found)}?" if found else ""


def means(pattern: str, names: tuple[str, ...]) -> bool:
    """Whether one of the names is meant.

    Args:
        pattern: of a rule.
        names: what a request asks for; ``x.*`` is the block of all ``x``.

    """
    if pattern == "*":
        return True
    fits = _compiled(pattern)
    return any(fits(name) or (name.endswith(".*") and pattern.startswith(name[:-1])) for name in names)


@functools.lru_cache(maxsize=1_024)
def _compiled(pattern: str) -> Callable[[str], object]:
    return re.compile(fnmatch.translate(pattern)).match
