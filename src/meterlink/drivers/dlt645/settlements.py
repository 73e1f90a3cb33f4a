"""The settlements of a DL/T 645 meter: which number each instant has now, by the meter's own clock and days.

A meter says no time of a settlement, only its number, counted back from now over all the settlement days that
are set; an instant exactly now counts as passed. So the instants are worked out of those days and of the
meter's clock. They hold for values read meanwhile as long as none of them has come between a time that is
surely not after the first value and one that is surely not before the last: date and time are asked for in
such an order that a midnight between the two makes that span longer, never shorter.
Days that were set anew since a settlement was taken cannot be seen: its instant is then another one.
Source: DL/T 645-2007, annex A.1 and A.4; spec sections 5.1 (settlement index), 7 and 9.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import islice
from typing import Final, NamedTuple

from meterlink.drivers.dlt645.identifiers import READS_MAX, Ask, read_entry
from meterlink.drivers.freezes import AHEAD_MAX, FreezeFindings
from meterlink.drivers.stored import StoredFindings, one_silence
from meterlink.errors import BadAnswer, ClockFarAhead, NoFreeze, Refused
from meterwire.dlt645 import Dictionary, Entry, ItemValue

SETTLING: Final = timedelta(minutes=1)
"""So long a meter may take to settle; its numbers mean nothing sure while it does."""
DAYS_MAX: Final = 3
"""Settlement days of a month that a meter of 2007 can have."""
NUMBER_MAX: Final = {"dlt645-2007": 12, "dlt645-1997": 2}
"""Settlements that identifiers can name."""

_DAYS: Final = {
    "dlt645-2007": tuple(f"settlement_day_{number}" for number in range(1, DAYS_MAX + 1)),
    "dlt645-1997": ("automatic_reading_day",),
}


class _Day(NamedTuple):
    """A settlement day: of each month, and the hour."""

    day: int
    hour: int


class SettlementReader:
    """One reading of settlements of one meter.

    Args:
        protocol: which edition it speaks.
        dictionary: of its profile.
        ask: carries out an exchange with the meter.
        zone: what the meter's clock shows.
        meter: for messages.

    """

    def __init__(
        self,
        protocol: str,
        *,
        dictionary: Dictionary,
        ask: Ask,
        zone: tzinfo,
        meter: str,
    ) -> None:
        self._protocol = protocol
        self._dictionary = dictionary
        self._ask = ask
        self._zone = zone
        self._meter = meter

    async def read(self, found: StoredFindings) -> None:
        """Read what is asked for.

        Raises:
            ReplyTimeout: silence; what is proved by then is kept.
            NoFreeze: the meter has no settlement day, or no clock that could be believed.
            BadAnswer: its clock or days do not fit, or it settled each time that it was read.

        """
        for _ in range(READS_MAX):
            days = await self._days(found)
            since = await self._earliest_now(found)
            instants = list(islice(_instants(days, since), NUMBER_MAX[self._protocol]))
            heard = found.part(found.items, found.open)
            with one_silence() as silences:  # one lost answer shall not cost what came before it
                for slot in found.open:
                    await self._read_one(slot, instants, heard)
            until = await self._latest_now(found)
            is_proved = not _settles_between(days, since - SETTLING, until)
            if is_proved:
                found.add(heard)
            if silences:
                raise silences[0]
            if is_proved:
                return
        raise BadAnswer(f"{self._meter} settled each of the {READS_MAX} times that it was read")

    async def _read_one(self, slot: datetime, instants: Sequence[datetime], heard: StoredFindings) -> None:
        """Read the settlement of a slot; where it has none, the one of that month, under its own instant."""
        civil = slot.astimezone(self._zone).replace(tzinfo=None)
        if civil > instants[0]:
            heard.absent(slot, "not_yet", f"the last settlement was at {instants[0]}")
            return
        same = [at for at in instants if at == civil]
        month = [at for at in instants if (at.year, at.month) == (civil.year, civil.month)]
        if not same:
            when = (
                ", ".join(f"{at:%Y-%m-%d %H:%M}" for at in month) or f"before {instants[-1]:%Y-%m} or never"
            )
            reason = f"{self._meter} holds no settlement of {civil:%Y-%m-%d %H:%M}; it settled {when}"
            heard.absent(slot, "gone", reason)
        for at in same or month:
            await self._read_number(instants.index(at) + 1, self._slot(at), heard)

    async def _read_number(self, number: int, slot: datetime, heard: StoredFindings) -> None:
        if heard.knows_record(slot):
            return
        answer = FreezeFindings()
        for entry, wanted in settlement_entries(self._dictionary, heard.items, number):
            await read_entry(self._ask, entry, wanted, answer, self._meter)
        if answer.values or answer.unfit:
            heard.brought(slot, answer)
        else:  # each settlement has its own identifiers: no item at all is no settlement
            heard.absent(slot, "gone", next(iter(answer.refused.values())))

    async def _days(self, found: StoredFindings) -> list[_Day]:
        """The days on which it settles.

        Raises:
            NoFreeze: there are none.

        """
        told = [await self._day(item, found) for item in _DAYS[self._protocol]]
        days = [day for day in told if day is not None]
        if not days:
            raise NoFreeze(f"{self._meter} has no settlement day: nobody knows what its settlements are of")
        return days

    async def _day(self, item: str, found: StoredFindings) -> _Day | None:
        """A settlement day; ``None`` where it is not used, or the meter has no such parameter."""
        value = await self._one(item, found)
        if value is None or value.problem == "absent":
            return None
        try:
            day, hour = map(int, (value.text or "").split())
        except ValueError:
            raise self._unfit(value) from None
        return _Day(day, hour) if 1 <= day <= 31 and 0 <= hour <= 23 else None

    async def _earliest_now(self, found: StoredFindings) -> datetime:
        """What its clock shows, or less: by a midnight between its date and its time.

        Raises:
            NoFreeze: more than a day ahead of ours.

        """
        date = await self._date(found)
        shown = datetime.combine(date, await self._time(found))
        if shown - found.taken_at.astimezone(self._zone).replace(tzinfo=None) > AHEAD_MAX:
            raise ClockFarAhead(f"{self._meter} shows {shown}, more than a day ahead: look at both clocks")
        return shown

    async def _latest_now(self, found: StoredFindings) -> datetime:
        """What its clock shows, or more."""
        clock = await self._time(found)
        return datetime.combine(await self._date(found), clock)

    async def _date(self, found: StoredFindings) -> datetime:
        value = self._there(await self._one("meter_date", found))
        if value.moment is None:
            raise self._unfit(value)
        return value.moment

    async def _time(self, found: StoredFindings) -> time:
        value = self._there(await self._one("meter_time", found))
        try:
            return time.fromisoformat(value.text or "")
        except ValueError:
            raise self._unfit(value) from None

    def _there(self, value: ItemValue | None) -> ItemValue:
        if value is None:
            raise NoFreeze(
                f"{self._meter} tells no date or no time: nobody knows what its settlements are of"
            )
        return value

    def _unfit(self, value: ItemValue) -> BadAnswer:
        return BadAnswer(f"{self._meter}: its {value.item} is none: {value.text or value.problem}")

    async def _one(self, item: str, found: StoredFindings) -> ItemValue | None:
        """A parameter; ``None`` where the meter does not have it."""
        entry = self._dictionary.by_name(item)
        if entry is None:
            return None
        try:
            values, found.taken_at = await self._ask(entry)
        except Refused as error:
            if error.no_such:
                return None
            raise BadAnswer(str(error)) from None
        return values[0]

    def _slot(self, civil: datetime) -> datetime:
        return civil.replace(tzinfo=self._zone).astimezone(UTC)


def settlement_entries(
    dictionary: Dictionary, items: Sequence[str], number: int = 1
) -> list[tuple[Entry, list[str]]]:
    """Each identifier that is needed of a settlement, once, with the items it brings.

    Args:
        dictionary: of a profile.
        items: those that it does not have in a settlement are left out.
        number: 1 is the last one.

    """
    found: dict[int, tuple[Entry, list[str]]] = {}
    quantities = [item.partition(".")[0] for item in items]
    for item, quantity in zip(items, quantities, strict=True):
        names = [f"{quantity}.*", item] if quantities.count(quantity) > 1 else [item]
        entries = (dictionary.by_name(f"{name}@settlement.{number}") for name in names)
        entry = next((one for one in entries if one is not None and _holds(one, item)), None)
        if entry is not None:
            found.setdefault(entry.di, (entry, []))[1].append(item)
    return list(found.values())


def _holds(entry: Entry, item: str) -> bool:
    return "r" in entry.access and item.removesuffix(".*") in entry.items


def _instants(days: Sequence[_Day], now: datetime) -> Iterator[datetime]:
    """Settlements that had come by a time, newest first."""
    year, month = now.year, now.month
    while year > 1:
        of_month = _of_month(days, year, month)
        yield from (at for at in sorted(of_month, reverse=True) if at <= now)
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)


def _of_month(days: Sequence[_Day], year: int, month: int) -> set[datetime]:
    found = set()
    for one in days:
        with suppress(ValueError):  # 31 June
            found.add(datetime(year, month, one.day, one.hour))  # noqa: DTZ001 - the meter's civil time
    return found


def _settles_between(days: Sequence[_Day], since: datetime, until: datetime) -> bool:
    """Whether it settles after a time, up to another one; an order that clocks do not have counts as well."""
    return until < since or next(_instants(days, until)) > since
