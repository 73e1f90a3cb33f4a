"""The newest freeze of a DL/T 698.45 meter: one record with its time and all columns, read at once.

A record is of one instant by its nature, so nothing can change between its columns. Only where a meter
refuses the whole, which some do for one column that they do not keep, its time is asked for alone, and then
each column of the record of that time; what it has is kept, the rest is refused.
Source: spec dlt698, section 7.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, tzinfo

from meterlink.drivers.base import FreezeAnswer
from meterlink.drivers.dlt698_talk import refusal
from meterlink.drivers.freezes import FreezeFindings, freeze_instant, is_part
from meterlink.drivers.values import each_once, measured
from meterlink.errors import BadAnswer, NoFreeze, Refused
from meterlink.model.data_classes import DataClass
from meterwire.dlt698.apdus.parts import Dar, RecordRequest
from meterwire.dlt698.objects.item_values import ItemValue
from meterwire.dlt698.objects.records import Record, Records
from meterwire.dlt698.objects.requests import At, NthLast, ReadFreezes, Which

Ask = Callable[[RecordRequest], Awaitable[tuple[Records, datetime]]]
"""One read of records, and when its answer came."""


class FreezeReader:
    """One reading of the newest freeze of one meter.

    Args:
        freeze: its class.
        ask: carries out an exchange with the meter.
        zone: what the meter's clock shows.
        meter: for messages.

    """

    def __init__(
        self,
        freeze: DataClass,
        *,
        ask: Ask,
        zone: tzinfo,
        meter: str,
    ) -> None:
        self._freeze = freeze
        self._ask = ask
        self._zone = zone
        self._meter = meter

    async def read(self, items: Sequence[str], known: datetime | None) -> FreezeAnswer:
        """Read it; see ``Driver.read_freeze``."""
        found, taken_at, reason = await self._newest(items)
        if reason:
            return await self._read_apart(items, known, reason)
        record = self._record(found)
        frozen_at = self._instant(record, taken_at)
        answer = FreezeFindings()
        if frozen_at != known:
            for item in items:
                sort_item(item, record, self._freeze, answer, self._meter)
        return answer.of(frozen_at, taken_at)

    async def _read_apart(self, items: Sequence[str], known: datetime | None, reason: str) -> FreezeAnswer:
        """Time and columns each by itself, after the whole was refused."""
        found, taken_at, no_time = await self._newest(())
        if no_time:
            raise NoFreeze(no_time)
        record = self._record(found)
        frozen_at = self._instant(record, taken_at)
        answer = FreezeFindings()
        if frozen_at == known:
            return answer.of(frozen_at, taken_at)
        if len(items) == 1:
            answer.refused[items[0]] = reason
            return answer.of(frozen_at, taken_at)
        assert record.at is not None, "its instant was made of it"
        for item in items:
            await self._read_column(item, record.at, answer)
        return answer.of(frozen_at, taken_at)

    async def _read_column(self, item: str, at: datetime, answer: FreezeFindings) -> None:
        """One column of the record of a time."""
        try:
            found, _, reason = await self._one((item,), At(at))
            if reason:
                answer.refused[item] = reason
                return
            record = next((row for row in found.rows if row.at == at), None)
            if record is None:
                raise BadAnswer(f"{self._meter} no longer has the {self._freeze} of {at}")
            sort_item(item, self._only(found, record), self._freeze, answer, self._meter)
        except BadAnswer as error:
            answer.unfit[item] = str(error)

    async def _newest(self, items: Sequence[str]) -> tuple[Records, datetime, str]:
        return await self._one(items, NthLast(1))

    async def _one(self, items: Sequence[str], which: Which) -> tuple[Records, datetime, str]:
        """The answer to one read of records, and why it was refused as a whole, if it was."""
        [request] = ReadFreezes(freeze=self._freeze, items=tuple(items), which=which).records()
        try:
            found, taken_at = await self._ask(request)
        except Refused as error:
            raise NoFreeze(str(error)) from None
        return found, taken_at, "" if found.dar is None else self._refusal(found.dar)

    def _refusal(self, dar: Dar) -> str:
        return str(refusal(self._meter, self._freeze, dar))

    def _record(self, found: Records) -> Record:
        """The one record of an answer; the newest where a meter sends several."""
        if not found.rows:
            raise NoFreeze(f"{self._meter} has no {self._freeze} yet ({found.missing})")
        newest = max(found.rows, key=lambda row: row.at or datetime.min)  # noqa: DTZ901 - civil time
        return self._only(found, newest)

    def _only(self, found: Records, record: Record) -> Record:
        """A record, when no other one of its time says something else.

        Raises:
            BadAnswer: one does, or the record says two times.

        """
        if any(row.at == record.at and row != record for row in found.rows):
            raise BadAnswer(f"{self._meter} sends several records of {self._freeze} for {record.at}")
        each_once((value for value in record.values if not value.period), self._meter)
        return record

    def _instant(self, record: Record, taken_at: datetime) -> datetime:
        who = f"{self._meter}, {self._freeze}"
        return freeze_instant(record.at, zone=self._zone, now=taken_at, who=who)


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
