"""Freezes that were kept while a look of their day was missing: they are judged anew once it was taken.

A freeze is kept right behind its looks, with the marks that they give it. Where one was not answered, the
freeze stands without such a mark, and no freeze of that day comes any more behind which to look again. So
its meter is looked at once more by itself, a few times, and what it shows then marks the freeze after all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from meterlink.clock import Clock
from meterlink.model.data_classes import FREEZES, DataClass

LOOKS_MAX: Final = 3
"""How often a meter is looked at for freezes that were kept without; what it never tells costs timeouts."""
OF_THE_DAY: Final = timedelta(days=1)
"""How far from its slot a freeze may be judged by a clock. Source: VEE-13."""

Freeze = tuple[DataClass, datetime]
"""One freeze of a meter: its class and its own time."""


class UnseenBook(Protocol):
    """What is needed of the journal; each waits until it can."""

    async def judge_anew(self, meter: str, freezes: Sequence[Freeze]) -> None:
        """Judge some freezes of a meter by what it shows now, and keep their marks."""

    async def settle(self, meter: str, freezes: Sequence[Freeze]) -> None:
        """Freezes lack no look any more; see ``Unlooked.settle``."""

    async def unlooked(self, meters: Sequence[str], since: datetime) -> dict[str, list[Freeze]]:
        """Freezes that were kept without a look; see ``Unlooked.of``."""


class Unseen:
    """Freezes without the looks of their day; by meter those of one day.

    Args:
        book: judges them, and remembers those of earlier starts.
        clock: wall time.

    """

    def __init__(self, book: UnseenBook, clock: Clock) -> None:
        self._book = book
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

    def of_the_day(self, data_class: DataClass, slots: Iterable[datetime]) -> list[datetime]:
        """The times of freezes that a look of today still judges; older ones, and all else, are not."""
        now = self._clock.utc_now()
        return [slot for slot in slots if data_class in FREEZES and now - slot <= OF_THE_DAY]

    def note(self, meter: str, freezes: Iterable[Freeze]) -> None:
        """Freezes were kept, and a look of their day is missing."""
        if new := set(freezes):
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
            await self._book.judge_anew(meter, freezes)
        if is_whole:
            await self._book.settle(meter, freezes)

    async def recall(self, meters: Sequence[str]) -> list[str]:
        """Note what earlier starts left without a look; gives the meters of which there is some."""
        found = await self._book.unlooked(meters, self._clock.utc_now() - OF_THE_DAY)
        for meter, freezes in found.items():
            self.note(meter, freezes)
        return list(found)

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
