"""What people and programs may do to orders: create, approve, reject, arm, operate, cancel, find.

Who asks is an actor with roles; whether he may is asked before anything else, and a no is written down. Then
the rules are asked, and then the machine, which has the last word. Everything that changes an order is done
by one at a time, so that what the rules looked at is still so when the step is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final

from meterlink.clock import Clock
from meterlink.errors import (
    BusFull,
    NotAllowed,
    OtherFinding,
    Overtaken,
    StepTaken,
)
from meterlink.model.act import Act
from meterlink.model.order import CLOSES, Order, OrderKind
from meterlink.orders.access import Accesses, no_role
from meterlink.orders.book import Book, Step
from meterlink.orders.dispatch.starting import first_steps, steps_of
from meterlink.orders.judging.judge import Holder, Judge, Stopped, basis_of, written
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.naming import check_names, told_before
from meterlink.orders.people import Actor, Deed, Role
from meterlink.orders.rehearsal import Rehearsal
from meterlink.orders.rules import OnStop, Stage, Verdict, outcome
from meterlink.orders.rules.persons import needs_approval
from meterlink.roster.roster import Roster

WAITING_MAX: Final = 512
"""Requests that wait for their turn; one more is refused at once."""
TRIES_MAX: Final = 4
"""Tries of one request when the order moves on meanwhile."""
LISTED_MAX: Final = 1_000
"""Orders in one list."""


def may(actor: Actor, deed: Deed) -> bool:
    """Whether somebody's roles allow a deed; field staff operate what was given to them (the rules look)."""
    return actor.may(deed) or (deed is Deed.OPERATE and Role.FIELD in actor.roles)


