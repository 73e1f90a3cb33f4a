"""Where in a TOML file a key stands, so that an error can name the line.

``tomllib`` keeps no positions. This scan knows just enough of TOML to point: table headers, keys at the
start of a line. A key it does not find is pointed at by the nearest table around it.
"""

from __future__ import annotations

import re
from collections import Counter

Path = tuple[str | int, ...]

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"))*)\s*=""")


def line_of(text: str, place: Path) -> int | None:
    """The line (from 1) of the key at ``place``, e.g. ``("meters", 2, "address")``.

    Args:
        text: the TOML document.
        place: keys and, for arrays of tables, numbers from 0.

    Returns:
        the line, or the one of the nearest table or key around it, or ``None``.

    """
    places = _places(text)
    for length in range(len(place), 0, -1):
        if (line := places.get(place[:length])) is not None:
            return line
    return None


def _places(text: str) -> dict[Path, int]:
    places: dict[Path, int] = {}
    counts: Counter[Path] = Counter()
    table: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _keys(header[2])
            if header[1] == "[[":
                places.setdefault(table, number)
                counts[table] += 1
                table = (*table, counts[table] - 1)
            places.setdefault(table, number)
        elif key := _KEY.match(line):
            places.setdefault((*table, *_keys(key[1])), number)
    return places


def _keys(dotted: str) -> Path:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
