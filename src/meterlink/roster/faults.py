"""What is wrong with a row of a roster: which row, which column, why and what to do, in both languages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from meterlink.errors import MeterlinkError

FAULTS_MAX: Final = 1_000
"""Faults that one refusal carries; a command looks its file through before, and tells each."""


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong.

    Args:
        row: line of the file (CSV), or row of the sheet; 0: it is of no row.
        column: name of the field; empty: of no single one.
        meter: our id of the meter, where it is known.
        words: why, and what to do.

    """

    row: int
    column: str
    meter: str
    words: Words

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "row": self.row,
            "column": self.column,
            "meter": self.meter,
            "en": self.words.en,
            "zh": self.words.zh,
        }


class CellRefused(Exception):
    """A cell cannot be what its column takes.

    Args:
        words: why, and what to do.

    """

    def __init__(self, words: Words) -> None:
        super().__init__(words.en)
        self.words = words


class RosterRefused(MeterlinkError):
    """A roster was refused, all of it; nothing was changed.

    Args:
        faults: why, in the order of the rows; at most ``FAULTS_MAX`` of them.
        count: how many there are.

    """

    def __init__(self, faults: tuple[Fault, ...], count: int) -> None:
        first = faults[0]
        where = f"row {first.row}, " if first.row else ""
        super().__init__(f"{where}{first.column or 'meter'} of {first.meter or '?'}: {first.words.en}")
        self.faults = faults
        self.count = count

    @classmethod
    def of(cls, faults: list[Fault]) -> RosterRefused:
        """The refusal of a list, in the order of the rows."""
        ordered = sorted(faults, key=lambda fault: fault.row)
        return cls(tuple(ordered[:FAULTS_MAX]), len(faults))
