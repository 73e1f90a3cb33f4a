"""What happens to a meter: rows in order of time, of conditions that last and of changes at one instant.

Everything that a meter shows is worked out of these rows, its plate, its load and its clock; nothing else
about it is stored. So it can be asked for any moment that is past.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from metersim.works.moments import to_us
from metersim.works.plate import PHASES

HISTORY_MAX: Final = 10_000
"""Rows of one meter; a scenario that writes more is a mistake, and would slow every answer down."""
FULL: Final = 1000
"""The whole, in per mille."""

_THREE: Final = (FULL, FULL, FULL)
_RATE_MAX: Final = 100 * FULL
_STRAIGHT: Final = (0, 0, 0)

EVERYTHING: Final = "everything"
"""Detail of ``registers_cleared``: freezes and events are forgotten with them, as a meter is told to."""

Happened = Literal[
    "register_set",
    "registers_cleared",
    "demand_cleared",
    "meter_exchanged",
    "programmed",
    "events_cleared",
    "frozen",
]


class HistoryFull(ValueError):
    """A meter's history has as many rows as it can have."""


class OutOfOrder(ValueError):
    """A row would be older than the last one."""


def _check(what: str, figure: int, low: int, high: int) -> None:
    if not low <= figure <= high:
        raise ValueError(f"{what}: {figure} is outside {low}..{high}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What holds from one instant until the next.

    Args:
        contact_open: the meter's own switch is open, so that nothing is drawn.
        bridged_per_mille: the part of the load that flows over a bridge of the open contact.
        without_supply: phases that the grid does not feed; all of them: the power is down.
        load_per_mille: the load as a part of the usual one; more than 1000 is more than usual.
        bypassed_per_mille: the part of the load that flows around the meter.
        voltage_per_mille: of the voltage of a, b, c: what reaches the meter's terminals.
        current_per_mille: of the current of a, b, c: what flows through the meter's current circuits.
        current_open: phases whose current circuit is interrupted (and not shorted).
        angle_deg: of a, b, c: by how much the current's circuit is turned against the voltage's; 180:
            polarity reversed.
        voltage_reversed: the voltages come in the wrong order.
        current_reversed: the currents come in the wrong order.
        register_rate_per_mille: how the registers count: 0 stuck, over 1000 running away, below 0 backward.
        magnetic_field: a magnet stands at the meter.
        cover_open: its cover is open.
        terminal_cover_open: its terminal cover is open.
        clock_battery_low: the battery of its clock is empty.

    Raises:
        ValueError: a figure out of its range.

    """

    contact_open: bool = False
    bridged_per_mille: int = 0
    without_supply: frozenset[str] = frozenset()
    load_per_mille: int = FULL
    bypassed_per_mille: int = 0
    voltage_per_mille: tuple[int, int, int] = _THREE
    current_per_mille: tuple[int, int, int] = _THREE
    current_open: frozenset[str] = frozenset()
    angle_deg: tuple[int, int, int] = _STRAIGHT
    voltage_reversed: bool = False
    current_reversed: bool = False
    register_rate_per_mille: int = FULL
    magnetic_field: bool = False
    cover_open: bool = False
    terminal_cover_open: bool = False
    clock_battery_low: bool = False

    def __post_init__(self) -> None:
        """Check the ranges."""
        for what in ("bridged_per_mille", "bypassed_per_mille"):
            _check(what, getattr(self, what), 0, FULL)
        for what in ("voltage_per_mille", "current_per_mille"):
            for figure in getattr(self, what):
                _check(what, figure, 0, 2 * FULL)
        _check("load_per_mille", self.load_per_mille, 0, _RATE_MAX)
        _check("register_rate_per_mille", self.register_rate_per_mille, -_RATE_MAX, _RATE_MAX)
        if unknown := (self.without_supply | self.current_open) - set(PHASES):
            raise ValueError(f"phases {sorted(unknown)}: write a, b, c")


USUAL: Final = Conditions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a history.

    Args:
        at: true time.
        conditions: what holds from then on.
        happened: what happened at that instant besides; ``None``: only conditions changed.
        details: of what happened: for ``register_set`` items and their new values, for ``meter_exchanged``
            its numbers and registers, else what a record of it holds.

    """

    at: datetime
    conditions: Conditions
    happened: Happened | None = None
    details: Mapping[str, Decimal | str] = field(default_factory=dict)


class History:
    """What happened to one meter.

    Args:
        since: when it was first switched on, aware.
        conditions: what held then.
        coming: called with the true time before a row is written, so that what is due by then comes first.
        moved: called after each new row.

    """

    def __init__(
        self,
        since: datetime,
        conditions: Conditions = USUAL,
        *,
        coming: Callable[[datetime], None] = lambda _at: None,
        moved: Callable[[Row], None] = lambda _row: None,
    ) -> None:
        self._rows = [Row(at=since, conditions=conditions)]
        self._times = [to_us(since)]
        self._coming = coming
        self._moved = moved

    @property
    def rows(self) -> tuple[Row, ...]:
        """All, oldest first; the first one is that the meter was switched on."""
        return tuple(self._rows)

    @property
    def last(self) -> Row:
        """The newest row."""
        return self._rows[-1]

    @property
    def is_full(self) -> bool:
        """Whether no other row has room."""
        return len(self._rows) >= HISTORY_MAX

    def at(self, at: datetime) -> Conditions:
        """What held at ``at``; before the meter was switched on: what held then."""
        return self.at_us(to_us(at))

    def at_us(self, us: int) -> Conditions:
        """The same, asked in microseconds."""
        return self._rows[max(bisect_right(self._times, us) - 1, 0)].conditions

    def since_last(self, us: int, *happened: Happened) -> Iterator[Row]:
        """Rows of these kinds until ``us``, newest first."""
        for number in range(bisect_right(self._times, us) - 1, 0, -1):
            if (row := self._rows[number]).happened in happened:
                yield row

    def change(self, at: datetime, **changes: object) -> Conditions:
        """Conditions change.

        Args:
            at: true time, not before the last row.
            changes: fields of `Conditions` with their new values; the others stay.

        Raises:
            OutOfOrder: ``at`` is before the last row.
            HistoryFull: no room for another row.
            ValueError: a value out of its range.

        """
        self._coming(at)
        return self.become(at, replace(self.last.conditions, **changes))  # type: ignore[arg-type]

    def become(self, at: datetime, conditions: Conditions) -> Conditions:
        """Conditions are others from now on; nothing is written when they are the same.

        Args:
            at: true time, not before the last row.
            conditions: what holds, worked out of the last row; the meter's own switch may move before it.

        Raises:
            OutOfOrder: ``at`` is before the last row.
            HistoryFull: no room for another row.

        """
        was_open = self.last.conditions.contact_open
        self._coming(at)
        if self.last.conditions.contact_open != was_open == conditions.contact_open:
            conditions = replace(conditions, contact_open=not was_open)
        if conditions != self.last.conditions:
            self._add(Row(at=at, conditions=conditions))
        return conditions

    def happen(self, at: datetime, happened: Happened, **details: Decimal | str) -> None:
        """Something happens at one instant, and conditions stay.

        Args:
            at: true time, not before the last row.
            happened: what.
            details: of it; dots in names of items are written as they are (``**{"a.b": ...}``).

        Raises:
            OutOfOrder: ``at`` is before the last row.
            HistoryFull: no room for another row.

        """
        self._coming(at)
        self._add(Row(at=at, conditions=self.last.conditions, happened=happened, details=details))

    def _add(self, row: Row) -> None:
        us = to_us(row.at)
        if us < self._times[-1]:
            raise OutOfOrder(f"a row of {row.at:%Y-%m-%d %H:%M:%S}: the last one is of {self.last.at}")
        if self.is_full:
            raise HistoryFull(f"a history of {HISTORY_MAX} rows is full: begin with a new meter")
        self._rows.append(row)
        self._times.append(us)
        self._moved(row)
