"""The disconnect cases as they stand: folded from the log, written back one step at a time.

As with orders the log is the truth and this is a view of it; who writes a step and was not the first is told
so. A meter has one open case at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from meterlink.clock import Clock
from meterlink.errors import BusFull, JournalError, NotAllowed, StepTaken, Unknown
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, KeptAct, Topic
from meterlink.orders.cases.machine import Case, CaseSignal

OPEN_MAX: Final = 10_000
"""Cases that are open at one time; one more is refused. The log is read in pieces of this size."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class CaseBook:
    """The cases of one gateway.

    Args:
        acts: the log.
        clock: when a step was.

    """

    def __init__(self, acts: ActLog, clock: Clock) -> None:
        self.acts = acts
        self._clock = clock
        self._open: dict[str, Case] = {}
        self._meters: dict[str, str] = {}
        self._news = asyncio.Event()

    async def load(self) -> None:
        """Read the open cases from the log; once, before anything else.

        Raises:
            JournalError: the log cannot be read, or holds a case that makes no sense.

        """
        for name in await self.acts.subjects(Topic.CASE, only_open=True, limit=OPEN_MAX):
            await self.read(name)

    @property
    def news(self) -> asyncio.Event:
        """Is set at the next change of any case; take it before you look."""
        return self._news

    def open_cases(self) -> list[Case]:
        """Those to which something may still happen."""
        return list(self._open.values())

    def open_of(self, meter: str) -> Case | None:
        """The open case of a meter; ``None``: it has none."""
        return self._open[self._meters[meter]] if meter in self._meters else None

    async def acts_of(self, case_id: str) -> list[KeptAct]:
        """All acts of a case.

        Raises:
            Unknown: there is none of that id.
            JournalError: the log cannot be read.

        """
        acts = await self.acts.of_subject(Topic.CASE, case_id)
        if not acts:
            raise Unknown(f"there is no case {case_id!r}")
        return acts

    async def read(self, case_id: str) -> Case:
        """A case as the log has it.

        Raises:
            Unknown: there is none of that id.
            JournalError: the log cannot be read, or its acts make no sense.

        """
        return self._keep(_folded(await self.acts_of(case_id)))

    async def of_meter(self, meter: str) -> list[Case]:
        """Every case that a meter ever had, in the order of their beginning.

        Raises:
            JournalError: as of ``read``.

        """
        found: dict[str, list[KeptAct]] = {}
        async for kept in self.acts.all_of_meter(meter, Topic.CASE):
            found.setdefault(kept.act.subject, []).append(kept)
        return [_folded(one) for one in found.values()]

    async def begin(self, case_id: str, meter: str, *, actor: str, body: Mapping[str, Any]) -> Case:
        """Open a case.

        Raises:
            NotAllowed: the meter has one that is open.
            BusFull: too many are open.
            StepTaken: there is a case of that id.
            JournalError: it was not written.

        """
        if (other := self.open_of(meter)) is not None:
            raise NotAllowed(f"meter {meter} has the open case {other.id}", why="case_open")
        if len(self._open) >= OPEN_MAX:
            raise BusFull(f"{OPEN_MAX} cases are open; no more is taken")
        act = Case.begin(case_id, meter, at=self._clock.utc_now(), actor=actor, body=body)
        await self.acts.append(act)
        return self._keep(Case.of([act]))

    async def step(
        self,
        case: Case,
        signal: CaseSignal,
        *,
        actor: str,
        body: Mapping[str, Any] = _NOTHING,
        beside: Sequence[Act] = (),
    ) -> Case:
        """Take one step; on disk when this returns.

        Args:
            case: as the caller knows it.
            signal: what happened.
            actor: who.
            body: what there is to say.
            beside: acts of other subjects that stand in the same transaction.

        Raises:
            NotAllowed: it takes no such step now.
            StepTaken: somebody else was first; ``read`` it.
            JournalError: it was not written.

        """
        act = self.next(case, signal, actor=actor, body=body)
        try:
            await self.acts.append(act, *beside)
        except StepTaken:
            await self.read(case.id)
            raise
        return self._keep(case.then(act))

    def next(self, case: Case, signal: CaseSignal, *, actor: str, body: Mapping[str, Any] = _NOTHING) -> Act:
        """The act of the next step, for who writes it together with something else; then ``read`` it.

        Raises:
            NotAllowed: it takes no such step now.

        """
        return case.next(signal, at=self._clock.utc_now(), actor=actor, body=body)

    def _keep(self, case: Case) -> Case:
        """Take a case up as it stands; only what is new to us is news."""
        known = self._open.get(case.id)
        if case == known or (known is None and not case.is_open):
            return case
        if case.is_open:
            self._open[case.id] = case
            self._meters[case.meter] = case.id
        else:
            self._open.pop(case.id, None)
            if self._meters.get(case.meter) == case.id:
                del self._meters[case.meter]
        self._news.set()
        self._news = asyncio.Event()
        return case


def _folded(acts: Sequence[KeptAct]) -> Case:
    try:
        return Case.of(acts)
    except ValueError as error:
        raise JournalError(f"case {acts[0].act.subject!r} cannot be read from the log: {error}") from None
