"""What may cut somebody off, counted as it happens, and what people do about it: stop, release, freeze.

The counts themselves are pure (``limits``); here they meet the log. An order that is queued, sent or ended
takes its act of counting into the very transaction of its own step, so the counts of a restart are the counts
of before. What was reserved and then not written is given back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from meterlink.clock import Clock
from meterlink.config.control import ControlSettings
from meterlink.errors import NotAllowed, StepTaken, Unknown
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, KeptAct, Topic
from meterlink.model.order import Order, OrderState
from meterlink.orders.calendar import Calendar
from meterlink.orders.life import Life
from meterlink.orders.limits import CUTS, KILL_SWITCH, Limited, Limits, Outcome, Trip, Verb, batch_of, folded
from meterlink.orders.machine import BEFORE_SENDING, Signal
from meterlink.orders.people import DAEMON, Actor, Deed
from meterlink.roster.roster import Roster

COUNTED_FOR: Final = timedelta(hours=25)
"""How far back acts are read at the start: an hour more than the longest window."""
TRIES_MAX: Final = 8
_COUNTED: Final = (Verb.ADMIT, Verb.SEND, Verb.END, Verb.RELEASE, Verb.DELETE, Verb.QUARANTINE)
_FAILED: Final = frozenset(
    {OrderState.NOT_DONE, OrderState.UNKNOWN, OrderState.RELAY_FAULT, OrderState.REJECTED}
)


class Counting:
    """The limits of one gateway, kept in its log; call ``load`` before anything else.

    Args:
        acts: the log.
        settings: the caps.
        roster: how many meters an area has.
        calendar: the plant's days.
        clock: the time.

    """

    def __init__(
        self, acts: ActLog, settings: ControlSettings, roster: Roster, calendar: Calendar, clock: Clock
    ) -> None:
        self._acts = acts
        self._settings = settings
        self._roster = roster
        self._calendar = calendar
        self._clock = clock
        self._limits = Limits(settings, roster)

    async def load(self) -> None:
        """Count what the log holds.

        Raises:
            JournalError: it cannot be read.

        """
        since = self._clock.utc_now() - COUNTED_FOR
        found: dict[int, KeptAct] = {}
        for verb in _COUNTED:
            for kept in await self._acts.of_verb(Topic.POLICY, verb, since=since):
                found[kept.number] = kept
        for name in await self._acts.subjects(Topic.POLICY, only_open=True):
            for kept in await self._acts.of_subject(Topic.POLICY, name):
                found[kept.number] = kept
        ordered = (found[number].act for number in sorted(found))
        self._limits = folded(self._settings, self._roster, ordered)

    @property
    def limits(self) -> Limits:
        """The counts as they are."""
        return self._limits

    def view(self, order: Order, creator: str, now: datetime, *, is_turn: bool) -> Limited:
        """What the limits say of an order; see ``Limits.view``."""
        return self._limits.view(self._trip(order, creator, now), now, is_turn=is_turn)

    def reserve(self, order: Order, creator: str, *, is_turn: bool) -> None:
        """Count an order that has passed, before its step is written; without a pause after the rules."""
        if order.kind in CUTS:
            now = self._clock.utc_now()
            self._limits.reserve(self._trip(order, creator, now), now, is_turn=is_turn)

    def take_back(self, order: Order) -> None:
        """Forget what was reserved: it is not written, or nothing was sent."""
        self._limits.take_back(order.id)

    # --- beside the steps of orders ---

    async def beside(self, before: Life, after: Life, act: Act) -> Sequence[Act]:
        """The act that counts a step of an order, to be written with it."""
        if after.order.kind not in CUTS:
            return ()
        if act.verb == Signal.OPERATE:
            return [await self._act(after, Verb.ADMIT, act.at)]
        if act.verb == Signal.INTEND:
            return [await self._act(after, Verb.SEND, act.at)]
        if before.is_open and not after.is_open:
            return [await self._act(after, Verb.END, act.at, outcome=_outcome(after).value)]
        return ()

    def kept(self, acts: Iterable[Act]) -> None:
        """Count acts that are on disk."""
        for act in acts:
            self._limits.apply(act)

    # --- what people do ---

    async def quarantine(self, order: Order, creator: str) -> None:
        """Hold an order until somebody of another post has looked."""
        now = self._clock.utc_now()
        trip = self._limits.trip(order.id) or self._trip(order, creator, now)
        if trip.quarantine.value != "held":
            await self._write(
                f"trip:{order.id}", Verb.QUARANTINE, DAEMON, trip.body, order.meter, is_open=True
            )

    async def release(self, actor: Actor, order_id: str, why: str) -> None:
        """Let an order go that was held.

        Raises:
            Unknown: none of that id is held.
            NotAllowed: that person may not.

        """
        trip = self._held(actor, Deed.RELEASE_QUARANTINE, order_id)
        body = {**trip.body, "why": why}
        await self._write(f"trip:{order_id}", Verb.RELEASE, actor.name, body, trip.meter, is_open=True)

    async def delete(self, actor: Actor, order_id: str, why: str) -> None:
        """Give up an order that was held; see ``release``. The order itself is then cancelled."""
        trip = self._held(actor, Deed.DELETE_QUARANTINE, order_id)
        await self._write(f"trip:{order_id}", Verb.DELETE, actor.name, {**trip.body, "why": why}, trip.meter)

    async def release_batch(self, actor: Actor, batch: str, why: str) -> None:
        """Say that somebody has looked at the failures of a batch."""
        _admit(actor, Deed.RELEASE_BATCH)
        await self._write(f"batch:{batch}", Verb.RELEASE, actor.name, {"why": why}, "", is_open=True)

    async def stop(self, actor: Actor, why: str) -> None:
        """Stop all trips at once."""
        _admit(actor, Deed.STOP)
        await self._write(KILL_SWITCH, Verb.STOP, actor.name, {"why": why}, "", is_open=True)

    async def resume(self, actor: Actor, why: str) -> bool:
        """Let trips go again: the first person asks, a second one does it; whether they go.

        Raises:
            NotAllowed: nothing is stopped, that person may not, or it is the one who asked.

        """
        _admit(actor, Deed.RESUME)
        if not self._limits.stopped_by:
            raise NotAllowed("trips are not stopped", why="state")
        if self._limits.asked_by == actor.name:
            raise NotAllowed(f"{actor.name} has asked already: a second person resumes", why="second_person")
        verb = Verb.RESUME if self._limits.asked_by else Verb.ASK
        await self._write(KILL_SWITCH, verb, actor.name, {"why": why}, "", is_open=verb is Verb.ASK)
        return verb is Verb.RESUME

    async def freeze(self, actor: Actor, area: str, why: str, until: str | None) -> None:
        """Say that weather or an event forbids trips in an area, ``*``: everywhere."""
        _admit(actor, Deed.FREEZE)
        await self._write(
            f"freeze:{area}", Verb.FREEZE, actor.name, {"why": why, "until": until}, "", is_open=True
        )

    async def lift(self, actor: Actor, area: str, why: str) -> None:
        """Undo ``freeze``."""
        _admit(actor, Deed.LIFT_FREEZE)
        await self._write(f"freeze:{area}", Verb.LIFT, actor.name, {"why": why}, "")

    def _held(self, actor: Actor, deed: Deed, order_id: str) -> Trip:
        _admit(actor, deed)
        for trip in self._limits.quarantined():
            if trip.order == order_id:
                return trip
        raise Unknown(f"no order {order_id!r} is held")

    def _trip(self, order: Order, creator: str, now: datetime) -> Trip:
        meter = self._roster.meter(order.meter)
        if meter is None:
            raise Unknown(f"there is no meter {order.meter!r}")
        return Trip.of(order, meter, batch_of(order, meter, creator, self._calendar, now))

    async def _act(self, life: Life, verb: Verb, at: datetime, **more: str) -> Act:
        order = life.order
        trip = self._limits.trip(order.id) or self._trip(order, life.created_by, at)
        subject = f"trip:{order.id}"
        step = len(await self._acts.of_subject(Topic.POLICY, subject)) + 1
        return Act(
            topic=Topic.POLICY,
            subject=subject,
            step=step,
            verb=verb.value,
            at=at,
            actor=DAEMON,
            meter=order.meter,
            body={**trip.body, **more},
        )

    async def _write(
        self,
        subject: str,
        verb: Verb,
        actor: str,
        body: Mapping[str, Any],
        meter: str,
        *,
        is_open: bool = False,
    ) -> None:
        for _ in range(TRIES_MAX):
            act = Act(
                topic=Topic.POLICY,
                subject=subject,
                step=len(await self._acts.of_subject(Topic.POLICY, subject)) + 1,
                verb=verb.value,
                at=self._clock.utc_now(),
                actor=actor,
                meter=meter,
                body=body,
                is_open=is_open,
            )
            try:
                await self._acts.append(act)
            except StepTaken:
                continue
            self._limits.apply(act)
            return
        raise NotAllowed(f"{subject} does not stand still; try again", why="busy")


def _admit(actor: Actor, deed: Deed) -> None:
    if not actor.may(deed):
        raise NotAllowed(f"{actor.name} holds no role that may {deed.value}", why="role")


def _outcome(life: Life) -> Outcome:
    if life.state is OrderState.DONE:
        return Outcome.DONE
    if life.state in _FAILED or life.transmissions:
        return Outcome.FAILED
    assert life.state not in BEFORE_SENDING, "what is open has no outcome"
    return Outcome.UNSENT
