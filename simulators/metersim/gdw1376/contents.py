"""What a terminal has of its meters, as the data units of 0C and 0D have it: records -> values by field name.

Which item a field holds the table of functions says; of data of last month, and of energy used, here. Values
get the digits of their format; what has no room there is no value.
Source: spec section B3, 0C and 0D.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from typing import Any, Final

from metersim.gdw1376.store import Record
from meterwire.gdw1376.formats.numbers import Number
from meterwire.gdw1376.formats.times import CENTURY, Moment
from meterwire.gdw1376.functions.function import Function, ItemRule
from meterwire.gdw1376.functions.terminal import CLASS_1, function
from meterwire.gdw1376.layouts.leaves import Formatted
from meterwire.gdw1376.layouts.nodes import Many, MayEnd, Node, One
from meterwire.item_value import Content

PHASES: Final = ("a", "b", "c")
Look = Callable[[str], Content]
"""What an item shows."""

USED: Final = (
    "forward_active_energy",
    "combined_reactive_energy_1",
    "reverse_active_energy",
    "combined_reactive_energy_2",
)
"""Whose consumption functions in fours tell, in this order."""
_LAST_MONTH: Final = {
    **{fn: fn - 4 for fn in range(37, 41)},
    **{fn: fn - 8 for fn in range(137, 145)},
    **{fn: fn - 4 for fn in range(149, 153)},
}
"""Functions of class 1 that tell of last month what another tells of now."""


def is_of_last_month(known: Function) -> bool:
    """Whether it is of class 1, and of last month's end."""
    return known.afn == CLASS_1 and known.fn in _LAST_MONTH


def items_of(known: Function) -> tuple[ItemRule, ...]:
    """Which items the fields of a function are."""
    if not is_of_last_month(known):
        return known.items
    of_now = function(CLASS_1, _LAST_MONTH[known.fn], "up")
    return () if of_now is None else of_now.items


def shown_by(record: Record | None) -> Look:
    """What a record shows."""
    return (lambda _: None) if record is None else record.content


def used_between(after: Record | None, before: Record | None) -> Look:
    """What was used between two records."""

    def look(item: str) -> Content:
        last, first = shown_by(after)(item), shown_by(before)(item)
        if isinstance(last, Decimal) and isinstance(first, Decimal) and last >= first:
            return last - first
        return None

    return look


def fields_of(known: Function, rules: Sequence[ItemRule], look: Look, tariffs: int) -> dict[str, Any]:
    """Values of the fields that are items.

    Args:
        known: the function.
        rules: which items they are.
        look: what an item shows.
        tariffs: how many tariffs are told.

    """
    forms = dict(_forms(known))
    return {
        rule.field: _value(look, rule, forms.get(rule.field), tariffs)
        for rule in rules
        if rule.field in forms
    }


def has_any(values: Mapping[str, Any]) -> bool:
    """Whether there is one value at least."""
    return any(
        one is not None
        for value in values.values()
        for one in (value if isinstance(value, list) else [value])
    )


def point_value(known: Function, rule: ItemRule, content: Content) -> Any:
    """One point of a curve."""
    return _fit(content, rule, dict(_forms(known)).get(rule.field))


def _value(look: Look, rule: ItemRule, form: Any, tariffs: int) -> Any:
    found = [_fit(look(item), rule, form) for item in _items(rule, tariffs)]
    return found if rule.along else found[0]


def _items(rule: ItemRule, tariffs: int) -> Iterator[str]:
    """The items of a field, in the order of the wire."""
    if rule.along in {"tariff", "total_phase", ""}:
        yield rule.item
    if rule.along == "tariff":
        yield from (f"{rule.item}.t{number}" for number in range(1, tariffs + 1))
    if rule.along in {"phase", "total_phase", "phase_neutral"}:
        yield from (f"{rule.item}.{phase}" for phase in PHASES)
    if rule.along == "phase_neutral":
        yield f"neutral_{rule.item}"


def _fit(content: Content, rule: ItemRule, form: Any) -> Any:
    """A content as its format can say it; ``None``: it cannot."""
    if isinstance(content, str):
        return _moment(content)
    if content is None or not isinstance(form, Number):
        return content
    sent = (content * rule.divisor).quantize(Decimal(1).scaleb(-form.decimals), ROUND_HALF_EVEN) + 0
    most = Decimal(10) ** form.whole * (Decimal("0.8") if form.signed else 1)
    return sent if abs(sent) < most and (form.signed or sent >= 0) else None


def _moment(text: str) -> Moment | None:
    """The time of a demand as A.17 says it."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (
        Moment(month=when.month, day=when.day, hour=when.hour, minute=when.minute)
        if when.year > CENTURY
        else None
    )


@cache
def _forms(known: Function) -> tuple[tuple[str, Any], ...]:
    """The format of each field that has one."""
    return tuple(_forms_in(known.layout.alternatives[0])) if known.layout else ()


def _forms_in(nodes: Sequence[Node]) -> Iterator[tuple[str, Any]]:
    for node in nodes:
        match node:
            case One(name, Formatted(form)):
                yield name, form
            case Many(name, (One(_, Formatted(form)),)):
                yield name, form
            case MayEnd(within):
                yield from _forms_in(within)
            case _:
                pass
