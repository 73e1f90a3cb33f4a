"""The newest freeze of each meter: once, under the instant at which the meter took it.

At each interval a meter is asked for what is not yet kept of the freeze that is expected by then. What it
has is kept under its own instant, whichever that is. A meter whose newest freeze is an older one stays due:
its clock is behind, or it is new; it is asked for no more than the time of its freeze until that changes.
A meter that freezes at another hour than midnight, or whose clock is ahead, has done with it when its freeze
is no older than the one expected.

What a meter's newest freeze was and what of it is kept stands in memory, one entry a meter. It is taken from
the journal after a start, and looked up there whenever a meter shows another freeze than it did before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import NamedTuple

import structlog

from meterlink.acquisition.keeping import Keeper
from meterlink.acquisition.looks import Looks
from meterlink.acquisition.plans import Plan, Point, newest_daily_freeze
from meterlink.acquisition.poller import Poller, Task
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.base import Driver, FreezeAnswer
from meterlink.errors import BadAnswer, NoFreeze
from meterlink.model.zone import CHINA_TIME
from meterlink.validation.validator import Validator

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Held:
    """A meter's newest freeze as it last showed it, and which items of it are kept."""

    frozen_at: datetime
    items: set[str]


class _Told(NamedTuple):
    """What the log last said of a meter's missing freeze; the same is not said again."""

    event: str
    reason: str


class FreezePoller(Poller):
    """A plan of class ``daily_freeze`` on one line; see ``Poller``."""

    def __init__(
        self,
        *,
        plan: Plan,
        points: Sequence[Point],
        line: Line,
        driver: Driver,
        keeper: Keeper,
        validator: Validator,
        looks: Looks,
        clock: Clock,
        zone: tzinfo = CHINA_TIME,
    ) -> None:
        super().__init__(
            plan=plan,
            points=points,
            line=line,
            driver=driver,
            keeper=keeper,
            validator=validator,
            looks=looks,
            clock=clock,
            zone=zone,
        )
        self._expected: datetime | None = None
        self._held: dict[str, _Held] = {}
        self._told: dict[str, _Told] = {}

    async def _due(self, slot: datetime) -> list[Task]:
        started = self._expected is None
        self._expected = expected = newest_daily_freeze(self._clock.utc_now(), self._zone)
        if started:
            kept = await self._keeper.kept_in(expected)
            ours = (point.meter for point in self._points if point.meter in kept)
            self._held = {meter: _Held(expected, kept[meter]) for meter in ours}
        tasks = []
        for point in self._points:
            held = self._held.get(point.meter)
            kept_of_it = held.items if held and held.frozen_at >= expected else set()
            tasks.append(self._task_of(point, kept_of_it, slot))
        return self._in_turn(tasks)

    async def _ask(self, task: Task, slot: datetime) -> None:
        point = task.point
        try:
            answer = await self._driver.read_freeze(
                self._line,
                point.address,
                self._plan.data_class,
                tuple(task.items),
                known=self._known(point, slot),
                priority=Priority.BILLING,
            )
        except NoFreeze as error:
            self._note_answers(point)
            self._tell(point, _Told("no_freeze", str(error)))
            task.items.clear()
        except BadAnswer as error:
            self._note_bad(point, str(error))
        else:
            self._note_answers(point)
            await self._keep_new(point, answer)
            self._sort_out(task, answer, slot)

    def _known(self, point: Point, slot: datetime) -> datetime | None:
        """The freeze that need not be read again, because all of it that can be is kept."""
        held = self._held.get(point.meter)
        if held is None or self._task_of(point, held.items, slot).items:
            return None
        return held.frozen_at

    async def _keep_new(self, point: Point, answer: FreezeAnswer) -> None:
        """Keep what is not kept yet, under the freeze's own instant."""
        frozen_at, items = answer.frozen_at, [measured.item for measured in answer.values]
        held = self._held.get(point.meter)
        if held is None or held.frozen_at != frozen_at:
            held = _Held(frozen_at, await self._keeper.kept_of(point.meter, frozen_at, items))
        values = [measured for measured in answer.values if measured.item not in held.items]
        if values:
            await self._keeper.keep(point.meter, values, slot=frozen_at, taken_at=answer.taken_at)
        held.items.update(items)
        self._held[point.meter] = held

    def _sort_out(self, task: Task, answer: FreezeAnswer, slot: datetime) -> None:
        """Leave in the task what another try in this round may bring."""
        for item, reason in answer.refused.items():
            self._note_refused(task.point, item, slot, reason)
        for reason in dict.fromkeys(answer.unfit.values()):
            self._note_bad(task.point, reason)
        assert self._expected is not None, "a round begins with what is expected"
        if answer.frozen_at < self._expected:
            newest, expected = answer.frozen_at.isoformat(), self._expected.isoformat()
            self._tell(task.point, _Told("freeze_is_old", f"its newest is of {newest}, not {expected}"))
        else:
            self._told.pop(task.point.meter, None)
        task.items = deque(answer.unfit)

    def _tell(self, point: Point, told: _Told) -> None:
        """Say why a meter's freeze is missing, once."""
        if self._told.get(point.meter) != told:
            self._told[point.meter] = told
            _log.warning(told.event, line=self._line.name, meter=point.meter, reason=told.reason)
