"""The records of trips and closings (1D, 1E): what a meter's log says of its contact, in octets.

A record has the meter's time, the operator code of the order (``00000000`` for a local cause), its octets in
the order in which the command brought them, and what the registers showed at that instant.
Source: spec section 6 (event sub-items), control-and-prepayment 1.5.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

from metersim.works.events import Event
from metersim.works.works import Works
from meterwire.dlt645 import Entry
from meterwire.item_value import Content
from meterwire.primitives.bcd import digits

_ENERGIES = ("forward_active_energy", "reverse_active_energy")
_RECORD = re.compile(r"(?:.*@)?relay_(trip|close)_record[@/]items/last\.(\d+)").fullmatch
_COUNT = re.compile("relay_(trip|close)_count@item").fullmatch


class RelayRecords:
    """How a meter's contact moved; the first of each kind is the trial in the factory.

    Args:
        works: the meter's.

    """

    def __init__(self, works: Works) -> None:
        self._works = works

    def data(self, entry: Entry, at: datetime) -> tuple[bytes, dict[str, Decimal]] | None:
        """The data of an identifier of DL/T 645; ``None`` when it is none of the relay's, or has no data yet.

        Args:
            entry: any identifier.
            at: when it is asked for, aware.

        Returns:
            the octets behind the identifier, and the numbers in them by item.

        """
        log = self._works.events
        if count := _COUNT(entry.item):
            moved = Decimal(log.count(f"relay_{count[1]}", at))
            return entry.encode([moved]), {entry.label.item: moved}
        record = _RECORD(entry.item)
        if record is None:
            return None
        moves = log.events(f"relay_{record[1]}", at)
        if len(moves) < int(record[2]):
            return None
        known = self._record(moves[-int(record[2])])
        if not known.keys() & set(entry.items):
            return None
        contents = [known.get(item) for item in entry.items]  # without reactive registers: filled
        numbers = {item: known[item] for item in entry.items if item in known}
        return entry.encode(contents), {
            item: number for item, number in numbers.items() if isinstance(number, Decimal)
        }

    def _record(self, move: Event) -> dict[str, Content]:
        at = move.started_at
        return {
            "event_at": f"{self._works.clock.shows(at):%Y-%m-%d %H:%M:%S}",
            "operator_code": digits(bytes.fromhex(str(move.details["operator_code"]))),
            **{item: self._works.value(item, at) for item in _ENERGIES},
        }
