"""Consumption between two freezes, exact: across roll-over, change of multiplier and exchange of the meter.

Nothing is estimated: where an end is missing, doubtful to the point of being rejected, or cannot be connected
with the other, there is no amount, and the reason stands in its place. What may be doubtful about an amount
are the marks of all readings that it was made of.

Source: VEE-02, VEE-03, VEE-12; decision 11: consumption of day d = R(d) - R(d-1).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import Final, Literal

from meterlink.model.history import Shown
from meterlink.model.marks import NO_MARKS, UNUSABLE, Marks
from meterlink.model.register import EXACT, QUALITY
from meterlink.model.slot import Lang
from meterlink.validation.case import Step, step
from meterlink.validation.facts import MeterFacts
from meterlink.validation.turnover import Usual, is_doubtful


class Lack(enum.Enum):
    """Why there is no amount."""

    NO_START = "no_start"
    NO_END = "no_end"
    START_REJECTED = "start_rejected"
    END_REJECTED = "end_rejected"
    WENT_BACK = "went_back"
    NO_EXCHANGE_REGISTERS = "no_exchange_registers"
    MULTIPLIER_CHANGED = "multiplier_changed"
    CUSTOMER_CHANGED = "customer_changed"
    NO_REGISTER = "no_register"


LACK_WORDS: Final[Mapping[Lack, Mapping[Lang, str]]] = {
    Lack.NO_START: {"en": "the freeze at the beginning is missing", "zh": "缺少起始冻结示数"},
    Lack.NO_END: {"en": "the freeze at the end is missing", "zh": "缺少截止冻结示数"},
    Lack.START_REJECTED: {
        "en": "the freeze at the beginning may not be used",
        "zh": "起始冻结示数不可用",
    },
    Lack.END_REJECTED: {"en": "the freeze at the end may not be used", "zh": "截止冻结示数不可用"},
    Lack.WENT_BACK: {
        "en": "the register went back, and did not roll over",
        "zh": "示数倒走且非满度翻转",
    },
    Lack.NO_EXCHANGE_REGISTERS: {
        "en": "the meter was put in or taken out, and what this register showed then was not told",
        "zh": "期间装、拆或换表,但未登记该示数的起码或止码",
    },
    Lack.MULTIPLIER_CHANGED: {
        "en": "the multiplier became another, and what the register showed then is not known",
        "zh": "期间倍率变更,变更时的示数未知",
    },
    Lack.CUSTOMER_CHANGED: {
        "en": "the meter came to another customer, and whose energy it is is not known",
        "zh": "期间更换用户,无法区分各自用电量",
    },
    Lack.NO_REGISTER: {"en": "the item is no register that only counts up", "zh": "该数据项不是单向累计示数"},
}
"""One sentence each, without its full stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What a register showed at one end of a stretch.

    Args:
        at: when; aware.
        value: what it showed; ``None``: nothing that is known.
        marks: of the reading; none of what people told.
        seq: of the freeze in the log; ``None``: the end is when the meter was put in or taken out, or when
            its multiplier became another, and people tell what it showed, or nobody does.
        usual: where people tell what a meter showed when it came or went; ``None``: it is no such end.

    """

    at: datetime
    value: Decimal | None
    marks: Marks = NO_MARKS
    seq: int | None = None
    usual: Usual | None = None

    @property
    def is_usable(self) -> bool:
        """Whether it may stand in a bill."""
        return self.value is not None and not self.marks & UNUSABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What one meter counted with one multiplier.

    Args:
        meter: our id of it.
        facts: of the meter.
        multiplier: that held all the time; ``None``: it became another.
        start: its beginning; ``None``: nothing was kept of it.
        end: its end; ``None``: the same.
        between: what the register showed between them, in order of time; looked through once.

    """

    meter: str
    facts: MeterFacts
    multiplier: Decimal | None
    start: End | None
    end: End | None
    between: Iterable[End] = ()


