"""The book of evidence: records kept once as acts, and what they tell of one meter.

A record is the first act of its subject, ``SENDER:ID``. Two further acts may follow: ``confirm``, by which a
second person says that a policy is meant, and ``withdraw``, by which a person takes back what only ever
allows something (a warning, a notice, a consent, ...). A payment or a dispute cannot be taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Protocol

from meterlink.clock import Clock
from meterlink.errors import EvidenceRefused, NotEntitled, Overtaken, StepTaken
from meterlink.journal.acts import READ_MAX, ActLog
from meterlink.model.act import Act, Basis, KeptAct, Topic
from meterlink.orders.evidence.admission import check_brought, check_taken_back
from meterlink.orders.evidence.elsewhere import Elsewhere
from meterlink.orders.evidence.placing import check_others_take_back, check_others_told, placed
from meterlink.orders.evidence.records import Dispute, Evidence, Payment, Policy, Protection, SafetyHold
from meterlink.orders.evidence.told import Kept, Told, body_of, record_of
from meterlink.orders.life.timeline import Timeline
from meterlink.orders.people import Actor, Role
from meterlink.roster.roster import Roster, RosterMeter

ACTS_OF_METER_MAX: Final = 50_000
"""Acts of evidence of one meter, at most: beyond, nothing is judged any more and somebody must look."""
POLICIES_MAX: Final = 200
"""Policies that are looked at, the newest."""
POLICY_AGE_MAX: Final = timedelta(days=400)
"""From the second person's word; an older policy proposes nothing until it is told and confirmed anew."""

FOLLOWING: Final = (Payment, Dispute, SafetyHold, Protection)
"""What is told of a meter and follows its customer to the next one, because it stands against a disconnection
or says that he has paid."""


