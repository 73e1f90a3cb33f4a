"""Telling what was found: each alarm once, each work item once, and closing work that has become needless.

What was told stands in the log; nothing else is remembered, so a restart tells nothing twice. An alarm stays
open until a person closes it (AUD-06); a work item that would send somebody for nothing is closed by itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from datetime import date, timezone
from typing import Final

import structlog

from meterlink.alarms.finding import LOOK_BACK, Finding, Span
from meterlink.alarms.rules import ORIGINS
from meterlink.clock import Clock
from meterlink.errors import BadRequest
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, Topic
from meterlink.orders.attention.alarms import Alarms, Seen, alarm_id
from meterlink.orders.attention.work import WorkItems, closing, item_id
from meterlink.orders.attention.work_kinds import WorkKind
from meterlink.orders.people import DAEMON

ALARMS_MAX: Final = 100
"""Alarms of one rule and meter, of the last days, that are looked through for one that says the same."""
READ_AT_ONCE: Final = 500
"""Work items that are looked at in one go."""

_log = structlog.get_logger(__name__)


class Teller:
    """Tells what rules have found.

    Args:
        acts: the log.
        clock: wall time.
        zone: of the plant.

    """

    def __init__(self, acts: ActLog, clock: Clock, zone: timezone) -> None:
        self._acts = acts
        self._clock = clock
        self._zone = zone
        self._alarms = Alarms(acts, clock, zone=zone)
        self._work = WorkItems(acts, clock)

    async def tell(self, found: Finding) -> bool:
        """Raise the alarm of a finding, and open its work; whether any of it was new.

        Raises:
            JournalError: it was not kept, or the log cannot be read.

        """
        seen = Seen(
            rule=found.alarm,
            origin=ORIGINS[found.alarm],
            meter=found.meter,
            area=found.area,
            value=found.value,
            threshold=found.threshold,
            evidence=found.evidence,
            day=found.day,
        )
        try:
            subject = alarm_id(seen, at=self._clock.utc_now(), zone=self._zone)
            is_new = not await self._is_known(found, subject)
            if is_new:
                await self._alarms.raise_(seen, actor=DAEMON)
            return await self._opened(found, subject) or is_new
        except BadRequest as error:
            _log.error("alarm_not_kept", rule=found.alarm, meter=found.meter, reason=str(error))
            return False

    async def waiting(self, kinds: Collection[WorkKind]) -> AsyncIterator[tuple[WorkKind, Act, date]]:
        """The open items of some kinds, each with its last act and the day that it is about.

        Raises:
            JournalError: the log cannot be read.

        """
        for kind in kinds:
            after = begin = item_id(kind, "")
            while names := await self._of_kind(begin, after):
                for name in names:
                    last = await self._acts.last_of(Topic.WORK, name)
                    if last is not None and (day := _day_of(name)) is not None:
                        yield kind, last.act, day
                after = names[-1]

    async def close(self, last: Act, why: str) -> None:
        """Close an item that has become needless.

        Args:
            last: its newest act.
            why: for people.

        Raises:
            JournalError: it was not kept; a person may have been first.

        """
        await self._acts.append(closing(last, why, at=self._clock.utc_now(), actor=DAEMON))

    async def _of_kind(self, begin: str, after: str) -> list[str]:
        found = await self._acts.subjects(Topic.WORK, only_open=True, after=after, limit=READ_AT_ONCE)
        return [name for name in found if name.startswith(begin)]

    async def _is_known(self, found: Finding, subject: str) -> bool:
        """Whether the same was told before, be the alarm closed by now or not."""
        if found.span is not None:
            return await self._is_covered(found, found.span)
        kept = await self._acts.of_subject(Topic.ALARM, subject)
        return any(one.act.body.get("threshold") == found.threshold for one in kept)

    async def _is_covered(self, found: Finding, span: Span) -> bool:
        begin = f"{found.alarm}:{found.meter}:"
        after = f"{begin}{span.last - LOOK_BACK}"  # none is longer
        names = await self._acts.subjects(Topic.ALARM, only_open=False, after=after, limit=ALARMS_MAX)
        for name in names:
            last = await self._acts.last_of(Topic.ALARM, name) if name.startswith(begin) else None
            told = None if last is None else Span.of(str(last.act.body.get("value")))
            if told is not None and told.covers(span):
                return True
        return False

    async def _opened(self, found: Finding, subject: str) -> bool:
        """Open the work of a finding, unless it was opened before, be it closed by now or not."""
        if found.work is None:
            return False
        if await self._acts.last_of(Topic.WORK, item_id(found.work, subject)) is not None:
            return False
        await self._work.open(found.work, found.why, actor=DAEMON, meter=found.meter, about=subject)
        return True


def _day_of(item: str) -> date | None:
    """The day with which the alarm ends that an item is about; ``None``: it is about something else."""
    try:
        return date.fromisoformat(item.rpartition(":")[2])
    except ValueError:
        return None
