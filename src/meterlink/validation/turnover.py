"""What people tell that a meter showed when it came or went, against what is usual in a day.

Nobody reads the register of that moment a second time: a digit that was mistyped is a bill that is wrong,
and both neighbours of it look sound. So what was counted up to it, and from it on, may be no more than twice
what is usual, for each day that lies between; where nothing is known to be usual, no more than the meter can
count.

Source: VEE-12, VEE-06.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final, NamedTuple

from meterlink.model.history import Shown
from meterlink.validation.case import Step, step
from meterlink.validation.facts import MeterFacts
from meterlink.validation.registers import A_DAY

TIMES: Final = 2
"""So often what is usual. Source: VEE-12."""
USUAL_DAYS: Final = 30
"""Days before that are looked at. Source: business-rules, section 5."""
USUAL_DAYS_MIN: Final = 3
"""Of which so many have to be valid: what is too strict costs a look, what is too lax a wrong bill."""


class Usual(NamedTuple):
    """What is usual where a meter came or went.

    Args:
        a_day: of energy, multiplied; ``None``: too few days are known.

    """

    a_day: Decimal | None


def usual_day(valid: Iterable[Shown], item: str, facts: MeterFacts) -> Decimal | None:
    """The median of what a register counted in a day, not multiplied; ``None``: too few days are known.

    Args:
        valid: what it showed at the ends of days with nothing doubtful about it, oldest first.
        item: the register.
        facts: of the meter.

    """
    shortest, longest = A_DAY
    counted = [
        made.counted
        for before, after in pairwise(valid)
        if shortest <= after.at - before.at <= longest
        and (made := step(before, after, item, facts)).counted >= 0
    ]
    return statistics.median(counted) if len(counted) >= USUAL_DAYS_MIN else None


def most(usual: Usual, span: timedelta, facts: MeterFacts, multiplier: Decimal) -> Decimal:
    """The most that may have been counted beside a told register, multiplied.

    Args:
        usual: where the meter came or went.
        span: between the register that was told and the freeze beside it; less than a day counts as one.
        facts: of the meter.
        multiplier: of what its registers show.

    """
    days = max(Step(Decimal(0), span).days, Decimal(1))
    return days * (facts.day_max * multiplier if usual.a_day is None else TIMES * usual.a_day)


def is_doubtful(made: Step, usual: Usual, facts: MeterFacts, multiplier: Decimal) -> bool:
    """Whether a step to or from a register that was told is more than can be believed unseen."""
    return made.counted * multiplier > most(usual, made.span, facts, multiplier)
