"""An item that nobody knows -> names near it, for the message."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_NAMES_MAX = 3


def near(item: str, known: Iterable[str]) -> tuple[str, str]:
    """What to add to a message that there is no such item, and to the Chinese one; empty: no name is like it.

    Args:
        item: as it was written.
        known: names that there are; comparing with several ten thousand takes seconds.

    """
    names = difflib.get_close_matches(item, known, n=_NAMES_MAX)
    return (f"; near it: {', '.join(names)}", f";相近的有:{'、'.join(names)}") if names else ("", "")
