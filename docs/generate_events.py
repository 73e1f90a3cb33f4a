"""The kinds of event with their words and where meters keep them, as a table for the page on events."""

from __future__ import annotations

from collections.abc import Mapping

from meterlink.drivers.dlt645.events import Counted645
from meterlink.drivers.dlt645.events import counted_kinds as counted_645
from meterlink.drivers.dlt698.event_rows import kind_of as kind_of_table
from meterlink.drivers.dlt698.events import counted_kinds as counted_698
from meterlink.drivers.event_words import told_by_terminals
from meterlink.drivers.gdw1376.told import kind_of as kind_of_erc
from meterlink.model.event_kinds import EVENT_KINDS, base_of
from meterwire.dlt645 import dictionary
from meterwire.dlt698.objects.requests import event_tables
from meterwire.gdw1376.functions.events import event_kinds as ercs


def kinds() -> str:
    """Every kind of event that meters record."""
    of_645, of_698 = _counters(counted_645(dictionary())), _objects()
    rows = [
        "| kind | 中文 | parts | DL/T 645-2007 | DL/T 698.45 | what it is |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, kind in EVENT_KINDS.items():
        known = (*counted_645(dictionary()), *counted_698())
        parts = sorted({_part(one) for one in known if base_of(one) == name})
        words = kind.en if kind.lasts else f"{kind.en} (an instant)"
        rows.append(
            f"| `{name}` | {kind.zh} | {' '.join(filter(None, parts))} | {of_645.get(name, '')} "
            f"| {of_698.get(name, '')} | {words} |"
        )
    return "\n".join(rows) + "\n"


def terminal_kinds() -> str:
    """Every kind of event that terminals tell."""
    by_erc, by_oi = _ercs(), _terminal_objects()
    rows = [
        "| kind | 中文 | ERC of 1376.1 | DL/T 698.45 | what it is |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows += [
        f"| `{name}` | {kind.zh} | {by_erc.get(name, '')} | {by_oi.get(name, '')} | {kind.en} |"
        for name, kind in told_by_terminals().items()
    ]
    return "\n".join(rows) + "\n"


def _ercs() -> dict[str, str]:
    return {kind_of_erc(erc): str(erc) for erc in ercs()}


def _terminal_objects() -> dict[str, str]:
    return {kind_of_table(table): f"`{table.oi:04X}`" for table in event_tables().values()}


def _counters(found: Mapping[str, Counted645]) -> dict[str, str]:
    """By kind without part, the identifiers of its counts."""
    told: dict[str, dict[str, None]] = {}
    for kind, place in found.items():
        told.setdefault(base_of(kind), {})[f"`{place.counter.di:08X}`"] = None
    return {base: " ".join(counters) for base, counters in told.items()}


def _objects() -> dict[str, str]:
    return {base_of(kind): f"`{place.table.oi:04X}`" for kind, place in counted_698().items()}


def _part(kind: str) -> str:
    return kind.removeprefix(base_of(kind))
