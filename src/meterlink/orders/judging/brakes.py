"""What people do about limits: stop everything, let it go again, freeze, hold, release.

To stop takes one person of any post that works here; to let go again takes two. What is held is released or
deleted by a person of another post than those who made, approved or operated the order. Source: CTRL-09,
CTRL-10, CTRL-17, CTRL-24; decision 24; anchors 3.5.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any, Final

from meterlink.clock import Clock
from meterlink.errors import NotAllowed, NotEntitled, with_chinese
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, Topic
from meterlink.model.payload import time_out
from meterlink.orders.attention.alarms import Alarms, Seen
from meterlink.orders.judging.grants import Grants
from meterlink.orders.judging.watching import Watch
from meterlink.orders.life.life import Life
from meterlink.orders.limits.caps import ALL_AREAS, KILL_SWITCH, Freeze, Verb
from meterlink.orders.limits.trips import Quarantine, held_subject
from meterlink.orders.people import Actor, Deed
from meterlink.orders.rules.verdict import OnStop, Verdict

TRIPS_HELD: Final = "TRIPS_HELD"
"""The alarm of a cap or brake; one a day, which counts what was held."""
TRIPS_STOPPED: Final = "TRIPS_STOPPED"
"""The alarm of the kill switch."""
WHY_MAX: Final = 200
"""Characters of a reason."""
ASK_MAX: Final = timedelta(hours=1)
"""How long somebody's wish that trips go again waits for a second person."""


