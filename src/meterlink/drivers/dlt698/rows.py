"""Rows that a DL/T 698.45 meter answered -> those that were asked for, each once; what one holds of an item.

Meters take the end of a range for a part of it, give more rows than were asked for, or all that they have.
Source: spec dlt698, section 7: start <= time < end, and the last n.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from meterlink.drivers.freezes import FreezeFindings
from meterlink.drivers.values import each_once, measured
from meterlink.errors import BadAnswer
from meterlink.model.items import is_part
from meterwire.dlt698.apdus.parts import RecordRequest
from meterwire.dlt698.axdr.selection import SelectLast, SelectRange
from meterwire.dlt698.objects.item_values import ItemValue
from meterwire.dlt698.objects.records import Record


def rows_asked(request: RecordRequest, rows: Sequence[Record], meter: str) -> list[Record]:
    """The rows that a request asked for, without those that the meter sent besides.

    Args:
        request: by whichever selector.
        rows: of the answer, oldest first.
        meter: who answered, for the message.

    Raises:
        BadAnswer: nobody knows whether a row is of the range, because it has no time.

    """
    match request.rsd:
        case SelectRange(start=start, end=end):
            first, after = start.value.civil(), end.value.civil()
            return [row for row in rows if first <= _time_of(row, meter) < after]
        case SelectLast(last_n=count):
            return _each_once(rows)[-count:]
    return list(rows)


def freezes_once(rows: Sequence[Record], meter: str) -> list[Record]:
    """Rows of a freeze, one an instant; of one instant those with values count.

    Args:
        rows: in their order.
        meter: who answered, for the message.

    Raises:
        BadAnswer: two of one instant do not say the same.

    """
    timeless = [row for row in rows if row.at is None]
    found: dict[datetime, Record] = {}
    for row in rows:
        if row.at is None:
            continue
        first = found.setdefault(row.at, row)
        if first.readings and row.readings and first != row:
            raise BadAnswer(f"{meter} sends several records for {row.at}, and not the same")
        if not first.readings:
            found[row.at] = row
    return [*timeless, *found.values()]


def sort_item(item: str, record: Record, table: str, answer: FreezeFindings, meter: str) -> None:
    """Sort what a record holds of an item.

    Args:
        item: or block.
        record: of one instant.
        table: whose record it is; values of another one are none of it.
        answer: where it goes.
        meter: for messages.

    """
    try:
        values = _values(item, record, table, meter)
    except BadAnswer as error:
        answer.unfit[item] = str(error)
        return
    if all(value.problem for value in values):
        answer.refused[item] = f"{meter} has a {table} without {item}"
    else:
        answer.values += [measured(value) for value in values]


def _each_once(rows: Sequence[Record]) -> list[Record]:
    found: list[Record] = []
    for row in rows:
        if not found or row != found[-1]:  # they are sorted: the same stand side by side
            found.append(row)
    return found


def _time_of(row: Record, meter: str) -> datetime:
    if row.at is None:
        raise BadAnswer(f"{meter} answered a range of records with one that has no time")
    return row.at


def _values(item: str, record: Record, table: str, meter: str) -> list[ItemValue]:
    """What a record holds of an item; values of another period, or of a part of it, are none.

    Raises:
        BadAnswer: one does not fit, or is there twice and not the same.

    """
    frozen = (value for value in record.values if value.period == table)
    values = each_once((value for value in frozen if is_part(value.item, item)), meter)
    faults = [value for value in values if value.problem not in {None, "absent", "empty"}]
    if faults:
        raise BadAnswer(f"{meter} froze {item} as data that does not fit: {faults[0].problem}")
    return values
