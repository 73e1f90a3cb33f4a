"""Limits that follow the log: built from it at start, and from what was appended since at each look.

At start it also writes down which rules hold from now on, if they are others than before: so the log tells
of each step which edition of the rules it was judged by.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from datetime import datetime, timezone
from typing import Final

from meterlink.journal.acts import READ_MAX, ActLog
from meterlink.model.act import Act, Topic
from meterlink.model.order import Order
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.timeline import Timeline
from meterlink.orders.limits.calendar import Calendar
from meterlink.orders.limits.caps import DAY, KILL_SWITCH, Limits, Verb
from meterlink.orders.limits.trips import Trip, batch_of, is_counted
from meterlink.orders.people import DAEMON
from meterlink.orders.rules.edition import edition, figures
from meterlink.orders.rules.table import RULES
from meterlink.roster.roster import Roster, RosterMeter

RULES_SUBJECT: Final = "rules"
"""Subject of the acts that say which rules hold."""
_COUNTED: Final = (Signal.OPERATE, Signal.INTEND)
"""The steps by which a trip comes into a window."""


class Watch:
    """Reads the log and counts.

    Args:
        acts: the log.
        limits: what is counted.
        roster: where meters are.
        calendar: whose days batches have.
        timeline: when in lived time an act was.

    """

    def __init__(
        self, acts: ActLog, limits: Limits, roster: Roster, calendar: Calendar, timeline: Timeline
    ) -> None:
        self.limits = limits
        self._acts = acts
        self._roster = roster
        self._calendar = calendar
        self.timeline = timeline
        self._read_to = 0
        self._known: dict[str, Trip | None] = {}
        self._reading = asyncio.Lock()

    @property
    def zone(self) -> timezone:
        """Of the plant, whose days batches and alarms have."""
        return self._calendar.zone

    @property
    def areas(self) -> Collection[str]:
        """The areas in which meters are."""
        return self._roster.areas

    async def start(self, now: datetime) -> None:
        """Count the last 24 hours, and note the edition of the rules; before anything is judged.

        Raises:
            JournalError: the log cannot be read or written.

        """
        self._read_to = await self._acts.newest_number()
        await self._note_edition(now)
        await self._start_policy(now)
        await self._start_orders(now)

    async def refresh(self) -> None:
        """Count what was appended since.

        Raises:
            JournalError: the log cannot be read.

        """
        async with self._reading:
            while page := await self._acts.after(self._read_to):
                for kept in page:
                    await self._saw(kept.act)
                    self._read_to = kept.number

    def trip(self, order: Order, creator: str, created_at: datetime) -> Trip | None:
        """How an order is counted; ``None``: of a meter that the roster does not have."""
        meter = self._roster.meter(order.meter)
        return None if meter is None else self.trip_at(order, meter, creator, created_at)

    def trip_at(self, order: Order, meter: RosterMeter, creator: str, created_at: datetime) -> Trip:
        """The same of a meter that is at hand."""
        return Trip.of(order, meter, batch_of(order, meter, creator, self._calendar, created_at))

    async def _saw(self, act: Act) -> None:
        if act.topic is Topic.POLICY:
            await self._saw_policy(act)
        elif act.topic is Topic.ORDER and (trip := await self._trip_of(act)) is not None:
            self.limits.saw_step(trip, replace(act, at=self.timeline.lived(act.at)))

    async def _saw_policy(self, act: Act) -> None:
        """Count an act of ``policy``; nothing is held of an order that has ended since."""
        if act.verb == Verb.QUARANTINE and await self._has_ended(act.subject.partition(":")[2]):
            return
        lived_at = self.timeline.lived(act.at)
        self.limits.saw_policy(replace(act, at=lived_at), act.at - lived_at)

    async def _has_ended(self, order_id: str) -> bool:
        last = await self._acts.last_of(Topic.ORDER, order_id)
        return last is not None and not last.act.is_open

    async def _trip_of(self, act: Act) -> Trip | None:
        """The order of a step, if it may cut somebody off; kept while it is open."""
        if act.subject not in self._known:
            first = act if act.step == 1 else (await self._acts.of_subject(Topic.ORDER, act.subject))[0].act
            order = Order.of(first.subject, first.body["order"])
            self._known[act.subject] = self.trip(order, first.actor, first.at) if is_counted(order) else None
        found = self._known[act.subject]
        if not act.is_open:
            del self._known[act.subject]
        return found

    async def _note_edition(self, now: datetime) -> None:
        settings = self.limits.settings
        before = await self._acts.of_subject(Topic.POLICY, RULES_SUBJECT)
        if before and before[-1].act.body.get("edition") == edition(settings):
            return
        body = {"edition": edition(settings), "rules": list(RULES), "figures": figures(settings)}
        await self._acts.append(
            Act(
                topic=Topic.POLICY,
                subject=RULES_SUBJECT,
                step=len(before) + 1,
                verb="edition",
                at=now,
                actor=DAEMON,
                body=body,
            )
        )

    async def _start_policy(self, now: datetime) -> None:
        for kept in await self._acts.of_subject(Topic.POLICY, KILL_SWITCH):
            await self._saw_policy(kept.act)
        async for subject in self._open_policies():
            for kept in await self._acts.of_subject(Topic.POLICY, subject):
                await self._saw_policy(kept.act)
        for kept in await self._acts.of_verb(Topic.POLICY, Verb.RELEASE, since=now - DAY):
            await self._saw_policy(kept.act)

    async def _open_policies(self) -> AsyncIterator[str]:
        last = ""
        while page := await self._acts.subjects(Topic.POLICY, only_open=True, after=last):
            for subject in page:
                if subject != KILL_SWITCH:
                    yield subject
            last = page[-1]

    async def _start_orders(self, now: datetime) -> None:
        orders: set[str] = set()
        for verb in _COUNTED:
            found = await self._acts.of_verb(Topic.ORDER, verb, since=now - DAY)
            orders.update(kept.act.subject for kept in found)
            if len(found) == READ_MAX:
                self.limits.go_blind(self.timeline.now() + DAY)
        for order in sorted(orders):
            for kept in await self._acts.of_subject(Topic.ORDER, order):
                await self._saw(kept.act)
