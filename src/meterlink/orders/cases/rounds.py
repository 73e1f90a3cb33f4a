"""Time and disconnect cases: each is looked at when something of it is due, and all of them after a start.

When that is follows from the case alone. A step that a rule keeps back whose verdict time can change (the
hour, a cap) is tried again; one that waits for evidence is looked at when it comes, not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, NamedTuple

import structlog

from meterlink.clock import Clock, wait_for
from meterlink.errors import MeterlinkError
from meterlink.model.act import Topic
from meterlink.orders.cases.machine import Case, CaseState
from meterlink.orders.cases.service import CaseService

WAIT_MAX_S: Final = 60.0
"""Longest wait before the wall clock is looked at again: it may have been set."""
CAUGHT_UP: Final = timedelta(hours=48)
"""Statements of so long are looked at again at the start: older ones count as absent."""
RESTED: Final = timedelta(minutes=10)
"""How long a case is left alone that could not be looked at."""
CRASHED_RESTS: Final = timedelta(hours=1)
"""How long one is left alone at which the program failed."""
LEAST: Final = timedelta(seconds=1)
"""Between two looks at one case."""
AGAIN: Final[Mapping[CaseState, timedelta]] = MappingProxyType(
    {
        CaseState.NOTICED: timedelta(hours=1),
        CaseState.PENDING_APPROVAL: timedelta(minutes=1),
        CaseState.FINAL_NOTICE: timedelta(minutes=1),
    }
)
"""By state, when a step is tried again that was due and kept back; others wait for evidence or people."""

_log = structlog.get_logger(__name__)


class _Looked(NamedTuple):
    """How a case was found when it was looked at.

    Args:
        step: its last one then.
        due_at: when it wants to be looked at again.
        said: what the roster said of its customer.

    """

    step: int
    due_at: datetime
    said: tuple[str, ...]


class CaseRounds:
    """Looks after the open cases.

    Args:
        cases: what can be done.
        clock: the time.

    """

    def __init__(self, cases: CaseService, clock: Clock) -> None:
        self._cases = cases
        self._clock = clock
        self._looked: dict[str, _Looked] = {}

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        await self._catch_up()
        while True:
            news = self._cases.book.news
            await self.look()
            await wait_for(news, self._wait_s())

    async def look(self) -> None:
        """Look at every case of which something is due."""
        cases = self._cases.book.open_cases()
        is_open = {case.id for case in cases}
        self._looked = {name: known for name, known in self._looked.items() if name in is_open}
        for case in cases:
            now = self._clock.utc_now()
            if self._due_at(case, now) > now:
                continue
            said = self._cases.roster_says(case)  # before: what changes meanwhile is looked at again
            try:
                after = await self._cases.review(case.id)
            except MeterlinkError as error:  # what is told of its meter, or the log, cannot be read now
                _log.error("case_rests", case=case.id, reason=str(error))
                self._looked[case.id] = _Looked(case.step, now + RESTED, said)
            except Exception as error:  # noqa: BLE001 (a bug that one case meets is not its neighbours')
                _log.error("case_crashed", case=case.id, exc_info=error)
                self._looked[case.id] = _Looked(case.step, now + CRASHED_RESTS, said)
            else:
                self._looked[case.id] = _Looked(after.step, next_look(after, now), said)

    def _due_at(self, case: Case, now: datetime) -> datetime:
        """When it wants to be looked at; one that others have moved on is due when its new state says.

        Where the roster has come to say otherwise of its customer, that is at once.
        """
        looked = self._looked.get(case.id)
        if looked is None or looked.said != self._cases.roster_says(case):
            return now
        return looked.due_at if looked.step == case.step else next_look(case, case.since)

    def _wait_s(self) -> float:
        now = self._clock.utc_now()
        dues = (self._due_at(case, now) for case in self._cases.book.open_cases())
        next_at = min(dues, default=now + timedelta(seconds=WAIT_MAX_S))
        return min(max((next_at - now).total_seconds(), 0.0), WAIT_MAX_S)

    async def _catch_up(self) -> None:
        """Look at recent statements again: a crash may have come between one and its case."""
        acts = self._cases.book.acts
        try:
            kept = await acts.of_verb(Topic.EVIDENCE, "record", since=self._clock.utc_now() - CAUGHT_UP)
        except MeterlinkError as error:
            _log.error("cases_not_caught_up", reason=str(error))
            return
        meters = {one.act.meter for one in kept if one.act.body.get("kind") == "balance_statement"}
        for meter in sorted(meters):
            try:
                await self._cases.propose(meter)
            except MeterlinkError as error:
                _log.error("case_not_proposed", meter=meter, reason=str(error))


def next_look(case: Case, now: datetime) -> datetime:
    """When a case wants to be looked at, after it was at ``now``."""
    times = [case.lapses_at] if case.lapses_at is not None else []
    if case.state in AGAIN:
        waits_until = case.earliest_at if case.state is not CaseState.PENDING_APPROVAL else None
        is_due = waits_until is None or waits_until <= now
        times.append(now + AGAIN[case.state] if is_due or waits_until is None else waits_until)
    return max(min(times, default=now + timedelta(days=1)), now + LEAST)
