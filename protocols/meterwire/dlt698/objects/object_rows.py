"""Rows of the object model: loads ``dictionary/*.csv``.

``classes.csv`` has the attributes and methods of each interface class. The other files, one a chapter
of the object model, have a line for each object (``class`` filled) and below it a line for each
attribute or method (``m`` before its number) that says more than its class. ``{slots}`` in an object
identifier stand for a family: phases, groups. ``by`` says who agrees on a row: the letters P, T, H, C
or the marks ``2+``, ``1``, ``?`` of the reference; empty is one firmware only.
Source: DL/T 698.45-2017, annexes A and B; spec sections 5 and 6; control-and-prepayment, section 4.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from meterwire import catalogue
from meterwire.dlt698.objects.notation import Leaf, Type, parse
from meterwire.errors import LocalProtocolError
from meterwire.primitives import tables

CHAPTERS: Final = {
    "energy": "6.1",
    "demand": "6.2",
    "variables": "6.3",
    "events": "6.5",
    "parameters": "6.6",
    "freezes": "6.7",
    "collection": "6.8",
    "control": "control 4",
    "security": "control 4.7",
}
"""Files of the dictionary, and the section of the reference that each holds."""


class Slot(NamedTuple):
    """A last digit of an identifier that may vary; ``writes`` is ``phase`` or the period's word."""

    low: int
    high: int
    writes: str


SLOTS: Final = {
    "total_and_phase": Slot(0, 3, "phase"),
    "group": Slot(1, 8, "group"),
    "pulse": Slot(1, 8, "pulse"),
    "cellular": Slot(0, 1, "module"),
    "ethernet": Slot(0, 7, "module"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One attribute or method.

    Args:
        number: of the attribute or method; 0 is the object or class itself.
        is_method: the number is a method's.
        item: catalogue item, a period behind; ``{event}`` is the object's own item.
        type: what it holds; ``None`` for number 0.
        written: the type as written.
        scaler: power of ten of its numbers.
        unit: their unit on the wire.
        access: ``r``, ``rw`` or ``w``.
        en: English words.
        zh: Chinese words.
        by: who agrees.
        sample: Data of one answer or parameter, on the wire.

    """

    number: int
    is_method: bool
    item: str
    type: Type | None
    written: str
    scaler: int | None
    unit: str
    access: str
    en: str
    zh: str
    by: str
    sample: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """One object.

    Args:
        oi: its identifier.
        pattern: the identifier of its family.
        interface_class: number of its class.
        item: catalogue item of the object, or the stem of an event's items.
        dimensions: what the family's slot adds to items.
        period: what it adds to the period.
        en: English words.
        zh: Chinese words.
        by: who agrees.
        chapter: key of ``CHAPTERS``.
        own: rows that say more than the class.

    """

    oi: int
    pattern: str
    interface_class: int
    item: str
    dimensions: tuple[str, ...]
    period: tuple[str, ...]
    en: str
    zh: str
    by: str
    chapter: str
    own: Mapping[tuple[bool, int], Row]

    def row(self, number: int, *, is_method: bool = False) -> Row | None:
        """What is known of an attribute or method, from the object or else its class."""
        key = is_method, number
        return self.own.get(key) or class_rows()[self.interface_class].get(key)

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every attribute, then every method."""
        found = {**class_rows()[self.interface_class], **self.own}
        return tuple(row for key, row in sorted(found.items()) if key != (False, 0))


def lines(file_name: str) -> Iterator[dict[str, str]]:
    """The lines of a file of the dictionary."""
    return tables.lines("meterwire.dlt698.objects", file_name)


_parsed = functools.cache(parse)


@functools.cache
def class_rows() -> Mapping[int, Mapping[tuple[bool, int], Row]]:
    """Attributes and methods of each interface class; attribute 1 is the logical name in all of them."""
    found: dict[int, dict[tuple[bool, int], Row]] = {}
    for line in lines("classes.csv"):
        row = _row(line)
        rows = found.setdefault(int(line["class"]), {})
        if not rows:
            rows[False, 1] = _LOGICAL_NAME
        rows[row.is_method, row.number] = row
    return found


_LOGICAL_NAME: Final = Row(
    number=1,
    is_method=False,
    item="",
    type=Leaf("octet-string"),
    written="octet-string",
    scaler=None,
    unit="",
    access="r",
    en="logical name",
    zh="逻辑名",
    by="P",
    sample=bytes.fromhex("09020010"),
)


def objects_of(chapter: str) -> Iterator[Object]:
    """The objects of a chapter.

    Raises:
        LocalProtocolError: a row is wrong.

    """
    for pattern, group in itertools.groupby(lines(f"{chapter}.csv"), key=lambda line: line["oi"]):
        head, *members = group
        rows = {(row.is_method, row.number): row for row in map(_row, members)}
        if len(rows) != len(members) or not head["class"]:
            raise LocalProtocolError(f"{chapter}.csv: {pattern} has no class, or a member twice")
        yield from _family(chapter, pattern, head, rows)


def _family(
    chapter: str, pattern: str, head: dict[str, str], rows: Mapping[tuple[bool, int], Row]
) -> Iterator[Object]:
    stem, _, name = pattern.rstrip("}").partition("{")
    slot = SLOTS[name] if name else None
    for digit in range(slot.low, slot.high + 1) if slot else [None]:
        is_phase = slot is not None and slot.writes == "phase"
        yield Object(
            oi=int(f"{stem}{digit if digit is not None else ''}", 16),
            pattern=pattern,
            interface_class=int(head["class"]),
            item=head["item"],
            dimensions=("abc"[digit - 1],) if is_phase and digit else (),
            period=(f"{slot.writes}.{digit}",) if slot and not is_phase else (),
            en=head["en"],
            zh=head["zh"],
            by=head["by"],
            chapter=chapter,
            own=rows,
        )


def _row(line: dict[str, str]) -> Row:
    member = line["member"] or "0"
    item = line["item"]
    known = item and "{" not in item
    en, zh = _words(item) if known and not line["en"] else (line["en"], line["zh"])
    return Row(
        number=int(member.removeprefix("m")),
        is_method=member[0] == "m",
        item=item,
        type=_parsed(line["type"].replace("{event}", "event")) if line["type"] else None,
        written=line["type"],
        scaler=int(line["scaler"]) if line["scaler"] else None,
        unit=line["unit"],
        access=line["access"],
        en=en,
        zh=zh,
        by=line["by"],
        sample=bytes.fromhex(line["sample"]),
    )


def _words(item: str) -> tuple[str, str]:
    quantity, *dimensions = item.partition("@")[0].split(".")
    return catalogue.words(quantity, tuple(dimensions))
