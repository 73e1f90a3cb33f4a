"""What meters show beside their values, read when their readings need it: the number when a meter is first
read, then each week and when it was silent; clock and status word on each day that freezes of it are kept;
its first settlement day each week, behind a freeze.

A look comes behind the reading that it is for, while the meter is known to answer, and never costs a reading:
when the line fails meanwhile, the reading is kept without it, and the next one tries again after a pause.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta, tzinfo
from typing import Final, Protocol

import structlog

from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.errors import BusFull, LineError, ReplyTimeout
from meterlink.model.data_classes import FREEZES, DataClass
from meterlink.model.look import NOT_LOOKED, Look, SettlementDay

NUMBER_EVERY: Final = timedelta(days=7)
"""How often the number of a meter is read. Source: VEE-10."""
SETTLEMENT_EVERY: Final = timedelta(days=7)
"""How often the settlement day of a meter is read. Source: SCH-02."""
AGAIN_S: Final = 3_600.0
"""After a look that failed nobody looks sooner; nor at the number of one that is silent time and again."""

_log = structlog.get_logger(__name__)


class Looking(Protocol):
    """How meters are looked at; see ``drivers.looks.Looker``."""

    async def meter_number(self, address: str, priority: Priority) -> str | None:
        """The digits of its number."""

    async def status_word(self, address: str, priority: Priority) -> int | None:
        """Status word 1."""

    async def clock_ahead(self, address: str, priority: Priority) -> timedelta | None:
        """How far its clock is ahead of ours."""

    async def settles_on(self, address: str, priority: Priority) -> SettlementDay | None:
        """The first day of a month on which it settles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """How one meter is looked at.

    Args:
        address: of it.
        looker: looks.
        number: that the roster says; empty: none, so that it is not worth reading.
        reading_day: that the roster says; ``None``: its settlement day is not looked at.

    """

    address: str
    looker: Looking
    number: str = ""
    reading_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """A meter that is not the one of the roster.

    Args:
        meter: our id.
        shown: the number that it has.
        expected: the roster's.

    """

    meter: str
    shown: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlesElse:
    """A meter that does not settle when its account is read. Source: SCH-02.

    Args:
        meter: our id.
        shown: when it settles.
        expected: the roster's reading day, at 00:00.

    """

    meter: str
    shown: SettlementDay
    expected: SettlementDay


@dataclass(slots=True)
class _Known:
    """When a meter was looked at."""

    number_on: date | None = None
    settlement_on: date | None = None
    number_rests_until: float = 0.0
    day: date | None = None
    rests_until: float = 0.0


