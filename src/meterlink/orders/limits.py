"""How many trips may go: caps, the brake of a batch, the kill switch, freezes, quarantine.

All of it is folded from acts of the topic ``policy``, so that a restart forgets nothing and allows nothing
twice. What is counted is what may cut somebody off: trips, and the end of a power guarantee. Windows reach
back from now; a trip counts in each window in which it was admitted or sent. At its turn on the line only
what was really sent counts: then two hours of trips that waited for a broken line do not leave in a burst.

Subjects: ``trip:ORDER`` (admit, quarantine, release, delete, send, end), ``batch:NAME`` (release),
``kill_switch`` (stop, ask, resume), ``freeze:AREA`` (freeze, lift). Source: decision 24, CTRL-10, CTRL-24.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final

from meterlink.config.control import ControlSettings
from meterlink.model.act import Act, Topic
from meterlink.model.order import Order, OrderKind, Origin
from meterlink.model.payload import time_in
from meterlink.orders.calendar import Calendar
from meterlink.roster.roster import Roster, RosterMeter

CUTS: Final = frozenset({OrderKind.TRIP, OrderKind.GUARANTEE_OFF})
"""What may cut somebody off. Source: CTRL-22."""
DAY: Final = timedelta(hours=24)
HOUR: Final = timedelta(hours=1)
TEN_MINUTES: Final = timedelta(minutes=10)
KILL_SWITCH: Final = "kill_switch"
ALL_AREAS: Final = "*"
"""A freeze of every area."""
QUARANTINE_MAX: Final = 20_000
"""Orders held at once; one more is refused instead."""


class Verb(enum.StrEnum):
    """What the acts of ``policy`` say."""

    ADMIT = "admit"
    QUARANTINE = "quarantine"
    RELEASE = "release"
    DELETE = "delete"
    SEND = "send"
    END = "end"
    STOP = "stop"
    ASK = "ask"
    RESUME = "resume"
    FREEZE = "freeze"
    LIFT = "lift"


class Outcome(enum.StrEnum):
    """How a trip ended, for caps and brake."""

    DONE = "done"
    FAILED = "failed"
    UNSENT = "unsent"
    """It never left: it counts in no cap."""


class Quarantine(enum.StrEnum):
    """Whether a trip is held."""

    NONE = "none"
    HELD = "held"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """What is counted of one order.

    Args:
        order: its id.
        meter: our id.
        line: name.
        area: transformer area.
        by_policy: whether no person approved it.
        batch: which batch it belongs to.
        admitted_at: when it was queued, or about to be.
        sent_at: when its octets left, or were about to.
        outcome: how it ended.
        quarantine: whether it is held.
        released_by: by whom it was released.

    """

    order: str
    meter: str
    line: str
    area: str
    by_policy: bool
    batch: str
    admitted_at: datetime | None = None
    sent_at: datetime | None = None
    outcome: Outcome | None = None
    quarantine: Quarantine = Quarantine.NONE
    released_by: str = ""

    @classmethod
    def of(cls, order: Order, meter: RosterMeter, batch: str) -> Trip:
        """An order that nothing has become of."""
        return cls(
            order=order.id,
            meter=meter.id,
            line=meter.line,
            area=meter.area,
            by_policy=order.origin is Origin.POLICY,
            batch=batch,
        )

    @property
    def body(self) -> dict[str, Any]:
        """What an act says of it."""
        return {
            "meter": self.meter,
            "line": self.line,
            "area": self.area,
            "by_policy": self.by_policy,
            "batch": self.batch,
        }

    def counts_since(self, instant: datetime, *, sent_only: bool) -> bool:
        """Whether it counts in the window that begins there."""
        if self.outcome is Outcome.UNSENT:
            return False
        times = [self.sent_at] if sent_only else [self.sent_at, self.admitted_at]
        return any(time is not None and time > instant for time in times)


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """A cap that one more trip would break.

    Args:
        cap: its key in ``[control]``.
        count: trips in its window without this one.
        limit: how many there may be.

    """

    cap: str
    count: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """What the limits say of one order.

    Args:
        stopped_by: who threw the kill switch; empty: nobody.
        frozen: why its area is frozen; empty: it is not.
        over: caps that it would break.
        quarantine: whether it is held or was released.
        released_by: by whom.
        batch: which batch it belongs to.
        batch_size: trips admitted in it.
        batch_failures: how many of them failed since a person last looked.
        is_braked: whether the batch stands still.
        policy_trips: trips of its area in 24 hours that no person approved.
        is_quarantine_full: whether no more orders can be held.

    """

    stopped_by: str = ""
    frozen: str = ""
    over: tuple[Over, ...] = ()
    quarantine: Quarantine = Quarantine.NONE
    released_by: str = ""
    batch: str = ""
    batch_size: int = 0
    batch_failures: int = 0
    is_braked: bool = False
    policy_trips: int = 0
    is_quarantine_full: bool = False


def batch_of(order: Order, meter: RosterMeter, creator: str, calendar: Calendar, now: datetime) -> str:
    """Which batch a trip belongs to: those of one policy and area, or of one person, on one day."""
    whose = f"policy:{order.reference}:{meter.area}" if order.origin is Origin.POLICY else f"person:{creator}"
    return f"{calendar.day(now)}:{whose}"


def share(percent: Decimal, size: int) -> int:
    """So many meters of an area: rounded up, at least one; none for 0 percent."""
    if not percent:
        return 0
    return max(1, int((percent * size / 100).to_integral_value(ROUND_CEILING)))


class Limits:
    """Counts of the last 24 hours, and what stands still.

    Args:
        settings: the caps.
        roster: how many meters an area has.

    """

    def __init__(self, settings: ControlSettings, roster: Roster) -> None:
        self._settings = settings
        self._roster = roster
        self._trips: dict[str, Trip] = {}
        self._counted: dict[str, Trip] = {}  # those of the former that some window may count
        self._held: dict[str, Trip] = {}  # and those that wait for a person
        self._looked: dict[str, datetime] = {}
        self._failed_at: dict[str, datetime] = {}
        self._stopped_by = ""
        self._asked_by = ""
        self._freezes: dict[str, tuple[str, datetime | None]] = {}

    @property
    def stopped_by(self) -> str:
        """Who threw the kill switch; empty: nobody."""
        return self._stopped_by

    @property
    def asked_by(self) -> str:
        """Who asked that trips go again, and waits for a second person."""
        return self._asked_by

    def trip(self, order_id: str) -> Trip | None:
        """What is counted of an order."""
        return self._trips.get(order_id)

    def quarantined(self) -> tuple[Trip, ...]:
        """What is held, oldest first."""
        return tuple(self._held.values())

    def view(self, trip: Trip, now: datetime, *, is_turn: bool) -> Limited:
        """What the limits say of an order.

        Args:
            trip: the order.
            now: windows reach back from here.
            is_turn: whether its turn on the line has come, so that only what was sent counts.

        """
        self._forget(now)
        mine = self._trips.get(trip.order, trip)
        batch = [one for one in self._counted.values() if one.batch == trip.batch and _is_admitted(one)]
        failures = sum(self._failed_since_look(one) for one in batch)
        brake = self._settings
        return Limited(
            stopped_by=self._stopped_by,
            frozen=self._frozen(trip.area, now),
            over=tuple(self._over(trip, now, is_turn)),
            quarantine=mine.quarantine,
            released_by=mine.released_by,
            batch=trip.batch,
            batch_size=len(batch),
            batch_failures=failures,
            is_braked=failures >= brake.brake_failures_min
            and failures * 100 > brake.brake_percent * len(batch),
            policy_trips=sum(
                one.by_policy and one.area == trip.area and one.counts_since(now - DAY, sent_only=is_turn)
                for one in self._others(trip)
            ),
            is_quarantine_full=len(self._held) >= QUARANTINE_MAX,
        )

    def reserve(self, trip: Trip, now: datetime, *, is_turn: bool) -> None:
        """Count an order that passed, before its act is kept; without a pause after ``view``."""
        before = self._trips.get(trip.order, trip)
        self._put(replace(before, sent_at=now) if is_turn else replace(before, admitted_at=now, outcome=None))

    def take_back(self, order_id: str) -> None:
        """Forget a reservation whose act was not kept, or whose order was not sent."""
        if order_id in self._trips:
            self._put(replace(self._trips[order_id], sent_at=None, outcome=Outcome.UNSENT))

    def apply(self, act: Act) -> None:
        """Count what an act of ``policy`` says; other acts say nothing here."""
        if act.topic is not Topic.POLICY:
            return
        what, _, name = act.subject.partition(":")
        if act.subject == KILL_SWITCH:
            self._apply_switch(act)
        elif what == "freeze":
            self._apply_freeze(name, act)
        elif what == "batch" and act.verb == Verb.RELEASE:
            self._looked[name] = act.at
        elif what == "trip":
            self._apply_trip(name, act)

    def _apply_switch(self, act: Act) -> None:
        self._asked_by = act.actor if act.verb == Verb.ASK else ""
        if act.verb == Verb.STOP:
            self._stopped_by = act.actor
        elif act.verb == Verb.RESUME:
            self._stopped_by = ""

    def _apply_freeze(self, area: str, act: Act) -> None:
        if act.verb == Verb.LIFT:
            self._freezes.pop(area, None)
        else:
            until = act.body.get("until")
            self._freezes[area] = (str(act.body.get("why", "")), time_in(until) if until else None)

    def _apply_trip(self, order_id: str, act: Act) -> None:
        trip = self._trips.get(order_id) or _trip_in(order_id, act.body)
        match act.verb:
            case Verb.ADMIT:
                trip = replace(trip, admitted_at=act.at, outcome=None)
            case Verb.SEND:
                trip = replace(trip, sent_at=act.at, outcome=None)
            case Verb.END:
                trip = replace(trip, outcome=Outcome(act.body["outcome"]))
                self._failed_at[order_id] = act.at
            case Verb.QUARANTINE:
                trip = replace(trip, quarantine=Quarantine.HELD)
            case Verb.RELEASE:
                trip = replace(trip, quarantine=Quarantine.RELEASED, released_by=act.actor)
            case Verb.DELETE:
                trip = replace(trip, quarantine=Quarantine.NONE, outcome=Outcome.UNSENT)
        self._put(trip)

    def _put(self, trip: Trip) -> None:
        self._trips[trip.order] = trip
        if trip.quarantine is Quarantine.NONE and not (trip.admitted_at or trip.sent_at):
            del self._trips[trip.order]
        _index(self._counted, trip, bool(trip.admitted_at or trip.sent_at))
        _index(self._held, trip, trip.quarantine is Quarantine.HELD)

    def _others(self, trip: Trip) -> Iterator[Trip]:
        return (one for one in self._counted.values() if one.order != trip.order)

    def _over(self, trip: Trip, now: datetime, is_turn: bool) -> Iterator[Over]:
        size = self._roster.area_size(trip.area)
        caps = self._settings
        windows: tuple[tuple[str, int, timedelta, str], ...] = (
            ("trips_per_meter_day", caps.trips_per_meter_day, DAY, "meter"),
            ("trips_per_line_10_min", caps.trips_per_line_10_min, TEN_MINUTES, "line"),
            ("trips_per_area_hour_percent", share(caps.trips_per_area_hour_percent, size), HOUR, "area"),
            ("trips_per_area_day_percent", share(caps.trips_per_area_day_percent, size), DAY, "area"),
        )
        for cap, limit, span, same in windows:
            count = sum(
                getattr(one, same) == getattr(trip, same) and one.counts_since(now - span, sent_only=is_turn)
                for one in self._others(trip)
            )
            if count >= limit:
                yield Over(cap=cap, count=count, limit=limit)

    def _frozen(self, area: str, now: datetime) -> str:
        for place in (ALL_AREAS, area):
            why, until = self._freezes.get(place, ("", now))
            if why and (until is None or now < until):
                return why
        return ""

    def _failed_since_look(self, trip: Trip) -> bool:
        looked = self._looked.get(trip.batch)
        return trip.outcome is Outcome.FAILED and not (looked and self._failed_at[trip.order] <= looked)

    def _forget(self, now: datetime) -> None:
        """What is older than every window and held by nobody."""
        old = [name for name, trip in self._counted.items() if _is_old(trip, now - DAY)]
        for name in old:
            del self._trips[name], self._counted[name]
            self._failed_at.pop(name, None)


def _index(index: dict[str, Trip], trip: Trip, belongs: bool) -> None:
    if belongs:
        index[trip.order] = trip
    else:
        index.pop(trip.order, None)


def _is_admitted(trip: Trip) -> bool:
    return trip.admitted_at is not None and trip.outcome is not Outcome.UNSENT


def _is_old(trip: Trip, before: datetime) -> bool:
    if trip.quarantine in (Quarantine.HELD, Quarantine.RELEASED):
        return False
    times = [time for time in (trip.admitted_at, trip.sent_at) if time]
    return bool(times) and max(times) <= before


def _trip_in(order_id: str, body: Mapping[str, Any]) -> Trip:
    return Trip(
        order=order_id,
        meter=str(body.get("meter", "")),
        line=str(body.get("line", "")),
        area=str(body.get("area", "")),
        by_policy=bool(body.get("by_policy", False)),
        batch=str(body.get("batch", "")),
    )


def folded(settings: ControlSettings, roster: Roster, acts: Iterable[Act]) -> Limits:
    """Limits after acts, in their order."""
    limits = Limits(settings, roster)
    for act in acts:
        limits.apply(act)
    return limits
