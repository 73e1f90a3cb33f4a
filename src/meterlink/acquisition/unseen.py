"""Freezes that were kept while a look of their day was missing: they are judged anew once it was taken.

A freeze is kept right behind its looks, with the marks that they give it. Where one was not answered, the
freeze stands without such a mark, and no freeze of that day comes any more behind which to look again. So
its meter is looked at once more by itself, a few times, and what it shows then marks the freeze after all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from meterlink.clock import Clock
from meterlink.model.data_classes import FREEZES, DataClass

LOOKS_MAX: Final = 3
"""How often a meter is looked at for freezes that were kept without; what it never tells costs timeouts."""
OF_THE_DAY: Final = timedelta(days=1)
"""How far from its slot a freeze may be judged by a clock. Source: VEE-13."""

Freeze = tuple[DataClass, datetime]
"""One freeze of a meter: its class and its own time."""
JudgeAnew = Callable[[str, Sequence[Freeze]], Awaitable[None]]
"""Judges some freezes of a meter by what it shows now, and keeps their marks."""


class Unseen:
    """Freezes without the looks of their day; by meter those of one day.

    Args:
        judge_anew: judges them.
        clock: wall time.

    """

    def __init__(self, judge_anew: JudgeAnew, clock: Clock) -> None:
        self._judge_anew = judge_anew
        self._clock = clock
        self._freezes: dict[str, set[Freeze]] = {}
        self._looks: dict[str, int] = {}

    def __contains__(self, meter: object) -> bool:
        """Whether a meter has such freezes."""
        return meter in self._freezes

    @property
    def meters(self) -> list[str]:
        """Those that have some."""
        return list(self._freezes)

    def note(self, meter: str, data_class: DataClass, slots: Iterable[datetime]) -> None:
        """Freezes were kept, and a look of the day is missing; older ones are not judged by it."""
        now = self._clock.utc_now()
        new = {(data_class, slot) for slot in slots if data_class in FREEZES and now - slot <= OF_THE_DAY}
        if new:
            self._looks.setdefault(meter, 0)
            self._freezes.setdefault(meter, set()).update(new)

    async def looked(self, meter: str, *, has_new: bool, is_whole: bool) -> None:
        """A meter was looked at, and the line carried it.

        Args:
            meter: which.
            has_new: something was shown that was missing.
            is_whole: nothing is missing any more.

        """
        if meter not in self._freezes:
            return
        self._looks[meter] += 1
        freezes = sorted(self._freezes[meter])
        if is_whole or self._looks[meter] >= LOOKS_MAX:
            self.forget(meter)
        if has_new:
            await self._judge_anew(meter, freezes)

    def forget(self, meter: str) -> None:
        """Nobody looks for its freezes any more."""
        self._freezes.pop(meter, None)
        self._looks.pop(meter, None)

    def age(self) -> None:
        """Forget the freezes whose day is over."""
        now = self._clock.utc_now()
        for meter, freezes in list(self._freezes.items()):
            freezes -= {one for one in freezes if now - one[1] > OF_THE_DAY}
            if not freezes:
                self.forget(meter)
