"""A freeze as billing gets it: the registers of one meter at the end of one day, with where it stood.

One row of the log is one freeze. A value that is corrected, or told again with other marks, is a further row
with a greater ``seq``, and names the row whose place it takes; the newest row of a register is what holds.
One that is told again as it was is no news, and no row here: the log alone has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from meterlink.model.marks import Marks, Standing
from meterlink.model.register import QUALITY, SETS_KEPT, Register


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a meter stood at a time, as the roster had it then.

    Args:
        meter_number: 12 digits; may be empty.
        customer_number: 12 digits; may be empty.
        area: transformer area; may be empty.
        multiplier: ratio of current times ratio of voltage transformers.
        reading_day: of the month, whose freeze is billed.

    """

    meter_number: str = ""
    customer_number: str = ""
    area: str = ""
    multiplier: Decimal = Decimal(1)
    reading_day: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeRow:
    """One freeze.

    Args:
        seq: position in the log; grows, is never given twice.
        meter: our id of it.
        place: where it stood.
        day: which ended at the freeze.
        frozen_at: when the meter took it; aware, UTC.
        registers: at least one.
        source: ``read``, or ``backfill`` from the meter's memory after its time.
        taken_at: when the meter answered; aware, UTC.
        kept_at: when the log got it; aware, UTC.
        route: by which way it came: the line, or `terminal 0171-2082 store`; several with ` + `.
        supersedes: ``seq`` of the newest earlier row that told one of these registers; ``None``: none did.

    """

    seq: int
    meter: str
    place: Place
    day: date
    frozen_at: datetime
    registers: tuple[Register, ...]
    source: str
    taken_at: datetime
    kept_at: datetime
    route: str
    supersedes: int | None = None

    @property
    def quality(self) -> str:
        """Of the whole row: the worst of its registers, less what the meter does not have."""
        return _worst(frozenset([one.marks for one in self.registers]))


@lru_cache(maxsize=SETS_KEPT)
def _worst(kept: frozenset[Marks]) -> str:
    """Of registers with these marks."""
    there = [marks.standing for marks in kept if Marks.ABSENT not in marks]
    return QUALITY[max(there, default=Standing.REJECTED)]
