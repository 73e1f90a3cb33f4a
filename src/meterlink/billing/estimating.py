"""Making estimates when somebody asks for them, and taking each back when the real reading comes."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

import structlog

from meterlink.billing.estimates import (
    Estimate,
    Measured,
    act_of,
    expected,
    in_a_row,
    measured,
    reversal,
    standing,
    subject_of,
)
from meterlink.billing.settling import BY_ITSELF, OpenFreezes
from meterlink.clock import Clock
from meterlink.errors import BadRequest, JournalError, StepTaken
from meterlink.journal.acts import ActLog
from meterlink.model.act import Topic

CHECK_S: Final = 600.0
"""From one look at what stands to the next."""
AT_ONCE: Final = 100
"""Estimates that one look asks the journal for."""

_DAY: Final = timedelta(days=1)

_log = structlog.get_logger(__name__)


class Estimator:
    """Makes the estimates of one gateway.

    Args:
        open_freezes: of the journal.
        acts: of the same journal.
        clock: of the acts.

    """

    def __init__(self, open_freezes: OpenFreezes, acts: ActLog, clock: Clock) -> None:
        self._open = open_freezes
        self._acts = acts
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    async def estimate(self, meter: str, item: str, day: date, *, actor: str) -> Estimate:
        """Estimate a day; where an estimate of it stands, that one.

        Args:
            meter: our id of it.
            item: the register.
            day: whose freeze at its end is missing or rejected.
            actor: who asks.

        Raises:
            BadRequest: there is nothing to estimate, or nothing to do it with.
            JournalError: the journal cannot be read, or the act not be kept.

        """
        async with self._one_at_a_time:
            acts = await self._acts.of_subject(Topic.ESTIMATE, subject_of(meter, item, day))
            held = standing(acts)
            if held and await asyncio.to_thread(self._measured, held[0]) is None:
                return held[0]
            if held:
                await self._reverse(held[0])
                acts = await self._acts.of_subject(Topic.ESTIMATE, subject_of(meter, item, day))
            amount, basis, line = await asyncio.to_thread(self._expected, meter, item, day)
            await self._check_neighbours(meter, line, item, day)
            made = Estimate(
                meter=meter,
                item=item,
                day=day,
                version=1 + sum(one.act.is_open for one in acts),
                amount=amount,
                basis=basis,
                at=self._clock.utc_now(),
                actor=actor,
            )
            try:
                await self._acts.append(act_of(made, len(acts) + 1))
            except StepTaken as error:
                raise JournalError(str(error)) from None
        return made

    async def reverse_due(self) -> int:
        """Take back what a reading has come for; how many there were.

        Raises:
            JournalError: the journal cannot be read, or the act not be kept.

        """
        done, after = 0, ""
        while True:
            found = await self._acts.subjects(Topic.ESTIMATE, only_open=True, after=after, limit=AT_ONCE)
            for subject in found:
                async with self._one_at_a_time:
                    for one in standing(await self._acts.of_subject(Topic.ESTIMATE, subject)):
                        done += await self._reverse(one)
            if len(found) < AT_ONCE:
                return done
            after = found[-1]

    async def run(self) -> None:
        """Take back what is due, again and again; what cannot be now is tried the next time."""
        while True:
            await asyncio.sleep(CHECK_S)
            try:
                await self.reverse_due()
            except JournalError as error:
                _log.warning("estimate.waits", reason=str(error))

    async def _check_neighbours(self, meter: str, line: tuple[str, ...], item: str, day: date) -> None:
        """See that no estimate of the place stands for the day before or behind.

        Raises:
            BadRequest: one does.
            JournalError: the journal cannot be read, or the act not be kept.

        """
        for one in line:
            for other in (day - _DAY, day + _DAY):
                for held in standing(
                    await self._acts.of_subject(Topic.ESTIMATE, subject_of(one, item, other))
                ):
                    if not await self._reverse(held):
                        raise in_a_row(meter, day)

    async def _reverse(self, one: Estimate) -> bool:
        known = await asyncio.to_thread(self._measured, one)
        if known is None:
            return False
        acts = await self._acts.of_subject(Topic.ESTIMATE, subject_of(one.meter, one.item, one.day))
        now = self._clock.utc_now()
        try:
            await self._acts.append(reversal(one, len(acts) + 1, known, at=now, actor=BY_ITSELF))
        except StepTaken as error:
            raise JournalError(str(error)) from None
        _log.info("estimate.reversed", meter=one.meter, item=one.item, day=one.day.isoformat())
        return True

    def _measured(self, one: Estimate) -> Measured | None:
        with self._open() as freezes:
            return measured(freezes, one.meter, one.item, one.day)

    def _expected(
        self, meter: str, item: str, day: date
    ) -> tuple[Decimal, tuple[date, ...], tuple[str, ...]]:
        with self._open() as freezes:
            settings = freezes.points.settings(meter)
            if settings is None:
                raise BadRequest(f"the roster never knew a meter {meter!r} / 档案中没有该电能表")
            end = freezes.end_of(day)
            if self._clock.utc_now() < end:
                raise BadRequest(f"{day} is not over yet: its freeze is taken at midnight / 该日尚未结束")
            if not settings.in_service(end):
                raise BadRequest(f"{meter} was not in service at the end of {day} / 该表当日末不在运")
            return *expected(freezes, meter, item, day), freezes.points.line(meter)
