"""Data identifiers: the tables of ``dictionary/`` as a ``Dictionary`` that knows each identifier's values.

A row is a family: ``0001{tariff}{settlement}`` stands for every tariff and settlement of one
quantity; ``slots.csv`` says which octets a slot may hold and how an item's name writes them. FFH in
a slot is a block: the values of all of the slot's octets in rising order. Entries are made when they
are asked for.
Source: DL/T 645-2007, annex A; spec sections 4 to 8.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Sequence

from meterwire.dlt645.items.dialects import Choices, choices, dialect, table
from meterwire.dlt645.items.families import Layout, Row, Slot, Special
from meterwire.dlt645.items.layouts import Quantities, parse, record_fields, slots
from meterwire.dlt645.items.overlays import signed as with_signs
from meterwire.dlt645.items.tables import Line
from meterwire.dlt645.items.values import Entry
from meterwire.dlt645.link.functions import DI_OCTETS, Edition
from meterwire.errors import LocalProtocolError

_ENTRIES_KEPT = 4096
_PARTS_KEPT = 4096
_PARTS = re.compile(r"{\w+}|[0-9A-F]+").findall
DICTIONARIES_KEPT = 64
"""Dictionaries in memory; a plant has a handful of models, each about 1,200 families."""


class Dictionary:
    """All identifiers of one edition of the protocol."""

    def __init__(self, rows: Sequence[Row]) -> None:
        """Take the rows.

        Raises:
            LocalProtocolError: two rows claim one identifier.

        """
        self.rows = tuple(rows)
        self._by_head: dict[str, list[Row]] = {}
        for row in rows:
            self._by_head.setdefault(row.pattern[:2], []).append(row)
        for family in self._by_head.values():
            for one, other in itertools.combinations(family, 2):
                if one.overlaps(other):
                    raise LocalProtocolError(f"rows {one.pattern} and {other.pattern} overlap")
        self._by_quantity: dict[str, list[Row]] = {}
        for row in rows:
            self._by_quantity.setdefault(_quantity_of(row.name), []).append(row)
        self.by_di = functools.lru_cache(_ENTRIES_KEPT)(self._by_di)
        self.by_name = functools.lru_cache(_ENTRIES_KEPT)(self._by_name)

    def _by_di(self, di: int) -> Entry | None:
        """The entry of an identifier, or ``None``."""
        if not self.rows:
            return None
        digits = f"{di:0{self.rows[0].width}X}"
        for row in self._by_head.get(digits[:2], ()):
            if (values := row.match(digits)) is not None:
                return row.entry(values)
        return None

    def _by_name(self, item: str) -> Entry | None:
        """The entry that is asked for by ``item``, or ``None``; ``.*`` gives the block."""
        name, _, period = item.partition("@")
        wanted = {"", *name.split(".")[1:], *(f"@{part}" for part in period.split("/"))}
        for row in self._by_quantity.get(_quantity_of(item), ()):
            choices = [
                [value for value in values if slot.written(value) in wanted]
                for slot, values in zip(row.slots, row.choices, strict=True)
            ]
            for values in itertools.product(*choices):
                if row.match(row.digits(values)) is not None and (entry := row.entry(values)).item == item:
                    return entry
        return None

    def entries(self) -> Iterator[Entry]:
        """Every entry, one block slot at a time; several ten thousand."""
        for row, values in self._members():
            yield row.entry(values)

    def identifiers(self) -> Iterator[int]:
        """The identifiers of ``entries``, in a tenth of the time."""
        for row, values in self._members():
            yield int(row.digits(values), 16)

    def _members(self) -> Iterator[tuple[Row, tuple[int, ...]]]:
        for row in self.rows:
            for values in itertools.product(*row.choices):
                if row.match(row.digits(values)) is not None:
                    yield row, values

    def search_rows(self, text: str) -> list[Row]:
        """The families whose identifier, name or words (English or 中文) hold ``text``."""
        wanted = text.casefold()
        found = []
        for row in self.rows:
            entry = row.entry(row.first)
            if any(
                wanted in word.casefold()
                for word in (entry.label.item, entry.label.en, entry.label.zh, row.pattern)
            ):
                found.append(row)
        return found

    def search(self, text: str) -> list[Entry]:
        """The first entry of each family that ``search_rows`` finds."""
        return [row.entry(row.first) for row in self.search_rows(text)]


@functools.lru_cache(DICTIONARIES_KEPT)
def dictionary(
    protocol: str = "dlt645-2007",
    dialect_name: str = "",
    layout: Choices = (),
    signed: frozenset[str] = frozenset(),
) -> Dictionary:
    """The dictionary of one edition, as some model of meter has it.

    Args:
        protocol: ``dlt645-2007`` or ``dlt645-1997``.
        dialect_name: one of ``dialects.dialects``; empty: the default one.
        layout: switches that are turned, from ``dialects.choices``.
        signed: quantities whose top bit is a sign, where the dialect has none.

    Raises:
        LocalProtocolError: no such edition, dialect or switch, or a row is wrong.

    """
    spoken = dialect(protocol, dialect_name)
    return _dictionary(spoken.edition, spoken.name, choices(protocol, dict(layout)), signed)


@functools.lru_cache(DICTIONARIES_KEPT)
def _dictionary(edition: Edition, dialect_name: str, layout: Choices, signed: frozenset[str]) -> Dictionary:
    """The same for every way to write the same thing."""
    lines = with_signs(table(edition, dialect_name, layout), signed)
    return from_table(lines, 2 * DI_OCTETS[edition], signed)


def from_table(found: Sequence[Line], width: int, signed: Quantities = frozenset()) -> Dictionary:
    """The dictionary that a table of identifiers makes.

    Args:
        found: its lines.
        width: hexadecimal digits of an identifier.
        signed: quantities whose top bit is a sign wherever a record holds them.

    Raises:
        LocalProtocolError: a line is wrong, or two claim one identifier.

    """
    return Dictionary([row for line in found for row in _rows(line, width, signed)])


def _rows(line: Line, width: int, signed: Quantities) -> Iterator[Row]:
    """The row of a line; one for each field of the record where the pattern has ``{item}``."""
    if "{item}" not in line["di"]:
        yield _row(line, width, parse(line["name"], line["format"], signed))
        return
    record = line["format"].partition("/")[0].removeprefix("record:")
    sample = line["sample"]
    whole = parse(line["name"], line["format"], signed)
    yield _row(line | {"di": line["di"].replace("{item}", "FF")}, width, whole)
    at = 0
    for number, field in enumerate(record_fields(record, signed), start=1):
        size = 2 * field.format.octets
        own = {
            "di": line["di"].replace("{item}", f"{number:02X}"),
            "name": f"{field.name}{'/' if '@' in field.name else '@'}{line['name'].replace('@', '/')}",
            "sample": sample[at : at + size],
        }
        alone = field._replace(name=field.name.partition("@")[0])  # the row's name has the period
        yield _row(line | own, width, (Layout(head=(alone,)),))
        at += size


def _row(line: Line, width: int, layouts: tuple[Layout | Special, ...]) -> Row:
    parts = tuple(slots()[part[1:-1]] if part[0] == "{" else part for part in _PARTS(line["di"]))
    row = Row(
        pattern=line["di"],
        name=line["name"].partition("|")[0],
        layouts=layouts,
        format=line["format"],
        access=line["access"],
        sample=bytes.fromhex(line["sample"]),
        clause=line["clause"],
        parts=parts,
        allowed=tuple(allowed for part in parts for allowed in _allowed(part, 2 if width == 8 else 1)),
    )
    if row.width != width:
        raise LocalProtocolError(f"dictionary row {line['di']} has {row.width} digits, not {width}")
    return row


@functools.lru_cache(_PARTS_KEPT)
def _allowed(part: str | Slot, step: int) -> tuple[frozenset[int], ...]:
    """What each octet of a part may be; a thousand rows have a hundred parts between them."""
    if isinstance(part, Slot):
        return (frozenset(value for value in range(16**part.digits) if part.accepts(value)),)
    return tuple(frozenset((int(digits, 16),)) for digits in re.findall("." * step, part))


def _quantity_of(item: str) -> str:
    return item.partition("@")[0].partition(".")[0]
