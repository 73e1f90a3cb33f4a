"""How much of what was readable was kept in a simulated world, and what is not as it must be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

COMPLAINTS_MAX: Final = 20
COMPLETE: Final = 0.999


@dataclass
class Completeness:
    """What came of a world.

    Attributes:
        readable: slots that could be read.
        kept: of these, slots that were.
        missing: readable slots that were not kept.
        complaints: what is not as it must be.

    """

    readable: int = 0
    kept: int = 0
    missing: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def completeness(self) -> float:
        """Of what was readable."""
        return self.kept / self.readable if self.readable else 1.0

    @property
    def is_good(self) -> bool:
        """Whether everything is as it must be."""
        return not self.complaints and self.completeness >= COMPLETE

    def of_readable(self) -> str:
        """The figures, for people."""
        return f"{self.kept} of {self.readable} readable slots kept ({100 * self.completeness:.3f} %)"

    def troubles(self) -> list[str]:
        """The first of what is missing, and of what is wrong."""
        return [
            *(f"  MISSING {text}" for text in self.missing[:COMPLAINTS_MAX]),
            *(f"  WRONG {text}" for text in self.complaints[:COMPLAINTS_MAX]),
        ]
