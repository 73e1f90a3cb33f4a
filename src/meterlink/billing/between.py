"""What was consumed between two freezes: which meters stood there, and all that was kept of their registers.

A span is what its days are: the freezes between its ends are walked, so that nothing that forbids the amount
of a day is passed over by the amount of a month.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import partial
from typing import Final

from meterlink.billing.consumption import Consumption, End, Lack, Stretch, consumption
from meterlink.billing.days import day_of, end_of, slots_of
from meterlink.billing.points import Points
from meterlink.billing.told_end import Side, ToldEnd
from meterlink.journal import held_rows, history_rows
from meterlink.journal.reader import JournalReader
from meterlink.model.history import Shown, Told
from meterlink.model.marks import UNUSABLE, Marks, Standing
from meterlink.validation.facts import MeterFacts
from meterlink.validation.turnover import USUAL_DAYS, Usual, usual_day
from meterlink.validation.validator import FactsOfMeters

BESIDE_DAYS: Final = 62
"""So far from when a meter came or went its freezes are looked for: what the meters of China remember."""
DAYS_AT_ONCE: Final = 400
"""Days of one look at the journal: a span of a century takes constant memory."""
_DAY: Final = timedelta(days=1)
_NONE: Final = timedelta()


class Between:
    """Consumption, out of a journal.

    Args:
        reader: of the journal.
        zone: of the plant.
        facts: of the meters; those without have no consumption.
        points: the roster over time.

    """

    def __init__(self, reader: JournalReader, zone: tzinfo, facts: FactsOfMeters, points: Points) -> None:
        self._reader = reader
        self._zone = zone
        self._facts = facts
        self._points = points

    def consumption(self, meter: str, item: str, first: date, last: date) -> Consumption:
        """See ``Freezes.consumption``."""
        since, until = end_of(first - _DAY, self._zone), end_of(last, self._zone)
        chain = self._points.stood(meter, since, until)
        if not chain:
            return consumption(item, [self._stretch(meter, item, None, None, None)])
        if (taken := self._points.taken_over(chain, since, until)) is not None:
            return Consumption(item=item, amount=None, lack=Lack.CUSTOMER_CHANGED, at_meter=taken)
        stretches: list[Stretch] = []
        start: End | None
        end: End | None
        for number, one in enumerate(chain):
            told = self._reader.look(partial(history_rows.exchanges, meter=one))
            begins, ends = self._turns(one)
            if number or (begins is not None and begins >= since):
                start = self._change(one, item, begins, told) if begins else End(at=since, value=None)
            else:
                start = self._held(one, item, first - _DAY)
            if number < len(chain) - 1 or (ends is not None and ends <= until):
                end = self._change(one, item, ends, told) if ends else End(at=until, value=None)
            else:
                end = self._held(one, item, last)
            stretches += self._stretches(one, item, start, end, told)
        return consumption(item, stretches)

    def around(
        self, meter: str, item: str, day: date, oldest: date, newest: date
    ) -> tuple[date, date] | None:
        """The shortest span around a day that lies between usable freezes of its place; see ``Freezes``."""
        line = self._points.line(meter)
        ends = [self._first_end(one, item, day, newest) for one in line]
        last = min((end for end in ends if end is not None), default=None)
        if last is None:
            return None
        begins = [self._last_end(one, item, oldest, day - _DAY) for one in line]
        before = max((end for end in begins if end is not None), default=day - _DAY)
        return before + _DAY, last

    def told_ends(self, meter: str) -> Iterator[ToldEnd]:
        """See ``Freezes.told_ends``."""
        told = self._reader.look(partial(history_rows.exchanges, meter=meter))
        begins, ends = self._turns(meter)
        facts = self._facts.get(meter)
        if facts is None:
            return
        sides: tuple[tuple[Side, datetime | None], ...] = (("first", begins), ("last", ends))
        for side, at in sides:
            if at is None:
                continue
            for item in dict.fromkeys(item for one in told if one.at == at for item in one.registers):
                end = self._change(meter, item, at, told)
                if end.usual is not None:
                    beside = self._beside(meter, item, side, end, told)
                    yield ToldEnd(
                        meter=meter,
                        item=item,
                        side=side,
                        end=end,
                        beside=beside,
                        multiplier=self._multiplier(meter, side, end, beside or end),
                        facts=facts,
                    )

    def _multiplier(self, meter: str, side: Side, end: End, beside: End) -> Decimal:
        """That of the turn's own side, should it have become another on the way."""
        start, stop = (end, beside) if side == "first" else (beside, end)
        found = self._points.ratios(meter, start, stop)
        return found[0 if side == "first" else -1][1]

    def _beside(self, meter: str, item: str, side: Side, end: End, told: tuple[Told, ...]) -> End | None:
        """What was read next to a register that was told; where nothing was, what was told of the other end.

        A first freeze that is rejected for nothing but that the register went back says that one of both is
        wrong.
        """
        begins, ends = self._turns(meter)
        day = day_of(end.at, self._zone)
        if side == "last":
            since = day - BESIDE_DAYS * _DAY if begins is None else day_of(begins, self._zone)
            found = self._days(meter, item, max(since, day - BESIDE_DAYS * _DAY), day)
            last = [one for one in found if one.is_usable and (begins or one.at) <= one.at <= end.at]
            return last[-1] if last else None
        for one in self._days(meter, item, day - _DAY, day + BESIDE_DAYS * _DAY):
            is_there = end.at <= one.at <= (ends or one.at) and one.value is not None
            if is_there and not one.marks & UNUSABLE & ~Marks.REG_BACK:
                return one
        if ends is None:
            return None
        other = self._turn(meter, item, ends, told)
        return other if other.value is not None else None

    def _first_end(self, meter: str, item: str, first: date, last: date) -> date | None:
        return next(self._usable(meter, item, first, last), None)

    def _last_end(self, meter: str, item: str, first: date, last: date) -> date | None:
        """Looked for backwards: as a rule it is the last day."""
        days = 1
        while first <= last:
            since = max(first, last - (days - 1) * _DAY)
            if found := list(self._usable(meter, item, since, last)):
                return found[-1]
            last, days = since - _DAY, DAYS_AT_ONCE
        return None

    def _usable(self, meter: str, item: str, first: date, last: date) -> Iterator[date]:
        """The days at whose end a meter in service has a freeze that may be used."""
        begins, ends = self._turns(meter)
        for one in self._days(meter, item, first, last):
            day = day_of(one.at, self._zone)
            at = end_of(day, self._zone)
            is_there = (begins is None or begins <= at) and (ends is None or at <= ends)
            if is_there and one.is_usable:
                yield day

    def _stretches(
        self, meter: str, item: str, start: End | None, end: End | None, told: tuple[Told, ...]
    ) -> Iterator[Stretch]:
        """Of one meter: one for each multiplier, where it is known what the register showed between."""
        if start is None or end is None:
            yield self._stretch(meter, item, start, end, None)
            return
        (_, multiplier), *others = self._points.ratios(meter, start, end)
        cuts = [self._turn(meter, item, at, told) for at, _ in others]
        if not all(cut.is_usable for cut in cuts):
            yield self._stretch(meter, item, start, end, None)
            return
        for cut, (_, another) in zip(cuts, others, strict=True):
            yield self._stretch(meter, item, start, cut, multiplier)
            start, multiplier = cut, another
        yield self._stretch(meter, item, start, end, multiplier)

    def _stretch(
        self, meter: str, item: str, start: End | None, end: End | None, multiplier: Decimal | None
    ) -> Stretch:
        facts = self._facts.get(meter)
        return Stretch(
            meter=meter,
            facts=facts if facts is not None else _nothing_known(self._zone),
            multiplier=multiplier,
            start=start,
            end=end,
            between=self._within(meter, item, start, end) if start and end else (),
        )

    def _turns(self, meter: str) -> tuple[datetime | None, datetime | None]:
        settings = self._points.settings(meter)
        return (None, None) if settings is None else (settings.in_service_since, settings.in_service_until)

    def _held(self, meter: str, item: str, day: date) -> End | None:
        return next(self._days(meter, item, day, day), None)

    def _turn(self, meter: str, item: str, at: datetime, told: tuple[Told, ...]) -> End:
        """What a register showed when its meter came or went, or counted for another multiplier from then on.

        What people told comes first: both sides of the turn are measured by it. At midnight a freeze tells
        it.
        """
        for one in told:
            if one.at == at and item in one.registers:
                return End(at=at, value=one.registers[item])
        found = self._held(meter, item, day_of(at, self._zone))
        is_midnight = at == end_of(day_of(at, self._zone), self._zone)
        return found if found is not None and (is_midnight or found.at == at) else End(at=at, value=None)

    def _change(self, meter: str, item: str, at: datetime, told: tuple[Told, ...]) -> End:
        """The same of the meter's coming or going, with what it is to be held against (VEE-12)."""
        end = self._turn(meter, item, at, told)
        if end.seq is not None or end.value is None:
            return end
        return replace(end, usual=Usual(self._usual_day(meter, item, at)))

    def _usual_day(self, meter: str, item: str, at: datetime) -> Decimal | None:
        """What is usual in the place of a meter, multiplied, as the days before tell it; ``None``: too few.

        Those of a meter before it count where it was too short there itself; never those of another customer,
        or with another multiplier.
        """
        for one in self._points.line_to(meter)[::-1]:
            begin = max(at - USUAL_DAYS * _DAY, self._points.same_since(one, at))
            first, last = day_of(begin, self._zone), day_of(at, self._zone)
            valid = [
                Shown(end.at, end.value)
                for end in self._days(one, item, first, last)
                if begin <= end.at <= at and end.value is not None and end.marks.standing is Standing.VALID
            ]
            facts = self._facts.get(one)
            if facts is None or self._points.taken_over([one, meter], begin, at) is not None:
                return None
            if (counted := usual_day(valid, item, facts)) is not None:
                return counted * self._points.last_place(one, at).multiplier
        return None

    def _within(self, meter: str, item: str, start: End, end: End) -> Iterator[End]:
        """What holds of the days between two ends, those themselves left out."""
        first = day_of(start.at, self._zone) + (_DAY if start.seq is not None else _NONE)
        last = day_of(end.at, self._zone) - (_DAY if end.seq is not None else _NONE)
        return (one for one in self._days(meter, item, first, last) if start.at < one.at < end.at)

    def _days(self, meter: str, item: str, first: date, last: date) -> Iterator[End]:
        """What holds at the end of each day that has a freeze."""
        while first <= last:
            until = min(last, first + (DAYS_AT_ONCE - 1) * _DAY)
            slots = slots_of(first, self._zone)[0], slots_of(until, self._zone)[1]
            of_day = partial(day_of, zone=self._zone)
            look = partial(held_rows.held, meter=meter, item=item, slots=slots, day_of=of_day)
            for seq, value, marks, slot in self._reader.look(look):
                yield End(at=slot, value=value, marks=marks, seq=seq)
            first = until + _DAY


def _nothing_known(zone: tzinfo) -> MeterFacts:
    return MeterFacts(capacities=lambda _: (), plate_kva=Decimal(0), zone=zone)
