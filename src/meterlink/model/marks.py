"""Marks on a reading: what is doubtful about it. Nothing is dropped; billing sees the marks.

A mark is one bit, and stands with its number in the journal and in the database (the fields ``marks`` and
``ITEM_marks``), with its name on MQTT. What it means for billing is its standing: that of a reading is the
worst of its marks.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from enum import IntFlag
from functools import lru_cache
from typing import Final, NamedTuple


class Marks(IntFlag):
    """Bit mask of marks; a bit number never changes once released (it stands in the database).

    Names in lower case are what travels over MQTT. Source: business-rules, section 5; decision 14.
    """

    INVALID_DIGITS = 1 << 0
    """The meter sent digits that are not BCD: no value."""
    ABSENT = 1 << 1
    """The meter filled the item with FFH: it does not have it."""
    REG_BACK = 1 << 2
    """The register went back, and did not roll over."""
    ROLL_OVER = 1 << 3
    """The register has passed its capacity since the reading before."""
    SUDDEN_CHANGE = 1 << 4
    """The consumption is far from that of the last 30 days."""
    TARIFF_SUM = 1 << 5
    """Total and tariffs of the register do not add up."""
    CLOCK_DEV = 1 << 6
    """The meter's clock was more than 300 s off on the day of the freeze."""
    CLOCK_FAR = 1 << 7
    """The meter's clock was more than a day off on the day of the freeze."""
    FRZ_TIME = 1 << 8
    """The freeze was taken more than an hour from midnight."""
    METER_MIXED = 1 << 9
    """The meter that answers has another number than the roster's."""
    METER_FAULT = 1 << 10
    """The meter says that something of it is broken or a battery is low."""
    DUPLICATE = 1 << 11
    """The same value was kept before for the same item and slot."""
    CONFLICT = 1 << 12
    """Another value was kept before for the same item and slot."""
    BACKFILL = 1 << 13
    """It was read from the meter's memory, later than counts as on time."""
    RESTATED = 1 << 14
    """The value was kept before; a reading from before it, or its meter's ratio, was told since."""

    METER_CHANGE = 1 << 15
    """What was told of the meter's coming or going is far from what was read, or from the usual day."""

    @property
    def names(self) -> tuple[str, ...]:
        """The marks that are set, lower case, in bit order."""
        if not self:  # as nearly always
            return ()
        return _names(self.value)

    def words(self, lang: str) -> tuple[str, ...]:
        """What each mark says in ``en`` or ``zh``, in bit order."""
        return tuple(getattr(MARK_WORDS[mark], lang) for mark in Marks if mark in self)

    @property
    def standing(self) -> Standing:
        """What they mean for billing, all together."""
        if not self:  # as nearly always; billing asks it of each register
            return Standing.VALID
        return _standing(self.value)

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


class Standing(enum.IntEnum):
    """What becomes of a reading in billing, from good to bad. Source: business-rules, section 5."""

    VALID = 0
    """Billing may take it."""
    SUSPECT = 1
    """Billing takes it when a person has confirmed it."""
    REJECTED = 2
    """It is kept, and billing never takes it."""


class MarkWords(NamedTuple):
    """What a mark means.

    Args:
        standing: for billing.
        en: one sentence, without its full stop.
        zh: the same in Chinese.

    """

    standing: Standing
    en: str
    zh: str


_V, _S, _R = Standing.VALID, Standing.SUSPECT, Standing.REJECTED

MARK_WORDS: Final[Mapping[Marks, MarkWords]] = {
    Marks.INVALID_DIGITS: MarkWords(
        _R,
        "the meter sent digits that are not decimal: there is no value",
        "电能表返回非BCD数据,无有效值",
    ),
    Marks.ABSENT: MarkWords(
        _R, "the meter filled the item with FFH: it does not have it", "电能表以FFH填充,无此数据项"
    ),
    Marks.REG_BACK: MarkWords(_S, "the register went back and did not roll over", "示数倒走且非满度翻转"),
    Marks.ROLL_OVER: MarkWords(
        _V, "the register has rolled over since the reading before", "示数自上次抄读以来满度翻转"
    ),
    Marks.SUDDEN_CHANGE: MarkWords(
        _S, "the day's consumption is far from that of the last 30 days", "日用电量较近30天突变"
    ),
    Marks.TARIFF_SUM: MarkWords(_S, "the total is not the sum of its tariffs", "总示数与各费率示数之和不符"),
    Marks.CLOCK_DEV: MarkWords(
        _S,
        "the meter's clock was more than 300 s off on the day of the freeze",
        "冻结日电能表时钟偏差超过300秒",
    ),
    Marks.CLOCK_FAR: MarkWords(
        _R,
        "the meter's clock was more than a day off on the day of the freeze",
        "冻结日电能表时钟偏差超过1天",
    ),
    Marks.FRZ_TIME: MarkWords(
        _R, "the freeze was taken more than an hour from midnight", "冻结时间偏离零点超过1小时"
    ),
    Marks.METER_MIXED: MarkWords(
        _S, "the meter that answers has another number than in the roster", "应答电能表表号与档案不符"
    ),
    Marks.METER_FAULT: MarkWords(
        _V, "the meter tells of a fault or a low battery of its own", "电能表自报故障或电池欠压"
    ),
    Marks.DUPLICATE: MarkWords(
        _V, "the same value had been kept for this item and slot", "同一数据项同一时标已有相同数值"
    ),
    Marks.CONFLICT: MarkWords(
        _S, "another value had been kept for this item and slot", "同一数据项同一时标已有不同数值"
    ),
    Marks.BACKFILL: MarkWords(
        _V, "it was read later than counts as on time, from the meter's memory", "补抄:由电能表存储数据补采"
    ),
    Marks.RESTATED: MarkWords(
        _V,
        "the value was kept before with other marks or another ratio, until what is before it came late",
        "较早数据补抄或倍率补登后,该值已重新判定",
    ),
    Marks.METER_CHANGE: MarkWords(
        _S,
        "what was told that the meter showed when it came or went is more than two usual days from what was "
        "read",
        "装拆换表登记的止码或起码与抄见值之差超过两倍日均用电量",
    ),
}
"""What each mark means, for people and for billing."""

_SETS_KEPT: Final = 1_024
"""Sets of marks kept with what they say: a night of backfill has one for a hundred thousand registers."""


@lru_cache(maxsize=_SETS_KEPT)
def _names(bits: int) -> tuple[str, ...]:
    return tuple(mark.name.lower() for mark in Marks if mark in Marks(bits) and mark.name)


@lru_cache(maxsize=_SETS_KEPT)
def _standing(bits: int) -> Standing:
    return max((MARK_WORDS[mark].standing for mark in Marks if mark in Marks(bits)), default=Standing.VALID)


NO_MARKS = Marks(0)
"""A reading with nothing doubtful about it."""

UNUSABLE: Final = Marks(
    sum(mark for mark, words in MARK_WORDS.items() if words.standing is Standing.REJECTED)
)
"""The marks of readings that nothing is measured against."""
OF_LOOKS: Final = Marks.CLOCK_DEV | Marks.CLOCK_FAR | Marks.METER_FAULT
"""What a freeze is marked for by what its meter shows on that day. Source: VEE-13, VEE-18."""
