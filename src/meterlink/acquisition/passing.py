"""The ledger of what is asked for at once: each slot gets its row when it is over, kept or missed, and why.

Slots for which nobody was there at all are one row together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol

from meterlink.acquisition.keeping import Patience
from meterlink.acquisition.plans import Plan
from meterlink.journal.series import Series
from meterlink.model.data_classes import EVENT
from meterlink.model.slot import Reason, SlotKey

_NO_TIMES: Final[Mapping[str, datetime]] = {}
BACK_MAX: Final = timedelta(days=400)
"""A longer absence is explained as far back as this."""
SET_OVER_MAX: Final = timedelta(days=31)
"""Of a clock that was set years ahead, the first slots are explained: the rest never comes, or only later."""

IN_HAND_SLOTS: Final = 2
"""So many slots a daemon that dies may have had in hand, of which it had told nothing yet."""

_Stretch = tuple[Series, datetime, datetime]


class PassingLedger(Protocol):
    """What is needed of the ledger; each raises ``JournalError``."""

    async def kept(self, keys: Sequence[SlotKey]) -> None:
        """See ``Ledger.kept``."""

    async def lack(self, keys: Sequence[SlotKey], *, note: str) -> None:
        """See ``Ledger.lack``."""

    async def made_up(self, key: SlotKey) -> None:
        """See ``Ledger.made_up``."""

    async def refused(self, keys: Sequence[SlotKey], *, note: str) -> None:
        """See ``Ledger.refused``."""

    async def over(self, series: Sequence[Series], now: datetime) -> None:
        """See ``Ledger.over``."""

    async def put_off(
        self, keys: Sequence[SlotKey], reason: Reason, *, note: str = "", tries: int = 1
    ) -> None:
        """See ``Ledger.put_off``."""

    async def missed(self, stretches: Sequence[tuple[Series, datetime, datetime]], reason: Reason) -> None:
        """See ``Ledger.missed``."""

    async def newest(self, series: Sequence[Series], before: datetime) -> dict[Series, datetime | None]:
        """See ``Ledger.newest``."""

    async def newest_replaced(
        self, series: Sequence[Series], before: datetime, *, asked: Collection[Series]
    ) -> dict[Series, SlotKey]:
        """See ``Ledger.newest_replaced``."""

    async def unmiss(self, series: Sequence[Series], reason: Reason, *, since: datetime) -> None:
        """See ``Ledger.unmiss``."""

    async def lives(self, since: datetime) -> Sequence[tuple[datetime, datetime]]:
        """See ``Ledger.lives``."""

    async def away(self, meters: Sequence[str]) -> Mapping[str, Sequence[tuple[datetime, datetime]]]:
        """See ``Ledger.away``."""


class PassingSlots:
    """The slots of one plan on one line.

    Args:
        plan: whose.
        ledger: the ledger.
        line: name of the line, for the log.

    """

    def __init__(self, plan: Plan, ledger: PassingLedger, line: str) -> None:
        self._plan = plan
        self._ledger = ledger
        self._patience = Patience(line)

    def key(self, meter: str, slot: datetime) -> SlotKey:
        """Of a meter's slot."""
        return self._plan.series(meter).key(slot)

    async def kept(self, meter: str, slot: datetime) -> None:
        """All that a meter has of a slot is kept, though its last item brought nothing."""
        await self._patience.until_done(partial(self._ledger.kept, [self.key(meter, slot)]))

    async def lack(self, meter: str, slot: datetime, note: str) -> None:
        """A kept slot is without some items, see ``lacking_note``; or without none, which needs no words."""
        await self._patience.until_done(partial(self._ledger.lack, [self.key(meter, slot)], note=note))

    async def made_up(self, meter: str, slot: datetime) -> None:
        """A slot is kept, and what was missed before it came along."""
        await self._patience.until_done(partial(self._ledger.made_up, self.key(meter, slot)))

    async def refused(self, meter: str, slot: datetime, words: str) -> None:
        """The meter has nothing of what the plan asks for."""
        await self._patience.until_done(partial(self._ledger.refused, [self.key(meter, slot)], note=words))

    async def put_off(
        self, slot: datetime, why: Mapping[str, tuple[Reason, str]], tries: Mapping[str, int]
    ) -> None:
        """A slot is not kept so far; by meter, why not, and how often it was asked since that was told."""
        told = {meter: (reason, note, tries[meter]) for meter, (reason, note) in why.items()}
        for reason, note, count in sorted(set(told.values())):
            keys = [self.key(meter, slot) for meter in told if told[meter] == (reason, note, count)]
            work = partial(self._ledger.put_off, keys, reason, note=note, tries=count)
            await self._patience.until_done(work)

    async def missed(
        self,
        slot: datetime,
        meters: Sequence[str],
        why: Mapping[str, tuple[Reason, str]],
        tries: Mapping[str, int],
    ) -> None:
        """A slot is over; of some there is more to tell, see ``put_off``."""
        await self.put_off(slot, why, tries)
        await self.over(meters, self._plan.end_of(slot))

    async def over(self, meters: Sequence[str], now: datetime) -> None:
        """Values of the moment that are open of slots which have ended are lost, whoever left them so."""
        if self._plan.data_class != EVENT:
            series = [self._plan.series(meter) for meter in meters]
            await self._patience.until_done(partial(self._ledger.over, series, now))

    async def absent(
        self, meters: Sequence[str], slot: datetime, since: Mapping[str, datetime] = _NO_TIMES
    ) -> None:
        """Nobody was there since the last slot of each meter that is known, until this one.

        That may be one of another interval, which the plan had until then.
        What of that time the meter was out of service says so, and is not counted. Of the time in which the
        daemon lived nothing was due: it did not have the plan then. A meter that came into service after the
        last slot of the others has none of its own to count from: its first one is meant.

        Args:
            meters: whose slots.
            slot: the one that is now.
            since: when meters came into service, as far as that is known.

        """
        await self.set_back(meters, slot)  # perhaps between two starts
        await self.over(meters, slot)
        series = [self._plan.series(meter) for meter in meters]
        ends = await self._ends(series, slot)
        away = await self._patience.until_done(partial(self._ledger.away, meters))
        stretches: dict[Reason, list[_Stretch]] = {Reason.NOT_RUNNING: [], Reason.NOT_IN_SERVICE: []}
        lives = await self._patience.until_done(partial(self._ledger.lives, slot - BACK_MAX))
        least = timedelta(seconds=self._plan.every_s) * IN_HAND_SLOTS
        there = max(ends.values(), default=None)
        for one in series:
            begins = self._behind(ends.get(one), there, since.get(one.meter))
            if begins is not None:
                first = max(begins, slot - BACK_MAX)
                for reason, begin, until in _parts(first, slot, away.get(one.meter, ())):
                    is_told = reason is not Reason.NOT_RUNNING
                    for start, end in [(begin, until)] if is_told else _beside(begin, until, lives, least):
                        stretches[reason] += self._stretches(one, start, end)
        for reason, missed in stretches.items():
            await self._missed(missed, reason)

    async def _ends(self, series: Sequence[Series], before: datetime) -> dict[Series, datetime]:
        """When the newest slot before a time of each known series ended, or of one that it replaces."""
        asked = {one._replace(every_s=every_s) for one in series for every_s in self._plan.beside_s}
        newest = await self._patience.until_done(partial(self._ledger.newest, series, before))
        ask = partial(self._ledger.newest_replaced, series, before, asked=asked)
        ends = {}
        for one, key in (await self._patience.until_done(ask)).items():
            old = replace(self._plan, every_s=key.every_s)
            ends[one] = old.end_of(old.slot_at(key.slot))
        for one, last in newest.items():
            if last is not None:
                end = self._plan.end_of(self._plan.slot_at(last))
                ends[one] = max(end, ends.get(one, end))
        return ends

    def _behind(
        self, end: datetime | None, there: datetime | None, since: datetime | None
    ) -> datetime | None:
        """The first slot behind the last one of a meter; ``None``: nobody knows when it was to be read first.

        Args:
            end: of the meter's last one.
            there: the end of the last of any meter of the line: until then somebody was there.
            since: when the meter came into service.

        """
        if end is not None:
            return self._first_from(end)
        if there is None or since is None:
            return None
        return max(self._first_from(since), self._first_from(there))

    def _first_from(self, at: datetime) -> datetime:
        """The first slot that begins no earlier than a time."""
        begun = self._plan.slot_at(at)
        return begun if begun == at else self._plan.end_of(begun)

    async def skipped(self, meters: Sequence[str], first: datetime, until: datetime, reason: Reason) -> None:
        """Nobody came to the slots of [first, until), because earlier ones took too long, for a reason."""
        stretches = []
        for meter in meters:
            stretches += self._stretches(self._plan.series(meter), first, until)
        await self._missed(stretches, reason)

    async def set_over(self, meters: Sequence[str], first: datetime, until: datetime) -> None:
        """The wall clock was set over the slots of [first, until), which have not been, or showed no time.

        What was there before a clock was set back, and stands in the ledger, stays as it is.
        """
        until = min(until, first + SET_OVER_MAX)
        series = [self._plan.series(meter) for meter in meters]
        newest = await self._patience.until_done(partial(self._ledger.newest, series, until))
        stretches = []
        for one in series:
            last = newest[one]
            since = first if last is None else max(first, self._plan.end_of(self._plan.slot_at(last)))
            stretches += self._stretches(one, since, until)
        await self._missed(stretches, Reason.CLOCK_WRONG)

    async def set_back(self, meters: Sequence[str], slot: datetime) -> None:
        """The wall clock was set back to a slot: those behind it that it was set over are still to come."""
        series = [self._plan.series(meter) for meter in meters]
        work = partial(self._ledger.unmiss, series, Reason.CLOCK_WRONG, since=slot)
        await self._patience.until_done(work)

    async def _missed(self, stretches: Sequence[_Stretch], reason: Reason) -> None:
        if stretches:
            await self._patience.until_done(partial(self._ledger.missed, stretches, reason))

    def _stretches(self, series: Series, first: datetime, until: datetime) -> list[_Stretch]:
        """What of [first, until) the plan's calendar has, as slots."""
        found = []
        for since, end in self._plan.calendar.parts(first, until):
            begin = self._plan.slot_at(since)
            begin = begin if begin >= since else self._plan.end_of(begin)
            if begin < end:
                found.append((series, begin, end))
        return found


def _parts(
    first: datetime, until: datetime, away: Sequence[tuple[datetime, datetime]]
) -> Iterator[tuple[Reason, datetime, datetime]]:
    """[first, until) in parts: when a meter was out of service, and when it was there and nobody asked it."""
    for left, came_back in sorted(away):
        since, back = max(left, first), min(came_back, until)
        if since >= back:
            continue
        if first < since:
            yield Reason.NOT_RUNNING, first, since
        yield Reason.NOT_IN_SERVICE, since, back
        first = back
    if first < until:
        yield Reason.NOT_RUNNING, first, until


def _beside(
    first: datetime, until: datetime, lives: Sequence[tuple[datetime, datetime]], least: timedelta
) -> Iterator[tuple[datetime, datetime]]:
    """[first, until) without the times in which the daemon lived, where those are longer than some slots."""
    for began, ended in sorted(lives):
        since, end = max(began, first), min(ended, until)
        if end - since <= least:
            continue
        if first < since:
            yield first, since
        first = end
    if first < until:
        yield first, until