class OrderService:
    """The orders of one gateway, as people see them.

    Args:
        book: the orders.
        judge: the rules.
        holder: keeps orders back.
        roster: the meters.
        accesses: where a no is written down.
        clock: the time.

    Attributes:
        rehearsal: what would be said of an order, or of a step of one.

    """

    def __init__(
        self,
        book: Book,
        judge: Judge,
        holder: Holder,
        *,
        roster: Roster,
        accesses: Accesses,
        clock: Clock,
    ) -> None:
        self._book = book
        self._judge = judge
        self._holder = holder
        self._roster = roster
        self._accesses = accesses
        self._clock = clock
        self.rehearsal = Rehearsal(book, judge, roster, clock)
        self._desk = asyncio.Lock()
        self._waiting = 0

    async def create(self, actor: Actor, order: Order) -> Life:
        """Take an order in; one of the same id and body is the same order.

        Raises:
            OrderClash: an order of that id wants something else.
            Unknown: no such meter, or no such case of it.
            NotAllowed: that person creates no orders.
            Stopped: a rule forbids it; there is no order.
            BusFull: too many requests or orders.
            JournalError: it was not taken in.

        """
        await self._admit(actor, Deed.CREATE, order.id, order.meter)
        async with self._turn():
            if (life := await told_before(self._book, order)) is not None:
                return life
            await check_names(self._book.acts, self._roster, order)
            verdicts = await self._judge.judge(Stage.CREATE, order, None, actor)
            if outcome(verdicts) is not None:
                await self._accesses.refused(actor, order.id, order.meter, "create", written(verdicts))
                raise Stopped(verdicts)
            for _ in range(TRIES_MAX):
                with suppress(StepTaken):
                    return await self._begin(actor, order, verdicts)
                for life in self._book.open_of(order.meter):
                    await self._book.read(life.order.id)
            raise BusFull(f"the orders of meter {order.meter} do not stand still; try again")

    async def create_of_case(self, creator: Actor, approver: Actor, order: Order, ending: Act) -> Life:
        """Create the trip that a case ends with, in one transaction with the case's last step.

        The rules of creating, and those of the step that follows at once, are asked of this moment, each for
        the person who did it in the case. What a person began is armed and operated by another than who
        approved it; what a policy began goes on by itself.

        Args:
            creator: who began the case.
            approver: who approved it.
            order: names the case.
            ending: the case's last step.

        Raises:
            Stopped: a rule forbids it; there is no order.
            StepTaken: the case has moved on, the order is there, or more and more is told of the meter.
            BusFull: too many requests or orders.
            JournalError: nothing was written.

        """
        async with self._turn():
            for _ in range(TRIES_MAX):
                with suppress(Overtaken):
                    return await self._begin_of_case(creator, approver, order, ending)
        raise StepTaken(f"what is told of meter {order.meter} does not stand still")

    async def _begin_of_case(self, creator: Actor, approver: Actor, order: Order, ending: Act) -> Life:
        """Judge it as of a number of the log, and write it if nothing was told behind that."""
        basis = basis_of(order, await self._book.acts.newest_number())
        asked = await self._judge.judge(Stage.CREATE, order, None, creator)
        life = Life.of([Life.begin(order, at=self._clock.utc_now(), actor=creator.name)])
        is_asked = needs_approval(order.kind, order.origin)
        stage = Stage.APPROVE if is_asked else Stage.OPERATE
        agreed = await self._judge.judge(stage, order, life, approver)
        if outcome(asked) is not None or outcome(agreed) not in (None, OnStop.HOLD):
            raise Stopped([*asked, *agreed])
        steps = first_steps(life)
        if is_asked:
            told = {"told": f"approved in case {order.case}", "rules": written(agreed)}
            steps = steps_of(Stage.APPROVE, approver, told)
        body = {"rules": written(asked), **creator.noted}
        return await self._book.begin(order, creator.name, steps, body=body, beside=[ending], basis=basis)

    async def approve(self, actor: Actor, order_id: str, comment: str = "") -> Life:
        """Agree to somebody else's order.

        Raises:
            Unknown, NotAllowed, Stopped, BusFull, JournalError: as of ``create``.

        """
        async with self._of(actor, Deed.APPROVE, order_id) as life:
            verdicts = await self._passed(Stage.APPROVE, life, actor)
            body = {"told": comment, "rules": written(verdicts)}
            return await self._book.steps(life, *steps_of(Stage.APPROVE, actor, body))

    async def reject(self, actor: Actor, order_id: str, reason: str) -> Life:
        """Say no to somebody else's order; it ends."""
        return await self._simple(actor, Deed.APPROVE, order_id, Signal.REFUSE, {"told": reason})

    async def arm(self, actor: Actor, order_id: str) -> Life:
        """Make an order ready to be operated by the same person within a minute."""
        async with self._of(actor, Deed.OPERATE, order_id) as life:
            await self._passed(Stage.OPERATE, life, actor)
            return await self._book.step(life, Signal.ARM, actor=actor.name, body=actor.noted)

    async def operate(self, actor: Actor, order_id: str) -> Life:
        """Have an armed order sent.

        Raises:
            Unknown, NotAllowed, Stopped, BusFull, JournalError: as of ``create``.

        """
        async with self._of(actor, Deed.OPERATE, order_id) as life:
            verdicts = await self._passed(Stage.OPERATE, life, actor)
            return await self._book.steps(life, *steps_of(Stage.OPERATE, actor, {"rules": written(verdicts)}))

    async def cancel(self, actor: Actor, order_id: str, reason: str) -> Life:
        """Take back an order that has not been sent, or waits to be sent again.

        One that the meter refused, and may obey all the same, stays as it is, and is not sent again.
        """
        return await self._simple(actor, Deed.CANCEL, order_id, Signal.CANCEL, {"told": reason})

    async def find(
        self, actor: Actor, order_id: str, finding: str, evidence: str, *, instead: str = ""
    ) -> Life:
        """Say what became of an order that ended unknown; a second person confirms it.

        Args:
            actor: who found it.
            order_id: of which order.
            finding: ``done`` or ``not_done``.
            evidence: what shows it, for people.
            instead: the finding that stands and is meant to go; empty: none stands.

        Raises:
            OtherFinding: another one stands, or one where none was thought to.
            Unknown, NotAllowed, BusFull, JournalError: as of ``create``.

        """
        body = {"finding": finding, "evidence": evidence, **({"instead": instead} if instead else {})}
        async with self._of(actor, Deed.FIND, order_id) as life:
            with _of_finding(life):
                return await self._tried(order_id, Signal.FIND, actor, body)

    async def confirm(self, actor: Actor, order_id: str, finding: str, found_step: int = 0) -> Life:
        """Confirm what another person found.

        Args:
            actor: who confirms it.
            order_id: of which order.
            finding: what he confirms, ``done`` or ``not_done``.
            found_step: number of the act that he saw it told by; 0: whichever tells that finding.

        Raises:
            OtherFinding: another one stands.
            Unknown, NotAllowed, BusFull, JournalError: as of ``create``.

        """
        async with self._of(actor, Deed.FIND, order_id) as life:
            body = {"finding": finding, "found_step": found_step or life.found_step}
            with _of_finding(life):
                return await self._tried(order_id, Signal.CONFIRM, actor, body)

    async def cancel_unsent(self, order_id: str, actor: Actor, reason: str) -> Life:
        """Take back an order for somebody of whom it is known already that he may."""
        async with self._turn():
            return await self._tried(order_id, Signal.CANCEL, actor, {"told": reason})

    async def _begin(self, actor: Actor, order: Order, verdicts: Sequence[Verdict]) -> Life:
        """Create it, and end the trip that it makes senseless. Source: CTRL-21."""
        first = Life.of([Life.begin(order, at=self._clock.utc_now(), actor=actor.name)])
        told = {"told": f"reconnected by {order.id}", **actor.noted}
        instead = [
            (life, Step(signal=signal, actor=actor.name, body=told))
            for life in self._book.open_of(order.meter)
            if order.kind in CLOSES and life.order.kind is OrderKind.TRIP
            if (signal := life.withdrawal) is not None
        ]
        body = {"rules": written(verdicts), **actor.noted}
        return await self._book.begin(order, actor.name, first_steps(first), body=body, ending=instead)

    async def _passed(self, stage: Stage, life: Life, actor: Actor) -> Sequence[Verdict]:
        verdicts = await self._judge.judge(stage, life.order, life, actor)
        if (stop := outcome(verdicts)) is None:
            return verdicts
        order = life.order
        await self._accesses.refused(actor, order.id, order.meter, stage.value, written(verdicts))
        if stop is OnStop.HOLD:
            await self._holder.hold(life, actor, verdicts)
        raise Stopped(verdicts)

    async def _simple(
        self, actor: Actor, deed: Deed, order_id: str, signal: Signal, body: Mapping[str, Any]
    ) -> Life:
        async with self._of(actor, deed, order_id):
            return await self._tried(order_id, signal, actor, body)

    async def _tried(self, order_id: str, signal: Signal, actor: Actor, body: Mapping[str, Any]) -> Life:
        """Take a step of an order whose line may be taking one at this moment."""
        noted = {**body, **actor.noted}
        for _ in range(TRIES_MAX):
            life = await self._book.read(order_id)
            step = (life.withdrawal or signal) if signal is Signal.CANCEL else signal
            try:
                return await self._book.step(life, step, actor=actor.name, body=noted)
            except StepTaken:
                continue
        raise BusFull(f"order {order_id} does not stand still; try again")

    @asynccontextmanager
    async def _of(self, actor: Actor, deed: Deed, order_id: str) -> AsyncIterator[Life]:
        """An order for somebody who may do that."""
        async with self._turn():
            life = await self._book.read(order_id)
            await self._admit(actor, deed, order_id, life.order.meter)
            yield life

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One after the other."""
        if self._waiting >= WAITING_MAX:
            raise BusFull(f"{WAITING_MAX} requests wait already; try again")
        self._waiting += 1
        try:
            async with self._desk:
                yield
        finally:
            self._waiting -= 1

    async def _admit(self, actor: Actor, deed: Deed, order_id: str, meter: str) -> None:
        if not may(actor, deed):
            await self._accesses.refused(actor, order_id, meter, deed.value, ())
            raise no_role(actor.name, deed.value)


@contextmanager
def _of_finding(life: Life) -> Iterator[None]:
    """Tell somebody who speaks of another finding which one stands."""
    try:
        yield
    except NotAllowed as error:
        if error.why != "other_finding":
            raise
        raise OtherFinding(life.order.id, life.finding, life.found_by, life.found_step) from None
