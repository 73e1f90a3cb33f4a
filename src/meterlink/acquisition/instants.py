"""Values of the moment: each item once in each slot, and never after its end, when it would be another's."""

from __future__ import annotations

from datetime import datetime

from meterlink.acquisition.poller import Poller, Task
from meterlink.bus.queue import Priority
from meterlink.errors import BadAnswer, Refused
from meterlink.model.data_classes import STATUS
from meterlink.model.slot import Reason


class InstantPoller(Poller):
    """A plan of class ``instant`` or ``status`` on one line: an exchange an item; see ``Poller``."""

    @property
    def _is_status(self) -> bool:
        return self._plan.data_class == STATUS

    def _is_kept(self, item: str, kept: set[str]) -> bool:
        """Of words of state, whether any of those is kept that the item brings."""
        if super()._is_kept(item, kept):
            return True
        return self._is_status and not kept.isdisjoint(self._driver.check_status(item))

    async def _due(self, slot: datetime) -> list[Task]:
        newest = self._memory.newest_slot
        begun = newest is None or slot <= newest  # before a restart, or before the clock was set back
        kept = await self._keeper.kept_in(slot) if begun else {}
        tasks = [
            self._task_of(point, kept.get(point.meter, set()), slot)
            for point in self._points
            if point.in_service(slot)
        ]
        for task in tasks:
            if not task.items and not task.any_kept:
                await self._slots.refused(task.point.meter, slot, "refused already today")
        return self._in_turn(tasks)

    async def _ask(self, task: Task, slot: datetime) -> None:
        bad: list[str] = []
        try:
            while task.items and not self._over(slot):
                is_last = len(task.items) == 1 and not bad
                if not await self._read_item(task, task.items[0], slot, is_last=is_last):
                    bad.append(task.items[0])
                task.items.popleft()
        finally:
            task.items.extend(bad)

    async def _read_item(self, task: Task, item: str, slot: datetime, *, is_last: bool) -> bool:
        """Read one item; false when the answer was no good and another try may help."""
        point = task.point
        try:
            read = self._driver.read_status if self._is_status else self._driver.read
            answer = await read(self._line, point.address, item, priority=Priority.CURVE)
        except Refused as error:
            if not error.no_such:  # it may have it in a moment
                task.trouble = Reason.REFUSED, str(error)
                self._note_bad(point, str(error))
                return False
            self._note_refused(point, item, slot, str(error))
            if is_last and task.any_kept:
                await self._slots.kept(point.meter, slot)
            elif is_last:
                await self._slots.refused(point.meter, slot, str(error))
        except BadAnswer as error:
            task.trouble = Reason.BAD_DATA, str(error)
            self._note_bad(point, str(error))
            return False
        else:
            self._note_answers(point)
            await self._looks.renew(point.meter, self._plan.data_class)
            await self._keeper.keep(
                point.meter,
                answer.values,
                slot=slot,
                taken_at=answer.taken_at,
                settles=self._slots.key(point.meter, slot) if is_last else None,
            )
            task.any_kept = True
        return True
