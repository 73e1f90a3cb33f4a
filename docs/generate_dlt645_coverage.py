"""What of DL/T 645 there is and which vector shows it: function codes, classes of identifiers, formats."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from meterwire.dlt645 import dictionary
from meterwire.dlt645.items.families import Row
from meterwire.dlt645.items.formats import parse
from meterwire.dlt645.items.tables import lines
from meterwire.dlt645.link.functions import DI_OCTETS, EDITIONS, Edition, function_name
from meterwire.dlt645.messages.command_codec import COMMANDS
from meterwire.dlt645.messages.time_and_terminals import InfraredReply, InfraredRequest

_VECTORS: Final = Path(__file__).parent.parent / "tests" / "vectors"
_FILES: Final = ("dlt645.jsonl", "control.jsonl", "own-dlt645.jsonl")
_READS: Final = {
    "dlt645-2007": {0x11: "Read", 0x12: "ReadFollowing"},
    "dlt645-1997": {0x01: "Read", 0x02: "ReadFollowing", 0x03: "ReadAgain"},
}
_KINDS: Final = {0x00: "request", 0x80: "answer", 0xA0: "more follows", 0xC0: "refusal"}
"""Control octet without its function -> column of the table."""
_CLASSES: Final = {
    "dlt645-2007": {
        "00": ("energy", "电能量"),
        "01": ("maximum demand", "最大需量"),
        "02": ("variables", "变量"),
        "03": ("events", "事件记录"),
        "04": ("parameters", "参变量"),
        "05": ("freezes", "冻结量"),
        "06": ("load records", "负荷记录"),
        "07": ("security", "安全认证"),
        **{f"{code:02X}": ("events, item by item", "事件分项") for code in range(0x10, 0x22)},
    },
    "dlt645-1997": {
        "9": ("energy", "电能量"),
        "A": ("maximum demand", "最大需量"),
        "B": ("variables", "变量"),
        "C": ("parameters", "参变量"),
    },
}

_OPEN: Final = "open"
"""Octets of unknown layout have no format."""

Rows = Iterator[tuple[str, ...]]
"""Cells of a table, the vectors last."""


def functions() -> str:
    """Every function code, its messages, and vectors that show it in each direction."""
    heading = ("edition", "code", "function", "功能", "messages", *_KINDS.values())
    return _table(heading, function_rows())


def classes() -> str:
    """Every class of identifiers, and a vector."""
    return _table(("edition", "class", "what", "类别", "families", "formats", "vector"), class_rows())


def formats() -> str:
    """Every data format, and a vector."""
    return _table(("edition", "format", "octets", "families", "vector"), format_rows())


def function_rows() -> Rows:
    """Edition, code, names, messages, and a vector of each kind."""
    shown = _of_controls()
    for edition in EDITIONS:
        codes = {code for kind in COMMANDS for of, code in kind.LAYOUTS if of == edition}
        for code in sorted(codes | set(_READS[edition])):
            name = function_name(code, edition)
            vectors = (shown.get((edition, bits | code), "") for bits in _KINDS)
            yield edition[-4:], f"{code:02X}H", name.en, name.zh, _messages(edition, code), *vectors


def class_rows() -> Rows:
    """Edition, class, names, how many families with which formats, and a vector."""
    shown = _of_classes()
    for edition in EDITIONS:
        groups: dict[str, list[Row]] = {}
        for row in dictionary(edition).rows:
            groups.setdefault(_class(row.pattern, edition), []).append(row)
        for code, rows in sorted(groups.items()):
            en, zh = _CLASSES[edition][code]
            used = {text for row in rows for text in _formats(row)}
            cells = (
                edition[-4:],
                code,
                en,
                zh,
                str(len(rows)),
                ", ".join(f"`{one}`" for one in sorted(used)),
            )
            yield *cells, shown.get((edition, code), "")


def format_rows() -> Rows:
    """Edition, format, its octets, how many families have it, and a vector."""
    shown = _of_formats()
    for edition in EDITIONS:
        families: dict[str, int] = {}
        for row in dictionary(edition).rows:
            for text in set(_formats(row)):
                families[text] = families.get(text, 0) + 1
        for text, count in sorted(families.items()):
            vector = shown.get((edition, text), "")
            yield edition[-4:], f"`{text}`", _octets(text), str(count), vector


def _table(heading: tuple[str, ...], rows: Rows) -> str:
    written = [heading, ("---",) * len(heading), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in written)


def _messages(edition: Edition, code: int) -> str:
    if read := _READS[edition].get(code):
        return f"{read}Request, {read}Reply"
    kinds = [kind for kind in COMMANDS if (edition, code) in kind.LAYOUTS]
    names = ", ".join(kind.__name__ for kind in kinds)
    return f"{names} (read, never built)" if {*kinds} & {InfraredRequest, InfraredReply} else names


def _class(digits: str, edition: Edition) -> str:
    return digits[: DI_OCTETS[edition] // 2]


def _octets(text: str) -> str:
    return str(parse(text).octets)


def _formats(row: Row) -> Iterator[str]:
    """The formats of all layouts of a row, without the names of bit words."""
    for layout in row.format.split("/"):
        yield from _written(layout)


def _written(layout: str) -> Iterator[str]:
    kind, _, name = layout.partition(":")
    if name or kind == _OPEN:
        yield from _records().get(name, ())  # a security frame has its own layouts
    else:
        yield from (text.partition("#")[0] for text in kind.partition("[")[0].split("|"))


@functools.cache
def _records() -> Mapping[str, list[str]]:
    """The formats of each record, those of the groups that it takes in too."""
    found: dict[str, list[str]] = {}
    written = list(lines("records.csv"))
    names = {line["record"]: [one for one in written if one["record"] == line["record"]] for line in written}

    def of(record: str) -> list[str]:
        texts: list[str] = []
        for line in names[record]:
            group = line["name"].lstrip("*")
            if group[0] == "+":
                texts += of(group[1:].partition("@")[0].partition(".")[0])
            else:
                texts += [text.partition("#")[0] for text in line["format"].split("|")]
        return texts

    for record in names:
        found[record] = of(record)
    return found


@functools.cache
def _vectors() -> tuple[dict[str, Any], ...]:
    """The vectors of good frames, those that somebody else printed or recorded first."""
    texts = [line for file in _FILES for line in (_VECTORS / file).read_text(encoding="utf-8").splitlines()]
    found = [json.loads(text) for text in texts]
    good = [one for one in found if one["protocol"] in EDITIONS and "control" in one.get("expect", {})]
    return tuple(sorted(good, key=lambda one: not _is_published(one)))


def _is_published(vector: Mapping[str, Any]) -> bool:
    return vector.get("kind") == "published" or str(vector["source"]).startswith("real example")


def _of_controls() -> dict[tuple[str, int], str]:
    found: dict[tuple[str, int], str] = {}
    for vector in _vectors():
        found.setdefault((vector["protocol"], int(vector["expect"]["control"], 16)), vector["id"])
    return found


def _of_classes() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for vector in _vectors():
        if di := vector["expect"].get("di"):
            found.setdefault((vector["protocol"], _class(di, vector["protocol"])), vector["id"])
    return found


def _of_formats() -> dict[tuple[str, str], str]:
    """By the layout that fits the data of an answer."""
    found: dict[tuple[str, str], str] = {}
    for vector in _vectors():
        edition, expect = vector["protocol"], vector["expect"]
        raw = bytes.fromhex(expect.get("raw", ""))
        if not raw or "di" not in expect or int(expect["control"], 16) not in {0x91, 0x81}:
            continue
        for text in _shown(edition, expect["di"], raw):
            found.setdefault((edition, text), vector["id"])
    return found


def _shown(edition: Edition, di: str, raw: bytes) -> Iterator[str]:
    for row in dictionary(edition).rows:
        if (values := row.match(di)) is None:
            continue
        shapes = row.entry(values).shapes
        fitting = (
            text
            for text, shape in zip(row.format.split("/"), shapes, strict=True)
            if shape.decode(raw) is not None
        )
        yield from _written(next(fitting, "")) if shapes else ()
