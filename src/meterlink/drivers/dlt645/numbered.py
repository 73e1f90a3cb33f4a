"""Older daily freezes of a DL/T 645 meter: which number each night has now, and never another night's values.

The n-th last freeze is counted back from the meter's present day, and a meter may have missed nights, so the
number of a night is looked for by the times that the meter says of its numbers: the first guess is the count
of days, and each time that is told narrows it. All that is told holds for as long as no new freeze is taken.
That is proved by the time of the newest before and after: for several nights together, as a proof for each
would cost as much as the values. What lies between two different proofs is thrown away and read again.
Source: DL/T 645-2007, annex A.6; spec section 8.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from itertools import islice
from typing import Final

from meterlink.drivers.dlt645.identifiers import READS_MAX, Ask, FreezeTable, read_entry
from meterlink.drivers.freezes import FreezeFindings, freeze_instant
from meterlink.drivers.stored import NEAR, StoredFindings, one_silence
from meterlink.errors import BadAnswer, FreezeRefused, NoFreeze, Refused
from meterwire.dlt645 import Dictionary, Entry

PROVED_TOGETHER_MAX: Final = 8
"""Nights read under one proof: so much is lost when a meter takes a freeze meanwhile, or falls silent."""
NUMBER_MAX: Final = 62
"""Farthest back that an identifier of a daily freeze can name (3EH)."""

_Known = dict[int, datetime | None]
"""By number: the time that the meter says of it; ``None``: it has no such freeze."""


class NumberedReader:
    """One reading of daily freezes of one meter.

    Args:
        table: the identifiers of the newest one.
        dictionary: that has those of the others.
        ask: carries out an exchange with the meter.
        zone: what the meter's clock shows.
        meter: for messages.

    """

    def __init__(
        self,
        table: FreezeTable,
        *,
        dictionary: Dictionary,
        ask: Ask,
        zone: tzinfo,
        meter: str,
    ) -> None:
        self._table = table
        self._dictionary = dictionary
        self._ask = ask
        self._zone = zone
        self._meter = meter
        self._known: _Known = {}

    async def read(self, found: StoredFindings) -> None:
        """Read what is asked for.

        Raises:
            ReplyTimeout: silence; what is proved by then is kept.
            NoFreeze: the meter has no freeze yet, refuses them, or the newest has no time that can be true.
            BadAnswer: the answer for the newest does not fit.

        """
        newest = await self._newest(found)
        while slots := list(islice(_due(found, newest), PROVED_TOGETHER_MAX)):
            newest = await self._read_together(slots, found, newest)

    async def _read_together(
        self, slots: Sequence[datetime], found: StoredFindings, newest: datetime
    ) -> datetime:
        """Read some nights under one proof; gives the newest freeze as it was told last."""
        for _ in range(READS_MAX):
            self._known.setdefault(1, newest)
            heard = found.part(found.items, slots)
            with one_silence() as silences:  # one lost answer shall not cost what came before it
                for slot in slots:
                    await self._read_one(slot, heard)
            before, newest = newest, await self._newest(found)
            if before == newest:
                found.add(heard)
            if silences:
                raise silences[0]
            if before == newest:
                return newest
            self._known.clear()
        for slot in slots:
            found.absent(slot, "unfit", f"{self._meter} took a new freeze each time that this was read")
        return newest

    async def _read_one(self, slot: datetime, heard: StoredFindings) -> None:
        """Read the night of a slot, or say why there is none."""
        newest = self._known[1]
        if newest is None or slot > newest:
            heard.absent(slot, "not_yet", f"the newest freeze is of {newest}")
            return
        try:
            number = await self._number_of(slot)
        except BadAnswer as error:
            heard.absent(slot, "unfit", str(error))
            return
        if number is not None and self._known[number] != slot:
            heard.absent(slot, "gone", f"{self._meter} froze at {self._known[number]}, not at {slot}")
        elif number is None:
            heard.absent(slot, "gone", self._no_such(slot))
            return
        assert number is not None
        at = self._known[number]
        assert at is not None, "what was found has a time"
        if heard.knows_record(at):
            return
        answer = FreezeFindings()
        for entry, wanted in self._table.groups(heard.items):
            await read_entry(self._ask, self._numbered(entry, number), wanted, answer, self._meter)
        heard.brought(at, answer)

    async def _number_of(self, slot: datetime) -> int | None:
        """The number that a night has now, by its own time, or else by one near to it; ``None``: it has none.

        Raises:
            BadAnswer: the times that the meter says of its numbers make no sense.

        """
        later, earlier = self._around(slot)
        if later > earlier:
            raise BadAnswer(f"{self._meter} has a freeze of number {later} and none of number {earlier}")
        while earlier - later > 1:
            guess = self._guess(slot, later, earlier)
            at = await self._time_of(guess)
            above, below = self._known[later], self._known.get(earlier)
            if at is not None and not ((above is None or at <= above) and (below is None or at >= below)):
                raise BadAnswer(
                    f"{self._meter} tells its freezes in no order of time: {at} is number {guess}"
                )
            self._known[guess] = at
            if at == slot:
                return guess
            if at is not None and at > slot:
                later = guess
            else:
                earlier = guess
        if self._known[later] == slot:
            return later
        near = [number for number in (later, earlier) if self._is_near(number, slot)]
        return near[0] if near else None

    def _around(self, slot: datetime) -> tuple[int, int]:
        """The numbers next to a slot on both sides of which the time is known; ``NUMBER_MAX`` + 1 is none."""
        told = self._known.items()
        later = max(number for number, at in told if at is not None and at >= slot)
        if self._known[later] == slot:
            return later, later + 1
        earlier = (number for number, at in told if at is None or at < slot)
        return later, min(earlier, default=NUMBER_MAX + 1)

    def _guess(self, slot: datetime, later: int, earlier: int) -> int:
        """A number between: by days; where that would not lie between, the middle."""
        at = self._known[later]
        assert at is not None, "the later side has a time"
        days = round((at - slot).total_seconds() / 86_400)
        guess = later + max(days, 1)
        return guess if guess < earlier else (later + earlier) // 2

    def _is_near(self, number: int, slot: datetime) -> bool:
        at = self._known.get(number)
        return at is not None and abs(at - slot) <= NEAR

    def _no_such(self, slot: datetime) -> str:
        oldest = min((at for at in self._known.values() if at is not None), default=None)
        if oldest is not None and slot < oldest:
            return f"{self._meter} no longer holds a freeze of {slot}, or never took it"
        return f"{self._meter} took no freeze at {slot}"

    async def _newest(self, found: StoredFindings) -> datetime:
        entry = self._table.frozen_at
        try:
            values, found.taken_at = await self._ask(entry)
        except Refused as error:
            raise (NoFreeze if error.no_such else FreezeRefused)(str(error)) from None
        who = f"{self._meter}, {entry.item}"
        return freeze_instant(values[0].moment, zone=self._zone, now=found.taken_at, who=who)

    async def _time_of(self, number: int) -> datetime | None:
        """When the freeze of a number was taken; ``None``: there is none.

        Raises:
            BadAnswer: what came is no time.

        """
        entry = self._numbered(self._table.frozen_at, number)
        try:
            values, taken_at = await self._ask(entry)
        except Refused as error:
            if error.no_such:
                return None
            raise BadAnswer(str(error)) from None
        if values[0].problem == "absent":
            return None
        who = f"{self._meter}, {entry.item}"
        try:
            return freeze_instant(values[0].moment, zone=self._zone, now=taken_at, who=who)
        except NoFreeze as error:
            raise BadAnswer(str(error)) from None

    def _numbered(self, newest: Entry, number: int) -> Entry:
        entry = self._dictionary.by_di(newest.di + number - 1)
        assert entry is not None, f"{newest.item} has no number {number}"
        return entry


def _due(found: StoredFindings, newest: datetime) -> Iterator[datetime]:
    """What can be read now, newest first; what lies ahead of the newest is said to be not there yet."""
    for slot in found.open:
        if slot > newest:
            found.absent(slot, "not_yet", f"the newest freeze is of {newest}")
        else:
            yield slot
