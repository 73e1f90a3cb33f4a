"""Values as the wire gives them -> measured values of ours, the same for all protocols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meterlink.drivers.base import Measured
from meterlink.model.marks import NO_MARKS, Marks
from meterwire.item_value import LabelledValue

_MARK_OF_PROBLEM: Final[Mapping[str | None, Marks]] = {None: NO_MARKS, "invalid-bcd": Marks.INVALID_DIGITS}
"""Any other problem means that there is no value: absent."""


def measured(value: LabelledValue[Any, Any]) -> Measured:
    """A value of ours of one of a meter's; of a secret text only that there is one."""
    return Measured(
        item=value.item,
        period=value.period,
        value=value.value,
        text=None if value.text is None else str(value.text),
        unit=value.unit,
        marks=_MARK_OF_PROBLEM.get(value.problem, Marks.ABSENT),
    )
