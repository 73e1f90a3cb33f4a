"""What a meter freezes each day: (number, time) -> record, a pure function of the meter and its clock.

A freeze is taken when the meter's own clock shows 00:00 of the plant's time, and carries that time; its
values are what the registers showed at that very instant, whatever the clocks of others showed. So nothing
is stored: a table of any depth can be asked at any moment, also for what it held before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Final

from meterwire.dlt645 import Entry
from meterwire.dlt645.items import Dictionary

PLANT_TIME: Final = timezone(timedelta(hours=8))
"""What the clocks of meters show."""
DEPTH: Final = 62
"""Daily freezes that a meter keeps. Source: DL/T 645-2007, annex A.6 (extended): 1 to 3EH."""
CLOCK_AHEAD_MAX: Final = timedelta(days=400)

_DAY = timedelta(days=1)
_PERIOD = "daily_freeze/last."
_IN_BLOCK = ("frozen_at", "forward_active_energy", "reverse_active_energy")
"""What a meter sends when asked for all of a freeze (05 06 FF nn): the short set."""

Value = Callable[[str, datetime], Decimal | None]


@dataclass(frozen=True, slots=True)
class Freeze:
    """One freeze.

    Args:
        frozen_at: the time it carries: the meter's clock, in the plant's zone.
        taken_at: when that was; the registers' time.

    """

    frozen_at: datetime
    taken_at: datetime


class DailyFreezes:
    """A meter's table of daily freezes.

    Args:
        value: what the meter shows for an item at a time.
        since: when it was first switched on, aware; it has no freeze of that instant or before.
        clock_ahead: how far its clock is ahead of the true time; negative: behind.

    Raises:
        ValueError: ``clock_ahead`` is out of range.

    """

    def __init__(self, value: Value, *, since: datetime, clock_ahead: timedelta = timedelta()) -> None:
        if abs(clock_ahead) > CLOCK_AHEAD_MAX:
            raise ValueError(f"a clock that is {clock_ahead} ahead: at most {CLOCK_AHEAD_MAX.days} days")
        self._value = value
        self._since = since
        self._clock_ahead = clock_ahead

    def last(self, number: int, at: datetime) -> Freeze | None:
        """The freeze that is the so-manieth last one at ``at``; ``None`` when there is none.

        Args:
            number: 1 is the newest.
            at: true time, aware.

        """
        shown = (at + self._clock_ahead).astimezone(PLANT_TIME)
        midnight = shown.replace(hour=0, minute=0, second=0, microsecond=0)
        frozen_at = midnight - (number - 1) * _DAY
        taken_at = frozen_at - self._clock_ahead
        return Freeze(frozen_at, taken_at) if 1 <= number <= DEPTH and taken_at > self._since else None

    def table(self, at: datetime) -> Iterator[Freeze]:
        """All freezes that the meter has at ``at``, newest first."""
        for number in range(1, DEPTH + 1):
            if (freeze := self.last(number, at)) is None:
                return
            yield freeze

    def values(self, freeze: Freeze, items: Sequence[str]) -> dict[str, Decimal]:
        """What a freeze holds of ``items``, in their order; without what the meter has not."""
        found = ((item, self._value(item, freeze.taken_at)) for item in items)
        return {item: value for item, value in found if value is not None}


def frozen_data(
    freezes: DailyFreezes, dictionary: Dictionary, entry: Entry, at: datetime
) -> tuple[bytes, dict[str, Decimal]] | None:
    """The data of a DL/T 645 identifier of a daily freeze; ``None`` when the meter has no such data.

    Args:
        freezes: the meter's.
        dictionary: of the edition.
        entry: any identifier.
        at: when it is asked for, aware.

    Returns:
        the octets behind the identifier, and the numbers in them by item.

    """
    quantity, _, period = entry.item.partition("@")
    if not period.startswith(_PERIOD):
        return None
    freeze = freezes.last(int(period.removeprefix(_PERIOD)), at)
    if freeze is None:
        return None
    if quantity == "frozen_at":
        return entry.encode([f"{freeze.frozen_at:%Y-%m-%d %H:%M}"]), {}
    if quantity == "freeze_block":
        return _block(freezes, dictionary, period, at)
    values = freezes.values(freeze, entry.items)
    return (entry.encode(tuple(values.values())), values) if values else None


def _block(
    freezes: DailyFreezes, dictionary: Dictionary, period: str, at: datetime
) -> tuple[bytes, dict[str, Decimal]]:
    data = b""
    values: dict[str, Decimal] = {}
    for quantity in _IN_BLOCK:
        entry = dictionary.by_name(f"{quantity}@{period}")
        assert entry is not None, "the dictionary has the parts of what it has whole"
        part = frozen_data(freezes, dictionary, entry, at)
        assert part is not None, "the meter has what its short set holds"
        data += part[0]
        values |= part[1]
    return data, values
