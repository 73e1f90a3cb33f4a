"""How many trips may go: caps, the brake of a batch, the kill switch, freezes, quarantine.

All of it is folded from the log: from the steps of orders, and from acts of the topic ``policy``. So a
restart forgets nothing and allows nothing twice. What is counted is what may cut somebody off: trips, and
the end of a power guarantee. Windows reach back from now, in lived time
(``Timeline``): whoever sets the wall clock empties none. A trip counts in each window in which it was queued
or sent; at its turn on the line only what was really sent counts: then two hours of trips that waited for a
broken line do not leave in a burst.

Subjects of ``policy``: ``quarantine:ORDER`` (quarantine, release, delete), ``batch:NAME`` (release),
``kill_switch`` (stop, ask, resume), ``freeze:AREA`` (freeze, lift), ``grant:ORDER`` (grant, revoke).
Source: decision 24, CTRL-10, CTRL-24.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Final, NamedTuple

from meterlink.config.control import ControlSettings
from meterlink.model.act import Act
from meterlink.model.payload import time_in
from meterlink.orders.limits.trips import Outcome, Quarantine, Trip
from meterlink.roster.roster import Roster

DAY: Final = timedelta(hours=24)
HOUR: Final = timedelta(hours=1)
TEN_MINUTES: Final = timedelta(minutes=10)
FORGET_EVERY: Final = timedelta(minutes=1)
KILL_SWITCH: Final = "kill_switch"
ALL_AREAS: Final = "*"
"""A freeze of every area."""
QUARANTINE_MAX: Final = 20_000
"""Orders held at once; one more is refused instead."""


class Verb(enum.StrEnum):
    """What the acts of ``policy`` say."""

    QUARANTINE = "quarantine"
    RELEASE = "release"
    DELETE = "delete"
    STOP = "stop"
    ASK = "ask"
    RESUME = "resume"
    FREEZE = "freeze"
    LIFT = "lift"
    GRANT = "grant"
    REVOKE = "revoke"


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
        batch_size: trips queued in it.
        batch_failures: how many of them failed since a person last looked.
        is_braked: whether the batch stands still.
        policy_trips: trips of its area in 24 hours that no person approved.
        is_quarantine_full: whether no more orders can be held.
        is_blind: whether the log held too much to be counted, so that nothing is known.

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
    is_blind: bool = False


class Freeze(NamedTuple):
    """That no trip goes in an area: one freeze of an area, the one that lasts longest.

    Who may freeze may not lift: so a later freeze takes nothing of an earlier one away.

    Attributes:
        area: ``*``: every one.
        why: for people.
        until: when it ends; ``None``: when somebody lifts it.
        lived_until: the same in lived time, as the wall clock went when it was declared.

    """

    area: str
    why: str
    until: datetime | None
    lived_until: datetime | None

    def lasts(self, wall: datetime, now: datetime) -> bool:
        """Whether it is in force, by wall time or by lived time."""
        if self.until is None or self.lived_until is None:
            return True
        return wall < self.until or now < self.lived_until

    def outlasts(self, other: Freeze) -> bool:
        """Whether it ends after another one."""
        return other.until is not None and (self.until is None or self.until > other.until)


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
        self._blind_until: datetime | None = None
        self._forgot_at: datetime | None = None
        self._stopped_by = ""
        self._asked_by = ""
        self._freezes: dict[str, Freeze] = {}

    @property
    def settings(self) -> ControlSettings:
        """The caps, and the other figures of the rules."""
        return self._settings

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

    def freezes(self, wall: datetime, now: datetime) -> tuple[Freeze, ...]:
        """Those in force, by area."""
        return tuple(one for _, one in sorted(self._freezes.items()) if one.lasts(wall, now))

    def quarantined(self) -> tuple[Trip, ...]:
        """What is held, oldest first."""
        return tuple(self._held.values())

    def view(self, trip: Trip, now: datetime, *, is_turn: bool, wall: datetime | None = None) -> Limited:
        """What the limits say of an order.

        Args:
            trip: the order.
            now: lived time; windows reach back from here.
            wall: wall time; ``None``: the same.
            is_turn: whether its turn on the line has come, so that only what was sent counts.

        """
        self._forget(now)
        mine = self._trips.get(trip.order, trip)
        batch = [one for one in self._counted.values() if one.batch == trip.batch and _is_of_batch(one)]
        failures = sum(self._failed_since_look(one) for one in batch)
        brake = self._settings
        return Limited(
            stopped_by=self._stopped_by,
            frozen=self._frozen(trip.area, wall or now, now),
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
            is_blind=self._blind_until is not None and now < self._blind_until,
        )

    def reserve(self, trip: Trip, now: datetime) -> None:
        """Count an order as sent (lived time) until the log says so; without a pause after ``view``."""
        self._put(replace(self._trips.get(trip.order, trip), sent_at=now))

    def saw_step(self, trip: Trip, act: Act) -> None:
        """Count a step of an order that may cut somebody off.

        Args:
            trip: the order, as ``Trip.of`` gives it.
            act: its step, with its lived time.

        """
        self._put(self._trips.get(trip.order, trip).after(act))

    def saw_policy(self, act: Act, ahead: timedelta = timedelta()) -> None:
        """Count an act of ``policy``.

        Args:
            act: with its lived time.
            ahead: how far the wall clock was before lived time then.

        """
        what, _, name = act.subject.partition(":")
        if act.subject == KILL_SWITCH:
            self._apply_switch(act)
        elif what == "freeze":
            self._apply_freeze(name, act, ahead)
        elif what == "batch" and act.verb == Verb.RELEASE:
            self._looked[name] = act.at
        elif what == "quarantine":
            self._apply_quarantine(name, act)

    def go_blind(self, until: datetime) -> None:
        """Know nothing until then: the log held more than could be counted."""
        self._blind_until = until

    def _apply_switch(self, act: Act) -> None:
        self._asked_by = act.actor if act.verb == Verb.ASK else ""
        if act.verb == Verb.STOP:
            self._stopped_by = act.actor
        elif act.verb == Verb.RESUME:
            self._stopped_by = ""

    def _apply_freeze(self, area: str, act: Act, ahead: timedelta) -> None:
        if act.verb == Verb.LIFT:
            self._freezes.pop(area, None)
            return
        until = time_in(act.body["until"]) if act.body.get("until") else None
        fresh = Freeze(area, str(act.body.get("why", "")), until, until - ahead if until else None)
        if (before := self._freezes.get(area)) is None or not before.outlasts(fresh):
            self._freezes[area] = fresh

    def _apply_quarantine(self, order_id: str, act: Act) -> None:
        trip = self._trips.get(order_id) or Trip.read(order_id, act.body)
        match act.verb:
            case Verb.QUARANTINE:
                trip = replace(trip, quarantine=Quarantine.HELD, held_at=act.at)
            case Verb.RELEASE:
                trip = replace(trip, quarantine=Quarantine.RELEASED, released_by=act.actor)
            case Verb.DELETE:
                trip = replace(trip, quarantine=Quarantine.NONE)
        self._put(trip)

    def _put(self, trip: Trip) -> None:
        is_counted = bool(trip.queued_at or trip.sent_at)
        _index(self._trips, trip, is_counted or trip.quarantine is not Quarantine.NONE)
        _index(self._counted, trip, is_counted)
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

    def _frozen(self, area: str, wall: datetime, now: datetime) -> str:
        for place in (ALL_AREAS, area):
            freeze = self._freezes.get(place)
            if freeze is not None and freeze.lasts(wall, now):
                return freeze.why
        return ""

    def _failed_since_look(self, trip: Trip) -> bool:
        looked = self._looked.get(trip.batch)
        is_old = looked is not None and trip.ended_at is not None and trip.ended_at <= looked
        return trip.outcome is Outcome.FAILED and not is_old

    def _forget(self, now: datetime) -> None:
        """What is older than every window and held by nobody; looked for once a minute."""
        if self._forgot_at is not None and abs(now - self._forgot_at) < FORGET_EVERY:
            return
        self._forgot_at = now
        for name in [name for name, trip in self._trips.items() if _is_old(trip, now - DAY)]:
            self._counted.pop(name, None)
            del self._trips[name]


def _index(index: dict[str, Trip], trip: Trip, belongs: bool) -> None:
    if belongs:
        index[trip.order] = trip
    else:
        index.pop(trip.order, None)


def _is_of_batch(trip: Trip) -> bool:
    return trip.queued_at is not None and trip.outcome is not Outcome.WITHDRAWN


def _is_old(trip: Trip, before: datetime) -> bool:
    times = [time for time in (trip.queued_at, trip.sent_at, trip.held_at, trip.ended_at) if time]
    return trip.quarantine is not Quarantine.HELD and max(times) <= before
