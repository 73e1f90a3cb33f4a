"""Which meters take several items in one request, as far as they have shown it.

A meter that does not know such a request says no to it, or nothing; neither says so in words. So whoever
refuses one is asked for each item by itself for a day. Whoever is silent on one is asked so for a moment,
and for a day when that happens twice though it answers single questions: one lost answer proves nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from meterlink.clock import Clock
from meterlink.drivers.base import Brought, MeterAnswer
from meterlink.errors import BadAnswer, Refused, ReplyTimeout

DOUBTS_MAX: Final = 4_096
"""Meters (or their blocks) of one line that are remembered; of more, the oldest doubt is forgotten."""
APART_S: Final = 86_400.0
"""So long a meter that takes no such requests is asked for each item by itself."""
MOMENT_S: Final = 300.0
"""The same after one silence: as long as a round may take to come back to it."""
SILENCES_BELIEVED: Final = 2


@dataclass(slots=True)
class _Doubt:
    """``silences``: requests for several in a row that brought nothing. ``until``: monotonic."""

    silences: int
    until: float


class Together:
    """What is known of the meters of one line.

    Args:
        clock: for the days.

    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._doubts: OrderedDict[Hashable, _Doubt] = OrderedDict()

    def may(self, who: Hashable) -> bool:
        """Whether it is worth asking for several items at once.

        Args:
            who: a meter, or a meter and one of its blocks.

        """
        doubt = self._doubts.get(who)
        return doubt is None or self._clock.monotonic_s() >= doubt.until

    @contextmanager
    def asked_at_once(self, who: Hashable) -> Iterator[None]:
        """Inside, several items are asked for in one request: what becomes of it is remembered."""
        try:
            yield
        except ReplyTimeout:
            self.silent(who)
            raise
        except (Refused, BadAnswer):
            self.refused(who)
            raise
        self.brought(who)

    @contextmanager
    def asked_alone(self, who: Hashable) -> Iterator[None]:
        """Inside, one item is asked for by itself."""
        try:
            yield
        except ReplyTimeout:
            self.silent_alone(who)
            raise

    def brought(self, who: Hashable) -> None:
        """It answered such a request."""
        self._doubts.pop(who, None)

    def refused(self, who: Hashable) -> None:
        """It said no to such a request as a whole, or answered what does not fit."""
        self._note(who, SILENCES_BELIEVED, APART_S)

    def silent(self, who: Hashable) -> None:
        """It did not answer such a request."""
        doubt = self._doubts.get(who)
        silences = 1 if doubt is None else doubt.silences + 1
        self._note(who, silences, MOMENT_S if silences < SILENCES_BELIEVED else APART_S)

    def silent_alone(self, who: Hashable) -> None:
        """It did not answer a single question either: it is not the way of asking."""
        self._doubts.pop(who, None)

    def _note(self, who: Hashable, silences: int, apart_s: float) -> None:
        self._doubts[who] = _Doubt(silences, self._clock.monotonic_s() + apart_s)
        self._doubts.move_to_end(who)
        if len(self._doubts) > DOUBTS_MAX:
            self._doubts.popitem(last=False)


async def each_alone(items: Sequence[str], read: Callable[[str], Awaitable[MeterAnswer]]) -> Brought:
    """Several items, each in an exchange of its own, where no request brings more.

    Args:
        items: names.
        read: reads one of them.

    Raises:
        ReplyTimeout, LineLost, LineBusy, LineClosed, BusFull: from the line.

    """
    found: dict[str, MeterAnswer | Refused | BadAnswer] = {}
    for item in items:
        try:
            found[item] = await read(item)
        except (Refused, BadAnswer) as error:
            found[item] = error
    return found
