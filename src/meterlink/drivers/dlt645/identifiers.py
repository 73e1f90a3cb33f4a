"""The identifiers of what a DL/T 645 meter has frozen: which hold the newest freeze, and how one is read.

The plain names of a plan (``forward_active_energy.*``) stand for names with a period here
(``forward_active_energy@daily_freeze/last.1``); one identifier brings the total and all tariffs.

"The last" is counted back from the meter's present time, and every identifier is an exchange of its own: a
freeze taken between two of them would give values of two days under one time. So whoever reads them asks for
the time before and after the values, and only when it is the same do they belong to it. The one identifier
that holds everything (05 xx FF nn) is no way around this: it is longer than a frame, and the clock goes on
between frames too.
Source: DL/T 645-2007, annex A.6; spec section 8.1.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal

from meterlink.drivers.freezes import FreezeFindings
from meterlink.drivers.values import measured
from meterlink.errors import BadAnswer, Refused
from meterlink.model.data_classes import DAILY_FREEZE, DataClass
from meterlink.model.items import is_part
from meterwire.dlt645 import Dictionary, Entry, ItemValue
from meterwire.dlt645.items.dictionary import DICTIONARIES_KEPT

READS_MAX = 3
"""Times that numbers are read because another freeze was taken meanwhile; a meter takes one a day."""

_FREEZES: tuple[DataClass, ...] = (DAILY_FREEZE,)
_TIME = "frozen_at"

Ask = Callable[[Entry], Awaitable[tuple[tuple[ItemValue, ...], datetime]]]
"""One exchange with the meter: the values of an identifier, and when they came."""


class FreezeTable:
    """The identifiers of the newest freeze of one class.

    Args:
        frozen_at: of its time.
        by_quantity: of the numbers in it.

    """

    def __init__(self, frozen_at: Entry, by_quantity: dict[str, Entry]) -> None:
        self.frozen_at = frozen_at
        self._by_quantity = by_quantity

    @property
    def quantities(self) -> tuple[str, ...]:
        """What can be asked for, without dimensions."""
        return tuple(self._by_quantity)

    def holding(self, item: str) -> Entry | None:
        """The identifier that brings an item (or block, ``.*``), or ``None``."""
        name = item.removesuffix(".*")
        entry = self._by_quantity.get(name.partition(".")[0])
        return entry if entry and name in entry.items else None

    def groups(self, items: Sequence[str]) -> list[tuple[Entry, list[str]]]:
        """Each identifier that is needed, once, with the items it brings."""
        found: dict[int, tuple[Entry, list[str]]] = {}
        for item in items:
            entry = self.holding(item)
            assert entry is not None, f"{item} was not checked before it was asked for"
            found.setdefault(entry.di, (entry, []))[1].append(item)
        return list(found.values())


@functools.lru_cache(DICTIONARIES_KEPT)
def freeze_tables(known: Dictionary) -> dict[DataClass, FreezeTable]:
    """What meters with these identifiers freeze, by class; those of 1997 and of the standard alone nothing.

    Args:
        known: the identifiers of a profile.

    """
    found = {}
    for data_class in _FREEZES:
        rows = [row for row in known.rows if row.name.partition("@")[2] == data_class]
        entries = [row.entry(row.first) for row in rows]
        times = [entry for entry in entries if _TIME in entry.items]
        if times:
            by_quantity = {quantity: entry for entry in entries for quantity in numbers_of(entry)}
            found[data_class] = FreezeTable(times[0], by_quantity)
    return found


async def read_entry(
    ask: Ask, entry: Entry, wanted: Sequence[str], answer: FreezeFindings, meter: str
) -> None:
    """Read one identifier and sort what it brought, or did not.

    Args:
        ask: carries out an exchange with the meter.
        entry: that holds them.
        wanted: items, or blocks.
        answer: where it goes.
        meter: for messages.

    """
    try:
        brought, _ = await ask(entry)
    except Refused as error:
        told = answer.refused if error.no_such else answer.unfit  # any other refusal may end
        told |= dict.fromkeys(wanted, str(error))
        return
    except BadAnswer as error:
        answer.unfit |= dict.fromkeys(wanted, str(error))
        return
    answer.values += [
        measured(value) for value in brought if any(is_part(value.item, item) for item in wanted)
    ]
    for item in wanted:
        if not any(is_part(value.item, item) for value in brought):
            answer.refused[item] = f"{meter} has {entry.item} without {item}"


def numbers_of(entry: Entry) -> dict[str, None]:
    """Quantities of an identifier whose values are numbers and not times; none of the block of all."""
    if not entry.items:
        return {}
    values = entry.decode(bytes(entry.octets))
    return {value.item.partition(".")[0]: None for value in values if isinstance(value.content, Decimal)}
