"""What was kept of a meter around one slot: what a new reading of it is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from meterlink.model.reading import Reading

PAST_MAX: Final = 31
"""Readings before the slot that a history of freezes holds: those between which 30 days lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemHistory:
    """One item of one class of data; of a slot that was kept several times, what was kept last.

    Args:
        past: before the slot, newest first, that others can be measured against; of freezes ``PAST_MAX`` at
            most, of other classes one.
        same: of the slot itself.
        later: the first one behind the slot that others can be measured against.

    """

    past: tuple[Reading, ...] = ()
    same: Reading | None = None
    later: Reading | None = None


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


NO_HISTORY: Final = History()
"""Of a meter that was never read."""
