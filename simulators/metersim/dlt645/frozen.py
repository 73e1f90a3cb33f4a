"""What a meter of DL/T 645 answers asked for a freeze: an identifier in, octets and numbers out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from metersim.works.freezes import Freeze
from meterwire.dlt645 import Entry
from meterwire.dlt645.items.dictionary import Dictionary


class Table(Protocol):
    """Freezes of one kind."""

    @property
    def period(self) -> str:
        """How items call them."""

    def last(self, number: int, at: datetime) -> Freeze | None:
        """The freeze that is the so-manieth last one at a time; ``None`` when there is none."""

    def values(self, freeze: Freeze, items: Sequence[str]) -> dict[str, Decimal]:
        """What a freeze holds of items, in their order; without what the meter has not."""


_IN_BLOCK = ("frozen_at", "forward_active_energy", "reverse_active_energy")
"""What a meter sends when asked for all of a freeze (05 06 FF nn): the short set."""


def frozen_data(
    tables: Sequence[Table], dictionary: Dictionary, entry: Entry, at: datetime
) -> tuple[bytes, dict[str, Decimal]] | None:
    """The data of a DL/T 645 identifier of a freeze; ``None`` when the meter has no such data.

    Args:
        tables: the meter's.
        dictionary: of the edition.
        entry: any identifier.
        at: when it is asked for, aware.

    Returns:
        the octets behind the identifier, and the numbers in them by item.

    """
    quantity, _, period = entry.item.partition("@")
    kind, _, number = period.partition("/last.")
    freezes = next((table for table in tables if number and table.period == kind), None)
    if freezes is None or (freeze := freezes.last(int(number), at)) is None:
        return None
    if quantity == "frozen_at":
        return entry.encode([f"{freeze.frozen_at:%Y-%m-%d %H:%M}"]), {}
    if quantity == "freeze_block":
        return _block(tables, dictionary, period, at)
    values = freezes.values(freeze, entry.items)
    return (entry.encode(tuple(values.values())), values) if values else None


def _block(
    tables: Sequence[Table], dictionary: Dictionary, period: str, at: datetime
) -> tuple[bytes, dict[str, Decimal]]:
    data = b""
    values: dict[str, Decimal] = {}
    for quantity in _IN_BLOCK:
        entry = dictionary.by_name(f"{quantity}@{period}")
        assert entry is not None, "the dictionary has the parts of what it has whole"
        part = frozen_data(tables, dictionary, entry, at)
        assert part is not None, "the meter has what its short set holds"
        data += part[0]
        values |= part[1]
    return data, values
