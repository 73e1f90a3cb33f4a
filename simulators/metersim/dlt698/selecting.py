"""Which rows of a table a selector means.

Rows are told by two columns: their time (2021 of freezes, 201E of events) and their number (2023, 2022).
Selectors 4 to 8 are about collected data of a concentrator; a meter has none.
Source: spec sections 2.2 and 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, Generic, Protocol, TypeVar

from metersim.dlt698.circumstances import OUT_OF_RANGE, Unfit
from meterwire.dlt698.apdus.parts import Dar
from meterwire.dlt698.axdr.selection import (
    Oad,
    SelectAll,
    SelectEqual,
    Selection,
    SelectLast,
    SelectNthLast,
    SelectRange,
    SelectRanges,
    Ti,
)
from meterwire.dlt698.axdr.values import Data, DateTimeS

SELECTOR_UNFIT: Final = Dar(9)

_CONDITIONS_MAX: Final = 16
_INTEGERS = frozenset({"unsigned", "long-unsigned", "double-long-unsigned"})
SPANS: Final = {
    0: timedelta(seconds=1),
    1: timedelta(minutes=1),
    2: timedelta(hours=1),
    3: timedelta(days=1),
}
"""Units of a time interval (TI) that have a definite length."""
MONTHS: Final = {4: 1, 5: 12}
"""Units of months."""


class Told(Protocol):
    """A row, as far as selectors look at it."""

    @property
    def shown_at(self) -> datetime:
        """Its time, civil, without a zone."""

    @property
    def number(self) -> int:
        """Its number."""


R = TypeVar("R", bound=Told)


@dataclass(frozen=True, kw_only=True)
class Selector(Generic[R]):
    """Understands the selectors of one table.

    Args:
        time: column of a row's time.
        number: column of its number.

    """

    time: Oad
    number: Oad

    def select(self, selection: Selection, rows: Iterable[R]) -> list[R]:
        """The rows that are meant, oldest first.

        Args:
            selection: selector with its values.
            rows: newest first.

        Raises:
            Unfit: the selector is none for this table, or its range is empty.

        """
        match selection:
            case SelectAll():
                found: Iterator[R] = iter(rows)
            case SelectNthLast(n) if n:
                found = islice(rows, n - 1, n)
            case SelectLast(n, _) if n:
                found = islice(rows, n)
            case SelectEqual() | SelectRange() | SelectRanges():
                found = filter(self._test(selection), rows)
            case _:
                raise Unfit(SELECTOR_UNFIT)
        return list(found)[::-1]

    def between(self, selection: Selection) -> tuple[datetime, datetime] | None:
        """Civil times that bound the rows meant, the second excluded; ``None``: nothing does.

        Raises:
            Unfit: the selector is none for this table.

        """
        match selection:
            case SelectRange(oad, start, end, _) if oad == self.time:
                begin, until = self._key(oad, start), self._key(oad, end)
            case SelectEqual(oad, value) if oad == self.time:
                begin = self._key(oad, value)
                until = begin + timedelta(seconds=1) if isinstance(begin, datetime) else begin
            case _:
                return None
        return (begin, until) if isinstance(begin, datetime) and isinstance(until, datetime) else None

    def _test(self, selection: SelectEqual | SelectRange | SelectRanges) -> Callable[[R], bool]:
        match selection:
            case SelectEqual(oad, value):
                wanted = self._key(oad, value)
                return lambda row: self._of(row, oad) == wanted
            case SelectRanges(items):
                if not 1 <= len(items) <= _CONDITIONS_MAX:
                    raise Unfit(SELECTOR_UNFIT)
                tests = [self._test(item) for item in items]
                return lambda row: all(test(row) for test in tests)
            case SelectRange():
                return self._between(selection)

    def _between(self, selection: SelectRange) -> Callable[[R], bool]:
        oad = selection.oad
        start, end = self._key(oad, selection.start), self._key(oad, selection.end)
        if isinstance(start, datetime) and isinstance(end, datetime):
            if end <= start:
                raise Unfit(OUT_OF_RANGE)
            on_time = _on_time(start, selection.interval)
            return lambda row: start <= row.shown_at < end and on_time(row.shown_at)
        if isinstance(start, int) and isinstance(end, int):
            if end <= start:
                raise Unfit(OUT_OF_RANGE)
            step = _step(selection.interval)
            return lambda row: start <= row.number < end and (row.number - start) % step == 0
        raise Unfit(SELECTOR_UNFIT)

    def _of(self, row: R, oad: Oad) -> datetime | int:
        return row.shown_at if oad == self.time else row.number

    def _key(self, oad: Oad, value: Data) -> datetime | int:
        """What a selector compares with."""
        if oad == self.time and value.type == "date_time_s" and isinstance(value.value, DateTimeS):
            moment = value.value.civil()
            if moment is not None:
                return moment
        if oad == self.number and value.type in _INTEGERS:
            return int(value.value)
        raise Unfit(SELECTOR_UNFIT)


def _on_time(start: datetime, interval: Data) -> Callable[[datetime], bool]:
    """Whether a time is a whole number of intervals after the start; an interval of 0 is none."""
    if interval.type == "null":
        return lambda _: True
    if interval.type != "TI" or not isinstance(interval.value, Ti):
        raise Unfit(SELECTOR_UNFIT)
    unit, count = interval.value
    if unit in SPANS:
        span = count * SPANS[unit]
        return lambda moment: not span or (moment - start) % span == timedelta()
    if unit in MONTHS:
        months = count * MONTHS[unit]
        return lambda moment: not months or _whole_months(start, moment, months)
    raise Unfit(SELECTOR_UNFIT)


def _whole_months(start: datetime, moment: datetime, months: int) -> bool:
    between = (moment.year - start.year) * 12 + moment.month - start.month
    same_in_month = (moment.day, moment.time()) == (start.day, start.time())
    return same_in_month and between % months == 0


def _step(interval: Data) -> int:
    if interval.type == "null":
        return 1
    if interval.type in _INTEGERS:
        return int(interval.value) or 1
    raise Unfit(SELECTOR_UNFIT)
