"""Which tables of a DL/T 698.45 meter hold a class of records, and what is to be asked of the second one.

What the first table does not have is gone only when the second does not have it either. The table of the
first of each month says nothing of a settlement on another day, so it is not asked for one.
Source: spec dlt698, sections 6.7 and 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, tzinfo
from typing import Final

from meterlink.drivers.dlt698.tables import TableReader
from meterlink.drivers.stored import StoredFindings
from meterlink.errors import FreezeRefused, NoFreeze
from meterlink.model.data_classes import CURVE, MONTHLY_FREEZE, DataClass

_HOUR_S: Final = 3_600
_MONTHS: Final = "monthly_freeze"


def tables_of(data_class: DataClass, every_s: int) -> tuple[str, ...]:
    """The tables that may hold a class: the second is asked for what the first does not have.

    Args:
        data_class: daily, monthly or curve.
        every_s: of a curve.

    """
    if data_class == MONTHLY_FREEZE:  # the settlement's own; some meters keep only that of the month's first
        return "settlement_freeze", _MONTHS
    if data_class == CURVE:
        return ("hourly_freeze", "curve") if every_s % _HOUR_S == 0 else ("curve",)
    return ("daily_freeze",)


def may_hold(table: str, slots: Iterable[datetime], zone: tzinfo) -> list[datetime]:
    """The slots of which a table may have a record.

    Args:
        table: of ``tables_of``.
        slots: aware.
        zone: what the meter's clock shows.

    """
    if table != _MONTHS:
        return list(slots)
    return [slot for slot in slots if _begins_month(slot.astimezone(zone))]


def _begins_month(civil: datetime) -> bool:
    return civil.day == 1 and civil.time() == time()


class MemoryReader698:
    """One reading of one class of one meter, out of the tables that may hold it.

    Args:
        readers: of its tables, by name, in their order.
        zone: what the meter's clock shows.

    """

    def __init__(self, readers: Mapping[str, TableReader], zone: tzinfo) -> None:
        self._readers = readers
        self._zone = zone

    async def read(self, found: StoredFindings) -> None:
        """Read what is asked for.

        Raises:
            NoFreeze: no table has such records, or all refuse them.
            BadAnswer: again and again the answers do not fit.

        """
        parts: list[StoredFindings] = []
        missing: list[NoFreeze] = []
        is_certain = len(self._readers) == 1
        try:
            for table, reader in self._readers.items():
                for part in self._open(table, found, parts):
                    parts.append(part)
                    try:
                        await reader.read(part)
                    except NoFreeze as error:
                        if part.has_any:
                            raise
                        parts.remove(part)
                        missing.append(error)
            is_certain = True
        finally:
            for part in parts:
                found.add(part, is_certain=is_certain)
        if not parts:
            raise missing[0]
        for slot in found.open if missing else []:  # the table that might have it has nothing to say
            found.absent(
                slot, "unfit" if isinstance(missing[0], FreezeRefused) else "not_yet", str(missing[0])
            )

    def _open(
        self, table: str, found: StoredFindings, parts: Sequence[StoredFindings]
    ) -> list[StoredFindings]:
        """What is still to be asked of a table: slots without a record, and items refused in one."""
        if not parts:
            slots = may_hold(table, found.asked, self._zone)
            return [found.part(found.items, slots)] if slots else []
        first = parts[0]
        absent = [*first.without_record("gone"), *first.without_record("not_yet")]
        refusing = first.refusing()
        items = tuple(dict.fromkeys(item for refused in refusing.values() for item in refused))
        asked = [
            (wanted, may_hold(table, slots, self._zone))
            for wanted, slots in ((found.items, absent), (items, refusing))
        ]
        return [found.part(items, slots) for items, slots in asked if items and slots]
