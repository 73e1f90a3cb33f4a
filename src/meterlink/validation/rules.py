"""The table of rules: which marks each may give, to what, and what it must be told to do so."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from meterlink.model.data_classes import (
    CURVE,
    DAILY_FREEZE,
    EVENT,
    FREEZES,
    INSTANT,
    STATUS,
    DataClass,
)
from meterlink.model.marks import Marks
from meterlink.validation import circumstances, registers
from meterlink.validation.case import Case


class Needs(enum.Enum):
    """What a rule must be told beside the reading; without it, it says nothing."""

    BEFORE = "the reading before"
    DAYS = "the freezes of 30 days"
    SLOT = "the other readings of the slot"
    SAME = "what was kept of the slot"
    NUMBER = "the meter's number"
    CLOCK = "the meter's clock"
    STATUS_WORD = "status word 1"


STORED: Final[frozenset[DataClass]] = frozenset({*FREEZES, CURVE})
ALL: Final[frozenset[DataClass]] = STORED | {INSTANT, STATUS, EVENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Args:
        id: in the business rules; of one that is only ours a word.
        judge: gives its marks.
        marks: those that it may give.
        needs: what it must be told.
        classes: the data that it is about.
        is_of_step: whether it judges the step from the reading before, so that one which comes in between
            changes its verdict.
        is_of_record: whether it looks at no more than times and what the meter showed beside, which is the
            same for all readings of a record.

    """

    id: str
    judge: Callable[[Case], Marks]
    marks: Marks
    needs: frozenset[Needs] = frozenset()
    classes: frozenset[DataClass] = ALL
    is_of_step: bool = False
    is_of_record: bool = False


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        id="VEE-03",
        judge=registers.going_back,
        marks=Marks.REG_BACK | Marks.ROLL_OVER,
        needs=frozenset({Needs.BEFORE}),
        is_of_step=True,
    ),
    Rule(
        id="VEE-04",
        judge=registers.tariff_sum,
        marks=Marks.TARIFF_SUM,
        needs=frozenset({Needs.SLOT}),
    ),
    Rule(
        id="VEE-05",
        judge=registers.sudden_change,
        marks=Marks.SUDDEN_CHANGE,
        needs=frozenset({Needs.BEFORE, Needs.DAYS}),
        classes=frozenset({DAILY_FREEZE}),
        is_of_step=True,
    ),
    Rule(
        id="VEE-10",
        judge=circumstances.meter_number,
        marks=Marks.METER_MIXED,
        needs=frozenset({Needs.NUMBER}),
        is_of_record=True,
    ),
    Rule(
        id="VEE-13",
        judge=circumstances.clock,
        marks=Marks.CLOCK_DEV | Marks.CLOCK_FAR,
        needs=frozenset({Needs.CLOCK}),
        classes=frozenset(FREEZES),
        is_of_record=True,
    ),
    Rule(
        id="VEE-18",
        judge=circumstances.meter_fault,
        marks=Marks.METER_FAULT,
        needs=frozenset({Needs.STATUS_WORD}),
        classes=frozenset(FREEZES),
        is_of_record=True,
    ),
    Rule(
        id="FRZ-04",
        judge=circumstances.freeze_time,
        marks=Marks.FRZ_TIME,
        classes=frozenset({DAILY_FREEZE}),
        is_of_record=True,
    ),
    Rule(
        id="FRZ-04",
        judge=circumstances.backfill,
        marks=Marks.BACKFILL,
        classes=STORED,
        is_of_record=True,
    ),
    Rule(
        id="key",
        judge=circumstances.kept_before,
        marks=Marks.DUPLICATE | Marks.CONFLICT,
        needs=frozenset({Needs.SAME}),
    ),
)
"""Every rule that marks a reading. Source: business-rules, sections 4 and 5."""
