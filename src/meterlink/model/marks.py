"""Marks on a reading: what is doubtful about it. Nothing is dropped; billing sees the marks."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntFlag


class Marks(IntFlag):
    """Bit mask of marks; a bit number never changes once released (it stands in the database).

    Names in lower case are what travels over MQTT. Source: business-rules, section 5; decision 14.
    """

    INVALID_DIGITS = 1 << 0
    """The meter sent digits that are not BCD: no value."""
    ABSENT = 1 << 1
    """The meter filled the item with FFH: it does not have it."""

    @property
    def names(self) -> tuple[str, ...]:
        """The marks that are set, lower case, in bit order."""
        if not self:  # as nearly always
            return ()
        return tuple(mark.name.lower() for mark in Marks if mark in self and mark.name)

    @classmethod
    def from_names(cls, names: Iterable[str]) -> Marks:
        """Undo ``names``.

        Raises:
            KeyError: a name that is no mark.

        """
        marks = NO_MARKS
        for name in names:
            marks |= cls[name.upper()]
        return marks


NO_MARKS = Marks(0)
"""A reading with nothing doubtful about it."""
