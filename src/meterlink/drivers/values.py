"""Values as the wire gives them -> measured values of ours, the same for all protocols."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from meterlink.drivers.base import Measured
from meterlink.errors import BadAnswer
from meterlink.model.marks import NO_MARKS, Marks
from meterwire.item_value import LabelledValue

V = TypeVar("V", bound=LabelledValue[Any, Any])
_MARK_OF_PROBLEM: Final[Mapping[str | None, Marks]] = {None: NO_MARKS, "invalid-bcd": Marks.INVALID_DIGITS}
"""Any other problem means that there is no value: absent."""


def measured(value: LabelledValue[Any, Any]) -> Measured:
    """A value of ours of one of a meter's; of a secret text only that there is one."""
    label, text = value.label, value.text
    return Measured(
        label.item,
        label.period,
        value.value,
        None if text is None else str(text),
        label.unit,
        _MARK_OF_PROBLEM.get(value.problem, Marks.ABSENT),
    )


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
