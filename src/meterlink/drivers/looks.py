"""Looking at what a meter shows beside its values, by the items of whatever protocol it speaks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.base import Driver, Measured
from meterlink.errors import BadAnswer, Refused, UnknownItem
from meterlink.model.look import SettlementDay

NUMBER: Final = "meter_number"
STATUS_WORD: Final = "meter_status_word_1"
CLOCK: Final = "meter_clock"
DATE, TIME = "meter_date", "meter_time"
SETTLEMENT: Final = ("settlement_day_1", "automatic_reading_day")
"""Items that tell the first settlement day as day and hour, by edition. Source: 04000B01, C117."""
SETTLEMENTS: Final = "settlement_day.*"
"""Tells all of them, numbered, each as a day and an hour. Source: object 4116."""
_FIRST: Final = ("number.1/day", "number.1/hour")
MIDNIGHT_NEAR: Final = timedelta(minutes=1)
"""So soon after midnight a date that was read before the time may be that of the day before."""
DAY_MAX, HOUR_MAX = 31, 23
_SHOWN_S: Final = timedelta(seconds=1)
_QUICK: Final = timedelta(seconds=10)
"""An exchange that takes longer may have shown the clock at any time of it."""
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME: Final = re.compile(r"\d{2}:\d{2}:\d{2}")
_WORD: Final = re.compile(r"[0-9A-Fa-f]{4}")
_FILLINGS: Final = ("FFFF", "EEEE")
"""What meters send in place of a word that they do not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looker:
    """Looks at the meters of one profile on one line.

    What a meter refuses, does not have or tells in vain is ``None``. Each look raises ``ReplyTimeout``,
    ``LineError`` or ``BusFull`` as the line does.

    Args:
        driver: how they talk.
        line: where they are.
        clock: ours.
        zone: what theirs show.

    """

    driver: Driver
    line: Exchanging
    clock: Clock
    zone: tzinfo

    async def meter_number(self, address: str, priority: Priority) -> str | None:
        """The digits of its number."""
        text = await self._text(address, NUMBER, priority)
        return text if text and text.isdecimal() else None

    async def status_word(self, address: str, priority: Priority) -> int | None:
        """Status word 1, bit 0 the lowest."""
        text = await self._text(address, STATUS_WORD, priority)
        is_told = text is not None and _WORD.fullmatch(text) and text.upper() not in _FILLINGS
        return int(text, 16) if text and is_told else None

    async def clock_ahead(self, address: str, priority: Priority) -> timedelta | None:
        """How far its clock is ahead of ours, to about a second; negative: behind.

        Where date and time are two items, the date is read again when the time says that midnight has just
        passed.

        The answer may have stood in a queue, or on a carrier, for minutes: then what it is off at least.
        """
        is_one = self._has(CLOCK) and not self._has(DATE)
        date = None if is_one else await self._text(address, DATE, priority)
        begun_s = self.clock.monotonic_s()
        time = await self._text(address, CLOCK if is_one else TIME, priority)
        took = timedelta(seconds=self.clock.monotonic_s() - begun_s)
        half_way = self.clock.utc_now() - took / 2
        shown = self._moment(time if is_one else date, time)
        if shown is not None and not is_one and _since_midnight(shown) < MIDNIGHT_NEAR:
            shown = self._moment(await self._text(address, DATE, priority), time)
        # The second that is shown began up to a second ago: its middle is the best guess.
        return None if shown is None else _at_least(shown + _SHOWN_S / 2 - half_way, took)

    async def settles_on(self, address: str, priority: Priority) -> SettlementDay | None:
        """The first day of a month on which it settles, and the hour. Source: SCH-02."""
        for item in filter(self._has, SETTLEMENT):
            text = await self._text(address, item, priority)
            return _settlement((text or "").split())
        if not self._has(SETTLEMENTS):
            return None
        told = {value.period: value.text for value in await self._values(address, SETTLEMENTS, priority)}
        return _settlement([told.get(part) or "" for part in _FIRST])

    def _has(self, item: str) -> bool:
        try:
            self.driver.check_item(item)
        except UnknownItem:
            return False
        return True

    async def _text(self, address: str, item: str, priority: Priority) -> str | None:
        values = await self._values(address, item, priority)
        return next((value.text for value in values if value.item == item), None)

    async def _values(self, address: str, item: str, priority: Priority) -> Sequence[Measured]:
        try:
            answer = await self.driver.read(self.line, address, item, priority=priority)
        except (Refused, BadAnswer, UnknownItem):
            return ()
        return answer.values

    def _moment(self, date: str | None, time: str | None) -> datetime | None:
        day, clock = _DATE.search(date or ""), _TIME.search(time or "")
        if day is None or clock is None:
            return None
        try:
            return datetime.fromisoformat(f"{day[0]} {clock[0]}").replace(tzinfo=self.zone)
        except ValueError:
            return None


def _settlement(told: Sequence[str]) -> SettlementDay | None:
    """Day and hour; a day that is not used, or not told, is none."""
    try:
        day, hour = map(int, told)
    except ValueError:
        return None
    return SettlementDay(day, hour) if 1 <= day <= DAY_MAX and 0 <= hour <= HOUR_MAX else None


def _since_midnight(shown: datetime) -> timedelta:
    return shown - shown.replace(hour=0, minute=0, second=0)


def _at_least(ahead: timedelta, took: timedelta) -> timedelta:
    """How far a clock is off for certain, by an exchange that took so long; nobody knows when it was read."""
    if took <= _QUICK:
        return ahead
    certain = max(abs(ahead) - took / 2, timedelta())
    return certain if ahead >= timedelta() else -certain
