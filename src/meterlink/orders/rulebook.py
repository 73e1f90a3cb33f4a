"""The facts of an order, gathered from log, roster and limits, and judged by every rule of a stage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from meterlink.clock import Clock
from meterlink.config.control import ControlSettings
from meterlink.errors import EvidenceRefused, JournalError, Unknown
from meterlink.model.act import Topic
from meterlink.model.order import Order, OrderKind, Origin
from meterlink.orders.book import Book
from meterlink.orders.calendar import Calendar
from meterlink.orders.counting import Counting
from meterlink.orders.evidence import EvidenceBook, Told
from meterlink.orders.life import Life
from meterlink.orders.machine import Signal
from meterlink.orders.people import THE_DAEMON, Actor
from meterlink.orders.rules import (
    RULES,
    Facts,
    FieldGrant,
    Live,
    OtherOrder,
    Rule,
    Stage,
    Steps,
    Verdict,
    judge,
    outcome,
)
from meterlink.orders.rules.closing import mode
from meterlink.roster.roster import Roster, RosterMeter

GRANT_PREFIX = "field_order:"
"""A reconnection by field staff names the work item that sent them there."""


class Models(Protocol):
    """What is proven of models and firmware versions. Source: decision 33."""

    def proven(self, meter: RosterMeter) -> Mapping[str, str]:
        """Facts by name; empty: nothing is."""

    def unproven(self, meter: RosterMeter, kind: OrderKind) -> tuple[str, ...]:
        """Facts that such an order depends on and that nobody has proven; empty: it is qualified."""


class Rulebook:
    """Gathers the facts and asks the rules; see ``Judge``.

    Args:
        book: the orders.
        evidence: what is told of customers.
        counting: the limits.
        models: what is proven.
        roster: the meters.
        settings: the figures of the rules.
        calendar: when trips may go.
        last_read_at: the newest reading of a meter, by our id.
        clock: the time.
        rules: the table.

    """

    def __init__(
        self,
        *,
        book: Book,
        evidence: EvidenceBook,
        counting: Counting,
        models: Models,
        roster: Roster,
        settings: ControlSettings,
        calendar: Calendar,
        last_read_at: Callable[[str], Awaitable[datetime | None]],
        clock: Clock,
        rules: Mapping[str, Rule] = RULES,
    ) -> None:
        self._book = book
        self._evidence = evidence
        self._counting = counting
        self._models = models
        self._roster = roster
        self._settings = settings
        self._calendar = calendar
        self._last_read_at = last_read_at
        self._clock = clock
        self._rules = rules

    async def judge(
        self, stage: Stage, order: Order, life: Life | None, actor: Actor, live: Live | None = None
    ) -> Sequence[Verdict]:
        """See ``Judge.judge``."""
        return judge(stage, await self._facts(stage, order, life, actor, live), self._rules)

    async def closing_for(self, order: Order) -> OrderKind:
        """How supply comes back at a meter: by the key, unless the customer agreed otherwise (CTRL-15)."""
        return mode(await self._facts(Stage.CREATE, order, None, THE_DAEMON, None))

    async def _facts(
        self, stage: Stage, order: Order, life: Life | None, actor: Actor, live: Live | None
    ) -> Facts:
        meter = self._roster.meter(order.meter)
        if meter is None:
            raise Unknown(f"there is no meter {order.meter!r}")
        told = await self._told(meter, order)
        others = tuple(
            _other(one) for one in await self._book.of_meter(order.meter) if one.order.id != order.id
        )
        last_read_at = await self._last_read_at(order.meter)
        grant = await self._grant(order)
        steps = await self._steps(life, actor, stage, grant)
        now = self._clock.utc_now()
        creator = life.created_by if life else actor.name
        # No pause from here on: what the limits say must be so when it is reserved.
        limited = self._counting.view(order, creator, now, is_turn=stage in (Stage.PAPER, Stage.LIVE))
        return Facts(
            order=order,
            meter=meter,
            actor=actor,
            now=now,
            settings=self._settings,
            calendar=self._calendar,
            steps=steps,
            told=told,
            limited=limited,
            others=others,
            last_read_at=last_read_at,
            unproven=self._models.unproven(meter, order.kind),
            model=self._models.proven(meter),
            live=live,
        )

    def reserve(self, stage: Stage, life: Life, verdicts: Sequence[Verdict]) -> None:
        """See ``Judge.reserve``."""
        if outcome(verdicts) is None:
            is_turn = stage in (Stage.PAPER, Stage.LIVE)
            self._counting.reserve(life.order, life.created_by, is_turn=is_turn)

    def take_back(self, life: Life) -> None:
        """See ``Judge.take_back``."""
        self._counting.take_back(life.order)

    async def hold(self, life: Life) -> None:
        """See ``Judge.hold``."""
        await self._counting.quarantine(life.order, life.created_by)

    async def _told(self, meter: RosterMeter, order: Order) -> Told:
        also = (order.reference,) if order.origin is Origin.POLICY and order.reference else ()
        try:
            return await self._evidence.of_meter(meter, *also)
        except EvidenceRefused as error:
            raise JournalError(f"the evidence of meter {meter.id} cannot be read: {error}") from None

    async def _steps(self, life: Life | None, actor: Actor, stage: Stage, grant: FieldGrant | None) -> Steps:
        if life is None:
            return Steps(field_grant=grant)
        armed_by, armed_at = life.armed_by, None
        approved_at = None
        sent_at: list[datetime] = []
        for kept in await self._book.acts_of(life.order.id):
            match kept.act.verb:
                case Signal.ARM:
                    armed_at = kept.act.at
                case Signal.OPERATE:
                    armed_by, armed_at = kept.act.actor, armed_at or kept.act.at
                case Signal.APPROVE:
                    approved_at = kept.act.at
                case Signal.INTEND:
                    sent_at.append(kept.act.at)
        return Steps(
            created_by=life.created_by,
            approved_by=life.approvals,
            approved_at=approved_at,
            armed_by=armed_by,
            armed_at=armed_at,
            field_grant=grant,
            sent_at=tuple(sent_at),
        )

    async def _grant(self, order: Order) -> FieldGrant | None:
        """The authorisation of the work item that an order names."""
        if not order.reference.startswith(GRANT_PREFIX):
            return None
        acts = await self._book.acts.of_subject(Topic.WORK, order.reference)
        assigned = [kept.act for kept in acts if kept.act.verb == "assign"]
        if not assigned or not acts[-1].act.is_open:
            return None
        newest = assigned[-1]
        used = [
            life
            for life in await self._book.of_meter(order.meter)
            if life.order.reference == order.reference
            and life.order.id != order.id
            and life.transmissions
            and life.created_at >= newest.at
        ]
        return FieldGrant(person=str(newest.body["assignee"]), granted_at=newest.at, is_used=bool(used))


def _other(life: Life) -> OtherOrder:
    return OtherOrder(
        id=life.order.id,
        kind=life.order.kind,
        state=life.state,
        payment=life.order.payment,
        is_open=life.locks_meter,
        sent_at=() if life.sent is None else (life.sent.left_by or life.since,) * life.transmissions,
    )
