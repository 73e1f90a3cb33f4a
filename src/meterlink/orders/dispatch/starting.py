"""What an order needs before it may be sent: who must agree, and the rules of asking, approving, operating.

What cuts somebody off, and each guarantee, needs a second person. What a person sends is armed and operated
by one; what a policy or a payment began goes on by itself, and only as far as the rules let it. A closing
that a payment began takes back what people have ordered of that contact and not sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from meterlink.errors import NotAllowed
from meterlink.model.order import CLOSES, REASON_MAX, SWITCHING, OrderKind, OrderState, Origin
from meterlink.orders.book import Book, Step
from meterlink.orders.dispatch.due import waits_for_people
from meterlink.orders.dispatch.reading_back import SENT
from meterlink.orders.judging.judge import Holder, Judge, written
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.proof import arrives_until
from meterlink.orders.life.timeline import Timeline
from meterlink.orders.people import DAEMON, THE_DAEMON, Actor
from meterlink.orders.rules import OnStop, Stage, outcome
from meterlink.orders.rules.persons import needs_approval
from meterlink.orders.rules.queueing import is_money_past_closing
from meterlink.orders.withdrawing import withdraw

QUIET: Final = frozenset({OrderKind.ALARM_ON, OrderKind.ALARM_OFF})
"""What moves no contact and no money."""


class Starter:
    """Brings orders from their creation into the queue.

    Args:
        book: the orders.
        judge: the rules.
        holder: keeps orders back.

    """

    def __init__(self, book: Book, judge: Judge, holder: Holder) -> None:
        self._book = book
        self._judge = judge
        self._holder = holder

    async def carry_on(self, life: Life) -> Life:
        """Bring an order of nobody's hand as far as it may go: authorised, and into the queue.

        Raises:
            StepTaken: somebody else took a step of it.
            JournalError: the log cannot be written or read.

        """
        if life.order.origin is Origin.PERSON:
            return life
        if _is_paid_for(life):
            await self._make_way(life)
        if self._comes_later(life):
            return life
        if life.state is OrderState.CREATED:
            life = await self._book.step(life, Signal.AUTHORISE, actor=DAEMON)
        verdicts = await self._judge.judge(Stage.OPERATE, life.order, life, THE_DAEMON)
        stop = outcome(verdicts)
        body: dict[str, object] = {"rules": written(verdicts)}
        try:
            if stop is None:
                return await self._book.step(life, Signal.OPERATE, actor=DAEMON, body=body)
            if stop is OnStop.HOLD:
                await self._holder.hold(life, THE_DAEMON, verdicts)
            if stop in (OnStop.WAIT, OnStop.POSTPONE, OnStop.HOLD):
                return life  # it rests, and is judged again
            body["stop"] = stop.name.lower()
            return await self._book.step(life, Signal.REFUSE, actor=DAEMON, body=body)
        except NotAllowed:
            return life  # its deadline has passed, or it is too early

    async def _make_way(self, life: Life) -> None:
        """Take back what people ordered of the contact and is to be sent: a payer waits for none of it.

        A frame that is out stays: it is read back first. Source: CTRL-16, CTRL-21.
        """
        told = f"{life.order.reason}: the closing {life.order.id} goes first"[:REASON_MAX]
        for other in self._book.open_of(life.order.meter):
            is_persons = other.order.origin is Origin.PERSON and other.order.kind in SWITCHING
            if is_persons and other.withdrawal is not None:
                await withdraw(self._book, other, {"told": told})

    def _comes_later(self, life: Life) -> bool:
        """Whether there is an order of that meter for which this one waits."""
        timeline = self._book.timeline
        return any(waits_for(life, one, timeline) for one in self._book.open_of(life.order.meter))


def waits_for(life: Life, other: Life, timeline: Timeline) -> bool:
    """Whether an order waits for the end of another of its meter: an earlier one that goes on by itself.

    An alarm disturbs nobody; the rules let it wait for what is in flight. A closing goes before every alarm,
    and waits neither for an alarm nor for money that is only read back: nothing of that is in the line. No
    more does money wait for a closing that is only read back, or for whoever has to press a key: either may
    take a day, and the money would come too late for its own time.

    Args:
        life: goes on by itself.
        other: open, of the same meter.
        timeline: where their acts were written.

    """
    is_earlier = _place(other, timeline) < _place(life, timeline)
    if life.order.kind in QUIET or not is_earlier or waits_for_people(other):
        return False
    is_quiet = other.order.kind in QUIET
    is_closing_past_money = life.order.kind in CLOSES and (is_quiet or other.order.kind is OrderKind.TOP_UP)
    if not is_closing_past_money and not is_money_past_closing(life.order.kind, other.order.kind):
        return True
    if other.state is OrderState.WAITING_FOR_KEY:
        return False
    if other.state is OrderState.READBACK and other.sent is not None:
        until = arrives_until(other.sent, timeline)
        return until is None or timeline.now() < until
    return other.state in SENT or not is_quiet


def _is_paid_for(life: Life) -> bool:
    return life.order.kind in CLOSES and life.order.origin is Origin.PAYMENT


def _place(life: Life, timeline: Timeline) -> tuple[datetime, str]:
    return timeline.lived(life.created_at), life.order.id


def first_steps(life: Life) -> list[Step]:
    """What follows the creation of an order at once."""
    order = life.order
    if needs_approval(order.kind, order.origin) or order.origin is not Origin.PERSON:
        return []
    return [Step(signal=Signal.AUTHORISE, actor=DAEMON)]


def steps_of(stage: Stage, actor: Actor, body: Mapping[str, Any]) -> list[Step]:
    """What a person's yes makes of an order, once the rules of the stage have let it go.

    Args:
        stage: ``APPROVE`` or ``OPERATE``.
        actor: whose yes it is.
        body: what the first act keeps of it.

    """
    noted = {**body, **actor.noted}
    if stage is Stage.APPROVE:
        approve = Step(signal=Signal.APPROVE, actor=actor.name, body=noted)
        return [approve, Step(signal=Signal.AUTHORISE, actor=actor.name, body=actor.noted)]
    return [Step(signal=Signal.OPERATE, actor=actor.name, body=noted)]
