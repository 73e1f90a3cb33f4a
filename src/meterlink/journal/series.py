"""What the slots of one meter and plan have in common."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from meterlink.model.data_classes import DataClass
from meterlink.model.slot import SlotKey


class Series(NamedTuple):
    """One meter's slots of one plan.

    Args:
        meter: our id of it.
        data_class: what is due.
        every_s: of the slots.

    """

    meter: str
    data_class: DataClass
    every_s: int

    def key(self, slot: datetime) -> SlotKey:
        """Of one of its slots."""
        return SlotKey(self.meter, self.data_class, self.every_s, slot)
