"""Values of the moment: each item once in each slot, and never after its end, when it would be another's."""

from __future__ import annotations

from datetime import datetime

from meterlink.acquisition.poller import Poller, Task
from meterlink.bus.queue import Priority
from meterlink.errors import BadAnswer, Refused


class InstantPoller(Poller):
    """A plan of class ``instant`` on one line: an exchange an item; see ``Poller``."""

    async def _due(self, slot: datetime) -> list[Task]:
        newest = self._memory.newest_slot
        begun = newest is None or slot <= newest  # before a restart, or before the clock was set back
        kept = await self._keeper.kept_in(slot) if begun else {}
        return self._in_turn(
            self._task_of(point, kept.get(point.meter, set()), slot) for point in self._points
        )

    async def _ask(self, task: Task, slot: datetime) -> None:
        bad: list[str] = []
        try:
            while task.items and not self._over(slot):
                if not await self._read_item(task, task.items[0], slot):
                    bad.append(task.items[0])
                task.items.popleft()
        finally:
            task.items.extend(bad)

    async def _read_item(self, task: Task, item: str, slot: datetime) -> bool:
        """Read one item; false when the answer was no good and another try may help."""
        point = task.point
        try:
            answer = await self._driver.read(self._line, point.address, item, priority=Priority.CURVE)
        except Refused as error:
            self._note_refused(point, item, slot, str(error))
        except BadAnswer as error:
            self._note_bad(point, str(error))
            return False
        else:
            self._note_answers(point)
            await self._keeper.keep(point.meter, answer.values, slot=slot, taken_at=answer.taken_at)
        return True
