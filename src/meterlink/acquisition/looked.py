"""What is looked at beside a meter's values, and when that was done last."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

Kind = Literal["clock", "word", "number", "settlement"]
KINDS: Final[tuple[Kind, ...]] = ("clock", "word", "number", "settlement")
"""What is looked at, what belongs to the day of a freeze first."""
OF_DAY: Final[frozenset[Kind]] = frozenset({"clock", "word"})


@dataclass(slots=True)
class Known:
    """When a meter was looked at.

    Args:
        on: day of the last look, by kind.
        rests: monotonic time before which a look is not taken again, by kind.
        number_rests_until: monotonic time before which a silence does not make the number due.

    """

    on: dict[Kind, date] = field(default_factory=dict)
    rests: dict[Kind, float] = field(default_factory=dict)
    number_rests_until: float = 0.0
