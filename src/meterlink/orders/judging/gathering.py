"""The facts of one order, gathered from the log, the roster and the settings, and judged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from meterlink.clock import Clock
from meterlink.config.control import ControlSettings
from meterlink.config.meters import ProtectedKind
from meterlink.errors import JournalError, NotAllowed
from meterlink.journal.acts import READ_MAX, ActLog
from meterlink.model.act import Act, KeptAct, Topic
from meterlink.model.order import CLOSES, Order, OrderKind, Origin
from meterlink.orders.book import histories_of
from meterlink.orders.evidence.book import EvidenceBook
from meterlink.orders.evidence.one_payment import alike
from meterlink.orders.evidence.records import Payment
from meterlink.orders.judging.least_time import LeastTime
from meterlink.orders.judging.others import Others, credited, sent_at
from meterlink.orders.judging.proven import Qualified
from meterlink.orders.judging.restored import Restored
from meterlink.orders.judging.watching import Watch
from meterlink.orders.life.history import cut_of
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.timeline import Timeline
from meterlink.orders.limits.calendar import Calendar
from meterlink.orders.limits.caps import Limited, Verb
from meterlink.orders.limits.trips import CUTS, is_counted
from meterlink.orders.people import DAEMON, DEEDS, ROLES, Actor, Deed, People, Role
from meterlink.orders.qualification.walk import Walk, walk_of
from meterlink.orders.rules.facts import Facts, FieldGrant, Live, Probing, Steps
from meterlink.orders.rules.judge import judge
from meterlink.orders.rules.verdict import Stage, Verdict
from meterlink.orders.waiting.seen import seen_closed
from meterlink.orders.waiting.spared import BY_ROSTER, ChangesOf, Sparing
from meterlink.orders.waiting.wait import closings_of_wait, that_cut
from meterlink.roster.roster import Roster, RosterMeter

ORDER_ACTS_MAX: Final = 50_000
"""Steps of all orders of one meter, ever; beyond, nothing is judged for it and somebody must look."""
_AT_TURN: Final = frozenset({Stage.PAPER, Stage.LIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Gatherer:
    """Gathers the facts of an order and asks every rule.

    Args:
        acts: the log.
        roster: the meters.
        book: the evidence.
        watch: the counts of trips; started.
        settings: the limits.
        calendar: tells when trips may go, as it stands now.
        clock: the time.
        timeline: how long ago something was.
        last_read: when a meter was last read with success.
        qualified: what is proven of the models.
        wall: since when our clock can be right.
        restored: whether the log is the newest.
        people: who has which role, or why that cannot be said.
        changes_of: what the roster was told of a meter, oldest first.

    """

    acts: ActLog
    roster: Roster
    book: EvidenceBook
    watch: Watch
    settings: ControlSettings
    calendar: Callable[[], Calendar]
    clock: Clock
    timeline: Timeline
    last_read: Callable[[str], Awaitable[datetime | None]]
    qualified: Qualified
    wall: LeastTime
    restored: Restored
    people: People
    changes_of: ChangesOf

    @property
    def sparing(self) -> Sparing:
        """Finds who was cut off and must not be."""
        return Sparing(
            evidence=self.book,
            changes_of=self.changes_of,
            roster=self.roster,
            protected_now=self.protected_now,
        )

    async def judge(
        self, stage: Stage, order: Order, life: Life | None, actor: Actor, live: Live | None = None
    ) -> Sequence[Verdict]:
        """What the rules say. A trip that passes at ``LIVE`` counts as sent from now on.

        Args:
            stage: what is about to happen.
            order: which order.
            life: how it stands; ``None``: it is being created.
            actor: who does it.
            live: what the meter said; at ``LIVE``, and only there.

        Raises:
            JournalError: the facts cannot be read.
            EvidenceRefused: a record of the meter cannot be read.

        """
        meter = self.roster.meter(order.meter)
        if meter is None:
            return (_no_such_meter(order.meter),)
        facts = await self.facts(stage, order, life, actor, meter, live)
        verdicts = judge(stage, facts)
        if stage is Stage.LIVE and is_counted(order) and all(verdict.passed for verdict in verdicts):
            self._reserve(facts, life)
        return verdicts

    async def facts(
        self,
        stage: Stage,
        order: Order,
        life: Life | None,
        actor: Actor,
        meter: RosterMeter,
        live: Live | None = None,
    ) -> Facts:
        """Everything that the rules look at.

        Raises:
            JournalError: it cannot be read.
            EvidenceRefused: a record of the meter cannot be read.

        """
        steps_of = await self._steps_of(meter.id)
        steps_before: dict[str, list[Act]] = {}
        for predecessor in meter.predecessors:
            steps_before |= await self._steps_of(predecessor)
        policy = [order.reference] if order.origin is Origin.POLICY and order.reference else []
        told = await self.book.of_meter(meter, *policy)
        payment = told.find(order.payment, Payment) if order.kind is OrderKind.TOP_UP else None
        elsewhere = await self.book.elsewhere.payments_of(payment) if payment else []
        last_read_at = await self.last_read(meter.id)
        proven = await self.qualified(meter, order.kind, live.firmware if live else None)
        probing = await self._probing(order)
        cut_at = await self._cut_at(order, meter)
        by_itself = _goes_by_itself(order)
        of_wait = await closings_of_wait(self.acts, meter, self.sparing) if by_itself else frozenset()
        spared = await self._spared(order, meter)
        grant = await self._grant(order.id)
        await self.watch.refresh()
        # From here to the verdict nothing waits, so that no other order is counted in between.
        now = self.clock.utc_now()
        others = Others(
            here=steps_of,
            before=steps_before,
            like=alike(told, order.payment),
            of_wait=of_wait,
            timeline=self.timeline,
            now=now,
        )
        return Facts(
            order=order,
            meter=replace(meter, protected=self.protected(meter)),
            actor=actor,
            now=now,
            settings=self.settings,
            calendar=self.calendar(),
            steps=self._steps(life, steps_of.get(order.id, []), grant, now),
            told=told,
            limited=self._limited(stage, order, life, actor, meter, now),
            others=tuple(others.of(order)),
            credited=credited(order, steps_of),
            last_read_at=last_read_at,
            unproven=proven.unproven,
            model=proven.facts,
            told_elsewhere=tuple(elsewhere),
            cut_at=cut_at,
            spared=spared,
            live=live,
            probing=probing,
            clock_from=self.wall.least(),
            people_fault=self.people.fault,
            people_fault_zh=self.people.fault_zh,
            people_were_known=self.people.were_known,
            log_doubt=self.restored.doubt,
        )

    def protected(self, meter: RosterMeter) -> tuple[ProtectedKind, ...]:
        """Why nobody may cut off its customer, at whichever of his meters the roster says so."""
        others = self.roster.of_customer(meter.customer_number) if meter.customer_number else ()
        return tuple({kind: None for one in (meter, *others) for kind in one.protected})

    def protected_now(self, meter: RosterMeter) -> set[str]:
        """The same, without what is out of season."""
        calendar, now = self.calendar(), self.clock.utc_now()
        return {kind for kind in self.protected(meter) if calendar.in_season(kind, now)}

    async def _cut_at(self, order: Order, meter: RosterMeter) -> int:
        """Where in the log the order was created that cut the meter off; 0: none did, or nobody asks."""
        if order.kind in CUTS or not (order.payment or order.reference):
            return 0
        cut = cut_of(await histories_of(self.acts, meter.id, meter.predecessors))
        return 0 if cut is None else cut.ordered_at

    async def _spared(self, order: Order, meter: RosterMeter) -> frozenset[str]:
        """What the roster has told since the meter was cut off, by which its household must not be."""
        if order.kind not in CLOSES or not order.reference.startswith(BY_ROSTER):
            return frozenset()
        seen = await seen_closed(self.acts, (*meter.predecessors, meter.id))
        cut = that_cut(await histories_of(self.acts, meter.id, meter.predecessors), seen)
        return frozenset(one.cause for one in await self.sparing.since(meter, cut)) if cut else frozenset()

    async def _probing(self, order: Order) -> Probing | None:
        """Who at the meter has asked for the order of a probe; ``None``: it is none, or nobody has."""
        if order.origin is not Origin.PROBE:
            return None
        acts = await self.acts.of_subject(Topic.QUALIFICATION, walk_of(order))
        try:
            walk = Walk.of(acts)
        except (ValueError, KeyError, TypeError):
            return None
        asked = walk.asked
        if asked is None or asked.order != order.id or walk.meter != order.meter:
            return None
        return Probing(by=asked.by, confirmed_at=self._oldest(asked.at))

    async def _steps_of(self, meter: str) -> dict[str, list[Act]]:
        """The steps of all orders of a meter, by order."""
        found: dict[str, list[Act]] = {}
        page: list[KeptAct] = []
        read = 0
        while not read or len(page) == READ_MAX:
            after = page[-1].number if page else 0
            page = await self.acts.of_meter(meter, [Topic.ORDER], after=after)
            read += max(1, len(page))
            if read > ORDER_ACTS_MAX:
                raise JournalError(f"{meter}: more than {ORDER_ACTS_MAX} steps of orders: nothing is judged")
            for kept in page:
                found.setdefault(kept.act.subject, []).append(kept.act)
        return found

    async def _grant(self, order_id: str) -> FieldGrant | None:
        """The newest authorisation for an order; what was done with it stands behind it in the log."""
        grants = await self.acts.of_subject(Topic.POLICY, f"grant:{order_id}")
        if not grants or grants[-1].act.verb != Verb.GRANT:
            return None
        number, act = grants[-1].number, grants[-1].act
        person = str(act.body["person"])
        steps = await self.acts.of_subject(Topic.ORDER, order_id)
        behind = [kept.act for kept in steps if kept.number > number]
        used = any(one.verb == Signal.OPERATE and one.actor == person for one in behind)
        return FieldGrant(person=person, granted_at=self._oldest(act.at), is_used=used)

    def _oldest(self, at: datetime) -> datetime:
        """When something was that lasts for so long, by the clock that makes it older."""
        return min(at, at + self.timeline.set_since(at))

    def _limited(
        self,
        stage: Stage,
        order: Order,
        life: Life | None,
        actor: Actor,
        meter: RosterMeter,
        now: datetime,
    ) -> Limited:
        if order.kind not in CUTS:
            return Limited()
        creator, created_at = (life.created_by, life.created_at) if life else (actor.name, now)
        trip = self.watch.trip_at(order, meter, creator, created_at)
        lived = self.timeline.now()
        return self.watch.limits.view(trip, lived, is_turn=stage in _AT_TURN, wall=now)

    def _reserve(self, facts: Facts, life: Life | None) -> None:
        assert life is not None, "an order that is about to be sent has been created"
        trip = self.watch.trip_at(facts.order, facts.meter, life.created_by, life.created_at)
        self.watch.limits.reserve(trip, self.timeline.now())

    def _steps(
        self, life: Life | None, acts: Sequence[Act], grant: FieldGrant | None, now: datetime
    ) -> Steps:
        if life is None:
            return Steps(field_grant=grant)
        field_person = _operated_by_grant(acts)
        return Steps(
            created_by=life.created_by,
            approved_by=life.approvals,
            approved_at=life.authorised_at,
            approval_set=self.timeline.set_since(life.authorised_at) if life.authorised_at else timedelta(),
            armed_by=life.armed_by,
            field_grant=grant,
            field_person=field_person,
            is_field_still=bool(field_person) and self._is_of_the_field(field_person),
            sent_at=sent_at(acts, self.timeline, now),
        )

    def _is_of_the_field(self, name: str) -> bool:
        """Whether somebody is of the field staff now; while that cannot be said: no, and the rules wait."""
        try:
            return Role.FIELD in self.people.actor(name).roles
        except NotAllowed:
            return False


def _goes_by_itself(order: Order) -> bool:
    """Whether it is to bring current to somebody who waits, and no person ordered it."""
    return order.origin is Origin.PAYMENT and order.kind in CLOSES


def _operated_by_grant(acts: Sequence[Act]) -> str:
    """Who has operated an order last, if that took a one-time authorisation; else empty."""
    operated = [act for act in acts if act.verb == Signal.OPERATE and act.actor != DAEMON]
    roles = set(operated[-1].body.get(ROLES, ())) if operated else set()
    return operated[-1].actor if Role.FIELD in roles and not roles & DEEDS[Deed.OPERATE] else ""


def _no_such_meter(name: str) -> Verdict:
    return Verdict(
        rule="CTRL-12",
        passed=False,
        inputs={"meter": name},
        en=f"there is no meter {name!r} in the roster",
        zh=f"档案中没有电表{name!r}",
    )
