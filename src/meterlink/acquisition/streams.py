"""What a collector has to do, and what of it is most urgent: one stream a meter and plan.

Current work goes by the moment since which it waits plus the patience of its kind, so that a later billing
read overtakes curves, yet whatever waits long enough is the oldest and goes first (decision 19). A meter that
rests waits from the end of its rest: who was silent comes behind all who were not asked yet.

Backfill goes by what it is worth: billing days, newest first; then what is no older than a week, newest
first; then what the meter will overwrite first. Source: business rules, FRZ-03.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

from meterlink.acquisition.plans import Point, StoredPlan
from meterlink.bus.queue import Priority
from meterlink.drivers.base import Depth, MemoryReader
from meterlink.journal.ledger_looks import Front
from meterlink.journal.series import Series
from meterlink.model.data_classes import CURVE
from meterlink.model.slot import MONTH_S

FRESH: Final = timedelta(days=7)
"""Gaps no older than this come before the rest. Source: FRZ-03."""
NOT_TAKEN: Final = "record_not_taken"
"""What the log says of a meter whose newest record is older than what is due."""
BACKFILL_POINTS: Final = 24
"""Points of a curve in one turn of backfill; a request brings several."""
MONTH_DAYS_S: Final = 31 * 86_400

NOTHING_OPEN: Final = Front(current=None, coming=None, newest=None, oldest=None)


@dataclass(slots=True)
class Meter:
    """What a collector remembers of one meter.

    Args:
        point: the meter.
        silent: whether it did not answer when last asked.
        tries: vain ones since it last answered or was put aside.
        rest_until: monotonic time before which it is not asked.
        rest_s: how long it rested last for its silence; 0: it has answered since.
        is_busy: somebody asks it now.
        vouched_until: monotonic time until which its clock is believed to be about right.

    """

    point: Point
    silent: bool = False
    tries: int = 0
    rest_until: float = 0.0
    rest_s: float = 0.0
    is_busy: bool = False
    vouched_until: float = 0.0


@dataclass(slots=True, eq=False)
class Stream:
    """One plan of one meter.

    Args:
        meter: shared by all streams of the meter.
        plan: what is read.
        driver: how.
        depth_s: how far back the meter's memory reaches, as far as anybody knows.
        front: the open slots, seen from afar.
        behind: of freezes, all open slots that are backfill.
        passed_over: of these, those that a turn came for in vain since one was read.
        passed: of a curve, first and last of the open points that turns of backfill came for in vain.
        points_a_turn: of a curve, how many points of backfill one turn asks for; fewer where all that are
            left were asked for in vain: one of them spoils the turn for the others.
        depth_rests_until: monotonic time before which it is not asked again whether it holds what it should
            have overwritten: it was, in vain.
        is_stale: ``front`` may be no longer true.
        refused: items that the meter has not, by the day on which it said so, with its words.
        lacked: items without which slots may stand kept: refused since they came last, or nobody knows.
        may_reopen: a refusal was believed since it last brought something, or nobody knows.
        tries: vain answers since it last brought something or was put aside.
        vain_rest_s: how long it rested last for them; 0: it has brought something since.
        rests: monotonic times before which it is not asked for current work, and for backfill: what the meter
            has not taken yet does not keep it from giving what it has.
        turn: number of its last turn.
        silent_since: of current work, and of backfill: monotonic time of its first turn without any answer
            since one that had some; ``inf``: the last one had. One night may be all that it says nothing of.
        told: what the log last said of its missing records.

    """

    meter: Meter
    plan: StoredPlan
    driver: MemoryReader
    depth_s: float = 0.0
    front: Front = NOTHING_OPEN
    behind: tuple[datetime, ...] = ()
    passed_over: set[datetime] = field(default_factory=set)
    passed: tuple[datetime, datetime] | None = None
    points_a_turn: int = BACKFILL_POINTS
    depth_rests_until: float = 0.0
    is_stale: bool = True
    refused: dict[str, tuple[date, str]] = field(default_factory=dict)
    lacked: set[str] = field(default_factory=set)
    may_reopen: bool = True
    tries: int = 0
    vain_rest_s: float = 0.0
    rests: dict[bool, float] = field(default_factory=lambda: {True: 0.0, False: 0.0})
    turn: int = 0
    silent_since: dict[bool, float] = field(default_factory=lambda: {True: math.inf, False: math.inf})
    told: str = ""

    def __post_init__(self) -> None:
        """Take the depth that the driver knows; a start knows nothing of what was refused before it."""
        self.depth_s = depth_s(self.depth)
        self.lacked.update(self.plan.items)

    @property
    def series(self) -> Series:
        """Its slots in the ledger."""
        return self.plan.series(self.meter.point.meter)

    @property
    def depth(self) -> Depth:
        """What the profile says of the meter's memory."""
        return self.driver.stored[self.plan.data_class]

    @property
    def priority(self) -> Priority:
        """Of its current work."""
        return Priority.CURVE if self.plan.data_class == CURVE else Priority.BILLING

    def rests_until(self, *, is_current: bool) -> float:
        """Monotonic time before which it is not to be asked for current work, or for backfill."""
        return max(self.rests[is_current], self.meter.rest_until)

    @property
    def is_askable(self) -> bool:
        """Whether nobody asks its meter now, and what is known of its slots is true."""
        return not self.meter.is_busy and not self.is_stale

    def items(self, today: date) -> tuple[str, ...]:
        """What is asked for: not what the meter has refused today."""
        gone = {item for item, (day, _) in self.refused.items() if day == today}
        return tuple(item for item in self.plan.items if item not in gone)

    @property
    def changes_at(self) -> float:
        """When the front is no longer true by itself: a slot becomes due, or becomes backfill.

        Seconds of the wall clock; slots are counted in whole ones.
        """
        coming, current = self.front.coming, self.front.current
        aged_at = math.inf if current is None else current + 1 + self.plan.current_for.total_seconds()
        return aged_at if coming is None else min(float(coming), aged_at)

    def waits_since(self, now: datetime, monotonic_s: float) -> float | None:
        """Where its current work stands in the line, in seconds of the wall clock; ``None``: it has none."""
        if self.front.current is None:
            return None
        rested_at = now.timestamp() - (monotonic_s - self.rests_until(is_current=True))
        return max(float(self.front.current), rested_at) + self.priority.patience_s

    def worth(self, now: datetime) -> tuple[int, float] | None:
        """Where its backfill stands, the smallest first; ``None``: it has none."""
        newest, oldest = self.front.newest, self.front.oldest
        if newest is None or oldest is None:
            return None
        if (billing := self.billing_days()) and self.plan.data_class != CURVE:
            return 0, -billing[0].timestamp()
        if newest >= (now - FRESH).timestamp():
            return 1, -float(newest)
        return 2, oldest + self.depth_s

    def billing_days(self) -> list[datetime]:
        """Open slots of backfill on which bills rest, newest first."""
        if self.plan.every_s == MONTH_S:
            return sorted(self.behind, reverse=True)
        day, calendar = self.meter.point.reading_day, self.plan.calendar
        return sorted((slot for slot in self.behind if calendar.day_of(slot).day == day), reverse=True)

    def behind_first(self, now: datetime) -> list[datetime]:
        """Open freezes of backfill, the most urgent first: those of the first kind of worth that it has.

        One that a turn came for in vain waits until another was read, or all were asked for: it would be
        asked for first each time, and nobody would come to what stands behind it.
        """
        self.passed_over.intersection_update(self.behind)
        if len(self.passed_over) == len(self.behind):
            self.passed_over.clear()
        billing, fresh = self.billing_days(), now - FRESH
        ranked = (
            billing,
            sorted((slot for slot in self.behind if slot >= fresh), reverse=True),
            sorted(slot for slot in self.behind if slot < fresh),
        )
        kinds = ([slot for slot in kind if slot not in self.passed_over] for kind in ranked)
        return next((kind for kind in kinds if kind), [])

    def pass_by(self, slots: Sequence[datetime]) -> None:
        """Turns of backfill came for some points of a curve in vain, as often as they may."""
        self.passed = min(*slots, *(self.passed or slots)), max(*slots, *(self.passed or slots))

    def begin_again(self) -> None:
        """Turns of backfill came for all open points of a curve in vain: they are asked for anew, and fewer.

        Until then they are left out: they would be asked for first each time, and nobody would come to what
        stands behind them.
        """
        if self.passed is not None:
            self.passed = None
            self.points_a_turn = max(self.points_a_turn // 2, 1)

    def overwritten_before(self, now: datetime) -> datetime:
        """Slots before this are no longer in the meter's memory, as far as anybody knows."""
        return now - timedelta(seconds=self.depth_s)

    def may_be_gone(self, now: datetime) -> datetime | None:
        """The oldest open slot, if the meter should have overwritten it by now."""
        oldest = self.front.oldest
        if oldest is None or oldest >= self.overwritten_before(now).timestamp():
            return None
        return datetime.fromtimestamp(oldest, UTC)


@dataclass(frozen=True, slots=True)
class Job:
    """One turn.

    Args:
        stream: whose.
        slots: 1 to ``turns.SLOTS_A_TURN``, the most urgent first.
        priority: whose time of the line it takes.
        checks_depth: it asks whether the meter still holds what it should have overwritten.

    """

    stream: Stream
    slots: tuple[datetime, ...]
    priority: Priority
    checks_depth: bool = False

    @property
    def is_current(self) -> bool:
        """Whether it is no backfill."""
        return self.priority is not Priority.BACKFILL


def depth_s(depth: Depth) -> float:
    """How far back a memory reaches, in seconds."""
    return depth.records * (depth.every_s or MONTH_DAYS_S)
