"""The objects of DL/T 698.45 as people list them: one named attribute of a family a line, if it can be read.

Records of an event are asked for one by one, so the newest stands for them: ``power_down_record@last.1``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meterlink.explain.family import Family
from meterwire import catalogue
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.objects.dictionary import Entry, dictionary
from meterwire.dlt698.objects.notation import Table
from meterwire.dlt698.objects.object_rows import SLOTS, Object, Row

PROTOCOL: Final = "dlt698.45"


def families(search: str = "") -> list[Family]:
    """Named attributes whose name, words or identifier hold ``search``; empty: all."""
    wanted = search.casefold()
    return [
        family
        for family in _named()
        if any(wanted in word.casefold() for word in (family.di, family.item, family.en, family.zh))
    ]


def _named() -> Iterator[Family]:
    for one in dictionary().families:
        for row in one.rows:
            entry = None if row.is_method else dictionary().entry(Oad(one.oi, row.number, 0))
            if entry is not None and entry.context.quantity and entry.row.access != "w":
                yield _family(one, row, entry)


def _family(one: Object, row: Row, entry: Entry) -> Family:
    label = entry.context.label()
    return Family(
        di=f"{one.pattern}{row.number:02X}00",
        item=_asked(entry),
        en=f"{label.en} ({label.period})" if label.period else label.en,
        zh=f"{label.zh} ({label.period})" if label.period else label.zh,
        unit=label.unit,
        octets=None,
        format=row.written,
        access=row.access,
        obis=catalogue.quantity(entry.context.quantity).obis,
        slots=_slots(one.pattern),
    )


def _asked(entry: Entry) -> str:
    """The name to read it by."""
    if not isinstance(entry.type, Table):
        return entry.item
    return f"{entry.item}{'/' if '@' in entry.item else '@'}last.1"


def _slots(pattern: str) -> dict[str, str]:
    name = pattern.partition("{")[2].rstrip("}")
    return {name: f"{SLOTS[name].low:X}-{SLOTS[name].high:X}"} if name else {}
