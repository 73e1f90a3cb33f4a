"""Requests of class 1 and class 2 (0C, 0D) answered from what a terminal has collected.

Values of the moment are those of the last point of the curve. A month's are the freeze of its last day: both
are taken at 24:00 (spec section B3). A curve that is asked for more finely than the terminal collects comes
as it is collected, with its own density and fewer points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from metersim.gdw1376.archive import PointArchive, PointEntry
from metersim.gdw1376.contents import (
    USED,
    Look,
    fields_of,
    has_any,
    is_of_last_month,
    items_of,
    point_value,
    shown_by,
    used_between,
)
from metersim.gdw1376.store import PointStore, Record
from metersim.gdw1376.ways import Ways1376
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.functions.function import Function, ItemRule
from meterwire.gdw1376.functions.terminal import CLASS_1, function
from meterwire.gdw1376.link.unit_ids import EVERY_POINT, TERMINAL
from meterwire.gdw1376.messages.terminal import Group, Unit, unit

DENSITIES: Final[Mapping[int, int]] = {1: 15, 2: 30, 3: 60, 254: 5, 255: 1}
"""Code of a density -> minutes between two points."""
_CODES: Final = {minutes: code for code, minutes in DENSITIES.items()}
DAY: Final = timedelta(days=1)
_CLOCK, _COUNTERS = 2, 7
_USED_TODAY, _USED_THIS_MONTH, _USED_OF_DAY, _USED_OF_MONTH, _USED_CURVE = (
    range(41, 45), range(45, 49), range(5, 9), range(21, 25), range(97, 101)
)  # fmt: skip


class Stored:
    """What one terminal tells of its meters.

    Args:
        archive: its points.
        store: what it collected.
        ways: how it does things.
        shown: its civil time.
        counts: its event counters.

    """

    def __init__(
        self,
        archive: PointArchive,
        store: PointStore,
        ways: Ways1376,
        *,
        shown: Callable[[], datetime],
        counts: Callable[[], tuple[int, int]],
    ) -> None:
        self._archive = archive
        self._store = store
        self._ways = ways
        self._shown = shown
        self._counts = counts

    def answer(self, afn: int, asked: Unit) -> Iterator[Group]:
        """The units of the answer to one unit; none for what it has not.

        Args:
            afn: 0C or 0D.
            asked: of the request.

        """
        known = function(afn, asked.fn, "up")
        if known is None or known.layout is None or asked.fields is None:
            return
        if asked.point == EVERY_POINT:
            points = [entry.point for entry in self._archive.entries]
        else:
            points = [asked.point]
        for point in points:
            values = self._values(known, point, asked.values)
            if values is not None:
                yield unit(afn, asked.fn, values, point=point, way="up")

    def _values(self, known: Function, point: int, mark: Mapping[str, Any]) -> dict[str, Any] | None:
        if point == TERMINAL:
            return self._of_itself(known)
        entry = self._archive.point(point)
        if entry is None:
            return None
        if known.mark == "curve":
            return self._curve(known, entry, mark)
        found = self._record(known, entry, mark)
        if found is None:
            return None
        rules, look, read_at = found
        values = fields_of(known, rules, look, entry.tariffs)
        if not values or (self._ways.lacks == "deny" and not has_any(values)):
            return None
        names = (
            {name for node in known.layout.alternatives[0] for name in node.names} if known.layout else set()
        )
        around = {
            "date": mark.get("date"),
            "read_time": None if read_at is None else Moment.to_the_minute(read_at),
            "tariffs": entry.tariffs,
        }
        return {name: value for name, value in around.items() if name in names} | values

    def _of_itself(self, known: Function) -> dict[str, Any] | None:
        if known.afn != CLASS_1:
            return None
        if known.fn == _CLOCK:
            return {"clock": Moment.to_the_second(self._shown())}
        if known.fn == _COUNTERS:
            ec1, ec2 = self._counts()
            return {"ec1": ec1, "ec2": ec2}
        return None

    # --- registers ---

    def _record(
        self, known: Function, entry: PointEntry, mark: Mapping[str, Any]
    ) -> tuple[tuple[ItemRule, ...], Look, datetime | None] | None:
        """Rules, what items show, and when that was read; ``None`` where the time mark is no date."""
        after, before, order = self._records(known, entry, mark)
        if order is not None:
            field = "used_kvarh" if order % 2 else "used_kwh"
            return (ItemRule(field, USED[order], "tariff"),), used_between(after, before), None
        if known.mark and _day_of(known, mark) is None:
            return None
        return items_of(known), shown_by(after), None if after is None else after.read_at

    def _records(
        self, known: Function, entry: PointEntry, mark: Mapping[str, Any]
    ) -> tuple[Record | None, Record | None, int | None]:
        """The record that a function tells of, that before it, and which consumption it tells, if one."""
        yesterday = self._shown().date() - DAY
        last_month = self._shown().date().replace(day=1) - DAY
        if known.afn == CLASS_1:
            if is_of_last_month(known):
                return self._freeze(entry, last_month), None, None
            newest = self._store.newest_point(entry.addr)
            for fns, before in ((_USED_TODAY, yesterday), (_USED_THIS_MONTH, last_month)):
                if known.fn in fns:
                    return newest, self._freeze(entry, before), fns.index(known.fn)
            return newest, None, None
        day = _day_of(known, mark)
        if day is None:
            return None, None, None
        for fns, before in ((_USED_OF_DAY, day - DAY), (_USED_OF_MONTH, day.replace(day=1) - DAY)):
            if known.fn in fns:
                return self._freeze(entry, day), self._freeze(entry, before), fns.index(known.fn)
        return self._freeze(entry, day), None, None

    def _freeze(self, entry: PointEntry, day: date) -> Record | None:
        return self._store.at(entry.addr, day)

    # --- curves ---

    def _curve(self, known: Function, entry: PointEntry, mark: Mapping[str, Any]) -> dict[str, Any] | None:
        slots, step = self._slots(mark)
        used = known.fn in _USED_CURVE
        rule = (
            ItemRule("values", USED[_USED_CURVE.index(known.fn)]) if used else next(iter(known.items), None)
        )
        if rule is None or not slots:
            return None
        values = [point_value(known, rule, self._at(entry, slot, step * used)(rule.item)) for slot in slots]
        if self._ways.lacks == "deny" and not has_any({"values": values}):
            return None
        return {
            "start": Moment.to_the_minute(slots[0]),
            "density": _CODES[step // timedelta(minutes=1)],
            "points": len(values),
            "values": values,
        }

    def _at(self, entry: PointEntry, slot: datetime, used_within: timedelta) -> Look:
        record = self._store.at(entry.addr, slot)
        if not used_within:
            return shown_by(record)
        return used_between(self._store.at(entry.addr, slot + used_within), record)

    def _slots(self, mark: Mapping[str, Any]) -> tuple[list[datetime], timedelta]:
        """The points of the answer, none in the future, and what is between two."""
        start = mark["start"].when() if mark["start"] else None
        asked = DENSITIES.get(mark["density"])
        if start is None or asked is None or not self._ways.curve_minutes:
            return [], timedelta()
        end = min(start + timedelta(minutes=asked * mark["points"]), self._shown())
        step = timedelta(minutes=max(asked, self._ways.curve_minutes))
        midnight = start.replace(hour=0, minute=0)
        first = midnight - (midnight - start) // step * step
        count = max(-((first - end) // step), 0)
        return [first + step * number for number in range(min(count, mark["points"]))], step


def _day_of(known: Function, mark: Mapping[str, Any]) -> date | None:
    """The day at whose end a request's freeze was taken; ``None``: it names no day."""
    moment: Moment | None = mark.get("date")
    when = moment.when() if moment else None
    if when is None:
        return None
    if known.mark == "month":
        return (when.replace(day=1) + timedelta(days=31)).date().replace(day=1) - DAY
    return when.date()
