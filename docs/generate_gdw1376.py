"""What the page on Q/GDW 1376 takes from the code."""

from __future__ import annotations

from collections.abc import Iterable

from meterwire.gdw1376.formats.formats import formats
from meterwire.gdw1376.functions import module, terminal
from meterwire.gdw1376.functions.events import event_kinds
from meterwire.gdw1376.functions.function import Function


def data_formats() -> str:
    """Every data format."""
    lines = ["| format | octets | form |", "| --- | --- | --- |"]
    lines += [f"| {name} | {one.octets} | `{one.form}` |" for name, one in formats().items()]
    return "\n".join(lines) + "\n"


def terminal_functions() -> str:
    """Every function of 1376.1."""
    return _table(terminal.functions())


def module_functions() -> str:
    """Every function of 1376.2."""
    return _table(module.functions())


def events() -> str:
    """Every event of 1376.1."""
    lines = ["| ERC | words | 中文 |", "| --- | --- | --- |"]
    lines += [f"| {erc} | {kind.en} | {kind.zh} |" for erc, kind in event_kinds().items()]
    return "\n".join(lines) + "\n"


def denials() -> str:
    """Why a module denies."""
    lines = ["| code | words | 中文 | try again |", "| --- | --- | --- | --- |"]
    lines += [f"| {code} | {one.en} | {one.zh} | {one.retry} |" for code, one in module.denials().items()]
    return "\n".join(lines) + "\n"


def _table(functions: Iterable[Function]) -> str:
    lines = [
        "| AFN | Fn | way | words | 中文 | layout | items |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in functions:
        items = " ".join(f"`{rule.item}`" for rule in one.items)
        layout = "known" if one.layout else "raw"
        lines.append(f"| {one.afn:02X} | F{one.fn} | {one.way} | {one.en} | {one.zh} | {layout} | {items} |")
    return "\n".join(lines) + "\n"
