"""Data identifiers: loads ``dictionary/*.csv`` and turns the data of one identifier into values.

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

from meterwire.dlt645.families import Field, Layout, Row, Slot
from meterwire.dlt645.layouts import lines, parse, record_fields, slots
from meterwire.dlt645.values import Entry
from meterwire.errors import LocalProtocolError

_ENTRIES_KEPT = 4096
_EDITIONS = {"dlt645-2007": ("2007.csv", 8), "dlt645-1997": ("1997.csv", 4)}


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
        for row in self.rows:
            for values in itertools.product(*row.choices):
                if row.match(row.digits(values)) is not None:
                    yield row.entry(values)

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


@functools.cache
def dictionary(protocol: str = "dlt645-2007") -> Dictionary:
    """The dictionary of one edition.

    Args:
        protocol: ``dlt645-2007``.

    Raises:
        LocalProtocolError: no such edition, or a row is wrong.

    """
    if protocol not in _EDITIONS:
        raise LocalProtocolError(f"no dictionary for {protocol!r}; there is {', '.join(_EDITIONS)}")
    file_name, width = _EDITIONS[protocol]
    return Dictionary([row for line in lines(file_name) for row in _rows(line, width)])


def _rows(line: dict[str, str], width: int) -> Iterator[Row]:
    """The row of a line; one for each field of the record where the pattern has ``{item}``."""
    if "{item}" not in line["di"]:
        yield _row(line, width)
        return
    record = line["format"].partition("/")[0].removeprefix("record:")
    sample = line["sample"]
    yield _row(line | {"di": line["di"].replace("{item}", "FF")}, width)
    at = 0
    for number, field in enumerate(record_fields(record), start=1):
        size = 2 * field.format.octets
        own = {
            "di": line["di"].replace("{item}", f"{number:02X}"),
            "name": f"{field.name}{'/' if '@' in field.name else '@'}{line['name'].replace('@', '/')}",
            "sample": sample[at : at + size],
        }
        yield _row(line | own, width, field)
        at += size


def _row(line: dict[str, str], width: int, field: Field | None = None) -> Row:
    parts = tuple(
        slots()[part[1:-1]] if part[0] == "{" else part for part in re.findall(r"{\w+}|[0-9A-F]+", line["di"])
    )
    layouts = parse(line["name"], line["format"]) if field is None else (Layout(head=(field,)),)
    row = Row(
        pattern=line["di"],
        name=line["name"].partition("|")[0],
        layouts=layouts,
        format=line["format"],
        access=line["access"],
        sample=bytes.fromhex(line["sample"]),
        clause=line["clause"],
        parts=parts,
        allowed=tuple(_allowed(parts, 2 if width == 8 else 1)),
    )
    if row.width != width:
        raise LocalProtocolError(f"dictionary row {line['di']} has {row.width} digits, not {width}")
    return row


def _allowed(parts: Sequence[str | Slot], step: int) -> Iterator[frozenset[int]]:
    for part in parts:
        if isinstance(part, Slot):
            yield frozenset(value for value in range(16**part.digits) if part.accepts(value))
        else:
            yield from (frozenset((int(digits, 16),)) for digits in re.findall("." * step, part))


def _quantity_of(item: str) -> str:
    return item.partition("@")[0].partition(".")[0]
