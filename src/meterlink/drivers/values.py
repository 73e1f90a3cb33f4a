"""Values as the wire gives them -> measured values of ours, the same for all protocols."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeVar

from meterlink.drivers.base import Measured
from meterlink.errors import BadAnswer
from meterlink.model.marks import NO_MARKS, Marks
from meterwire.item_value import LabelledValue

V = TypeVar("V", bound=LabelledValue[Any, Any])
_MARK_OF_PROBLEM: Final[Mapping[str, Marks]] = {"invalid-bcd": Marks.INVALID_DIGITS}
"""Any other problem means that there is no value: absent."""
_BY_ITS_LINE: Final = ""
_new_tuple = tuple.__new__
"""What a NamedTuple's own constructor ends in, without the way there: values are many."""


def measured(value: LabelledValue[Any, Any]) -> Measured:
    """A value of ours of one of a meter's; of a secret text only that there is one."""
    label, content, problem, _ = value
    number, text = (content, value.text) if isinstance(content, Decimal) else (None, content)
    marks = NO_MARKS if problem is None else _MARK_OF_PROBLEM.get(problem, Marks.ABSENT)
    text = None if text is None else str(text)
    return _new_tuple(Measured, (label.item, label.period, number, text, label.unit, marks, _BY_ITS_LINE))


def each_once(values: Iterable[V], who: str) -> list[V]:
    """The values of one answer without those that it only repeats.

    Args:
        values: of one record, or of one instant.
        who: said so, for the message.

    Raises:
        BadAnswer: an item stands there twice with different contents, and nobody knows which is true.

    """
    found: dict[str, V] = {}
    for value in values:
        first = found.setdefault(value.label.key, value)
        if (first.problem, first.content) != (value.problem, value.content):
            raise BadAnswer(f"{who} says {value.label.key} twice, and not the same")
    return list(found.values())
