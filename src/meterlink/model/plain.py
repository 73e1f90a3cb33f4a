"""What comes from outside, taken as it reads: JSON that says each thing once, text that hides nothing."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, Final

_HIDDEN: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
"""Categories of characters that steer a screen, turn writing round, or show nothing at all."""


def read_json(octets: bytes) -> Any:
    """A document of JSON in UTF-8.

    Raises:
        ValueError: other octets, no JSON, or a key that is there twice: two readers would take two values.
        RecursionError: it is too deep.

    """
    return json.loads(octets.decode("utf-8"), object_pairs_hook=_once)


def hidden_in(texts: Iterable[str]) -> str:
    """The first character of some texts that nobody can see, as ``U+XXXX``; empty: there is none."""
    found = (c for text in texts for c in text if unicodedata.category(c) in _HIDDEN)
    return next((f"U+{ord(c):04X}" for c in found), "")


def texts_in(value: object) -> Iterator[str]:
    """Every text of a document, keys among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from texts_in(key)
            yield from texts_in(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from texts_in(one)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:64]!r} is there twice: say each thing once")
        found[key] = value
    return found
