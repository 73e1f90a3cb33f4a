"""Overlays: how a table of identifiers differs from the one below it, line by line.

A line of an overlay whose identifier the table has not is a new one and must be whole. One whose identifier
it has states what is different there and leaves every other cell empty:

- ``0507*`` in ``di`` stands for every line whose identifier begins so;
- ``becomes`` is the identifier under which this meter has it;
- ``@monthly_freeze`` in ``name`` is another period for the same quantities;
- ``-`` in ``format``: this meter has no such identifier.

A cell that repeats what stands below is refused, so that an overlay shows differences and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from meterwire.dlt645.items.tables import Line
from meterwire.errors import LocalProtocolError

COLUMNS: Final = ("di", "name", "format", "access", "sample", "clause")
"""Of a table of identifiers."""
ABSENT: Final = "-"

_NUMBER = re.compile(r"\d+\.\d+").match


def overlaid(table: Sequence[Line], overlay: Iterable[Line], source: str) -> list[Line]:
    """A table with an overlay on it.

    Args:
        table: lines with all of ``COLUMNS``.
        overlay: lines with some of them, and ``becomes``.
        source: how errors call the overlay.

    Raises:
        LocalProtocolError: a line that repeats what is below, changes nothing, meets a line that another one
            changes, is new and not whole, or gives an identifier that another line has.

    """
    changed: dict[str, Line | None] = {}
    added: list[Line] = []
    by_di: dict[str, list[Line]] = {}
    for line in table:
        by_di.setdefault(line["di"], []).append(line)
    for change in overlay:
        matching = _meant(change["di"], by_di)
        if not matching:
            added.append(_new(change, source))
        for line in matching:
            if line["di"] in changed:
                raise LocalProtocolError(f"{source}: two lines change {line['di']}")
            changed[line["di"]] = _different(line, change, source)
    found = [changed.get(line["di"], line) for line in table]
    result = [line for line in found if line is not None] + added
    _check_unique(result, source)
    return result


def signed(table: Sequence[Line], quantities: frozenset[str]) -> list[Line]:
    """A table in which the top bit of some quantities is a sign, where it is none below.

    The fields of records are not in the table: see ``layouts``.

    Args:
        table: lines with all of ``COLUMNS``.
        quantities: names without dimensions.

    """
    return [line | {"format": signed_format(line["name"], line["format"], quantities)} for line in table]


def signed_format(names: str, text: str, quantities: frozenset[str]) -> str:
    """The formats ``text`` with the sign of those ``quantities`` that ``names`` has.

    Args:
        names: names of the fields, ``|`` between them.
        text: their formats in the same order; ``/`` between alternatives.
        quantities: names without dimensions.

    """
    has_sign = [_quantity(name) in quantities for name in names.split("|")]
    if not any(has_sign) or ":" in text:
        return text
    return "/".join(
        "|".join(
            f"s{one}" if sign and _NUMBER(one) else one
            for one, sign in zip(alternative.split("|"), has_sign, strict=True)
        )
        for alternative in text.split("/")
    )


def _meant(wanted: str, by_di: Mapping[str, list[Line]]) -> list[Line]:
    """The lines of an identifier, or of all that begin with what stands before ``*``."""
    if not wanted.endswith("*"):
        return by_di.get(wanted, [])
    return [line for di, lines in by_di.items() if di.startswith(wanted[:-1]) for line in lines]


def _new(change: Line, source: str) -> Line:
    missing = [column for column in COLUMNS if not change.get(column)]
    if missing or change["di"].endswith("*"):
        lacks = f"; a new line needs {', '.join(missing)}" if missing else ""
        raise LocalProtocolError(f"{source}: the table below has no {change['di']}{lacks}")
    return {column: change[column] for column in COLUMNS}


def _different(line: Line, change: Line, source: str) -> Line | None:
    """``line`` as the overlay has it; ``None`` when it is not there."""
    stated = {column: change[column] for column in COLUMNS[1:] if change.get(column)}
    if becomes := change.get("becomes"):
        stated["di"] = becomes
    repeated = [column for column, cell in stated.items() if cell == line[column]]
    if repeated or not stated:
        what = f"{', '.join(repeated)} of " if repeated else ""
        raise LocalProtocolError(f"{source}: repeats {what}{line['di']}; state what is different only")
    if stated.get("format") == ABSENT:
        return None
    if stated.get("name", "").startswith("@"):
        stated["name"] = re.sub(r"@[^|]*", stated["name"], line["name"])
    return line | stated


def _check_unique(table: Sequence[Line], source: str) -> None:
    seen: set[str] = set()
    for line in table:
        if line["di"] in seen:
            raise LocalProtocolError(f"{source}: two lines have the identifier {line['di']}")
        seen.add(line["di"])


def _quantity(name: str) -> str:
    """The name of a field without ``*`` before it, and without dimensions and period behind it."""
    return re.split(r"[.@\[]", name.removeprefix("*"), maxsplit=1)[0]
