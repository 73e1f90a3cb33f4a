"""The freezes of a journal as billing gets them; nothing is changed, a daemon may be at work on the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, tzinfo
from decimal import Decimal
from functools import partial
from typing import Final

from meterlink.billing.between import Between
from meterlink.billing.consumption import Consumption
from meterlink.billing.days import day_of, end_of, slots_of
from meterlink.billing.freezes import FreezeRow
from meterlink.billing.points import Points
from meterlink.billing.told_end import ToldEnd
from meterlink.journal import freeze_rows, ledger_looks, origins, roster_rows
from meterlink.journal.freeze_rows import ROWS_MAX, KeptFreeze
from meterlink.journal.reader import JournalReader
from meterlink.model.slot import Standing
from meterlink.validation.facts import MeterFacts
from meterlink.validation.validator import FactsOfMeters

READ: Final = "read"
BACKFILL: Final = "backfill"
LOOKS_AT_ONCE: Final = 20
"""Looks in which a page with a filter is filled at most: the cursor goes on with the next page."""
_NO_FACTS: Final[Mapping[str, MeterFacts]] = {}


class Freezes:
    """Freezes in the order in which the log got them, and what was consumed between them.

    Args:
        reader: of the journal.
        zone: of the plant.
        facts: of the meters; those without have no consumption.
        points: the roster over time, where it is known already.

    Raises:
        JournalError: the journal cannot be read.

    """

    def __init__(
        self,
        reader: JournalReader,
        zone: tzinfo,
        facts: FactsOfMeters = _NO_FACTS,
        points: Points | None = None,
    ) -> None:
        self._reader = reader
        self.zone: Final = zone
        self.points: Final = points or Points.of(reader.look(roster_rows.every_change))
        self._facts = facts
        self._between = Between(reader, zone, facts, self.points)

    @property
    def journal(self) -> JournalReader:
        """The journal that they are read from, for what else is asked of the same state of it."""
        return self._reader

    def newest(self) -> int:
        """The last row of the log."""
        return self._reader.look(freeze_rows.newest)

    def origin(self, seq: int) -> str:
        """Who wrote a row of the log: together with its number it is known from a row of another log.

        Raises:
            JournalError: the journal cannot be read.

        """
        return self._reader.look(partial(origins.origin_of, seq=seq))

    def newest_freeze(self, day: date | None = None) -> int:
        """The last row of the log that holds a freeze, of a day or of any; 0: there is none.

        Raises:
            JournalError: the journal cannot be read.

        """
        slots = None if day is None else slots_of(day, self.zone)
        return self._reader.look(partial(freeze_rows.newest_freeze, slots=slots))

    def end_of(self, day: date) -> datetime:
        """The instant that ends a day in the plant; aware, UTC."""
        return end_of(day, self.zone)

    def first_day(self) -> date | None:
        """The first day of which there can be something: the oldest freeze's, or that of the first roster.

        Raises:
            JournalError: the journal cannot be read.

        """
        kept = self._reader.look(freeze_rows.first_slot)
        told = self.points.since
        days = [day_of(kept, self.zone)] if kept is not None else []
        days += [told.astimezone(self.zone).date()] if told is not None else []
        return min(days, default=None)

    def last_day(self) -> date | None:
        """The newest day of which a meter has told a freeze; ``None``: none ever did.

        A rejected one tells nothing: a meter whose clock is far ahead has freezes of days to come.

        Raises:
            JournalError: the journal cannot be read.

        """
        kept = self._reader.look(freeze_rows.last_usable_slot)
        return None if kept is None else day_of(kept, self.zone)

    def read_on(self, day: date) -> set[str]:
        """Our ids of the meters that have a freeze of a day.

        Raises:
            JournalError: the journal cannot be read.

        """
        return self._reader.look(partial(freeze_rows.meters, slots=slots_of(day, self.zone)))

    def days_before(self, day: date, *, after: int) -> list[date]:
        """The days before one of which a freeze was kept behind a row of the log, in order.

        Raises:
            JournalError: the journal cannot be read.

        """
        before, _ = slots_of(day, self.zone)
        kept = self._reader.look(partial(freeze_rows.slots_before, before=before, after=after))
        return sorted({day_of(slot, self.zone) for slot in kept})

    def areas(self, day: date) -> set[str]:
        """The transformer areas of which there is something to seal: of meters in service, and of freezes.

        Raises:
            JournalError: the journal cannot be read.

        """
        kept = self._reader.look(lambda db: list(freeze_rows.of_meters(db, slots_of(day, self.zone))))
        of_freezes = {self.points.place(meter, slot, seq).area for seq, meter, slot in kept}
        return {*self.points.areas(self.end_of(day)), *of_freezes}

    def standings(self, meter: str, slot: datetime) -> list[Standing]:
        """What the ledger knows of a meter's slots of one instant.

        Raises:
            JournalError: the journal cannot be read.

        """
        return self._reader.look(partial(ledger_looks.standings, meter=meter, slot=slot))

    def after(
        self,
        seq: int,
        *,
        until: int | None = None,
        day: date | None = None,
        area: str | None = None,
        limit: int = ROWS_MAX,
    ) -> tuple[list[FreezeRow], int]:
        """The next freezes behind a row of the log, and up to where the log was looked at for them.

        Args:
            seq: the row; 0 is the beginning.
            until: rows behind this one are left for the next time; ``None``: all that there are.
            day: only those of this day; ``None``: of all.
            area: only of this transformer area; ``None``: of all.
            limit: rows at most, up to ``ROWS_MAX``.

        Returns:
            The freezes, and the position to go on behind; where that is ``until``, there are no more.

        Raises:
            JournalError: the journal cannot be read, or a row of it is damaged.

        """
        end = self.newest() if until is None else until
        limit = min(limit, ROWS_MAX)
        slots = None if day is None else slots_of(day, self.zone)
        # Those that no roster knew are in no area; damaged rows of other areas are left out with them.
        only = self.points.ever_in(area) if area else None
        but = self.points.never_in(area) if area == "" else None
        found: list[FreezeRow] = []
        for _ in range(LOOKS_AT_ONCE):
            look = partial(
                freeze_rows.following, after=seq, until=end, limit=limit, slots=slots, only=only, but=but
            )
            kept = self._reader.look(look)
            for one in kept:
                seq = one.seq
                row = self._row(one)
                if one.is_news and (area is None or row.place.area == area):
                    found.append(row)
                    if len(found) == limit:
                        return found, seq
            if len(kept) < limit:
                return found, end
        return found, seq

    def all_after(
        self, seq: int, *, until: int, day: date | None, area: str | None, at_once: int = ROWS_MAX
    ) -> Iterator[FreezeRow]:
        """The same, page after page in constant memory.

        Args:
            seq: the row; 0 is the beginning.
            until: rows behind this one are left.
            day: only those of this day; ``None``: of all.
            area: only of this transformer area; ``None``: of all.
            at_once: rows of a page; few, where the first row is all that is asked for.

        Raises:
            JournalError: the journal cannot be read, or a row of it is damaged.

        """
        while seq < until:
            rows, seq = self.after(seq, until=until, day=day, area=area, limit=at_once)
            yield from rows

    def consumption(self, meter: str, item: str, first: date, last: date) -> Consumption:
        """What a customer consumed from the beginning of a day to the end of one.

        Args:
            meter: our id of the meter that stood there at the end.
            item: a register, e.g. ``forward_active_energy``.
            first: first day.
            last: last day; the same for one day.

        Raises:
            JournalError: the journal cannot be read.

        """
        return self._between.consumption(meter, item, first, last)

    def told_ends(self, meter: str) -> list[ToldEnd]:
        """What was told that the registers of a meter showed when it came and went, against what was read.

        Raises:
            JournalError: the journal cannot be read.

        """
        return list(self._between.told_ends(meter))

    def plates(self, meters: Iterable[str]) -> tuple[Decimal | None, ...]:
        """What some meters may carry, in kVA, which amounts are judged by; ``None``: nobody knows it."""
        found = map(self._facts.get, meters)
        return tuple(None if one is None else one.plate_kva for one in found)

    def around(self, meter: str, item: str, day: date) -> tuple[date, date] | None:
        """First and last day of the shortest span around a day that lies between usable freezes.

        Args:
            meter: our id of any meter of the place; freezes of each of them count while it stood there.
            item: the register.
            day: which is looked around.

        Returns:
            ``None``: no usable freeze came since. Where there was none before, the day is the first one.

        Raises:
            JournalError: the journal cannot be read.

        """
        oldest, newest = self.first_day(), self.last_day()
        if oldest is None or newest is None:
            return None
        return self._between.around(meter, item, day, oldest, newest)

    def _row(self, kept: KeptFreeze) -> FreezeRow:
        return FreezeRow(
            seq=kept.seq,
            meter=kept.meter,
            place=self.points.place(kept.meter, kept.slot, kept.seq),
            day=day_of(kept.slot, self.zone),
            frozen_at=kept.slot,
            registers=kept.registers,
            source=BACKFILL if kept.is_late else READ,
            taken_at=kept.taken_at,
            kept_at=kept.kept_at,
            route=kept.route,
            supersedes=kept.before,
        )