Kind = Literal["measured", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumption:
    """What was consumed by one register between two instants.

    Args:
        item: e.g. ``forward_active_energy.t1``.
        amount: in the unit of the register, multiplied; ``None`` with ``lack``.
        lack: why there is none.
        at_meter: our id of the meter at which it lacks.
        marks: of all that it was made of.
        parts: by meter, what its register counted, not multiplied, and its multiplier.
        seqs: the freezes that it was made of.

    """

    item: str
    amount: Decimal | None
    lack: Lack | None = None
    at_meter: str = ""
    marks: Marks = NO_MARKS
    parts: tuple[tuple[str, Decimal, Decimal], ...] = ()
    seqs: tuple[int, ...] = ()

    @property
    def kind(self) -> Kind:
        """Whether there is an amount."""
        return "missing" if self.amount is None else "measured"

    @property
    def quality(self) -> str:
        """``valid``, ``suspect`` or ``rejected``."""
        return QUALITY[self.marks.standing]


def consumption(item: str, stretches: Sequence[Stretch]) -> Consumption:
    """What a register counted over stretches that follow each other, one a meter and multiplier.

    E = (R_old,end - R_old,start) M_old + (R_new,end - R_new,start) M_new + ... (VEE-12). A register that has
    passed its capacity is gone on with (VEE-03); whether it did is seen between neighbours in time, so that
    a stretch is the sum of its parts, and one in which the register went back has no amount.

    Args:
        item: whose register.
        stretches: at least one, in order of time.

    """
    total, marks = Decimal(0), NO_MARKS
    parts: list[tuple[str, Decimal, Decimal]] = []
    seqs: list[int] = []
    for one in stretches:
        lack = _lack(one)
        if lack is None and not one.facts.capacities(item.partition(".")[0]):
            lack = Lack.NO_REGISTER
        if lack is not None:
            return Consumption(item=item, amount=None, lack=lack, at_meter=one.meter, marks=marks)
        assert one.start is not None and one.end is not None and one.multiplier is not None, "nothing lacks"
        counted, of_the_way = _way(one, item)
        marks |= one.start.marks & ~_OF_A_STEP | of_the_way | one.end.marks
        if counted is None:
            return Consumption(item=item, amount=None, lack=Lack.WENT_BACK, at_meter=one.meter, marks=marks)
        parts.append((one.meter, counted, one.multiplier))
        seqs += [end.seq for end in (one.start, one.end) if end.seq is not None]
        total = EXACT.add(total, EXACT.multiply(counted, one.multiplier))
    return Consumption(item=item, amount=total, marks=marks, parts=tuple(parts), seqs=tuple(seqs))


_OF_A_STEP: Final = Marks.REG_BACK | Marks.ROLL_OVER | Marks.SUDDEN_CHANGE
"""Marks about the way to a reading, which say nothing of the way from it."""


def _way(one: Stretch, item: str) -> tuple[Decimal | None, Marks]:
    """What was counted from neighbour to neighbour, ``None``: it went back; and the marks of those steps."""
    assert one.start is not None and one.end is not None, "nothing lacks"
    total, marks, before = Decimal(0), NO_MARKS, one.start
    for end in chain(one.between, (one.end,)):
        if not end.is_usable:
            continue
        made = step(_shown(before), _shown(end), item, one.facts)
        if made.counted < 0:
            return None, marks | Marks.REG_BACK
        marks |= end.marks & _OF_A_STEP | _of_a_turn(one, before, end, made)
        total, before = EXACT.add(total, made.counted), end
    return total, marks


def _of_a_turn(one: Stretch, before: End, end: End, made: Step) -> Marks:
    """The mark of a step to or from what people told of the meter's coming or going (VEE-12)."""
    assert one.multiplier is not None, "nothing lacks"
    told = [usual for usual in (before.usual, end.usual) if usual is not None]
    if any(is_doubtful(made, usual, one.facts, one.multiplier) for usual in told):
        return Marks.METER_CHANGE
    return NO_MARKS


def _shown(end: End) -> Shown:
    assert end.value is not None, "it is usable"
    return Shown(end.at, end.value)


def _lack(one: Stretch) -> Lack | None:
    """Why a stretch has no amount; ``None``: its ends are there, and one multiplier."""
    for end, missing, rejected in (
        (one.start, Lack.NO_START, Lack.START_REJECTED),
        (one.end, Lack.NO_END, Lack.END_REJECTED),
    ):
        if end is None:
            return missing
        if end.value is None and end.seq is None:
            return Lack.NO_EXCHANGE_REGISTERS
        if not end.is_usable:
            return rejected
    return Lack.MULTIPLIER_CHANGED if one.multiplier is None else None
