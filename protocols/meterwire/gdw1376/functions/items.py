"""Units of 1376.1 -> values of items of the catalogue, by the rules of the table.

A block brings one value for each tariff or phase, a curve one for each interval. ``None`` is what a terminal
sends where it has no value. What date and time a value belongs to the caller knows from the unit's own
fields: ``date`` of a daily freeze is the day that *ended*, ``start`` of a curve its first interval.
Source: spec section B3.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.functions.function import Function, ItemRule
from meterwire.gdw1376.layouts.counts import MINUTES
from meterwire.gdw1376.layouts.nodes import Values

_PHASES: Final = ("a", "b", "c")
_NEUTRAL: Final = "neutral_current"
"""What stands behind the three phases of a current."""


class ItemValue(NamedTuple):
    """One value.

    Args:
        item: name of the item, e.g. ``forward_active_energy.t1``.
        content: number or time; ``None`` where the terminal has none.
        interval: of a curve: its number from 0; otherwise 0.

    """

    item: str
    content: Decimal | Moment | None
    interval: int = 0


def item_values(function: Function, values: Values) -> list[ItemValue]:
    """The values of items in a unit.

    Args:
        function: what the table says of the unit's function.
        values: of the unit, by field name.

    """
    return [
        one for rule in function.items if rule.field in values for one in _by_rule(rule, values[rule.field])
    ]


def interval(density: int) -> timedelta | None:
    """How far the points of a curve are apart; ``None`` for "no data" and codes that mean nothing.

    Args:
        density: code of the curve: 1, 2, 3, 254 or 255.

    """
    minutes = MINUTES.get(density)
    return None if minutes is None else timedelta(minutes=minutes)


def _by_rule(rule: ItemRule, value: Any) -> Iterator[ItemValue]:
    if not isinstance(value, list):
        yield ItemValue(rule.item, _scaled(rule, value))
        return
    for index, one in enumerate(value):
        content = _scaled(rule, one)
        if not rule.along:
            yield ItemValue(rule.item, content, index)
        else:
            yield ItemValue(_item(rule, index), content)


def _scaled(rule: ItemRule, value: Any) -> Any:
    return value / rule.divisor if isinstance(value, Decimal) and rule.divisor > 1 else value


def _item(rule: ItemRule, index: int) -> str:
    if rule.along == "tariff":
        return f"{rule.item}.t{index}" if index else rule.item
    if rule.along == "total_phase":
        return f"{rule.item}.{_PHASES[index - 1]}" if index else rule.item
    if rule.along == "phase_neutral" and index == len(_PHASES):
        return _NEUTRAL
    return f"{rule.item}.{_PHASES[index]}"
