"""The records of trips and closings (1D, 1E): what a meter's memory of its contact says, in octets.

A record has the meter's time, the operator code of the order (``00000000`` for a local cause), its octets in
the order in which the command brought them, and what the registers showed at that instant.
Source: spec section 6 (event sub-items), control-and-prepayment 1.5.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from metersim.works.memory import ControlMemory, Move
from meterwire.dlt645 import Entry
from meterwire.item_value import Content
from meterwire.primitives.bcd import digits

_ENERGIES = ("forward_active_energy", "reverse_active_energy")
_RECORD = re.compile(r"(?:.*@)?relay_(trip|close)_record[@/]items/last\.(\d+)").fullmatch
_COUNT = re.compile("relay_(trip|close)_count@item").fullmatch


class RelayRecords:
    """How a meter's contact moved.

    Args:
        value: what the meter shows for an item at a time.
        memory: the meter's.

    """

    def __init__(self, value: Callable[[str, datetime], Decimal | None], *, memory: ControlMemory) -> None:
        self._value = value
        self._memory = memory

    def data(self, entry: Entry, at: datetime) -> tuple[bytes, dict[str, Decimal]] | None:
        """The data of an identifier of DL/T 645; ``None`` when it is none of the relay's, or has no data yet.

        Args:
            entry: any identifier.
            at: when it is asked for, aware.

        Returns:
            the octets behind the identifier, and the numbers in them by item.

        """
        if count := _COUNT(entry.item):
            moved = Decimal(len(self._moves(count[1], at)))
            return entry.encode([moved]), {entry.label.item: moved}
        record = _RECORD(entry.item)
        if record is None or len(moves := self._moves(record[1], at)) < int(record[2]):
            return None
        known = self._record(moves[int(record[2]) - 1])
        if not known.keys() & set(entry.items):
            return None
        contents = [known.get(item) for item in entry.items]  # without reactive registers: filled
        numbers = {item: known[item] for item in entry.items if item in known}
        return entry.encode(contents), {
            item: number for item, number in numbers.items() if isinstance(number, Decimal)
        }

    def _moves(self, which: str, at: datetime) -> tuple[Move, ...]:
        """Newest first."""
        return self._memory.opened(at) if which == "trip" else self._memory.closed(at)

    def _record(self, move: Move) -> dict[str, Content]:
        return {
            "event_at": f"{move.shown_at:%Y-%m-%d %H:%M:%S}",
            "operator_code": digits(bytes.fromhex(move.operator)),
            **{item: self._value(item, move.moved_at) for item in _ENERGIES},
        }