class Companion(Protocol):
    """Something that goes with safety holds: what it writes stands in the same transaction."""

    async def beside(self, record: Evidence, act: Act) -> Sequence[Act]:
        """What is written with a record.

        Args:
            record: as it is kept.
            act: that keeps it.

        Raises:
            JournalError: the log cannot be read.

        """


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a record that came.

    Args:
        full_id: ``SENDER:ID``.
        meter: our id of the meter that it concerns; empty: of a policy.
        is_new: ``False``: the same record was there already.
        number: its place in the log.

    """

    full_id: str
    meter: str
    is_new: bool
    number: int


class EvidenceBook:
    """Records in the log.

    Args:
        acts: the log.
        roster: whose meters there are.
        clock: says when a record came.
        timeline: how long ago that was; ``None``: one of its own.

    Attributes:
        elsewhere: what is told of other meters, and counts here.
        companions: go with safety holds.

    """

    def __init__(self, acts: ActLog, roster: Roster, clock: Clock, timeline: Timeline | None = None) -> None:
        self._acts = acts
        self._roster = roster
        self._clock = clock
        self._timeline = timeline or Timeline(clock)
        self.elsewhere = Elsewhere(acts, roster)
        self.companions: list[Companion] = []

    async def add(self, record: Evidence, actor: Actor) -> Added:
        """Keep a record; the same one again changes nothing.

        Raises:
            NotEntitled: the actor has no role that takes in such a record, may not speak for its sender, or
                has the account that it is about.
            EvidenceRefused: no such meter, customer and meter do not belong together, a time is ahead or at
                an end of the calendar, or another record has that id.
            JournalError: it was not kept.

        """
        now = self._timeline.stamp()
        check_brought(record, actor, now)
        record = placed(record, self._roster)
        check_others_told(record, actor)
        act = Act(
            topic=Topic.EVIDENCE,
            subject=record.full_id,
            step=1,
            verb="record",
            at=now,
            actor=actor.name,
            meter=record.meter,
            body=body_of(record, actor, world=self._world(record)),
        )
        return await self._append_once(act)

    async def confirm(self, full_id: str, actor: Actor) -> None:
        """Say as a second person that a policy is meant.

        Raises:
            NotEntitled: no approver, or the one who took it in.
            EvidenceRefused: there is no such policy, or it was taken back or confirmed already.
            JournalError: it was not kept.

        """
        kept = await self._find(full_id)
        if not isinstance(kept.record, Policy) or kept.is_withdrawn or kept.confirmed_by:
            raise EvidenceRefused(
                f"{full_id}: only a policy is confirmed, once, and not after it was taken back"
            )
        if Role.APPROVER not in actor.roles or actor.name == kept.actor:
            raise NotEntitled(
                f"{actor.name} may not confirm {full_id}: another approver than {kept.actor} does"
            )
        await self._follow(full_id, "confirm", actor, kept.meter, {})

    async def withdraw(self, full_id: str, actor: Actor, why: str) -> None:
        """Take a record back that only ever allows something, or an agreement.

        An agreement may protect who signed it (an overdraft, a longer notice), so only who may bring one of
        its sender takes it back.

        Raises:
            NotEntitled: the actor has no role for such a record, may not speak for its sender, or has the
                account that it is about.
            EvidenceRefused: there is none, it cannot be taken back, or was already.
            JournalError: it was not kept.

        """
        kept = await self._find(full_id)
        check_taken_back(kept, actor)
        check_others_take_back(kept, actor, self._roster)
        await self._follow(full_id, "withdraw", actor, kept.meter, {"why": why[:200]})

    async def of_meter(self, meter: RosterMeter, *also: str) -> Told:
        """What is told of a meter and the customer who has it now.

        What was told of a customer before, a new one does not inherit; a safety hold is about the place.
        What protects a customer follows him to the meter that he has now; what only allows something stays.
        A protection is about the customer, and is told of each of his meters.

        Args:
            meter: which.
            also: full ids of records that concern no meter: policies.

        Raises:
            EvidenceRefused: a row is of no kind that we know, or there are too many.
            JournalError: the log cannot be read.

        """
        before: list[Kept] = []
        for predecessor in meter.predecessors:
            before += (
                one for one in _kept(await self._acts_of(predecessor)) if isinstance(one.record, FOLLOWING)
            )
        acts = await self._acts_of(meter.id)
        for full_id in also:
            acts += [kept for kept in await self._acts.of_subject(Topic.EVIDENCE, full_id) if not kept.meter]
        told = [one for one in (*before, *_kept(acts)) if concerns(one.record, meter)]
        told += await self.elsewhere.protections_of(meter)
        since = self._timeline.set_since
        return Told(kept=tuple(replace(one, set_since=since(one.kept_at)) for one in told))

    async def policies(self) -> list[Kept]:
        """Policies that two persons meant and nobody took back, the newest last.

        Raises:
            EvidenceRefused: a row is of no kind that we know.
            JournalError: the log cannot be read.

        """
        confirmed = await self._acts.of_verb(
            Topic.EVIDENCE, "confirm", since=self._clock.utc_now() - POLICY_AGE_MAX, limit=POLICIES_MAX
        )
        found = [await self._find(kept.act.subject) for kept in confirmed]
        return [one for one in found if not one.is_withdrawn]

    async def _acts_of(self, meter: str) -> list[KeptAct]:
        found: list[KeptAct] = []
        while len(found) <= ACTS_OF_METER_MAX:
            after = found[-1].number if found else 0
            page = await self._acts.of_meter(meter, [Topic.EVIDENCE], after=after, limit=READ_MAX)
            found += page
            if len(page) < READ_MAX:
                return found
        raise EvidenceRefused(f"{meter}: more than {ACTS_OF_METER_MAX} records: ask whoever sends them why")

    async def _find(self, full_id: str) -> Kept:
        acts = await self._acts.of_subject(Topic.EVIDENCE, full_id)
        if not acts:
            raise EvidenceRefused(f"{full_id}: there is no such record")
        return Kept.of(acts)

    async def _append_once(self, act: Act) -> Added:
        """Keep the act of a record, unless it is there; whoever is second finds the first one's."""
        is_new = False
        while not (before := await self._acts.of_subject(Topic.EVIDENCE, act.subject)):
            try:
                basis = await self._basis(act)
                await self._acts.append(act, *await self._beside(act), basis=basis)
                is_new = True
            except (StepTaken, Overtaken):
                continue  # somebody else has told the same record, or of the same transfer, or moved an order
        if record_of(before[0].act) != record_of(act):
            raise EvidenceRefused(
                f"id: {act.subject} is another record, kept {before[0].act.at:%Y-%m-%d %H:%M:%S}Z; "
                "a record never changes: give the new one an id of its own"
            )
        return Added(act.subject, act.meter, is_new, before[0].number)

    async def _beside(self, act: Act) -> tuple[Act, ...]:
        """What stands beside a record."""
        record = record_of(act)
        if isinstance(record, SafetyHold):
            return tuple([one for each in self.companions for one in await each.beside(record, act)])
        return await self.elsewhere.beside(act)

    async def _basis(self, act: Act) -> Basis | None:
        """What a hold's companions look at: a frame that leaves meanwhile must not escape them."""
        if act.body.get("kind") != "safety_hold":
            return None
        here = frozenset({Topic.ORDER, Topic.WORK})
        meter = self._roster.meter(act.meter)
        before = frozenset(meter.predecessors if meter else ())
        return Basis(number=await self._acts.newest_number(), meter=act.meter, others=before, here=here)

    async def _follow(
        self, full_id: str, verb: str, actor: Actor, meter: str, body: Mapping[str, str]
    ) -> None:
        acts = await self._acts.of_subject(Topic.EVIDENCE, full_id)
        await self._acts.append(
            Act(
                topic=Topic.EVIDENCE,
                subject=full_id,
                step=len(acts) + 1,
                verb=verb,
                at=self._clock.utc_now(),
                actor=actor.name,
                meter=meter,
                body={**body, **actor.noted},
            )
        )

    def _world(self, record: Evidence) -> str:
        meter = self._roster.meter(record.meter) if isinstance(record, Payment) else None
        return "" if meter is None else meter.world


def concerns(record: Evidence, meter: RosterMeter) -> bool:
    """Whether it is told of the customer who has a meter now, or of the place.

    What stands against a disconnection counts for him under a number that had been written down wrongly, too.
    """
    if record.customer in ("", meter.customer_number) or isinstance(record, SafetyHold):
        return True
    return record.customer in meter.customer_was and isinstance(record, FOLLOWING)


def _kept(acts: Iterable[KeptAct]) -> Iterator[Kept]:
    subjects: dict[str, list[KeptAct]] = {}
    for kept in acts:
        subjects.setdefault(kept.act.subject, []).append(kept)
    return (Kept.of(each) for each in subjects.values() if each[0].act.verb == "record")
