"""Records of a table of a DL/T 698.45 meter by a span of time, each under the time that its row says.

Neighbouring slots are asked for in one request, the newest first. Rows of other times are passed over; what
lies between two rows that came, and did not come, is not there. What lies outside of them is asked for once
more by itself: some meters give only as many rows as fit, or leave out one end of a span. Where a meter
refuses a whole for one column, times and columns are asked for apart from then on; where its answer to many
rows cannot be used, or may be too long for it, half as many are asked for.
Source: spec dlt698, section 7.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Final

from meterlink.drivers.dlt698.portion import Portion
from meterlink.drivers.dlt698.rows import sort_item
from meterlink.drivers.dlt698.talk import RequestRefused, refusal
from meterlink.drivers.freezes import FreezeFindings, freeze_instant
from meterlink.drivers.stored import NEAR, StoredFindings
from meterlink.drivers.values import each_once
from meterlink.errors import BadAnswer, FreezeRefused, NoFreeze, Refused
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, MONTHLY_FREEZE, DataClass
from meterwire.dlt698.apdus.parts import RecordRequest
from meterwire.dlt698.axdr.selection import Ti
from meterwire.dlt698.objects.records import Record, Records
from meterwire.dlt698.objects.requests import CURVE_POINTS_MAX, Between, NthLast, ReadFreezes, Which

BAD_ANSWERS_MAX: Final = 3
"""Answers that do not fit, after which a table is not asked any more in one reading."""
ANSWER_OCTETS: Final = 400
"""So long an answer may become by our guess: what fits a frame of 512 octets needs no blocks."""
MONTHS_MAX: Final = 12
"""Months of one request; each may have three settlements."""

_TIME_OCTETS: Final = 8
_NUMBER_OCTETS: Final = 5
_BLOCK_OCTETS: Final = 27
_MINUTE: Final = timedelta(minutes=1)
_MINUTES: Final = 1
"""Unit of a time interval."""

Ask = Callable[[RecordRequest], Awaitable[tuple[Records, datetime]]]
"""One read of records, and when its answer came."""


@dataclass(slots=True)
class _Rows:
    """Rows of one answer, by the instant that each says.

    Args:
        by_slot: one each.
        clashing: instants of which there are two, and not the same.
        is_whole: each row had a time that can be one.
        refusal: why there are none at all.

    """

    by_slot: dict[datetime, Record] = field(default_factory=dict)
    clashing: set[datetime] = field(default_factory=set)
    is_whole: bool = True
    refusal: Refused | None = None


class TableReader:
    """One reading of one table of one meter.

    Args:
        table: its name, as items call it.
        data_class: which it is read for.
        every: between the slots of a curve.
        ask: carries out an exchange with the meter.
        zone: what the meter's clock shows.
        meter: for messages.
        portion: how much it is asked for at once.

    """

    def __init__(
        self,
        table: str,
        *,
        data_class: DataClass,
        every: timedelta,
        ask: Ask,
        zone: tzinfo,
        meter: str,
        portion: Portion,
    ) -> None:
        self._table = table
        self._portion = portion
        self._data_class = data_class
        self._every = every
        self._ask = ask
        self._zone = zone
        self._meter = meter
        self._rows_max = CURVE_POINTS_MAX
        self._apart = False
        self._newest: datetime | None = None
        self._bad = 0

    async def read(self, found: StoredFindings) -> None:
        """Read what is asked for.

        Raises:
            NoFreeze: the meter has no such records yet, or refuses them all.
            BadAnswer: again and again its answers do not fit.

        """
        row_octets = _row_octets(found.items)
        self._rows_max = min(CURVE_POINTS_MAX, max(1, self._portion.of(ANSWER_OCTETS) // row_octets))
        slots = found.asked
        while slots:
            group = self._group(slots)
            slots = slots[len(group) :]
            try:
                edges = await self._read_group(group, found, is_again=False)
                for edge in edges:
                    await self._read_group(edge, found, is_again=True)
                self._portion.answered()
            except RequestRefused as error:
                if not self._portion.halved(len(group) * row_octets, least=row_octets):
                    raise _none(error) from None
                self._rows_max = max(1, len(group) // 2)
                slots = [*(slot for slot in group if not found.knows_record(slot)), *slots]
            except BadAnswer as error:
                self._bad += 1
                if self._bad >= BAD_ANSWERS_MAX:
                    raise
                if len(group) > 1:
                    self._rows_max = max(1, len(group) // 2)
                    slots = [*(slot for slot in group if not found.knows_record(slot)), *slots]
                else:
                    found.absent(group[0], "unfit", str(error))

    async def _read_group(
        self, group: Sequence[datetime], found: StoredFindings, *, is_again: bool
    ) -> list[list[datetime]]:
        """Read neighbouring slots; gives those at the ends of which nothing is known yet.

        Args:
            group: newest first.
            found: where it goes.
            is_again: what does not come now is not there.

        """
        whole, columns = await self._rows_and_columns(group, found, is_again=is_again)
        told = sorted(whole.by_slot)
        if told:
            self._newest = max(told[-1], self._newest or told[-1])
        missing = [slot for slot in group if slot not in whole.by_slot and slot not in whole.clashing]
        for slot in [*(slot for slot in group if slot in whole.by_slot), *self._near(told, missing)]:
            found.brought(slot, self._sorted(slot, found.items, whole, columns))
        for slot in whole.clashing.intersection(group):
            found.absent(slot, "unfit", f"{self._meter} sends several records of {slot}, and not the same")
        edges: tuple[list[datetime], list[datetime]] = [], []
        for slot in missing:
            if not whole.is_whole:
                found.absent(slot, "unfit", f"{self._meter} sends a {self._table} without a time of its own")
            elif told and not is_again and not told[0] < slot < told[-1]:
                edges[slot < told[0]].append(slot)
            else:
                await self._say_absent(slot, found)
        return [edge for edge in edges if edge]

    async def _rows_and_columns(
        self, group: Sequence[datetime], found: StoredFindings, *, is_again: bool
    ) -> tuple[_Rows, dict[str, _Rows]]:
        """The rows of a span, with all columns; or with times alone, and each column apart.

        Raises:
            NoFreeze: the times are refused.

        """
        which = self._span(group, is_again=is_again)
        if not self._apart:
            whole = await self._rows(which, found.items, found)
            if whole.refusal is None:
                return whole, {}
            self._apart = True
        times = await self._rows(which, (), found)
        if times.refusal is not None:
            raise _none(times.refusal)
        wanted = any(slot in times.by_slot for slot in group)
        columns = {item: await self._rows(which, (item,), found) for item in found.items} if wanted else {}
        return times, columns

    def _sorted(
        self, slot: datetime, items: Sequence[str], whole: _Rows, columns: dict[str, _Rows]
    ) -> FreezeFindings:
        """What the row of a slot holds of each item."""
        answer = FreezeFindings()
        for item in items:
            rows = columns.get(item, whole)
            if rows.refusal is not None:
                told = answer.refused if rows.refusal.no_such else answer.unfit  # any other may end
                told[item] = str(rows.refusal)
            elif slot in rows.by_slot:
                sort_item(item, rows.by_slot[slot], self._table, answer, self._meter)
            else:
                answer.unfit[item] = f"{self._meter} sends no {item} of {slot} by itself"
        return answer

    async def _say_absent(self, slot: datetime, found: StoredFindings) -> None:
        """A slot did not come: it is not there any more, or not yet."""
        if self._newest is None or slot > self._newest:
            newest = await self._rows(NthLast(1), (), found)
            if newest.refusal is not None:
                raise _none(newest.refusal)
            if not newest.by_slot:
                raise NoFreeze(f"{self._meter} has no {self._table} yet, or none with a time")
            self._newest = max(newest.by_slot)
        if slot > self._newest:
            found.absent(slot, "not_yet", f"the newest {self._table} is of {self._newest}")
        else:
            found.absent(slot, "gone", f"{self._meter} has no {self._table} of {slot}")

    async def _rows(self, which: Which, items: Sequence[str], found: StoredFindings) -> _Rows:
        """The rows of one answer.

        Raises:
            NoFreeze: the request is refused as a whole.
            RequestRefused: it is, and its answer may have been too long.
            BadAnswer: the answer does not fit.

        """
        [request] = ReadFreezes(freeze=self._table, items=tuple(items), which=which).records()
        try:
            told, found.taken_at = await self._ask(request)
        except Refused as error:
            if isinstance(error, RequestRefused) and error.may_be_too_long:
                raise
            raise _none(error) from None
        if told.dar is not None:
            return _Rows(refusal=refusal(self._meter, self._table, told.dar))
        rows = _Rows()
        for row in told.rows:
            self._add(row, rows, found.taken_at)
        for slot in rows.clashing:
            del rows.by_slot[slot]
        return rows

    def _add(self, row: Record, rows: _Rows, now: datetime) -> None:
        """Put a row where it belongs, if it says one time that can be true."""
        try:
            each_once((value for value in row.values if not value.period), self._meter)
            who = f"{self._meter}, {self._table}"
            slot = freeze_instant(row.at, zone=self._zone, now=now, who=who)
        except (BadAnswer, NoFreeze):
            rows.is_whole = False
            return
        if rows.by_slot.setdefault(slot, row) != row:
            rows.clashing.add(slot)

    # --- spans --------------------------------------------------------------------------------

    def _group(self, slots: Sequence[datetime]) -> list[datetime]:
        """The newest slots that one request may ask for."""
        if self._data_class == CURVE:
            reach = (self._rows_max - 1) * self._every
        elif self._data_class == DAILY_FREEZE:
            reach = timedelta(days=self._rows_max - 1)
        else:
            reach = timedelta(days=28) * (min(self._rows_max, MONTHS_MAX) - 1)
        return [slot for slot in slots if slots[0] - slot <= reach]

    def _span(self, group: Sequence[datetime], *, is_again: bool) -> Between:
        """The span of a group, in civil time; ends are wide where a meter may freeze at another minute."""
        oldest, newest = (slot.astimezone(self._zone).replace(tzinfo=None) for slot in (group[-1], group[0]))
        if self._data_class == DAILY_FREEZE:
            return Between(oldest - NEAR, newest + NEAR + _MINUTE)
        if self._data_class == MONTHLY_FREEZE:
            after = (newest.replace(day=1) + timedelta(days=32)).replace(day=1)
            return Between(_midnight(oldest.replace(day=1)), _midnight(after))
        more = self._every if is_again else timedelta()
        minutes = self._every // _MINUTE
        interval = Ti(_MINUTES, minutes) if self._table == CURVE else None
        return Between(oldest - more, newest + more + _MINUTE, interval)

    def _near(self, told: Sequence[datetime], missing: Sequence[datetime]) -> list[datetime]:
        """Rows that nobody asked for by their own time, but that may be what was meant."""
        return [at for at in told if any(self._is_near(at, slot) for slot in missing)]

    def _is_near(self, at: datetime, slot: datetime) -> bool:
        if self._data_class == DAILY_FREEZE:
            return abs(at - slot) <= NEAR
        if self._data_class == MONTHLY_FREEZE:
            one, other = at.astimezone(self._zone), slot.astimezone(self._zone)
            return (one.year, one.month) == (other.year, other.month)
        return False


def _none(error: Refused) -> NoFreeze:
    """What a refusal of all records says: there are none, or the meter does not give them now."""
    return NoFreeze(str(error)) if error.no_such else FreezeRefused(str(error))


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0)


def _row_octets(items: Sequence[str]) -> int:
    """Octets of a row, about."""
    return _TIME_OCTETS + sum(_BLOCK_OCTETS if item.endswith(".*") else _NUMBER_OCTETS for item in items)
