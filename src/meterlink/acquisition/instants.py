"""Values of the moment: each item once in each slot, and never after its end, when it would be another's.

Until that end a slot stays open: whoever was silent, or sent what is no good, is put aside and asked again,
ever more seldom (``put_aside``), and a line that was down is tried again. What is read late in a slot is the
slot's, and says itself when it was taken. A slot that is kept without what its meter has not says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog

from meterlink.acquisition.plans import Plan, Point
from meterlink.acquisition.poller import LATE_ANSWER_S, Poller
from meterlink.acquisition.put_aside import PutAside
from meterlink.acquisition.rounds import NO_TRY, Task
from meterlink.bus.queue import Priority
from meterlink.clock import Clock, wait_for
from meterlink.drivers.base import Brought, MeterAnswer
from meterlink.drivers.together import each_alone
from meterlink.errors import BadAnswer, Refused
from meterlink.model.data_classes import STATUS
from meterlink.model.slot import Reason, lacking_note

_log = structlog.get_logger(__name__)


class InstantPoller(Poller):
    """A plan of class ``instant`` or ``status`` on one line: as many items in an exchange as the meter takes
    together; see ``Poller``.
    """

    def __init__(self, *, plan: Plan, clock: Clock, **rest: Any) -> None:
        super().__init__(plan=plan, clock=clock, **rest)
        self._aside = PutAside(plan, clock)
        self._line_trouble = ""
        self._words: dict[tuple[str, str], str] = {}
        """With which words a meter refused an item last."""

    @property
    def _is_status(self) -> bool:
        return self._plan.data_class == STATUS

    def _is_kept(self, item: str, kept: set[str]) -> bool:
        """Of words of state, whether any of those is kept that the item brings."""
        if super()._is_kept(item, kept):
            return True
        return self._is_status and not kept.isdisjoint(self._driver.check_status(item))

    async def _due(self, slot: datetime) -> list[Task]:
        kept = {} if self._memory.is_new(slot, self._plan.every_s) else await self._keeper.kept_in(slot)
        tasks = [
            self._task_of(point, kept.get(point.meter, set()), slot)
            for point in self._points
            if point.in_service(slot)
        ]
        for task in tasks:
            if not task.items and not task.any_kept:
                await self._slots.refused(task.point.meter, slot, "refused already today")
        return self._in_turn(tasks)

    # --- one round -------------------------------------------------------------------------

    async def _round(self, slot: datetime) -> None:
        aside, is_first = self._aside, True
        aside.begin(await self._due(slot))
        while aside.left and not self._over(slot):
            self._woken.clear()
            if self._left_s(slot) <= LATE_ANSWER_S and not is_first:
                await wait_for(self._woken, self._left_s(slot))  # the next slot may not wait for this one's
            elif ready := aside.take():
                self._line_trouble = ""
                aside.put(await self._pass(ready, slot))
                await self._note_open(slot)
                is_first = False
            else:
                await wait_for(self._woken, min(aside.wait_s(), self._left_s(slot)))
        if aside.left and not self._stop.is_set():
            await self._note_missed(aside.left, slot)

    async def _read_meter(self, task: Task, slot: datetime) -> None:
        """Read a meter, unless the line has failed in this pass: then it is tried again with the next."""
        if self._line_trouble:
            task.trouble = Reason.LINE_DOWN, self._line_trouble
            return
        await super()._read_meter(task, slot)
        if task.items and task.trouble is not None and task.trouble[0] is Reason.LINE_DOWN:
            self._line_trouble = task.trouble[1]

    async def _note_open(self, slot: datetime) -> None:
        """Say why a slot is not kept so far, once a budget of tries is spent, and after each try then."""
        news = {}
        for task in self._aside.left:
            if task.trouble is None or self._over(slot):
                continue
            if task.is_news and (task.trouble[0] in NO_TRY or task.tries >= self._plan.tries):
                news[task.point.meter] = task
        tries = {meter: task.untold_tries for meter, task in news.items()}
        why = {meter: task.trouble for meter, task in news.items() if task.trouble is not None}
        await self._slots.put_off(slot, why, tries)
        for meter, (reason, _) in why.items():
            news[meter].told = reason, news[meter].tries

    # --- one meter -------------------------------------------------------------------------

    async def _ask(self, task: Task, slot: datetime) -> None:
        bad: list[str] = []
        alone = False
        try:
            while task.items and not self._over(slot):
                address, items = task.point.address, tuple(task.items)
                group = items[:1] if alone or len(items) == 1 else self._driver.group(address, items)
                brought = await self._read(task.point, group)
                if brought is None:  # each by itself tells whose fault it is
                    alone = True
                    continue
                task.items = deque(item for item in items if item not in group)
                bad += await self._take(task, brought, slot, is_last=not task.items and not bad)
        finally:
            task.items.extend(bad)

    async def _read(self, point: Point, group: Sequence[str]) -> Brought | None:
        """What came of one request for some items; ``None``: nothing of several that go together."""
        address, priority = point.address, Priority.CURVE
        if len(group) == 1:
            read = self._driver.read_status if self._is_status else self._driver.read
            return await each_alone(group, lambda item: read(self._line, address, item, priority=priority))
        try:
            return await self._driver.read_group(
                self._line, address, group, as_status=self._is_status, priority=priority
            )
        except (Refused, BadAnswer) as error:
            name, reason = self._line.name, str(error)
            _log.info("items_asked_apart", line=name, meter=point.meter, items=len(group), reason=reason)
            return None

    async def _take(self, task: Task, brought: Brought, slot: datetime, *, is_last: bool) -> list[str]:
        """Keep what came; gives the items whose answer was no good, of which another try may help."""
        point, bad, lacking = task.point, list[str](), ""
        answers: list[MeterAnswer] = []
        for item, one in brought.items():
            if isinstance(one, MeterAnswer):
                answers.append(one)
            elif isinstance(one, Refused) and one.no_such:
                self._note_refused(point, item, slot, str(one))
                lacking = str(one)
            else:  # it may have it in a moment
                task.trouble = Reason.REFUSED if isinstance(one, Refused) else Reason.BAD_DATA, str(one)
                self._note_bad(point, str(one))
                bad.append(item)
        is_last = is_last and not bad
        had_before = task.any_kept
        if answers:
            await self._keep(task, answers, slot, is_last=is_last)
        elif is_last and task.any_kept:
            await self._slots.kept(point.meter, slot)
        elif is_last:
            await self._slots.refused(point.meter, slot, lacking)
        if is_last and task.any_kept:
            await self._note_lacking(point, slot, may_be_noted=had_before)
        return bad

    async def _note_lacking(self, point: Point, slot: datetime, *, may_be_noted: bool) -> None:
        """Say what a kept slot lacks; a start in the middle of it may have said what has come since."""
        today = slot.astimezone(self._zone).date()
        lacks = [item for item in self._plan.items if self._memory.refused.get((point.meter, item)) == today]
        if lacks:
            note = lacking_note(lacks, self._words.get((point.meter, lacks[0]), ""))
            await self._slots.lack(point.meter, slot, note)
        elif may_be_noted:
            await self._slots.lack(point.meter, slot, "")

    def _note_refused(self, point: Point, item: str, slot: datetime, reason: str) -> None:
        self._words[point.meter, item] = reason
        super()._note_refused(point, item, slot, reason)

    async def _keep(
        self, task: Task, answers: Sequence[MeterAnswer], slot: datetime, *, is_last: bool
    ) -> None:
        """Keep what one exchange brought of a meter; the last of its items settles the slot."""
        point = task.point
        self._note_answers(point)
        self._aside.answers(point.meter)
        await self._looks.renew(point.meter, self._plan.data_class)
        await self._keeper.keep(
            point.meter,
            tuple({value.name: value for answer in answers for value in answer.values}.values()),
            slot=slot,
            taken_at=answers[0].taken_at,
            settles=self._slots.key(point.meter, slot) if is_last else None,
        )
        task.any_kept = True
