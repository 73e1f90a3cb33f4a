"""What a meter of DL/T 645 answers asked for a freeze: an identifier in, octets and numbers out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from metersim.works.works import Works
from meterwire.dlt645 import Entry
from meterwire.dlt645.items.dictionary import Dictionary
from meterwire.dlt645.items.shapes import Fields
from meterwire.item_value import Content

_SETTLEMENT = "settlement."
_IN_BLOCK = ("frozen_at", "forward_active_energy", "reverse_active_energy")
"""What a meter sends when asked for all of a freeze (05 06 FF nn): the short set."""


def frozen_data(
    works: Works,
    dictionary: Dictionary,
    entry: Entry,
    at: datetime,
    said: Callable[[str, Callable[[str], Content]], Content] = lambda item, content: content(item),
) -> tuple[bytes, dict[str, Decimal]] | None:
    """The data of a DL/T 645 identifier of a freeze; ``None`` when the meter has no such data.

    Args:
        works: the meter's.
        dictionary: of the edition.
        entry: any identifier.
        at: when it is asked for, aware.
        said: how the edition says an item of which the works have a content.

    Returns:
        the octets behind the identifier, and the numbers in them by item.

    """
    quantity, _, period = entry.item.partition("@")
    kind, _, number = period.partition("/last.")
    if period.startswith(_SETTLEMENT):
        number = period.removeprefix(_SETTLEMENT)
        settled = int(number) if number.isdecimal() else 0
        return found_data(entry, lambda item, at: said(item, lambda own: works.settled(own, settled, at)), at)
    freeze = works.freeze(kind, int(number), at) if number else None
    if freeze is None:
        return None
    if quantity == "frozen_at":
        return entry.encode([f"{freeze.frozen_at:%Y-%m-%d %H:%M}"]), {}
    if quantity == "freeze_block":
        return _block(works, dictionary, period, at)
    return found_data(entry, works.content, freeze.taken_at)


def found_data(
    entry: Entry, content: Callable[[str, datetime], Content], at: datetime
) -> tuple[bytes, dict[str, Decimal]] | None:
    """The data of an identifier, as far as the meter has its values; ``None`` for nothing.

    A block begins with what every meter has (the total, phase a), so what is missing is its end. Only a
    demand that there was not yet has no time; zeros stand for it.
    """
    if entry.format is not None:  # one value
        item = entry.label.item
        if (found := content(item, at)) is None:
            return None
        return entry.encode([found]), {item: found} if isinstance(found, Decimal) else {}
    contents: list[Content] = []
    for item in entry.items:
        found = content(item, at)
        if found is None and not is_time_of_demand(item):
            break
        contents.append(found)
    if not any(found is not None for found in contents):
        return None
    if isinstance(shape := entry.shapes[0], Fields) and not shape.repeated:  # of one length: filled
        contents += [None] * (len(entry.items) - len(contents))
    numbers = zip(entry.items, contents, strict=False)
    return entry.encode(contents), {item: found for item, found in numbers if isinstance(found, Decimal)}


def is_time_of_demand(item: str) -> bool:
    """Whether an item is when a largest demand was."""
    name = item.partition(".")[0]
    return "_max_demand" in name and name.endswith("_at")


def _block(
    works: Works, dictionary: Dictionary, period: str, at: datetime
) -> tuple[bytes, dict[str, Decimal]]:
    data = b""
    values: dict[str, Decimal] = {}
    for quantity in _IN_BLOCK:
        entry = dictionary.by_name(f"{quantity}@{period}")
        assert entry is not None, "the dictionary has the parts of what it has whole"
        part = frozen_data(works, dictionary, entry, at)
        assert part is not None, "the meter has what its short set holds"
        data += part[0]
        values |= part[1]
    return data, values
