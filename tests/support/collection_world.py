"""A plant whose days go by, and the watch over what is collected of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from meterlink.alarms.watch import CollectionWatch, Wanted
from meterlink.billing.days import end_of
from meterlink.config.alarms import AlarmSettings
from meterlink.journal.ledger_rows import Due, Planned
from meterlink.model.data_classes import DAILY_FREEZE, MONTHLY_FREEZE
from meterlink.model.reading import Record
from meterlink.model.slot import DAY_S, Reason, SlotKey
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.attention.alarms import Alarm, Alarms
from meterlink.orders.attention.work import WorkItem, WorkItems
from tests.support.billing import FIRST_DAY, TOTAL, Plant, plant
from tests.support.records import reading

DAY = timedelta(days=1)


class World:
    """A plant whose days go by, and the watch over it."""

    def __init__(self, at: Plant) -> None:
        self.at = at
        self.figures: dict[str, Any] = {}
        self.asks_demand = False
        self.begin()

    def begin(self, boot: int | None = None) -> None:
        """A start of the daemon, an hour ago and more when the next day comes."""
        self.watch = CollectionWatch(
            self.at.freezes,
            self.at.journal.acts,
            self.at.clock,
            CHINA_TIME,
            wanted=lambda: Wanted(AlarmSettings.model_validate(self.figures), self.asks_demand),
            boot=self.at.journal.boot if boot is None else boot,
        )

    async def due(self, number: int, day: int, *, reason: Reason = Reason.SILENT) -> None:
        """A freeze that was due, and that nobody could read."""
        key = key_of(number, day)
        self.at.after(date_of(day))
        await self._plan(key)
        await self.at.journal.ledger.tried([key], reason)

    async def keep(self, number: int, day: int, **keys: Any) -> None:
        self.at.after(date_of(day))
        await self._plan(key_of(number, day))
        await self.at.keep(f"m{number}", date_of(day), keys.pop("registers", {TOTAL: 100 + day}), **keys)

    async def keep_month(self, number: int, day: int, item: str) -> None:
        """A monthly settlement at the end of a day, with one value."""
        one = reading(f"m{number}", item, slot=end_of(date_of(day), CHINA_TIME))
        await self.at.journal.keep(Record(meter=one.meter, data_class=MONTHLY_FREEZE, readings=(one,)))

    async def _plan(self, key: SlotKey) -> None:
        due = Due(int(key.slot.timestamp()), int(key.slot.timestamp()))
        planned = Planned(meter=key.meter, data_class=DAILY_FREEZE, every_s=DAY_S, slots=(due,))
        await self.at.journal.ledger.plan([planned])

    async def look(self, day: int, *, hours: float = 9) -> list[str]:
        """What a look at a day brings anew, by id; it is looked at this long after the day before's end."""
        before = {one.id: one.count for one in await self.alarms()}
        self.at.after(date_of(day - 1), hours=hours)
        await self.watch.step()
        return [one.id for one in await self.alarms() if before.get(one.id) != one.count]

    async def alarms(self, rule: str = "") -> list[Alarm]:
        found = await Alarms(self.at.journal.acts, self.at.clock, zone=CHINA_TIME).list(only_open=False)
        return [one for one in found if one.seen.rule.startswith(rule)]

    async def work(self, kind: str = "") -> list[WorkItem]:
        found = await WorkItems(self.at.journal.acts, self.at.clock).list(only_open=False)
        return [one for one in found if one.kind.value.startswith(kind)]

    async def silences(self) -> list[WorkItem]:
        return [one for one in await self.work() if "POINT_SILENT" in one.id]


@asynccontextmanager
async def world(path: Path, *numbers: int, **keys: Any) -> AsyncIterator[World]:
    """Some meters on a day before the first one, whose reading day is the fifth."""
    async with plant(path) as at:
        at.after(FIRST_DAY - DAY, hours=0)
        await at.put(*(numbers or (1,)), **{"reading_day": 5, **keys})
        yield World(at)


def date_of(number: int) -> date:
    """Day 1 is the first of November, a Sunday."""
    return FIRST_DAY + (number - 1) * DAY


def key_of(number: int, day: int) -> SlotKey:
    return SlotKey(f"m{number}", DAILY_FREEZE, DAY_S, end_of(date_of(day), CHINA_TIME))


def told_of(ids: list[str], rule: str) -> list[str]:
    """The ids of the alarms of one rule."""
    return [one for one in ids if one.startswith(f"{rule}:")]
