"""The orders as they stand: folded from the log, written back one step at a time.

The log is the truth and this is a view of it. Who writes a step and was not the first is told so
(``StepTaken``), reads again and looks what has become of the order: so a person who cancels and a line that
sends cannot both win. A task that is cancelled while its step is being written leaves the view behind the
log; the next step of that order finds out the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Protocol

import structlog

from meterlink.clock import Clock
from meterlink.errors import BusFull, JournalError, NotAllowed, Overtaken, StepTaken, Unknown
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, Basis, KeptAct, Topic
from meterlink.model.order import Order, Origin
from meterlink.orders.life.effects import ARMED_FOR
from meterlink.orders.life.history import History
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.timeline import Timeline
from meterlink.orders.under_holds import Holds, both, under_holds

OPEN_MAX: Final = 10_000
"""Orders that are open at one time; one more is refused."""
PAID_OPEN_MAX: Final = 10_000
"""The same of those that payments brought: they have room of their own, and wait behind nobody's trips."""
INSIST_MAX: Final = 8
"""Tries to write a step down; marks of others (a payment) may come between, and they are few."""

LOOKED_MAX: Final = 8
"""Looks at the holds of a meter beside one step, while others tell of it."""

_log = structlog.get_logger(__name__)
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of an order that is to be written.

    Args:
        signal: what happened.
        actor: who.
        body: what there is to say.

    """

    signal: Signal
    actor: str
    body: Mapping[str, Any] = field(default_factory=dict)


class Companion(Protocol):
    """Something that goes with the steps of orders: what it writes stands in the same transaction."""

    async def beside(self, before: Life, after: Life, act: Act) -> Sequence[Act]:
        """What is written with a step.

        Args:
            before: how the order stood.
            after: how it stands then.
            act: the step.

        Raises:
            JournalError: the log cannot be read.

        """

    def kept(self, acts: Iterable[Act]) -> None:
        """That is on disk now."""


class Book:
    """The orders of one gateway.

    Args:
        acts: the log.
        clock: when a step was.
        companions: go with every step.
        timeline: how long ago that was; ``None``: one of its own.

    Attributes:
        holds: of inspectors, for the work that companions open; ``None``: nobody holds anything back here.

    """

    def __init__(
        self,
        acts: ActLog,
        clock: Clock,
        companions: Sequence[Companion] = (),
        timeline: Timeline | None = None,
    ) -> None:
        self.acts = acts
        self.companions = list(companions)
        self.timeline = timeline or Timeline(clock)
        self.holds: Holds | None = None
        self._open: dict[str, Life] = {}
        self._paid: set[str] = set()
        self._meters: dict[str, set[str]] = {}
        self._news = asyncio.Event()

    async def load(self) -> None:
        """Read the open orders from the log; once, before anything else.

        Raises:
            JournalError: the log cannot be read, or holds an order that makes no sense.

        """
        names = [""]
        while names:
            names = await self.acts.subjects(Topic.ORDER, only_open=True, after=names[-1])
            for name in names:
                await self.read(name)

    def open_orders(self) -> list[Life]:
        """Those for which there is something to do."""
        return list(self._open.values())

    def open_of(self, meter: str) -> list[Life]:
        """The open orders of one meter."""
        return [self._open[name] for name in sorted(self._meters.get(meter, ()))]

    def known(self, order_id: str) -> Life | None:
        """An open order as far as it was read; ``None``: none of that id is open."""
        return self._open.get(order_id)

    async def acts_of(self, order_id: str) -> list[KeptAct]:
        """All acts of an order.

        Raises:
            Unknown: there is none of that id.

        """
        acts = await self.acts.of_subject(Topic.ORDER, order_id)
        if not acts:
            raise Unknown(f"there is no order {order_id!r}")
        return acts

    async def read(self, order_id: str) -> Life:
        """An order as the log has it.

        Raises:
            Unknown: there is none of that id.
            JournalError: the log cannot be read, or its acts make no sense.

        """
        return self._keep(_folded(await self.acts_of(order_id)))

    async def of_meter(self, meter: str, before: Iterable[str] = ()) -> list[Life]:
        """Every order that a meter ever had, in the order in which they last let go a frame, or were created.

        The order is that of the log, which no setting of a clock changes.

        Args:
            meter: our id.
            before: meters that stood there before it: who was cut off at one of them has this one now.

        Raises:
            JournalError: as of ``read``.

        """
        return [one.life for one in await self.histories(meter, before)]

    async def histories(self, meter: str, before: Iterable[str] = ()) -> list[History]:
        """The same with their acts; those of the meters before it come first.

        Raises:
            JournalError: as of ``read``.

        """
        return await histories_of(self.acts, meter, before)

    async def begin(
        self,
        order: Order,
        actor: str,
        steps: Sequence[Step] = (),
        *,
        body: Mapping[str, Any] = _NOTHING,
        ending: Sequence[tuple[Life, Step]] = (),
        beside: Sequence[Act] = (),
        basis: Basis | None = None,
    ) -> Life:
        """Create an order with its first steps, and take those steps of others that it brings; all or none.

        Args:
            order: what is wanted.
            actor: who wants it.
            steps: that follow at once.
            body: what there is to say of its creation.
            ending: other orders, and the step of each.
            beside: acts of other subjects that stand in the same transaction: the last step of a case.
            basis: what it was decided by; ``None``: nothing that could change.

        Raises:
            StepTaken: there is an order of that id, or another has moved on.
            Overtaken: that has changed; decide again. Or the holds of the meter did not come to rest.
            BusFull: too many are open.
            JournalError: nothing was written.

        """
        self._check_room(order)

        async def look() -> tuple[list[Life], list[Act]]:
            first = Life.begin(order, at=self.timeline.stamp(), actor=actor, body=body)
            life, acts = await self._continued(Life.of([first]), steps)
            others = [await self._continued(other, [step]) for other, step in ending]
            taken = [act for _, each in others for act in each]
            return [life, *(other for other, _ in others)], [first, *acts, *taken, *beside]

        life, *others = await self._written(look, basis)
        for other in others:
            self._keep(other)
        return self._keep(life)

    async def step(
        self,
        life: Life,
        signal: Signal,
        *,
        actor: str,
        body: Mapping[str, Any] = _NOTHING,
        basis: Basis | None = None,
    ) -> Life:
        """Take one step; see ``steps``."""
        return await self.steps(life, Step(signal=signal, actor=actor, body=body), basis=basis)

    async def steps(self, life: Life, *steps: Step, basis: Basis | None = None) -> Life:
        """Take steps, all or none; on disk when this returns.

        Args:
            life: how the order stands as the caller knows it.
            steps: one after the other.
            basis: what they were decided by; ``None``: nothing that could change.

        Raises:
            NotAllowed: it takes no such step now.
            StepTaken: somebody else was first; ``read`` it.
            Overtaken: that has changed; decide again. Or the holds of the meter did not come to rest.
            JournalError: nothing was written.

        """

        async def look() -> tuple[list[Life], list[Act]]:
            after, acts = await self._continued(life, steps)
            return [after], acts

        try:
            (after,) = await self._written(look, basis)
        except StepTaken:
            await self.read(life.order.id)
            raise
        return self._keep(after)

    def check(self, life: Life, *steps: Step, at: datetime) -> None:
        """Ask whether an order takes steps; nothing is kept.

        Args:
            life: how the order stands.
            steps: one after the other.
            at: when, aware, UTC.

        Raises:
            NotAllowed: it takes no such step then.

        """
        for step in steps:
            life = life.then(self._next(life, step, at))

    async def insist(
        self, life: Life, signal: Signal, *, actor: str, body: Mapping[str, Any] = _NOTHING
    ) -> Life:
        """Take a step that must be told whatever others tell meanwhile, if the order still takes it.

        Raises:
            JournalError: nothing was written.

        """
        for _ in range(INSIST_MAX):
            try:
                return await self.step(life, signal, actor=actor, body=body)
            except (StepTaken, Overtaken):
                life = await self.read(life.order.id)
            except NotAllowed:
                break
        _log.warning("order_step_not_taken", order=life.order.id, state=life.state.value, step=signal.value)
        return life

    def adopt(self, life: Life) -> None:
        """Take up an order that a companion has written."""
        self._keep(life)

    @property
    def news(self) -> asyncio.Event:
        """Is set at the next change of any order; take it before you look."""
        return self._news

    def _check_room(self, order: Order) -> None:
        if order.origin is Origin.PAYMENT:
            if len(self._paid) >= PAID_OPEN_MAX:
                raise BusFull(f"{PAID_OPEN_MAX} orders of payments are open; no more is taken")
        elif len(self._open) - len(self._paid) >= OPEN_MAX:
            raise BusFull(f"{OPEN_MAX} orders are open; no more is taken")

    async def _written(
        self, look: Callable[[], Awaitable[tuple[list[Life], list[Act]]]], basis: Basis | None = None
    ) -> list[Life]:
        """Append what a look makes; looked at anew where a hold came between the look and the disk."""
        for left in reversed(range(LOOKED_MAX)):
            lives, plain = await look()
            acts, rests_on = await under_holds(plain, self.acts, self.holds)
            try:
                await self._append(*acts, basis=both(basis, rests_on))
            except Overtaken:
                if basis is not None or not left:
                    raise
            else:
                return lives
        raise AssertionError("it has returned or raised")

    async def _append(self, *acts: Act, basis: Basis | None = None) -> None:
        await self.acts.append(*acts, basis=basis)
        for companion in self.companions:
            companion.kept(acts)

    async def _continued(self, life: Life, steps: Iterable[Step]) -> tuple[Life, list[Act]]:
        now = self.timeline.stamp()
        acts: list[Act] = []
        for step in steps:
            act = self._next(life, step, now)
            before, life = life, life.then(act)
            acts.append(act)
            for companion in self.companions:
                acts += await companion.beside(before, life, act)
        return life, acts

    def _next(self, life: Life, step: Step, at: datetime) -> Act:
        self._check_armed(life, step.signal)
        return life.next(step.signal, at=at, actor=step.actor, body=step.body)

    def _check_armed(self, life: Life, signal: Signal) -> None:
        """Refuse to operate what was armed too long ago by either clock; life itself has but the wall's."""
        until = life.armed_until
        if signal is Signal.OPERATE and until and self.timeline.left(until, until - ARMED_FOR) <= timedelta():
            raise NotAllowed(f"order {life.order.id} was armed too long ago: arm it again", why="arm_lapsed")

    def _keep(self, life: Life) -> Life:
        """Take an order up as it stands; only what is new to us is news."""
        order = life.order
        known = self._open.get(order.id)
        if life == known or (known is None and not life.is_open):
            return life
        there = self._meters.setdefault(order.meter, set())
        if life.is_open:
            self._open[order.id] = life
            there.add(order.id)
            if order.origin is Origin.PAYMENT:
                self._paid.add(order.id)
        else:
            self._open.pop(order.id, None)
            self._paid.discard(order.id)
            there.discard(order.id)
        if not there:
            del self._meters[order.meter]
        self._news.set()
        self._news = asyncio.Event()
        return life


async def histories_of(acts: ActLog, meter: str, before: Iterable[str] = ()) -> list[History]:
    """See ``Book.histories``.

    Raises:
        JournalError: the log cannot be read, or holds an order that makes no sense.

    """
    return [history for name in (*before, meter) for history in await _histories(acts, name)]


async def _histories(acts: ActLog, meter: str) -> list[History]:
    found: dict[str, list[KeptAct]] = {}
    async for kept in acts.all_of_meter(meter, Topic.ORDER):
        found.setdefault(kept.act.subject, []).append(kept)
    histories = [History(life=_folded(one), acts=tuple(one)) for one in found.values()]
    return sorted(histories, key=lambda one: one.place)


def _folded(acts: Sequence[KeptAct]) -> Life:
    try:
        return Life.of(acts)
    except ValueError as error:
        raise JournalError(f"order {acts[0].act.subject!r} cannot be read from the log: {error}") from None
