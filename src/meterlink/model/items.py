"""Names of items: which belong to the block that somebody asks for."""

from __future__ import annotations

from collections.abc import Iterable


def is_part(item: str, wanted: str) -> bool:
    """Whether a value's ``item`` is what was ``wanted``, itself or as one of its block."""
    name = wanted.removesuffix(".*")
    return item == name or (name != wanted and item.startswith(f"{name}."))


def contain(items: Iterable[str], others: Iterable[str]) -> bool:
    """Whether whoever asks for some items asks for all of these others with them; blocks are items too."""
    asked = tuple(items)
    return all(other in asked or any(is_part(other, item) for item in asked) for other in others)