class Brakes:
    """Deeds about limits; each one is an act.

    Args:
        acts: the log.
        watch: what is counted; it follows each deed at once.
        clock: the time.

    """

    def __init__(self, acts: ActLog, watch: Watch, clock: Clock) -> None:
        self._acts = acts
        self._watch = watch
        self._clock = clock
        self._alarms = Alarms(acts, clock, zone=watch.zone)
        self._grants = Grants(acts, watch.timeline)

    @property
    def frozen(self) -> tuple[Freeze, ...]:
        """The freezes in force."""
        return self._watch.limits.freezes(self._clock.utc_now(), self._watch.timeline.now())

    async def stop(self, actor: Actor, why: str) -> None:
        """Throw the kill switch, and raise the alarm: no trip goes any more.

        Raises:
            NotEntitled: the actor has no post that works here.
            ValueError: no reason, or a long one.
            StepTaken: somebody else threw or released it at the same moment.
            JournalError: it was not kept.

        """
        _entitled(actor, Deed.STOP)
        await self._append(KILL_SWITCH, Verb.STOP, actor, {"why": _reason(why)}, is_open=True)
        seen = Seen(rule=TRIPS_STOPPED, origin="CTRL-10", value=why)
        await self._alarms.raise_(seen, actor=actor.name, beside=actor.noted)

    async def resume(self, actor: Actor, why: str) -> bool:
        """Ask that trips go again, or agree as a second person; whether they do now.

        Raises:
            NotEntitled: the actor may not.
            NotAllowed: trips are not stopped (``not_stopped``).
            ValueError: no reason, or a long one.
            StepTaken: somebody else was first; look again.
            JournalError: it was not kept.

        """
        _entitled(actor, Deed.RESUME)
        await self._watch.refresh()
        if not self._watch.limits.stopped_by:
            raise with_chinese(NotAllowed("trips are not stopped", why="not_stopped"), "停电未被停止")
        acts = [kept.act for kept in await self._acts.of_subject(Topic.POLICY, KILL_SWITCH)]
        last = acts[-1]
        is_second = last.verb == Verb.ASK and last.actor != actor.name
        is_second = is_second and self._watch.timeline.left(last.at + ASK_MAX, last.at) >= timedelta()
        verb = Verb.RESUME if is_second else Verb.ASK
        await self._append(KILL_SWITCH, verb, actor, {"why": _reason(why)}, is_open=not is_second)
        return is_second

    async def freeze(self, actor: Actor, why: str, *, area: str = ALL_AREAS, until: datetime | None) -> None:
        """Forbid trips of an area because of weather or an event; what is frozen for longer stays so.

        Args:
            actor: who says so.
            why: for people.
            area: transformer area; ``*``: every one.
            until: last moment; ``None``: until somebody lifts it.

        Raises:
            NotEntitled: the actor has no post that works here.
            ValueError: no reason, or a long one; no such area; a last moment that is over.
            StepTaken, JournalError: it was not kept.

        """
        _entitled(actor, Deed.FREEZE)
        _known(area, self._watch.areas)
        if until is not None and until <= self._clock.utc_now():
            raise ValueError(f"until: {time_out(until)} is over already: nothing would be frozen")
        body = {"why": _reason(why), "until": time_out(until) if until else None}
        await self._append(f"freeze:{area}", Verb.FREEZE, actor, body, is_open=True)

    async def lift(self, actor: Actor, why: str, *, area: str = ALL_AREAS) -> None:
        """End a freeze.

        Raises:
            NotEntitled: the actor may not.
            ValueError: no reason, or a long one.
            StepTaken, JournalError: it was not kept.

        """
        _entitled(actor, Deed.LIFT_FREEZE)
        await self._append(f"freeze:{area}", Verb.LIFT, actor, {"why": _reason(why)})

    async def hold(self, life: Life, actor: Actor, verdicts: Sequence[Verdict]) -> bool:
        """Hold a trip that a cap or brake stopped, and raise the alarm; whether it was not held before.

        Raises:
            StepTaken, JournalError: it was not kept.

        """
        await self._watch.refresh()
        trip = self._watch.trip(life.order, life.created_by, life.created_at)
        held = self._watch.limits.trip(life.order.id)
        if trip is None or (held is not None and held.quarantine is Quarantine.HELD):
            return False
        stopping = [verdict for verdict in verdicts if not verdict.passed]
        rules = [verdict.body for verdict in stopping]
        subject = held_subject(life.order.id)
        body = {**trip.body, "rules": rules}
        await self._append(subject, Verb.QUARANTINE, actor, body, meter=trip.meter, is_open=True)
        by = next((one for one in stopping if one.on_stop is OnStop.HOLD), None)
        seen = Seen(
            rule=TRIPS_HELD,
            origin=by.rule if by else "CAP-01",
            value=by.inputs.get("count", "") if by else "",
            threshold=by.inputs.get("limit", "") if by else "",
            evidence=(life.order.id,),
        )
        await self._alarms.raise_(seen)
        return True

    async def release(self, life: Life, actor: Actor, why: str, touched: Collection[str] = ()) -> None:
        """Let a held trip go on; the rules are asked again, all but the caps.

        Args:
            life: the order.
            actor: who releases it.
            why: for people.
            touched: who else had a hand in the order, beside those whom ``life`` knows.

        Raises:
            NotEntitled: the actor may not, or had a hand in the order.
            NotAllowed: it is not held (``not_held``).
            ValueError: no reason, or a long one.
            StepTaken, JournalError: it was not kept.

        """
        _entitled(actor, Deed.RELEASE_QUARANTINE)
        await self._end_hold(life, actor, Verb.RELEASE, why, touched)

    async def delete(self, life: Life, actor: Actor, why: str, touched: Collection[str] = ()) -> None:
        """End the hold of a trip that shall not go; who calls cancels the order.

        Args:
            life: the order.
            actor: who deletes it.
            why: for people.
            touched: who else had a hand in the order, beside those whom ``life`` knows.

        Raises:
            NotEntitled: the actor may not, or had a hand in the order.
            NotAllowed: it is not held (``not_held``).
            ValueError: no reason, or a long one.
            StepTaken, JournalError: it was not kept.

        """
        _entitled(actor, Deed.DELETE_QUARANTINE)
        await self._end_hold(life, actor, Verb.DELETE, why, touched)

    async def release_batch(self, batch: str, actor: Actor, why: str) -> None:
        """Say that somebody looked at the failures of a batch; they do not count any more.

        Raises:
            NotEntitled: the actor may not, or it is the actor's own batch.
            ValueError: no reason, or a long one.
            StepTaken, JournalError: it was not kept.

        """
        _entitled(actor, Deed.RELEASE_BATCH)
        if batch.endswith(f":person:{actor.name}"):
            raise NotEntitled(f"{actor.name} made the orders of {batch}: another person looks")
        await self._append(f"batch:{batch}", Verb.RELEASE, actor, {"why": _reason(why)})

    async def grant(self, life: Life, person: Actor, actor: Actor) -> None:
        """See ``Grants.grant``."""
        await self._grants.grant(life, person, actor)

    async def revoke(self, life: Life, actor: Actor, why: str) -> str:
        """See ``Grants.revoke``.

        Raises:
            ValueError: no reason, or a long one.

        """
        return await self._grants.revoke(life, actor, _reason(why))

    async def _end_hold(
        self, life: Life, actor: Actor, verb: Verb, why: str, touched: Collection[str]
    ) -> None:
        acts = await self._acts.of_subject(Topic.POLICY, held_subject(life.order.id))
        stopped = {kept.act.actor for kept in acts if kept.act.verb == Verb.QUARANTINE}
        if actor.name in {life.created_by, life.armed_by, *life.approvals, *stopped, *touched}:
            raise NotEntitled(f"{actor.name} had a hand in order {life.order.id}: another person decides")
        await self._watch.refresh()
        trip = self._watch.limits.trip(life.order.id)
        if trip is None or trip.quarantine is not Quarantine.HELD:
            error = NotAllowed(f"order {life.order.id} is not held", why="not_held")
            raise with_chinese(error, f"工单{life.order.id}未被隔离")
        body = {**trip.body, "why": _reason(why)}
        await self._append(held_subject(life.order.id), verb, actor, body, meter=trip.meter)

    async def _append(
        self,
        subject: str,
        verb: Verb,
        actor: Actor,
        body: Mapping[str, Any],
        *,
        meter: str = "",
        is_open: bool = False,
    ) -> None:
        before = await self._acts.of_subject(Topic.POLICY, subject)
        await self._acts.append(
            Act(
                topic=Topic.POLICY,
                subject=subject,
                step=len(before) + 1,
                verb=verb.value,
                at=self._watch.timeline.stamp(),
                actor=actor.name,
                meter=meter,
                body={**body, **actor.noted},
                is_open=is_open,
            )
        )
        await self._watch.refresh()


def _entitled(actor: Actor, deed: Deed) -> None:
    if not actor.may(deed):
        raise NotEntitled(f"{actor.name} may not {deed.value}: no role of theirs allows it")


def _known(area: str, areas: Collection[str]) -> None:
    """Refuse an area in which no meter is: whoever mistyped it would believe that nobody is cut off there."""
    if area == ALL_AREAS or area in areas:
        return
    by_sound = {one.casefold(): one for one in areas}
    near = [by_sound[one] for one in get_close_matches(area.casefold(), by_sound)]
    told = f"did you mean {', '.join(near)}?" if near else "see the areas of the roster, or freeze all with *"
    raise ValueError(f"area: no meter is in {area!r}: {told}")


def _reason(why: str) -> str:
    if not 1 <= len(why.strip()) <= len(why) <= WHY_MAX:
        raise ValueError(f"say why, in 1 to {WHY_MAX} characters")
    return why
