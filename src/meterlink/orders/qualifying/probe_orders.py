"""The orders of probes: created once each, carried out by their line, and looked at in the log."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Final

from meterlink.clock import Clock
from meterlink.drivers.control import Standing
from meterlink.errors import Unknown
from meterlink.model.act import Act
from meterlink.model.order import Order, OrderState, Origin
from meterlink.orders.book import Book
from meterlink.orders.dispatch.looking import look_in
from meterlink.orders.judging.judge import Judge, Stopped
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.people import DAEMON, THE_DAEMON
from meterlink.orders.qualification.looks import Shown
from meterlink.orders.qualification.probes import Probe, is_shown
from meterlink.orders.qualification.walk import Walk
from meterlink.orders.rules import Stage, outcome
from meterlink.roster.roster import RosterMeter

ORDER_FOR: Final = timedelta(minutes=10)
"""Deadline of the order of a probe."""


class ProbeOrders:
    """The orders of all probes.

    Args:
        book: the orders.
        judge: the rules.
        clock: the time.

    """

    def __init__(self, book: Book, judge: Judge, clock: Clock) -> None:
        self._book = book
        self._judge = judge
        self._clock = clock

    @property
    def news(self) -> asyncio.Event:
        """Is set at the next change of any order; take it before you look."""
        return self._book.news

    async def create(self, walk: Walk, probe: Probe, order_id: str) -> None:
        """Create the order of a probe, once; what is there is carried on by its line.

        Raises:
            Stopped: a rule forbids it; there is no order.
            JournalError: it was not taken in.

        """
        try:
            await self._book.read(order_id)
        except Unknown:
            pass
        else:
            return
        now = self._clock.utc_now()
        order = Order(
            id=order_id,
            kind=probe.kind,
            meter=walk.meter,
            reason=f"qualification {walk.id}: {probe.name}",
            deadline_at=now.replace(microsecond=0) + ORDER_FOR,
            origin=Origin.PROBE,
            reference=walk.work_order,
        )
        verdicts = await self._judge.judge(Stage.CREATE, order, None, THE_DAEMON)
        if outcome(verdicts) is not None:
            raise Stopped(verdicts)
        await self._book.begin(order, DAEMON)

    async def shown(self, walk: Walk, meter: RosterMeter, probe: Probe) -> Shown | None:
        """What the order of a probe has led to; ``None``: nobody can tell yet."""
        assert walk.asked is not None, "a probe is in hand"
        kept = await self._book.acts_of(walk.asked.order)
        life = Life.of(kept)
        if life.is_before_sending and life.postponed:
            life = await self._book.step(life, Signal.CANCEL, actor=DAEMON, body={"told": "put off"})
        sent = life.sent
        looks = [look_in(one.act.body["look"]) for one in kept if "look" in one.act.body]
        before = sent.before if sent and isinstance(sent.before, Standing) else None
        after = looks[-1].seen if looks and isinstance(looks[-1].seen, Standing) else None
        is_over = not life.is_open or life.state is OrderState.WAITING_FOR_KEY
        if not is_over:
            if sent is None or sent.left_by is None or before is None or after is None:
                return None
            age = looks[-1].started_at - sent.left_by
            if not is_shown(probe.kind, is_over=False, before=before, after=after, age=age):
                return None
        return Shown(
            protocol=meter.protocol,
            state=life.state,
            verdict=sent.answer.verdict if sent and sent.answer else None,
            told=_why(kept[-1].act if kept[-1].act.body else kept[0].act),
            before=before,
            after=after,
            known=walk.facts,
            basic_current_a=Decimal(meter.profile.meter.basic_current_a),
        )

    async def held_up(self, meter: RosterMeter, wait_s: float) -> Life | None:
        """An order of a probe of this meter that is not over; ``None``: all are."""
        try:
            async with asyncio.timeout(wait_s):
                while True:
                    news = self._book.news
                    lives = [one for one in self._book.open_of(meter.id) if one.order.origin is Origin.PROBE]
                    if not lives:
                        return None
                    await news.wait()
        except TimeoutError:
            return lives[0]


def _why(act: Act) -> str:
    """What the last step of an order says, for people."""
    stopping = [f"{one['rule']}: {one['en']}" for one in act.body.get("rules", ()) if not one["passed"]]
    answer = act.body.get("answer") or {}
    return str(act.body.get("told", "")) or "; ".join(stopping) or str(answer.get("told", ""))
