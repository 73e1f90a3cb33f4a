"""Freezes of other meters that come along with those of one: a request has room, and a terminal is far away.

A thousand meters are asked one after the other for the same night; over a mobile network each request takes
seconds, whatever it holds. So a request for one meter names the next ones of the archive too, as far as it
has room, and what comes of them waits here until they are asked for. What a terminal had nothing of is not
kept: who is asked for is asked for himself. Source: spec gdw1376, B2; field practice, section 4.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.messages.terminal import Unit

KEPT_MAX: Final = 8_192
"""Units that wait: one night of 2,040 points in four functions. The oldest make room."""
KEPT_S: Final = 900.0
"""So long they wait: a night may have been read late, and a terminal corrects what it has."""
MARKS_MAX: Final = 8
"""Nights of which is remembered whose turn has been; of others a meter may come along again."""


class Coming(NamedTuple):
    """One unit that may come along.

    Args:
        point: measuring point.
        fn: function of class 2.
        date: its day or month.

    """

    point: int
    fn: int
    date: Moment


class Ahead:
    """What has come along, on one connection."""

    def __init__(self) -> None:
        self._units: OrderedDict[Coming, tuple[float, Unit]] = OrderedDict()
        self._had: OrderedDict[tuple[int, Moment], set[int]] = OrderedDict()

    def __len__(self) -> int:
        """How many units wait."""
        return len(self._units)

    def clear(self) -> None:
        """Another connection: what points mean may have changed."""
        self._units.clear()
        self._had.clear()

    def take(self, coming: Coming, now_s: float) -> Unit | None:
        """What came along of a unit that is asked for now, once."""
        self._note(coming)
        since_s, unit = self._units.pop(coming, (0.0, None))
        return unit if now_s - since_s <= KEPT_S else None

    def put(self, coming: Coming, unit: Unit, now_s: float) -> None:
        """A unit came along."""
        self._note(coming)
        self._units[coming] = now_s, unit
        while len(self._units) > KEPT_MAX:
            self._units.popitem(last=False)

    def others(self, asked: Coming, points: Collection[int]) -> Iterator[Coming]:
        """Units of other points that may come along with one, the next points first.

        Args:
            asked: the unit that is asked for.
            points: of meters that are wanted at all.

        """
        had = self._had.get((asked.fn, asked.date), set())
        behind = sorted(point for point in points if point > asked.point)
        before = sorted(point for point in points if point < asked.point)
        for point in (*behind, *before):
            if point not in had:
                yield asked._replace(point=point)

    def _note(self, coming: Coming) -> None:
        key = coming.fn, coming.date
        self._had.setdefault(key, set()).add(coming.point)
        self._had.move_to_end(key)
        while len(self._had) > MARKS_MAX:
            self._had.popitem(last=False)
