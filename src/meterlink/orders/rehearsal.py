"""What would be said of an order, or of a step of one, as things stand: by the rules, and by the machine.

Nothing is kept, nobody is refused and nothing waits its turn: whoever asks learns what he would meet. What
the meter itself shows, and whose hand it will be, nobody foretells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from meterlink.clock import Clock
from meterlink.errors import EvidenceRefused, NotAllowed
from meterlink.model.order import Order, OrderKind
from meterlink.orders.book import Book
from meterlink.orders.dispatch.starting import steps_of
from meterlink.orders.foreseeing import Later, foreseen
from meterlink.orders.judging.judge import Judge
from meterlink.orders.life.life import Life
from meterlink.orders.naming import check_names, told_before
from meterlink.orders.people import THE_DAEMON, Actor
from meterlink.orders.rules import Stage, Verdict
from meterlink.orders.rules.hands import WITHDRAWN
from meterlink.roster.roster import Roster

STATE: Final = "STATE"
"""Where the id of a rule stands: that not a rule but the state of the order forbids a step."""


class Rehearsal:
    """Steps that nobody takes.

    Args:
        book: the orders.
        judge: the rules.
        roster: the meters.
        clock: the time.

    """

    def __init__(self, book: Book, judge: Judge, roster: Roster, clock: Clock) -> None:
        self._book = book
        self._judge = judge
        self._roster = roster
        self._clock = clock

    async def dry_run(self, actor: Actor, order: Order) -> Sequence[Verdict]:
        """What the rules would say of an order; nothing is kept. Of one that is there already: nothing.

        Raises:
            OrderClash: an order of that id wants something else.
            Unknown: no such meter, or no such case of it.
            JournalError: the log cannot be read.

        """
        if await told_before(self._book, order) is not None:
            return ()
        await check_names(self._book.acts, self._roster, order)
        return await self._judge.judge(Stage.CREATE, order, None, actor)

    async def check(self, actor: Actor, order_id: str, stage: Stage) -> Sequence[Verdict]:
        """What the rules, and behind them the machine, would say of a person's step; nothing is kept.

        Args:
            actor: who would take it.
            order_id: of which order.
            stage: ``APPROVE`` or ``OPERATE``.

        Raises:
            Unknown: no such order.
            JournalError: the log cannot be read.

        """
        life = await self._book.read(order_id)
        verdicts = await self._judge.judge(stage, life.order, life, actor)
        try:
            self._book.check(life, *steps_of(stage, actor, {}), at=self._clock.utc_now())
        except NotAllowed as error:
            return [*verdicts, _no_of_machine(life, error)]
        return verdicts

    async def foreseen(self, actor: Actor, order: Order, said: Sequence[Verdict]) -> list[Later]:
        """What would stop an order behind its creation, as things stand; nothing is kept.

        Args:
            actor: who would create it.
            order: that is not there yet.
            said: what the rules say of its creation; none: it is there, and nothing is foretold.

        Raises:
            JournalError, EvidenceRefused: as of ``dry_run``.

        """
        if not said:
            return []
        now = self._clock.utc_now()
        life = Life.of([Life.begin(order, at=now, actor=actor.name)])
        return await foreseen(self._judge, life, now=now, said=said)

    async def foreseen_of(self, order_id: str, stage: Stage, said: Sequence[Verdict]) -> list[Later]:
        """What would stop an order behind a person's step, as things stand; nothing is kept.

        Args:
            order_id: of which order.
            stage: the step, ``APPROVE`` or ``OPERATE``.
            said: what the rules say of it.

        Raises:
            Unknown, JournalError, EvidenceRefused: as of ``check``.

        """
        life, now = await self._book.read(order_id), self._clock.utc_now()
        return await foreseen(self._judge, life, now=now, said=said, behind=stage)

    async def withdrawn(self, order_id: str) -> str:
        """What was taken back of late of the evidence of a trip that is not sent; empty: nothing.

        Raises:
            Unknown: no such order.
            JournalError: the log cannot be read.

        """
        life = await self._book.read(order_id)
        if life.order.kind is not OrderKind.TRIP or life.withdrawal is None:
            return ""
        try:
            verdicts = await self._judge.judge(Stage.APPROVE, life.order, life, THE_DAEMON)
        except EvidenceRefused as error:
            return str(error)
        return next((one.inputs[WITHDRAWN] for one in verdicts if WITHDRAWN in one.inputs), "")


def _no_of_machine(life: Life, error: NotAllowed) -> Verdict:
    """What stands in the way of a step beside the rules, as one more verdict."""
    return Verdict(
        rule=STATE,
        passed=False,
        inputs={"state": life.state.value, "why": error.why},
        en=str(error),
        zh=error.zh or f"当前状态不允许该操作：{error}",
    )
