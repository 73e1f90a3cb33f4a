"""The dictionaries as people list them: one family of identifiers a line."""

from __future__ import annotations

from typing import Final

from rich.table import Table

from meterlink.errors import MeterlinkError
from meterlink.explain import dlt698_catalogue
from meterlink.explain.family import Family, Member
from meterlink.explain.parts import Language
from meterwire import catalogue
from meterwire.dlt645 import dictionary
from meterwire.dlt645.items.families import Row
from meterwire.errors import LocalProtocolError

_FORMAT_WIDTH: Final = 60
"""Most characters of a format in a listing for people; JSON has it whole."""


_HEXADECIMAL: Final = frozenset("0123456789ABCDEF")
_TITLES: Final[dict[Language, tuple[str, ...]]] = {
    "en": ("DI", "item", "name", "unit", "format"),
    "zh": ("数据标识", "项目", "名称", "单位", "格式"),
}
_MEMBER_TITLES: Final[dict[Language, tuple[str, ...]]] = {
    "en": ("asked", "which is"),
    "zh": ("所查标识", "即"),
}


class UnknownDialect(MeterlinkError):
    """An edition has no dialect of that name; the message lists those that it has."""


def families(protocol: str, search: str = "", dialect: str = "") -> list[Family]:
    """Families of a dictionary whose name, words or identifier hold ``search``, or of which it is a member.

    Args:
        protocol: an edition.
        search: any part, in any case, or one identifier, with or without blanks; empty: all.
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
    digits = "".join(search.split()).upper()
    members = {id(row): values for row in known.rows if (values := _member(row, digits)) is not None}
    found = {id(row): row for row in known.rows if id(row) in members}
    found |= {id(row): row for row in known.search_rows(search)}
    return [_family(row, members.get(key)) for key, row in found.items()]


def _member(row: Row, digits: str) -> tuple[int, ...] | None:
    """The slots' values when ``digits`` are one identifier of the family."""
    return row.match(digits) if len(digits) == row.width and set(digits) <= _HEXADECIMAL else None


def _family(row: Row, values: tuple[int, ...] | None) -> Family:
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
        member=None if values is None else _made_member(row, values),
    )


def _made_member(row: Row, values: tuple[int, ...]) -> Member:
    entry = row.entry(values)
    return Member(di=row.digits(values), item=entry.item, en=entry.en, zh=entry.zh)


def table(families_: list[Family], language: Language, *, whole: bool = False) -> Table:
    """A listing as a table.

    Args:
        families_: what to list.
        language: of names and titles.
        whole: formats are not shortened, as they are for a terminal.

    """
    titles = _TITLES[language]
    asked = any(family.member is not None for family in families_)
    out = Table(
        *titles, *_MEMBER_TITLES[language][: 2 * asked], box=None, header_style="bold", pad_edge=False
    )
    for family in families_:
        name = family.zh if language == "zh" else family.en
        written = family.format if whole else _short(family.format)
        out.add_row(family.di, family.item, name, family.unit, written, *_member_cells(family, language))
    return out


def _member_cells(family: Family, language: Language) -> tuple[str, ...]:
    """Which identifier of the family was looked for, and what it is."""
    if family.member is None:
        return ()
    return family.member.di, family.member.zh if language == "zh" else family.member.en


def _short(text: str) -> str:
    return text if len(text) <= _FORMAT_WIDTH else f"{text[: _FORMAT_WIDTH - 1]}…"
