"""What an order needs before it may be sent: who must agree, and the rules of asking, approving, operating.

A trip and a guarantee need a second person, whoever asks. What a person sends is armed and operated by one;
what a policy or a payment began goes on by itself, and only as far as the rules let it.
"""

from __future__ import annotations

from typing import Final

from meterlink.errors import NotAllowed
from meterlink.model.order import OrderKind, OrderState, Origin
from meterlink.orders.book import Book, Step
from meterlink.orders.judging import Judge, worst, written
from meterlink.orders.life import Life
from meterlink.orders.machine import Signal
from meterlink.orders.people import DAEMON, THE_DAEMON
from meterlink.orders.rules.verdict import OnStop, Stage

TWO_PERSONS: Final = frozenset({OrderKind.TRIP, OrderKind.GUARANTEE_ON, OrderKind.GUARANTEE_OFF})
"""What a second person approves. Source: CTRL-10, CTRL-22."""


def needs_approval(life: Life) -> bool:
    """Whether a second person must still agree; a policy's version was approved as a whole."""
    order = life.order
    return order.kind in TWO_PERSONS and order.origin is Origin.PERSON and not life.approvals


class Starter:
    """Brings orders from their creation into the queue.

    Args:
        book: the orders.
        judge: the rules.

    """

    def __init__(self, book: Book, judge: Judge) -> None:
        self._book = book
        self._judge = judge

    async def carry_on(self, life: Life) -> Life:
        """Bring an order of nobody's hand as far as it may go: authorised, and into the queue.

        Raises:
            StepTaken: somebody else took a step of it.
            JournalError: the log cannot be written or read.

        """
        if life.order.origin is Origin.PERSON:
            return life
        if life.state is OrderState.CREATED:
            life = await self._book.step(life, Signal.AUTHORISE, actor=DAEMON)
        verdicts = await self._judge.judge(Stage.OPERATE, life.order, life, THE_DAEMON)
        stop = worst(verdicts)
        body: dict[str, object] = {"rules": written(verdicts)}
        try:
            if stop is None:
                return await self._book.step(life, Signal.OPERATE, actor=DAEMON, body=body)
            if stop in (OnStop.POSTPONE, OnStop.HOLD):
                return life  # it rests, and is judged again
            body["stop"] = stop.name.lower()
            return await self._book.step(life, Signal.REFUSE, actor=DAEMON, body=body)
        except NotAllowed:
            return life  # its deadline has passed, or it is too early


def first_steps(life: Life) -> list[Step]:
    """What follows the creation of an order at once."""
    if needs_approval(life) or life.order.origin is not Origin.PERSON:
        return []
    return [Step(signal=Signal.AUTHORISE, actor=DAEMON)]
