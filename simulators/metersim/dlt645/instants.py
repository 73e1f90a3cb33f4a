"""Freezes that somebody asked for (16H): the last three instants, and what the registers showed then.

Only "now" (99999999) is known here; the other patterns are refused. As with all freezes, the values are not
stored but asked for again. Source: DL/T 645-2007, 7.7; spec section 8.1.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from metersim.works.freezes import Freeze, Value

PERIOD: Final = "instant_freeze"
DEPTH: Final = 3
NOW: Final = "99999999"


class Instants:
    """A meter's freezes of instants.

    Args:
        value: what the meter shows for an item at a time.

    """

    period: Final = PERIOD

    def __init__(self, value: Value) -> None:
        self._value = value
        self._freezes: deque[Freeze] = deque(maxlen=DEPTH)

    def freeze(self, shown: datetime, at: datetime) -> None:
        """Freeze now.

        Args:
            shown: the meter's clock.
            at: true time.

        """
        self._freezes.append(Freeze(shown, at))

    def last(self, number: int, at: datetime) -> Freeze | None:
        """The so-manieth last freeze; ``None`` when there is none. ``at`` is that of the question."""
        del at
        return self._freezes[-number] if 1 <= number <= len(self._freezes) else None

    def values(self, freeze: Freeze, items: Sequence[str]) -> dict[str, Decimal]:
        """What a freeze holds of ``items``, in their order; without what the meter has not."""
        found = ((item, self._value(item, freeze.taken_at)) for item in items)
        return {item: value for item, value in found if value is not None}
