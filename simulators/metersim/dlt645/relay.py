"""What a meter remembers of its relay: it was tried once, opened when the meter was first switched on.

A minute later it was closed again. So there is one record of a trip (1D) and one of a closing (1E), with the
meter's time, the operator code of a local cause, and what the registers showed at that instant.
Source: spec section 6 (event sub-items), control-and-prepayment 1.5.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from metersim.works.moments import PLANT_TIME
from meterwire.dlt645 import Entry
from meterwire.item_value import Content

OPEN_FOR: Final = timedelta(minutes=1)
LOCAL_CAUSE: Final = "00000000"

_ENERGIES = ("forward_active_energy", "reverse_active_energy")
_RECORD = re.compile(r"(?:.*@)?relay_(trip|close)_record[@/]items/last\.(\d+)").fullmatch
_COUNT = re.compile("relay_(trip|close)_count@item").fullmatch


class RelayTrial:
    """The one time that a meter's relay moved.

    Args:
        value: what the meter shows for an item at a time.
        tried_at: when it opened, true time, aware.
        clock_ahead: how far the meter's clock is ahead of the true time; negative: behind.

    """

    def __init__(
        self, value: Callable[[str, datetime], Decimal | None], *, tried_at: datetime, clock_ahead: timedelta
    ) -> None:
        self._value = value
        self._moved_at = {"trip": tried_at, "close": tried_at + OPEN_FOR}
        self._clock_ahead = clock_ahead

    def data(self, entry: Entry, at: datetime) -> tuple[bytes, dict[str, Decimal]] | None:
        """The data of an identifier of DL/T 645; ``None`` when it is none of the relay's, or has no data yet.

        Args:
            entry: any identifier.
            at: when it is asked for, aware.

        Returns:
            the octets behind the identifier, and the numbers in them by item.

        """
        if count := _COUNT(entry.item):
            moved = Decimal(self._moved_at[count[1]] <= at)
            return entry.encode([moved]), {entry.label.item: moved}
        record = _RECORD(entry.item)
        if record is None or record[2] != "1" or self._moved_at[record[1]] > at:
            return None
        known = self._record(self._moved_at[record[1]])
        if not known.keys() & set(entry.items):
            return None
        contents = [known.get(item) for item in entry.items]  # without reactive registers: filled
        numbers = {item: known[item] for item in entry.items if item in known}
        return entry.encode(contents), {
            item: number for item, number in numbers.items() if isinstance(number, Decimal)
        }

    def _record(self, moved_at: datetime) -> dict[str, Content]:
        shown = (moved_at + self._clock_ahead).astimezone(PLANT_TIME)
        return {
            "event_at": f"{shown:%Y-%m-%d %H:%M:%S}",
            "operator_code": LOCAL_CAUSE,
            **{item: self._value(item, moved_at) for item in _ENERGIES},
        }
