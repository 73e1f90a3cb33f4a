"""Items of one block of DL/T 645 (``voltage.*``, all status words) read with its identifier, in one exchange.

Where a plan names several items of a block one by one, the block brings them all. A meter may refuse a block
though it has the single items, and which blocks it has stands nowhere.
Source: spec dlt645, section 4, "Blocks".
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from meterwire.dlt645 import Dictionary, Entry
from meterwire.dlt645.items.dictionary import DICTIONARIES_KEPT
from meterwire.errors import RemoteProtocolError

_WORD: Final = "meter_status_word_"
_WORDS: Final = "meter_status_words"
_EACH: Final = ".*"
_PARTS_MAX: Final = 5
"""A total and four tariffs, or a total and three phases; further tariffs are asked for one by one."""


class Block(NamedTuple):
    """A block, and those of some items that it brings.

    Args:
        entry: its identifier.
        items: in the order asked for; two or more.

    """

    entry: Entry
    items: tuple[str, ...]


@functools.lru_cache(DICTIONARIES_KEPT * 64)
def names_of(known: Dictionary, item: str) -> tuple[str, ...]:
    """The items that an identifier brings; none where the dictionary has not the name, or nobody may read it.

    Of a block all that it may have: how many a meter sends stands in no identifier.

    Args:
        known: the identifiers of a profile.
        item: its name, ``voltage.*`` for a block.

    """
    entry = known.by_name(item)
    if entry is None or "r" not in entry.access or not entry.octets:
        return ()
    for count in range(_PARTS_MAX if item.endswith(_EACH) else 1, 0, -1):
        with suppress(RemoteProtocolError):  # phases are three, and have no fifth
            return tuple(value.item for value in entry.decode(bytes(count * entry.octets)))
    return ()


def block_of(known: Dictionary, items: Sequence[str], most: int) -> Block | None:
    """The block that brings the first of some items, and others of them; ``None``: there is none.

    Args:
        known: the identifiers of a profile.
        items: names, 1 or more.
        most: items of one request at most.

    """
    name = block_name(items[0])
    held = names_of(known, name)
    fit = [item for item in items if set(names_of(known, item)) <= set(held)][:most] if held else []
    if len(fit) < 2 or fit[0] != items[0]:
        return None
    entry = known.by_name(name)
    assert entry is not None, "it holds something"
    return Block(entry, tuple(fit))


def block_name(item: str) -> str:
    """How the block is called that may hold an item; a block itself is in no other.

    Args:
        item: its name.

    """
    if item.startswith(_WORD) and item[len(_WORD) :].isdecimal():
        return _WORDS
    return f"{item.partition('.')[0]}{_EACH}"
