"""What the page on DL/T 645 takes from the code and the vectors."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import TypeVar

from meterwire.dlt645 import dictionary
from meterwire.dlt645.items.dialects import dialects, switches
from meterwire.dlt645.link.functions import EDITIONS, Edition
from meterwire.dlt645.sessions import command as commanding
from meterwire.dlt645.sessions import read as session

StateT = TypeVar("StateT", bound=Enum)
SignalT = TypeVar("SignalT", bound=Enum)

_HERE = Path(__file__).parent


def dictionaries() -> str:
    """How many families each chapter has, and every family."""
    parts: list[str] = []
    for edition in EDITIONS:
        rows = dictionary(edition).rows
        parts.append(f"### {edition}: {len(rows)} families\n\n")
        parts.append("Clauses are chapters of the reference; EXT marks a supplement.\n\n")
        parts.append("| clause | families | formats |\n| --- | --- | --- |\n")
        parts += _clauses(edition)
        parts.append("\n| identifier | item | 中文 | unit | format | access |\n")
        parts.append("| --- | --- | --- | --- | --- | --- |\n")
        parts += [*_families(edition), "\n"]
    return "".join(parts).rstrip("\n") + "\n"


def dialect_table() -> str:
    """Every dialect, and how many lines it adds."""
    parts = ["| edition | dialect | 方言 | what it is | families |\n| --- | --- | --- | --- | --- |\n"]
    for one in dialects():
        rows = len(dictionary(one.edition, one.name).rows)
        name = f"`{one.name}`{' (default)' if one.default else ''}"
        parts.append(f"| {one.edition[-4:]} | {name} | {one.zh} | {one.en} | {rows} |\n")
    return "".join(parts)


def disputed() -> str:
    """Every fact in which sources differ: a switch with its default, or how the answer decides it.

    Raises:
        KeyError: a switch that there is not.

    """
    found = switches("dlt645-2007")
    parts = ["| fact | versions | how it is decided | default, and why |\n| --- | --- | --- | --- |\n"]
    for line in disputed_facts():
        decided, default = line["decided"], ""
        if named := re.search(r"switch (\w+)", decided):
            switch = found[named[1]]
            values = ", ".join(f"`{value.name}`" for value in switch.values)
            default = f"`{switch.default}`: {switch.values[0].why}"
            decided = decided.replace(named[0], f"switch `{named[1]}` ({values})")
        parts.append(f"| {line['fact']} | {line['versions']} | {decided} | {default} |\n")
    return "".join(parts)


def disputed_facts() -> list[dict[str, str]]:
    """The facts, as the table beside the page writes them."""
    with (_HERE / "protocols" / "dlt645-disputed.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_session() -> str:
    """The state machine of a read, as a diagram."""
    return _diagram(session.TRANSITIONS)


def command_session() -> str:
    """The state machine of a command, as a diagram."""
    return _diagram(commanding.TRANSITIONS)


def _diagram(transitions: Mapping[StateT, Mapping[SignalT, StateT]]) -> str:
    lines = ["```mermaid", "stateDiagram-v2", "  [*] --> sending"]
    for state, signals in transitions.items():
        lines += [f"  {state.value} --> {after.value}: {signal.value}" for signal, after in signals.items()]
        if not signals:
            lines.append(f"  {state.value} --> [*]")
    return "\n".join([*lines, "```"]) + "\n"


def _clauses(edition: Edition) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for row in dictionary(edition).rows:
        groups.setdefault(row.clause, []).append(
            row.format.partition(":")[0] if ":" in row.format else row.format
        )
    for clause, formats in sorted(groups.items()):
        yield f"| {clause} | {len(formats)} | {', '.join(f'`{one}`'.replace('|', '+') for one in sorted(set(formats)))} |\n"


def _families(edition: Edition) -> Iterator[str]:
    for row in dictionary(edition).rows:
        entry = row.entry(row.first)
        if "/items/" in entry.item:
            continue  # the fields of a record, read one by one: the record's own line stands for them
        written = row.format.replace("|", "+")
        yield f"| `{row.pattern}` | `{entry.item}` | {entry.label.zh} | {entry.unit} | `{written}` | {entry.access} |\n"
