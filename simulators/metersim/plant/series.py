"""Ways of stealing that last by coming again and again: one happening as the others that it is made up of.

Somebody bypasses the meter every second day, so that its energy falls as the losses rise; switches the power
off and on; or programs the meter without an order, and at full strength clears its demands, too.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from math import ceil
from typing import Final

from metersim.plant.happenings import Happening
from metersim.works.tampering import Method

POWER_CYCLES_A_DAY: Final = 12
"""How often the power is off in a day at full strength; the rule begins at more than three."""
CYCLE_OFF: Final = timedelta(minutes=5)
PROGRAMMINGS: Final = 4
"""At full strength, a minute apart."""
BYPASS_DAYS: Final = 28
"""So long it goes on when nobody says how long."""

_DAY: Final = timedelta(days=1)


def series(happening: Happening) -> list[tuple[timedelta, Happening]] | None:
    """The happenings of which one is made up, and how long after it each comes; ``None`` for most.

    Args:
        happening: any.

    """
    strength = Decimal(1) if happening.strength is None else happening.strength
    if happening.theft == Method.LOSS_LINKED:
        bypass = replace(happening, theft=Method.BYPASSED, lasts=_DAY)
        return [(day * _DAY, bypass) for day in range(0, _days(happening, BYPASS_DAYS), 2)]
    if happening.theft == Method.POWER_CYCLED:
        cycles = max(int(POWER_CYCLES_A_DAY * strength), 1) if strength else 0
        outage = _part(happening, "power_outage", CYCLE_OFF)
        days = _days(happening, 1)
        return [(number * _DAY / cycles, outage) for number in range(cycles * days)]
    if happening.theft == Method.PROGRAMMED:
        times = ceil(PROGRAMMINGS * strength)
        whats = ["programming"] * times + ["demand_reset"] * (strength == 1)
        return [(timedelta(minutes=number), _part(happening, what)) for number, what in enumerate(whats)]
    return None


def _days(happening: Happening, usual: int) -> int:
    return usual if happening.lasts is None else -(-happening.lasts // _DAY)


def _part(happening: Happening, what: str, lasting: timedelta | None = None) -> Happening:
    return Happening(what=what, at=happening.at, meter=happening.meter, line=happening.line, lasts=lasting)
