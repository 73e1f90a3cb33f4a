"""What was kept of a meter around one slot: what a new reading of it is judged by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from meterlink.model.reading import Reading, Record

PAST_MAX: Final = 31
"""Readings before the slot that a history of freezes holds: those between which 30 days lie."""


class Shown(NamedTuple):
    """What a register showed."""

    at: datetime
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemHistory:
    """One item of one class of data; of a slot that was kept several times, what was kept last.

    Args:
        past: before the slot, newest first, that others can be measured against; of totals in daily freezes
            ``PAST_MAX`` at most, of others one.
        same: of the slot itself.
        later: the first one behind the slot that others can be measured against.
        seen: of a settlement, what the register showed last by then, as daily freezes or values of the moment
            tell it.
        later_seen: the same by the slot of ``later``.
        settled: of a daily freeze, the first settlement at its slot or behind it.

    """

    past: tuple[Shown, ...] = ()
    same: Reading | None = None
    later: Reading | None = None
    seen: Shown | None = None
    later_seen: Shown | None = None
    settled: Reading | None = None


NOTHING_KEPT: Final = ItemHistory()
"""Of an item of which there is nothing yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the registers showed when the meter was put in or taken out, as told of the exchange.

    Args:
        at: when; aware, UTC.
        registers: by item.

    """

    at: datetime
    registers: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What was kept of a meter around one slot.

    Args:
        items: of one class of data, by item; what is missing has ``NOTHING_KEPT``.
        exchanges: of the meter, in order of time.

    """

    items: Mapping[str, ItemHistory] = field(default_factory=dict)
    exchanges: tuple[Told, ...] = ()

    def of(self, item: str) -> ItemHistory:
        """Of one item."""
        return self.items.get(item, NOTHING_KEPT)


class Wanted(NamedTuple):
    """What is to be known of one slot.

    Args:
        items: of which to know what was kept of the slot.
        steps: those of them of which to know, beside, what was kept before and behind.

    """

    items: list[str]
    steps: list[str]


Past = Callable[[str, str, Mapping[datetime, Wanted]], dict[datetime, History]]
"""Tells, of a class of data and a meter, the history around each of some slots."""


class Judged(NamedTuple):
    """What becomes of records.

    Args:
        records: with their marks, in the order given; those that got none are the same objects.
        restated: later ones that they show in another light, to be kept before them.

    """

    records: tuple[Record, ...]
    restated: tuple[Record, ...]
