"""The dictionaries as people list them: one family of identifiers a line."""

from __future__ import annotations

from typing import Final

from rich.table import Table

from meterlink.errors import MeterlinkError
from meterlink.explain import dlt698_catalogue
from meterlink.explain.family import Family
from meterlink.explain.parts import Language
from meterwire import catalogue
from meterwire.dlt645 import dictionary
from meterwire.dlt645.families import Row
from meterwire.errors import LocalProtocolError

_FORMAT_WIDTH: Final = 60
"""Most characters of a format in a listing for people; JSON has it whole."""


class UnknownDialect(MeterlinkError):
    """An edition has no dialect of that name; the message lists those that it has."""


def families(protocol: str, search: str = "", dialect: str = "") -> list[Family]:
    """Families of a dictionary whose name, words or identifier hold ``search``.

    Args:
        protocol: an edition.
        search: any part, in any case; empty: all.
        dialect: of the edition; empty: its default one.

    Raises:
        UnknownDialect: the edition has no such dialect.

    """
    if protocol == dlt698_catalogue.PROTOCOL:
        if dialect:
            raise UnknownDialect(f"{protocol} has no dialects")
        return dlt698_catalogue.families(search)
    try:
        known = dictionary(protocol, dialect)
    except LocalProtocolError as error:
        raise UnknownDialect(str(error)) from None
    found = {id(row): row for row in known.search_rows(search)}
    return [_family(row) for row in found.values()]


def _family(row: Row) -> Family:
    entry = row.entry(row.first)
    quantity = catalogue.quantity(entry.item.partition("@")[0].partition(".")[0])
    return Family(
        di=row.pattern,
        item=entry.item,
        en=entry.en,
        zh=entry.zh,
        unit=entry.unit,
        octets=entry.octets,
        format=row.format,
        access=row.access,
        obis=quantity.obis,
        slots={
            slot.name: f"{slot.low:0{slot.digits}X}-{slot.high:0{slot.digits}X}"
            + (f",{slot.all:X}" if slot.block else "")
            for slot in row.slots
        },
    )


def table(families_: list[Family], language: Language) -> Table:
    """A listing as a table for a terminal."""
    titles = (
        ("DI", "item", "name", "unit", "format")
        if language == "en"
        else ("数据标识", "项目", "名称", "单位", "格式")
    )
    out = Table(*titles, box=None, header_style="bold", pad_edge=False)
    for family in families_:
        name = family.zh if language == "zh" else family.en
        out.add_row(family.di, family.item, name, family.unit, _short(family.format))
    return out


def _short(text: str) -> str:
    return text if len(text) <= _FORMAT_WIDTH else f"{text[: _FORMAT_WIDTH - 1]}…"
