"""Estimates of a day's consumption: made when somebody asks, and taken back when the real reading comes.

An estimate is never a reading, nor part of an amount: it is an act of the chain about one register and one
day, with the days it was made of. One is made only where the freeze that ends the day cannot be used, and the
one that begins it can; so the day behind it, which has no beginning, has none: never two in a row.

Source: VEE-02. What is expected of a day is the median of what was consumed on the same weekday by its own
customer, with its own multiplier: what somebody else used tells nothing of him.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from meterlink.billing.consumption import LACK_WORDS, Lack
from meterlink.billing.source import Freezes
from meterlink.errors import BadRequest
from meterlink.model.act import Act, KeptAct, Topic
from meterlink.model.payload import time_out
from meterlink.model.register import EXACT

WEEKS: Final = 4
"""Same weekdays that are looked at. Source: section 5, the last 30 days."""
DAYS_MIN: Final = 2
"""Of which so many have to be valid: one may have been a feast."""
ESTIMATED: Final = "estimated"
REVERSED: Final = "reversed"
_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)
_ENDS: Final = frozenset({Lack.NO_END, Lack.END_REJECTED})
_STARTS: Final = frozenset({Lack.NO_START, Lack.START_REJECTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is expected to have been consumed on a day.

    Args:
        meter: our id of it.
        item: the register.
        day: which.
        version: 1 is the first of this day.
        amount: in the unit of the register, multiplied.
        basis: the days whose consumption it is the median of.
        at: when it was made; aware, UTC.
        actor: who asked for it.

    """

    meter: str
    item: str
    day: date
    version: int
    amount: Decimal
    basis: tuple[date, ...]
    at: datetime
    actor: str

    def as_json(self) -> dict[str, Any]:
        """For programs; decimals and times are text."""
        return {
            "kind": ESTIMATED,
            "day": self.day.isoformat(),
            "version": self.version,
            "amount": format(self.amount, "f"),
            "basis": [one.isoformat() for one in self.basis],
            "at": time_out(self.at),
            "actor": self.actor,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the readings around an estimate's day say of it.

    Args:
        first: the day that the last usable freeze before it begins.
        last: the day that the first usable freeze since ends.
        amount: of those days, exact; ``None`` with ``lack``.
        lack: why there is none, though the reading has come.
        seqs: the freezes that it was made of.

    """

    first: date
    last: date
    amount: Decimal | None
    lack: Lack | None
    seqs: tuple[int, ...]


def expected(freezes: Freezes, meter: str, item: str, day: date) -> tuple[Decimal, tuple[date, ...]]:
    """What is expected of a day, and the days that this is made of.

    Args:
        freezes: of the journal.
        meter: our id of it.
        item: the register.
        day: whose freeze at its end is missing or rejected.

    Raises:
        BadRequest: there is nothing to estimate, or nothing to do it with.
        JournalError: the journal cannot be read.

    """
    found = freezes.consumption(meter, item, day, day)
    if found.lack in _STARTS:
        raise in_a_row(meter, day)
    if found.lack not in _ENDS:
        why = "it is measured / 已有实测值" if found.lack is None else _words(found.lack)
        raise BadRequest(f"{meter} {day}: nothing is estimated: {why}")
    if (known := measured(freezes, meter, item, day)) is not None:
        raise BadRequest(
            f"{meter} {day}: nothing is estimated: a reading has come that tells of it: ask for "
            f"--from {known.first} --to {known.last} / 请查询该区间的实测用电量"
        )
    end = freezes.end_of(day)
    days = [day - weeks * _WEEK for weeks in range(1, WEEKS + 1)]
    his = [then for then in days if freezes.points.is_one_hand(meter, freezes.end_of(then - _DAY), end)]
    basis = [
        (then, made.amount)
        for then in his
        if (made := freezes.consumption(meter, item, then, then)).amount is not None
        and made.quality == "valid"
    ]
    if len(basis) < DAYS_MIN:
        others = len(days) - len(his)
        why = (
            f", and {others} are of before the customer or the multiplier became another"
            " (之前的日期属其他用户或其他倍率)"
            if others
            else ""
        )
        raise BadRequest(
            f"{meter} {day}: nothing is estimated: of the last {WEEKS} same weekdays {len(basis)} are valid, "
            f"and it takes {DAYS_MIN}{why} / 同星期有效日不足,无法估算"
        )
    return _median([amount for _, amount in basis if amount is not None]), tuple(then for then, _ in basis)


def in_a_row(meter: str, day: date) -> BadRequest:
    """Why a day is not estimated beside another one."""
    return BadRequest(
        f"{meter} {day}: the day before has no end, or a day beside it is estimated, and two days in a row "
        "are never estimated / 相邻日已缺止码或已估算,不得连续估算"
    )


def measured(freezes: Freezes, meter: str, item: str, day: date) -> Measured | None:
    """What the reading that came since tells of a day; ``None``: none came.

    Of the meter or of those that came in its place, whenever: a reading takes the estimate back, also where
    it cannot be told what was consumed since the one before.

    Raises:
        JournalError: the journal cannot be read.

    """
    found = freezes.consumption(meter, item, day, day)
    first = last = day
    if found.amount is None:
        if (span := freezes.around(meter, item, day)) is None:
            return None
        first, last = span
        found = freezes.consumption(meter, item, first, last)
    return Measured(first=first, last=last, amount=found.amount, lack=found.lack, seqs=found.seqs)


def standing(acts: Iterable[KeptAct]) -> list[Estimate]:
    """The estimates that stand after some acts, in their order; those taken back are left out."""
    held: dict[str, Estimate] = {}
    versions: dict[str, int] = {}
    for kept in acts:
        act = kept.act
        if act.verb == REVERSED:
            held.pop(act.subject, None)
            continue
        versions[act.subject] = versions.get(act.subject, 0) + 1
        held[act.subject] = Estimate(
            meter=act.meter,
            item=act.body["item"],
            day=date.fromisoformat(act.body["day"]),
            version=versions[act.subject],
            amount=Decimal(act.body["amount"]),
            basis=tuple(map(date.fromisoformat, act.body["basis"])),
            at=act.at,
            actor=act.actor,
        )
    return list(held.values())


def subject_of(meter: str, item: str, day: date) -> str:
    """Of the acts that tell of the estimates of a register's day."""
    return f"{meter}/{item}/{day.isoformat()}"


def act_of(estimate: Estimate, step: int) -> Act:
    """The act that makes an estimate stand."""
    told = {"item": estimate.item, **estimate.as_json()}
    return Act(
        topic=Topic.ESTIMATE,
        subject=subject_of(estimate.meter, estimate.item, estimate.day),
        step=step,
        verb=ESTIMATED,
        at=estimate.at,
        actor=estimate.actor,
        meter=estimate.meter,
        body={key: told[key] for key in ("item", "day", "amount", "basis")},
        is_open=True,
    )


def reversal(estimate: Estimate, step: int, known: Measured, *, at: datetime, actor: str) -> Act:
    """The act that takes an estimate back, with what is known in its place."""
    return Act(
        topic=Topic.ESTIMATE,
        subject=subject_of(estimate.meter, estimate.item, estimate.day),
        step=step,
        verb=REVERSED,
        at=at,
        actor=actor,
        meter=estimate.meter,
        body={
            "item": estimate.item,
            "day": estimate.day.isoformat(),
            "estimate": format(estimate.amount, "f"),
            "measured": None if known.amount is None else format(known.amount, "f"),
            "lack": None if known.lack is None else known.lack.value,
            "measured_from": known.first.isoformat(),
            "measured_to": known.last.isoformat(),
            "seqs": list(known.seqs),
        },
    )


def _median(amounts: Sequence[Decimal]) -> Decimal:
    """Exact: half a sum has one digit more."""
    ordered, middle = sorted(amounts), len(amounts) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return EXACT.divide(EXACT.add(ordered[middle - 1], ordered[middle]), Decimal(2))


def _words(lack: Lack) -> str:
    return " / ".join(LACK_WORDS[lack].values())
