"""The disconnect cases of a gateway as they stand: folded from the log, brought on one step at a time.

The log is the truth and this is a view of it, as of orders (``book``). A meter has one open case. What ends a
case early (a payment, a dispute, a protection) is told of the meter, and whatever stands open there ends.

A case ends by creating an order, and a crash may come between the two. The order comes first: its id and its
body follow from the case alone, so who asks again gets the same order, and then the case is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from meterlink.clock import Clock
from meterlink.errors import BusFull, JournalError, NotAllowed, StepTaken, Unknown
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, Topic
from meterlink.model.order import ORDER_ID, Order, OrderKind, Origin
from meterlink.orders.case import LAPSES_AFTER, Case, CaseSignal, CaseState
from meterlink.orders.people import DAEMON

OPEN_MAX: Final = 10_000
"""Cases that are open at one time; one more is refused."""
TRIES_MAX: Final = 4
"""Tries of one step when somebody else takes one meanwhile."""
ORDER_PREFIX: Final = "case."
"""Before the id of a case, the id of its order."""
STOPS: Final = frozenset({CaseSignal.CANCEL, CaseSignal.PAYMENT, CaseSignal.DISPUTE, CaseSignal.PROTECT})
"""What ends a case early."""

Create = Callable[[Order], Awaitable[object]]
"""Takes an order in, or finds that it is there already."""
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Cases:
    """The cases of one gateway.

    Args:
        acts: the log.
        clock: when a step was.

    """

    def __init__(self, acts: ActLog, clock: Clock) -> None:
        self._acts = acts
        self._clock = clock
        self._open: dict[str, Case] = {}
        self._opening = asyncio.Lock()

    async def load(self) -> None:
        """Read the open cases from the log; once, before anything else.

        Raises:
            JournalError: the log cannot be read, or holds a case that makes no sense.

        """
        for name in await self._acts.subjects(Topic.CASE, only_open=True, limit=OPEN_MAX):
            await self.read(name)

    def open_of(self, meter: str) -> Case | None:
        """The open case of a meter; ``None``: there is none."""
        return next((case for case in self._open.values() if case.meter == meter), None)

    @property
    def next_lapse_at(self) -> datetime | None:
        """When the next case will have lain too long; ``None``: none will."""
        return min((at for case in self._open.values() if (at := case.lapses_at)), default=None)

    async def read(self, case_id: str) -> Case:
        """A case as the log has it.

        Raises:
            Unknown: there is none of that id.
            JournalError: the log cannot be read, or its acts make no sense.

        """
        acts = await self._acts.of_subject(Topic.CASE, case_id)
        if not acts:
            raise Unknown(f"there is no case {case_id!r}")
        try:
            return self._keep(Case.of(acts))
        except ValueError as error:
            raise JournalError(f"case {case_id!r} cannot be read from the log: {error}") from None

    async def open(self, case_id: str, meter: str, *, actor: str, body: Mapping[str, Any]) -> Case:
        """Begin a case; one of the same id at the same meter is the same case.

        Args:
            case_id: made by the caller, as the id of an order and short enough for that of its order.
            meter: our id of the meter.
            actor: who begins it.
            body: the arrears, and the readings that they come from.

        Raises:
            NotAllowed: the meter has another open case, or that id is another meter's.
            BusFull: too many are open.
            JournalError: it was not begun.
            ValueError: that is no id.

        """
        if not ORDER_ID.fullmatch(case_id) or not ORDER_ID.fullmatch(ORDER_PREFIX + case_id):
            raise ValueError("a case's id is made as an order's, and a little shorter")
        async with self._opening:  # who asks for the same meter meanwhile finds this one
            there = await self._there(case_id, meter)
            if there is not None:
                if (there.id, there.meter) != (case_id, meter):
                    raise NotAllowed(f"case {there.id} of meter {there.meter} is there already", why="open")
                return there
            if len(self._open) >= OPEN_MAX:
                raise BusFull(f"{OPEN_MAX} cases are open; no more is taken")
            first = Case.begin(case_id, meter, at=self._clock.utc_now(), actor=actor, body=body)
            return await self._taken(Case.of([first]), first)

    async def step(
        self, case_id: str, signal: CaseSignal, *, actor: str, body: Mapping[str, Any] = _NOTHING
    ) -> Case:
        """Take one step; on disk when this returns.

        Raises:
            Unknown: there is no such case.
            NotAllowed: it takes no such step now.
            BusFull: others take steps of it all the time.
            JournalError: nothing was written.
            KeyError, TypeError, ValueError: the body lacks what belongs to the step: a bug of the caller.

        """
        for _ in range(TRIES_MAX):
            case = await self.read(case_id)
            act = case.next(signal, at=self._clock.utc_now(), actor=actor, body=body)
            try:
                return await self._taken(case.then(act), act)
            except StepTaken:
                continue
        raise BusFull(f"case {case_id} does not stand still; try again")

    async def stop(self, meter: str, signal: CaseSignal, *, actor: str, why: str) -> Case | None:
        """End the open case of a meter, if there is one.

        Args:
            meter: our id of it.
            signal: of ``STOPS``.
            actor: who.
            why: id of the payment, dispute or protection, or words.

        Raises:
            BusFull, JournalError: it was not ended.

        """
        assert signal in STOPS, "that ends no case"
        case = self.open_of(meter)
        if case is None:
            return None
        try:
            return await self.step(case.id, signal, actor=actor, body={"why": why})
        except NotAllowed:
            return await self.read(case.id)  # it has ended meanwhile

    async def lapse(self) -> list[Case]:
        """Let every case lapse that has lain too long; those that did.

        Raises:
            BusFull, JournalError: not all of them did.

        """
        now = self._clock.utc_now()
        due = [case.id for case in self._open.values() if (at := case.lapses_at) is not None and at <= now]
        return [await self.step(name, CaseSignal.LAPSE, actor=DAEMON) for name in due]

    async def order(self, case_id: str, create: Create, *, actor: str) -> Case:
        """Create the order that a case was for, and end it by that; asked again, it is the same order.

        Args:
            case_id: of a case whose last notice went out.
            create: takes the order in; what it raises goes on to the caller, and the case stays.
            actor: who sends it.

        Raises:
            Unknown, NotAllowed, BusFull, JournalError: as of ``step``.

        """
        case = await self.read(case_id)
        if case.state is CaseState.ORDERED:
            return case
        order = order_of(case)
        case.next(CaseSignal.ORDER, at=self._clock.utc_now(), actor=actor, body={"order": order.id})
        await create(order)
        return await self.step(case_id, CaseSignal.ORDER, actor=actor, body={"order": order.id})

    async def _there(self, case_id: str, meter: str) -> Case | None:
        try:
            return await self.read(case_id)
        except Unknown:
            return self.open_of(meter)

    async def _taken(self, case: Case, act: Act) -> Case:
        await self._acts.append(act)
        return self._keep(case)

    def _keep(self, case: Case) -> Case:
        if case.is_open:
            self._open[case.id] = case
        else:
            self._open.pop(case.id, None)
        return case


def order_of(case: Case) -> Order:
    """The trip that a case is for: until the window behind its last notice closes (CTRL-06)."""
    closes_at = case.since + LAPSES_AFTER[CaseState.FINAL_NOTICE]
    return Order(
        id=ORDER_PREFIX + case.id,
        kind=OrderKind.TRIP,
        meter=case.meter,
        reason=f"arrears: case {case.id}",
        deadline_at=closes_at.replace(microsecond=0),
        origin=Origin.PERSON,
        case=case.id,
    )