class Looks:
    """Looks at the meters of one line; at most one entry a meter.

    Args:
        sights: each of them, by our id.
        shown: what they showed is written here, by our id, for whoever judges.
        tell_mixed: is told when one has another number than it should.
        tell_settles_else: is told when one settles on another day than its reading day.
        clock: wall and monotonic time.
        zone: whose days count.

    """

    def __init__(
        self,
        sights: Mapping[str, Sight],
        *,
        shown: dict[str, Look],
        tell_mixed: Callable[[Mixed], Awaitable[None]],
        tell_settles_else: Callable[[SettlesElse], Awaitable[None]],
        clock: Clock,
        zone: tzinfo,
    ) -> None:
        self._sights = sights
        self._known: dict[str, _Known] = {}
        self._silent: set[str] = set()
        self._heard_at: dict[str, float] = {}
        self._shown = shown
        self._tell_mixed = tell_mixed
        self._tell_settles_else = tell_settles_else
        self._clock = clock
        self._zone = zone
        self.forget()

    def forget(self) -> None:
        """Know nothing of any of them; they are looked at when they are read again."""
        self._known.clear()
        for meter in self._sights:
            self._shown.pop(meter, None)

    def falls_silent(self, meter: str) -> bool:
        """Note that a meter does not answer; whether that is new to all plans of the line."""
        is_new = meter not in self._silent
        self._silent.add(meter)
        return is_new

    def answers(self, meter: str) -> bool:
        """Note that a meter answers; whether it was silent, for whichever plan."""
        was_silent = meter in self._silent
        self._silent.discard(meter)
        self._heard_at[meter] = self._clock.monotonic_s()
        return was_silent

    def heard_at(self, meter: str) -> float:
        """Monotonic time at which a meter last answered, for whichever plan; ``-inf``: never yet."""
        return self._heard_at.get(meter, -math.inf)

    def was_silent(self, meter: str) -> None:
        """A meter answers that did not: it may be another one."""
        known = self._known.get(meter)
        if known is not None and self._clock.monotonic_s() >= known.number_rests_until:
            known.number_on = None

    async def renew(self, meter: str, data_class: DataClass) -> None:
        """Look at a meter that has just been read, where that is due.

        Args:
            meter: one of the line.
            data_class: of what was read.

        """
        known = self._known.setdefault(meter, _Known())
        if self._clock.monotonic_s() >= known.rests_until:
            try:
                await self._look(known, meter, data_class)
            except (ReplyTimeout, LineError, BusFull):
                known.rests_until = self._clock.monotonic_s() + AGAIN_S

    async def _look(self, known: _Known, meter: str, data_class: DataClass) -> None:
        today = self._clock.utc_now().astimezone(self._zone).date()
        priority = Priority.BILLING if data_class in FREEZES else Priority.CURVE
        sight = self._sights[meter]
        if sight.number and _is_due(known.number_on, today, NUMBER_EVERY):
            await self._look_at_number(known, meter, today, priority)
        if data_class in FREEZES and known.day != today:
            await self._look_at_day(known, meter, today, priority)
        if data_class in FREEZES and _is_due(known.settlement_on, today, SETTLEMENT_EVERY):
            await self._look_at_settlement(known, meter, today)

    # What is asked counts as known meanwhile, so that another plan does not ask the same.

    async def _look_at_number(self, known: _Known, meter: str, today: date, priority: Priority) -> None:
        sight, before, known.number_on = self._sights[meter], known.number_on, today
        try:
            number = await sight.looker.meter_number(sight.address, priority)
        except BaseException:
            known.number_on = before
            raise
        known.number_rests_until = self._clock.monotonic_s() + AGAIN_S
        self._shown[meter] = replace(self._shown.get(meter, NOT_LOOKED), meter_number=number)
        if number is not None and number != sight.number:
            _log.warning("meter_mixed", meter=meter, shown=number, expected=sight.number)
            await self._tell_mixed(Mixed(meter=meter, shown=number, expected=sight.number))

    async def _look_at_day(self, known: _Known, meter: str, today: date, priority: Priority) -> None:
        sight, before, known.day = self._sights[meter], known.day, today
        try:
            ahead = await sight.looker.clock_ahead(sight.address, priority)
            at = self._clock.utc_now()
            word = await sight.looker.status_word(sight.address, priority)
        except BaseException:
            known.day = before
            raise
        self._shown[meter] = replace(
            self._shown.get(meter, NOT_LOOKED), clock_ahead=ahead, clock_at=at, status_word=word
        )

    async def _look_at_settlement(self, known: _Known, meter: str, today: date) -> None:
        sight, before, known.settlement_on = self._sights[meter], known.settlement_on, today
        if sight.reading_day is None:
            return
        try:
            shown = await sight.looker.settles_on(sight.address, Priority.CURVE)
        except BaseException:
            known.settlement_on = before
            raise
        expected = SettlementDay(sight.reading_day, 0)
        if shown is not None and shown != expected:
            _log.warning("settles_else", meter=meter, shown=str(shown), expected=str(expected))
            await self._tell_settles_else(SettlesElse(meter=meter, shown=shown, expected=expected))


def _is_due(looked_on: date | None, today: date, every: timedelta) -> bool:
    """Whether it is looked again, or for the first time; also when the clock was set back."""
    return looked_on is None or not timedelta() <= today - looked_on < every
