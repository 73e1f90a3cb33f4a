"""Rows that a concentrator has collected, as records of the meter that each names, at its own time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Final

from meterlink.clock import Clock
from meterlink.drivers.base import Measured, StoredRecord, Wanted
from meterlink.drivers.behind698.ways import Behind
from meterlink.drivers.dlt698.rows import sort_item
from meterlink.drivers.freezes import FreezeFindings, freeze_instant
from meterlink.drivers.joined import is_meant
from meterlink.errors import BadAnswer, NoFreeze
from meterwire.dlt698.objects.records import Record

CLOCKS_DIFFER: Final = timedelta(minutes=15)
"""A meter's freeze may be of a later time than that at which its concentrator read it, by so much. By more
the meter's clock is ahead, and the night that it names is another one. Source: field practice, section 8."""
_ROW_OCTETS: Final = 34
"""Address, three times and the descriptors' share of a row, about."""
_NUMBER_OCTETS: Final = 5
_BLOCK_OCTETS: Final = 27


class RowReader:
    """Reads the rows of one concentrator.

    Args:
        behind: which one.
        clock: ours.
        zone: what the clocks of its meters show.

    """

    def __init__(self, behind: Behind, *, clock: Clock, zone: tzinfo) -> None:
        self._behind = behind
        self._clock = clock
        self._zone = zone

    def records(self, address: str, table: str, rows: Sequence[Record], wanted: Wanted) -> list[StoredRecord]:
        """What the rows of a meter hold of what is wanted, one record an instant.

        Args:
            address: of the meter.
            table: that they are of.
            rows: of this meter.
            wanted: of it.

        """
        who = f"terminal {self._behind.terminal}, meter {address}"
        by_slot: dict[datetime, list[tuple[Measured, ...]]] = {}
        for row in rows:
            slot = self._slot(row, who)
            if slot is not None and any(is_meant(slot, one, wanted) for one in wanted.slots):
                by_slot.setdefault(slot, []).append(self._values(row, table, wanted, who))
        return [
            StoredRecord(slot=slot, values=told[0])
            for slot, told in by_slot.items()
            if told[0] and all(values == told[0] for values in told)
        ]

    def _slot(self, row: Record, who: str) -> datetime | None:
        """When a row was frozen, if that can be: before it was collected, and by the meter's own word."""
        moments = {value.item: value.moment for value in row.values}
        frozen_at, read_at = moments.get("frozen_at"), moments.get("collection_succeeded_at")
        if frozen_at is None or (read_at is not None and read_at + CLOCKS_DIFFER < frozen_at):
            return None
        try:
            return freeze_instant(row.at, zone=self._zone, now=self._clock.utc_now(), who=who)
        except (BadAnswer, NoFreeze):
            return None

    def _values(self, row: Record, table: str, wanted: Wanted, who: str) -> tuple[Measured, ...]:
        found = FreezeFindings()
        for item in wanted.items:
            sort_item(item, row, table, found, who)
        values = [value._replace(period=wanted.data_class) for value in found.values if not value.marks]
        return self._behind.routed(values, "store")


def octets_of_row(wanted: Wanted) -> int:
    """Octets of a row, about.

    Args:
        wanted: of a meter.

    """
    return _ROW_OCTETS + sum(
        _BLOCK_OCTETS if item.endswith(".*") else _NUMBER_OCTETS for item in wanted.items
    )
