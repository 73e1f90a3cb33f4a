"""Which meter stood where at what time: the roster as its history has it, not as it is today.

A change holds from when it was made, a ratio since the time that was told of it, if one was; before the first
change that tells of a meter, the first one holds. What the log had before a change stays where it stood,
whatever the gateway's clock showed then: it may be sealed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final, NamedTuple, Protocol, Self

from meterlink.billing.freezes import Place
from meterlink.config.meters import MeterSettings
from meterlink.model.roster_change import KeptChange, changed
from meterlink.roster.entries import meter_of

CHAIN_MAX: Final = 100
"""Meters before one, and behind it, that are looked for in its place."""
_INSTANT: Final = timedelta(microseconds=1)
NOWHERE: Final = Place()
"""Of a meter that the roster never knew."""
_EVER: Final = datetime(1, 1, 2, tzinfo=UTC)
"""Before anything was told."""
_MICROSECOND: Final = timedelta(microseconds=1)


class Moment(Protocol):
    """A time at which a register showed something."""

    @property
    def at(self) -> datetime:
        """Aware."""

    @property
    def seq(self) -> int | None:
        """The row of the log that holds it; ``None``: people told of it."""


class Entry(NamedTuple):
    """What a row of the log told of a meter, and when.

    Args:
        seq: the row.
        at: aware.
        settings: all that held from then on.

    """

    seq: int
    at: datetime
    settings: MeterSettings


class _Ratio(NamedTuple):
    """From when on registers counted for a multiplier.

    Args:
        at: aware.
        ratio: the multiplier.
        told_by: the row of the log that told it without a time of its own; else 0.

    """

    at: datetime
    ratio: Decimal
    told_by: int

    def is_behind(self, moment: Moment) -> bool:
        """Whether it was told, by a clock that was behind, when the log had what was taken then."""
        return self.at < moment.at and moment.seq is not None and moment.seq < self.told_by


@dataclass(slots=True)
class _Told:
    """What was told of one meter, in the order of the log."""

    entries: list[Entry] = field(default_factory=list)
    _ratios: list[_Ratio] = field(default_factory=list)
    """From when on which multiplier held, the first one since ever; nothing of one that never changed."""
    _late: list[tuple[int, list[_Ratio]]] = field(default_factory=list)
    """By the row that told it, from when on which multiplier held, since one was told with its time."""
    _places: dict[int, Place] = field(default_factory=dict)

    def tell(self, kept: KeptChange, entry: MeterSettings) -> None:
        """One more entry, in the order in which they were told.

        A ratio holds from when it was told, or since a time that was told with it; whatever had been told of
        that time and later is void then.
        """
        if self.entries and (kept.since is not None or _ratio(entry) != _ratio(self.newest)):
            since = kept.since or kept.at
            first, *others = self._ratios or [_Ratio(self.entries[0].at, _ratio(self.newest), 0)]
            told = _Ratio(since, _ratio(entry), kept.seq if kept.since is None else 0)
            self._ratios = [first, *(one for one in others if one.at < since), told]
            if kept.since is not None or self._late:
                self._late.append((kept.seq, self._ratios))
        self.entries.append(Entry(kept.seq, kept.at, entry))

    def ratios(self, start: Moment, end: Moment) -> list[tuple[datetime, Decimal]]:
        """From when on which multiplier held: the one at ``start``, then each other before ``end``."""
        found = [(start.at, self._ratios[0].ratio if self._ratios else self._place(0).multiplier)]
        for one in self._ratios[1:]:
            at = start.at + _MICROSECOND if one.is_behind(start) else one.at
            if at <= start.at:
                found = [(start.at, one.ratio)]
            elif at < end.at and not one.is_behind(end) and one.ratio != found[-1][1]:
                found.append((at, one.ratio))
        return found

    def within(self, since: datetime, until: datetime) -> list[MeterSettings]:
        """What held at a time, and all that came before another."""
        return [self.at(since), *(one.settings for one in self.entries if since < one.at < until)]

    def at(self, moment: datetime) -> MeterSettings:
        return self.entries[self._held_at(moment, None)].settings

    def place_at(self, moment: datetime, seq: int | None) -> Place:
        """Made once of each entry: each freeze asks for it.

        A freeze that the log got behind a ratio that was told with its time has that one.
        """
        place = self._place(self._held_at(moment, seq))
        if not self._late:  # as nearly always
            return place
        late = next((ratios for told, ratios in reversed(self._late) if seq is None or told < seq), None)
        if late is None:
            return place
        held = next((one.ratio for one in reversed(late) if one.at <= moment), late[0].ratio)
        return place if held == place.multiplier else replace(place, multiplier=held)

    def same_since(self, until: datetime) -> datetime:
        """See ``Points.same_since``."""
        turns = [one.at for one in self._ratios[1:]]
        turns += [
            after.at
            for before, after in pairwise(self.entries)
            if _is_another(before.settings, after.settings)
        ]
        return max((at for at in turns if at < until), default=_EVER)

    def _place(self, number: int) -> Place:
        if number not in self._places:
            self._places[number] = _place(self.entries[number].settings)
        return self._places[number]

    def _held_at(self, moment: datetime, seq: int | None) -> int:
        for number in range(len(self.entries) - 1, 0, -1):
            one = self.entries[number]
            if one.at <= moment and (seq is None or one.seq < seq):
                return number
        return 0

    @property
    def newest(self) -> MeterSettings:
        return self.entries[-1].settings


class Points:
    """The meters of a roster over time.

    Args:
        told: by our id, what was told of each meter.

    """

    def __init__(self, told: dict[str, _Told]) -> None:
        self._told = told
        self._next = {one.newest.replaces: meter for meter, one in told.items() if one.newest.replaces}

    @classmethod
    def of(cls, changes: Iterable[KeptChange]) -> Self:
        """From all changes of the roster, in their order.

        Raises:
            ConfigError: an entry is not as this version knows one.
            ValueError: a change is of an entry with other values: the history is damaged.

        """
        told: dict[str, _Told] = {}
        raw: dict[str, dict[str, object]] = {}
        for kept in changes:
            meter = kept.change.meter
            raw[meter] = changed(raw.get(meter), kept.change)
            told.setdefault(meter, _Told()).tell(kept, meter_of(raw[meter]))
        return cls(told)

    def entries(self) -> Iterator[tuple[str, Sequence[Entry]]]:
        """By our id, all that was told of each meter, in the order of the log; at least one entry each."""
        for meter, told in self._told.items():
            yield meter, told.entries

    def known_since(self, meter: str) -> datetime | None:
        """When a meter was first told of; ``None``: there never was one."""
        return self._told[meter].entries[0].at if meter in self._told else None

    def settings(self, meter: str) -> MeterSettings | None:
        """What was told of a meter last; ``None``: there never was one."""
        return self._told[meter].newest if meter in self._told else None

    def place(self, meter: str, at: datetime, seq: int | None = None) -> Place:
        """Where a meter stood at a time.

        Args:
            meter: our id of it.
            at: aware.
            seq: as the roster was when the log got this row; ``None``: as it is told by now.

        """
        return self._told[meter].place_at(at, seq) if meter in self._told else NOWHERE

    def ratios(self, meter: str, start: Moment, end: Moment) -> list[tuple[datetime, Decimal]]:
        """From when on by what the registers of a meter were to be multiplied.

        Args:
            meter: our id of it.
            start: the first of them is that of this time.
            end: the others begin before this time.

        """
        told = self._told.get(meter)
        return [(start.at, NOWHERE.multiplier)] if told is None else told.ratios(start, end)

    @property
    def since(self) -> datetime | None:
        """When the roster began; ``None``: there is none."""
        return min((one.entries[0].at for one in self._told.values()), default=None)

    def ever_in(self, area: str) -> frozenset[str]:
        """Our ids of the meters that ever stood in a transformer area, as far as the roster tells."""
        return frozenset(
            meter
            for meter, told in self._told.items()
            if any(entry.settings.area == area for entry in told.entries)
        )

    def never_in(self, area: str) -> frozenset[str]:
        """Our ids of the meters that the roster knows, and that never stood in a transformer area."""
        return frozenset(self._told) - self.ever_in(area)

    def in_service(self, at: datetime, area: str | None = None) -> list[str]:
        """Our ids of the meters that stood at customers' at a time, sorted.

        Args:
            at: aware.
            area: only of this transformer area; ``None``: of all.

        """
        return sorted(
            meter
            for meter, told in self._told.items()
            if told.newest.in_service(at) and (area is None or told.at(at).area == area)
        )

    def turned(self, since: datetime, until: datetime) -> set[str]:
        """Our ids of the meters that came or went from one time to another, both of these with it."""
        return {
            meter
            for meter, told in self._told.items()
            if any(
                at is not None and since <= at <= until
                for at in (told.newest.in_service_since, told.newest.in_service_until)
            )
        }

    def billed(self, since: datetime, until: datetime, area: str | None = None) -> list[str]:
        """Ids of the meters by which a span is billed, sorted: of each place the last one that stood there.

        Args:
            since: meters that were taken out up to this time are left out; aware.
            until: and those that were put in at this time or later.
            area: only of this transformer area, where they stood last; ``None``: of all.

        """
        return sorted(
            meter
            for meter, told in self._told.items()
            if self._served(meter, since, until)
            and not self._served(self._next.get(meter, ""), since, until)
            and (area is None or self.last_place(meter, until).area == area)
        )

    def last_place(self, meter: str, until: datetime) -> Place:
        """Where a meter stood before a time: whoever comes at midnight had no part in the day before.

        Args:
            meter: our id of it.
            until: aware; where it was taken out earlier, that time counts.

        """
        entry = self.settings(meter)
        gone = until if entry is None or entry.in_service_until is None else entry.in_service_until
        return self.place(meter, min(gone, until) - _INSTANT)

    def last_of(self, meter: str, until: datetime) -> str:
        """Our id of the meter that stood in the place of a meter last before a time.

        Args:
            meter: our id of it; where nobody stood behind it, it is itself.
            until: those that were put in at this time or later are left out; aware.

        """
        behind = [one for one in self._walk(meter, self._next.get) if self._came_before(one, until)]
        return behind[-1] if behind else meter

    def areas(self, at: datetime) -> list[str]:
        """The transformer areas with a meter in service at a time, sorted."""
        return sorted({self.place(meter, at).area for meter in self.in_service(at)})

    def stood(self, meter: str, since: datetime, until: datetime) -> tuple[str, ...]:
        """The meters that stood one after another in the place of a meter, oldest first.

        Args:
            meter: our id of any of them; one that the roster does not know stands alone.
            since: those that were taken out before are left out.
            until: and those that were put in after.

        """
        if meter not in self._told:
            return (meter,)
        return tuple(one for one in self.line(meter) if self._served(one, since, until))

    def taken_over(self, meters: Iterable[str], since: datetime, until: datetime) -> str | None:
        """The first of some meters that came to another customer while it stood there; ``None``: none did.

        A number that was corrected is the same customer's, and where none was told nobody else was there.

        Args:
            meters: our ids of those that stood in one place, oldest first.
            since: from when on is looked; aware.
            until: changes of this time and later are left out.

        """
        before: MeterSettings | None = None
        for meter in meters:
            told = self._told.get(meter)
            for entry in [] if told is None else told.within(*_both(told.newest, since, until)):
                if before is not None and _is_another(before, entry):
                    return meter
                before = entry
        return None

    def same_since(self, meter: str, until: datetime) -> datetime:
        """Since when a meter had the customer and the multiplier that it had before a time; aware.

        Args:
            meter: our id of it; one that the roster does not know was never another.
            until: changes of this time and later are left out.

        """
        told = self._told.get(meter)
        return _EVER if told is None else told.same_since(until)

    def line_to(self, meter: str) -> tuple[str, ...]:
        """The meters before one in its place, oldest first, and itself."""
        if meter not in self._told:
            return (meter,)
        return (*self._walk(meter, lambda one: self._told[one].newest.replaces)[::-1], meter)

    def is_one_hand(self, meter: str, since: datetime, until: datetime) -> bool:
        """Whether a place had one customer and one multiplier all the time between two others.

        Args:
            meter: our id of any meter of the place.
            since: from when on is looked; aware.
            until: changes of this time and later are left out.

        """
        chain = self.stood(meter, since, until)
        if not chain or self.taken_over(chain, since, until) is not None:
            return False
        if any(since < self.same_since(one, until) for one in chain):
            return False
        return 1 == len({self.last_place(one, until).multiplier for one in chain})

    def line(self, meter: str) -> tuple[str, ...]:
        """The meters of the place of a meter, oldest first: those before it, itself, and those behind it."""
        before = self._walk(meter, lambda one: self._told[one].newest.replaces)
        behind = self._walk(meter, self._next.get)
        return (*before[::-1], meter, *behind)

    def places_of(self, meter: str) -> tuple[str, ...]:
        """The same; one that the roster does not know stands alone."""
        return self.line(meter) if meter in self._told else (meter,)

    def _walk(self, meter: str, step: Callable[[str], str | None]) -> list[str]:
        """Those that a step leads to, one after another; what the roster does not know ends them."""
        found: list[str] = []
        one = step(meter)
        while one in self._told and one not in {meter, *found} and len(found) < CHAIN_MAX:
            found.append(one)
            one = step(one)
        return found

    def _served(self, meter: str, since: datetime, until: datetime) -> bool:
        """Whether a meter stood at a customer's between two times."""
        entry = self.settings(meter)
        is_left = entry is not None and (entry.in_service_until is None or entry.in_service_until > since)
        return is_left and self._came_before(meter, until)

    def _came_before(self, meter: str, until: datetime) -> bool:
        since = self._told[meter].newest.in_service_since
        return since is None or since < until


def _both(entry: MeterSettings, since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """The part of a time in which a meter stood at a customer's."""
    begins, ends = entry.in_service_since or since, entry.in_service_until or until
    return max(since, begins), min(until, ends)


def _is_another(before: MeterSettings, after: MeterSettings) -> bool:
    """Whether the customer of an entry is another than that of the one before it."""
    known = {"", after.customer_number, *after.customer_was}
    return before.customer_number not in known


def _place(entry: MeterSettings) -> Place:
    return Place(
        meter_number=entry.meter_number,
        customer_number=entry.customer_number,
        area=entry.area,
        multiplier=_ratio(entry),
        reading_day=entry.reading_day,
    )


def _ratio(entry: MeterSettings) -> Decimal:
    """By what registers are multiplied, in one way of writing: 0.1 for 0.000001 times 100000."""
    return Decimal(format((entry.ct * entry.pt).normalize(), "f"))
