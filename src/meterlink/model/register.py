"""What one register showed, with what is doubtful about it, and what billing may do with that."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal, Inexact
from functools import lru_cache
from typing import Final, NamedTuple

from meterlink.model.marks import Marks, Standing

QUALITY: Final[Mapping[Standing, str]] = {
    Standing.VALID: "valid",
    Standing.SUSPECT: "suspect",
    Standing.REJECTED: "rejected",
}
"""What billing may do with a value, in a word. Source: business-rules, section 5."""
SETS_KEPT: Final = 1_024
"""Sets of marks kept with what they are worth: nearly all registers of a night have the same."""
EXACT: Final = Context(prec=60, traps=[Inexact])
"""Registers of 14 digits times ratios of 11 and 11, summed over centuries: nothing is ever rounded."""


class Register(NamedTuple):
    """What one register showed; a tuple, as a night of a gateway has a hundred thousand of them.

    Args:
        item: e.g. ``forward_active_energy.t1``.
        value: as the meter showed it; ``None`` when ``marks`` says why.
        unit: of the value.
        marks: what is doubtful about it.

    """

    item: str
    value: Decimal | None
    unit: str
    marks: Marks

    @property
    def quality(self) -> str:
        """``valid``, ``suspect`` or ``rejected``."""
        return _quality(self.marks)

    def times(self, multiplier: Decimal) -> Decimal | None:
        """The value times a multiplier, exact."""
        return None if self.value is None else EXACT.multiply(self.value, multiplier)


@lru_cache(maxsize=SETS_KEPT)
def _quality(marks: Marks) -> str:
    return QUALITY[marks.standing]
