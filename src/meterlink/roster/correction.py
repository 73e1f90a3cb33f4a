"""What a meter showed when it came or went was told wrongly, and is told again; no I/O.

What was told first stays in the log, and so do the rows that were made of it; the newest telling holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

from meterlink.config.meters import MeterSettings
from meterlink.errors import BadRequest
from meterlink.model.payload import time_out
from meterlink.roster.entries import Meters
from meterlink.roster.exchange import check_evidence, check_registers

CORRECT: Final = "correct"
"""Verb of the revision that tells a last or first register again."""
WORD_MAX: Final = 200
"""Characters that say why."""
End = Literal["first", "last"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One correction.

    Args:
        meter: our id of it.
        end: ``last``: what it showed when it was taken out; ``first``: when it was put in.
        registers: what they really showed, by item, in the item's unit; the others stay as they were told.
        word: why they become other.
        evidence: where that is to be seen.

    """

    meter: str
    end: End
    registers: Mapping[str, Decimal]
    word: str
    evidence: str = ""

    def body(self, at: datetime) -> dict[str, Any]:
        """As the log keeps it.

        Args:
            at: when the meter came or went; aware.

        """
        return {
            "meter": self.meter,
            "end": self.end,
            "at": time_out(at),
            "registers": {item: str(value) for item, value in sorted(self.registers.items())},
            "word": self.word,
            "evidence": self.evidence,
        }


def corrected(meters: Meters, correction: Correction) -> tuple[MeterSettings, datetime]:
    """The entry that is told of, which stays as it is, and when the meter came or went.

    Args:
        meters: the roster as it is.
        correction: what is told.

    Raises:
        BadRequest: it cannot have been so; the message says why.

    """
    entry = meters.get(correction.meter)
    if entry is None:
        raise BadRequest(f"there is no meter {correction.meter!r} / 没有电能表 {correction.meter!r}")
    at = entry.in_service_until if correction.end == "last" else entry.in_service_since
    if at is None:
        what = "taken out / 拆表" if correction.end == "last" else "put in / 装表"
        raise BadRequest(f"nobody told when meter {entry.id!r} was {what}: there is nothing to correct")
    if not correction.registers:
        raise BadRequest("what its registers showed must be told / 须登记示数")
    if not 1 <= len(correction.word.strip()) <= WORD_MAX:
        raise BadRequest(f"say why, in at most {WORD_MAX} characters / 须说明更正原因,最多 {WORD_MAX} 字")
    check_registers(correction.registers)
    check_evidence(correction.evidence)
    return entry, at
