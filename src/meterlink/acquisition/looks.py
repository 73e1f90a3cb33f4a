"""What meters show beside their values, read when their readings need it: the number when a meter is first
read, then each week and when it was silent; clock and status word on each day that freezes of it are kept;
its first settlement day each week, in a quiet moment behind a freeze (``owed``).

A look comes behind the reading that it is for, while the meter is known to answer, and never costs a reading:
when the line fails meanwhile, the reading is kept without it, and the next one tries again after a pause.
What one look brings is there at once, and one that is not answered costs no other: a meter that never tells
its state tells its clock all the same. It is taken once more behind the others, as one answer may be lost.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Final

import structlog

from meterlink.acquisition.looked import KINDS, OF_DAY, Kind, Known
from meterlink.acquisition.owed import Owed
from meterlink.acquisition.reported import Reported
from meterlink.acquisition.sights import Mixed, SettlesElse, Sight
from meterlink.acquisition.unseen import Unseen, UnseenBook
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.errors import BusFull, LineError, ReplyTimeout
from meterlink.model.data_classes import DAILY_FREEZE, FREEZES, DataClass
from meterlink.model.look import NOT_LOOKED, Look, SettlementDay

NUMBER_EVERY: Final = timedelta(days=7)
"""How often the number of a meter is read. Source: VEE-10."""
SETTLEMENT_EVERY: Final = timedelta(days=7)
"""How often the settlement day of a meter is read. Source: SCH-02."""
AGAIN_S: Final = 3_600.0
"""Nobody takes a look that failed sooner; nor one at the number of a meter that is silent time and again."""

_log = structlog.get_logger(__name__)


class Looks:
    """Looks at the meters of one line; at most one entry a meter.

    Args:
        sights: each of them, by our id.
        shown: what they showed is written here, by our id, for whoever judges.
        tell_mixed: is told when one has another number than it should.
        tell_settles_else: is told when one settles on another day than its reading day.
        book: of freezes that were kept before the looks of their day.
        clock: wall and monotonic time.
        zone: whose days count.
        reported: freezes that terminals told, of meters of all lines; ``None``: nobody tells any.

    """

    def __init__(
        self,
        sights: Mapping[str, Sight],
        *,
        shown: dict[str, Look],
        tell_mixed: Callable[[Mixed], Awaitable[None]],
        tell_settles_else: Callable[[SettlesElse], Awaitable[None]],
        book: UnseenBook,
        clock: Clock,
        zone: tzinfo,
        reported: Reported | None = None,
    ) -> None:
        self._unseen = Unseen(book, clock)
        self._reported = reported or Reported()
        self._owed = Owed()
        self._sights = sights
        self._known: dict[str, Known] = {}
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
            self._unseen.forget(meter)
            self._owed.settle(meter)

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
            known.on.pop("number", None)

    async def renew(self, meter: str, data_class: DataClass) -> None:
        """Look at a meter that has just been read, where that is due.

        Args:
            meter: one of the line.
            data_class: of what was read.

        """
        known = self._known.setdefault(meter, Known())
        if data_class in FREEZES and self._may_settle_else(meter, known):
            self._owed.owe(meter, self._today())
        try:
            answered, silent = await self._look_at(KINDS, known, meter, data_class)
            if answered:  # else it is silent, and would be so again
                more, silent = await self._look_at(silent, known, meter, data_class)
                answered += more
            is_carried = True
        except (LineError, BusFull):
            answered, silent, is_carried = [], list(KINDS), False
        known.rests |= dict.fromkeys(silent, self._clock.monotonic_s() + AGAIN_S)
        if is_carried and (answered or silent):
            lacks = bool(self._lacks(meter))
            await self._unseen.looked(meter, has_new=not OF_DAY.isdisjoint(answered), is_whole=not lacks)

    def unlooked(self, meter: str, data_class: DataClass, slots: Iterable[datetime]) -> list[datetime]:
        """Records come behind ``renew``: the times of the freezes among them that lack a look of their day.

        Args:
            meter: one of the line.
            data_class: of the records.
            slots: their times.

        """
        return self._unseen.of_the_day(data_class, slots) if self._lacks(meter) else []

    def kept(self, meter: str, data_class: DataClass, unlooked: Iterable[datetime]) -> None:
        """Freezes were kept that lack a look of their day."""
        self._unseen.note(meter, [(data_class, slot) for slot in unlooked])

    async def recall(self) -> None:
        """Begin with what earlier starts left: freezes of this day that were kept without a look."""
        now_s = self._clock.monotonic_s()
        for meter in await self._unseen.recall(list(self._sights)):
            known = self._known.setdefault(meter, Known())
            known.rests |= dict.fromkeys(OF_DAY, now_s)

    @property
    def again_at(self) -> float:
        """Monotonic time from which ``again`` has something to do; infinite: nothing."""
        if self._reported.is_for(self._sights):
            return -math.inf
        return min([self._owed.next_at, *map(self._rests_until, self._unseen.meters)])

    async def again(self) -> None:
        """Look at one meter whose freezes lack a look of their day, or that owes its settlement day."""
        self._take_reported()
        self._unseen.age()
        now_s = self._clock.monotonic_s()
        due = (meter for meter in self._unseen.meters if self._rests_until(meter) <= now_s)
        if (meter := next(due, None)) is not None:
            await self.renew(meter, DAILY_FREEZE)
        elif self._owed.next_at <= now_s:
            await self._take_owed(self._owed.take(now_s + AGAIN_S))

    def _take_reported(self) -> None:
        """Freezes that terminals told lack the looks that were not taken today: nobody comes for them."""
        now_s, today = self._clock.monotonic_s(), self._today()
        for meter, freezes in self._reported.take(self._sights).items():
            known = self._known.setdefault(meter, Known())
            missing = [kind for kind in OF_DAY if known.on.get(kind) != today]
            known.rests |= {kind: max(known.rests.get(kind, now_s), now_s) for kind in missing}
            for data_class, slot in freezes:
                self.kept(meter, data_class, self.unlooked(meter, data_class, [slot]))

    async def _take_owed(self, meter: str) -> None:
        """Look at the settlement day of a meter, unless it is silent now."""
        known = self._known.setdefault(meter, Known())
        if meter not in self._silent and known.rests.get("settlement", 0.0) <= self._clock.monotonic_s():
            try:
                await self._take("settlement", known, meter, DAILY_FREEZE)
            except ReplyTimeout:
                known.rests["settlement"] = self._clock.monotonic_s() + AGAIN_S
            except (LineError, BusFull):
                self._owed.rest(self._clock.monotonic_s() + AGAIN_S)

    def _lacks(self, meter: str) -> set[Kind]:
        """The looks that were not answered, and not taken today."""
        known, today = self._known.get(meter, Known()), self._today()
        return {kind for kind in OF_DAY if kind in known.rests and known.on.get(kind) != today}

    def _rests_until(self, meter: str) -> float:
        """When a look that its freezes lack may be taken; infinite: somebody takes it now."""
        known = self._known.get(meter, Known())
        return min((known.rests.get(kind, 0.0) for kind in self._lacks(meter)), default=math.inf)

    async def _look_at(
        self, kinds: Iterable[Kind], known: Known, meter: str, data_class: DataClass
    ) -> tuple[list[Kind], list[Kind]]:
        """Take the looks that are due of some; gives those that were answered, and those that were not."""
        answered: list[Kind] = []
        silent: list[Kind] = []
        for kind in kinds:
            today = self._today()
            if not self._is_wanted(kind, known, meter, data_class, today):
                continue
            # What is asked counts as known meanwhile, so that another plan does not ask the same.
            before, known.on[kind] = known.on.get(kind), today
            try:
                await self._take(kind, known, meter, data_class)
            except BaseException as error:
                known.on.pop(kind, None)
                known.on |= {} if before is None else {kind: before}
                if not isinstance(error, ReplyTimeout):
                    raise
                silent.append(kind)
            else:
                answered.append(kind)
        return answered, silent

    def _is_wanted(self, kind: Kind, known: Known, meter: str, data_class: DataClass, today: date) -> bool:
        """Whether a reading of a class needs a look now."""
        if self._clock.monotonic_s() < known.rests.get(kind, 0.0):
            return False
        sight, on = self._sights[meter], known.on.get(kind)
        match kind:
            case "number":
                return bool(sight.number) and _is_due(on, today, NUMBER_EVERY)
            case "settlement":
                return data_class in FREEZES and on != today and self._owed.presses(meter, today)
            case _:
                return (data_class in FREEZES or meter in self._unseen) and on != today

    def _may_settle_else(self, meter: str, known: Known) -> bool:
        """Whether nobody has looked lately when a meter settles."""
        is_told = self._sights[meter].reading_day is not None
        return is_told and _is_due(known.on.get("settlement"), self._today(), SETTLEMENT_EVERY)

    async def _take(self, kind: Kind, known: Known, meter: str, data_class: DataClass) -> None:
        """Take one look, and show what it brought."""
        priority = Priority.BILLING if data_class in FREEZES else Priority.CURVE
        sight = self._sights[meter]
        match kind:
            case "clock":
                ahead = await sight.looker.clock_ahead(sight.address, priority)
                self._show(meter, clock_ahead=ahead, clock_at=self._clock.utc_now())
            case "word":
                self._show(meter, status_word=await sight.looker.status_word(sight.address, priority))
            case "number":
                number = await sight.looker.meter_number(sight.address, priority)
                known.number_rests_until = self._clock.monotonic_s() + AGAIN_S
                self._show(meter, meter_number=number)
                await self._compare_number(meter, number)
            case "settlement":
                shown = await sight.looker.settles_on(sight.address, Priority.CURVE)
                known.on[kind] = self._today()
                self._owed.settle(meter)
                await self._compare_settlement(meter, shown)

    def _show(self, meter: str, **found: Any) -> None:
        self._shown[meter] = replace(self._shown.get(meter, NOT_LOOKED), **found)

    async def _compare_number(self, meter: str, number: str | None) -> None:
        expected = self._sights[meter].number
        if number is not None and number != expected:
            _log.warning("meter_mixed", meter=meter, shown=number, expected=expected)
            await self._tell_mixed(Mixed(meter=meter, shown=number, expected=expected))

    async def _compare_settlement(self, meter: str, shown: SettlementDay | None) -> None:
        day = self._sights[meter].reading_day
        assert day is not None, "nobody looks without one"
        expected = SettlementDay(day, 0)
        if shown is not None and shown != expected:
            _log.warning("settles_else", meter=meter, shown=str(shown), expected=str(expected))
            await self._tell_settles_else(SettlesElse(meter=meter, shown=shown, expected=expected))

    def _today(self) -> date:
        return self._clock.utc_now().astimezone(self._zone).date()


def _is_due(looked_on: date | None, today: date, every: timedelta) -> bool:
    """Whether it is looked again, or for the first time; also when the clock was set back."""
    return looked_on is None or not timedelta() <= today - looked_on < every
