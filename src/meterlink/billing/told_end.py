"""What people told that a register showed when its meter came or went, against what was read beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Final, Literal

from meterlink.billing.consumption import End
from meterlink.model.history import Shown
from meterlink.validation.case import Step, step
from meterlink.validation.facts import MeterFacts
from meterlink.validation.turnover import is_doubtful, most

Side = Literal["first", "last"]
"""``first``: when the meter was put in; ``last``: when it was taken out."""
_SHOWN: Final = Decimal("0.01")
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldEnd:
    """One register that was told. Source: VEE-12.

    Args:
        meter: our id of it.
        item: the register.
        side: of the meter's time.
        end: what was told, with what is usual there.
        beside: what was read next to it; ``None``: nothing was yet.
        multiplier: of what the register counted between the two.
        facts: of the meter.

    """

    meter: str
    item: str
    side: Side
    end: End
    beside: End | None
    multiplier: Decimal
    facts: MeterFacts

    @property
    def is_settled(self) -> bool:
        """Whether what was read next to it is there: no freeze will come between the two."""
        return self.beside is not None and abs(self.beside.at - self.end.at) <= _DAY

    @property
    def is_doubtful(self) -> bool:
        """Whether it cannot be believed unseen."""
        if self.beside is None or self.end.usual is None:
            return False
        made = self._step(self.beside)
        return made.counted < 0 or is_doubtful(made, self.end.usual, self.facts, self.multiplier)

    @property
    def counted_kwh(self) -> Decimal:
        """What lies between the two, multiplied; 0: nothing was read, or the register went back."""
        return Decimal(0) if self.beside is None else max(self._counted(self.beside), Decimal(0))

    @property
    def threshold(self) -> str:
        """What was read, and how far from it the register that was told may lie."""
        assert self.beside is not None and self.beside.value is not None, "something was read"
        assert self.end.usual is not None, "people told it"
        limit = most(self.end.usual, self._step(self.beside).span, self.facts, self.multiplier)
        may = (limit / self.multiplier).quantize(_SHOWN, ROUND_CEILING).normalize()
        return f"{self.beside.value:f} {'-' if self.side == 'first' else '+'} {may:f}"

    def _counted(self, beside: End) -> Decimal:
        return self._step(beside).counted * self.multiplier

    def _step(self, beside: End) -> Step:
        assert self.end.value is not None and beside.value is not None, "both are known"
        shown = Shown(self.end.at, self.end.value), Shown(beside.at, beside.value)
        before, after = shown if self.side == "first" else shown[::-1]
        return step(before, after, self.item, self.facts)
