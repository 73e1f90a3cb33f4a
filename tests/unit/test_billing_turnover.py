"""What people tell of a meter's coming and going: a digit that is mistyped must not become a bill."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterlink.billing.consumption import Consumption
from meterlink.billing.days import end_of
from meterlink.model.marks import Marks
from meterlink.model.zone import CHINA_TIME
from meterlink.roster.exchange import Exchange
from meterlink.roster.turns import Turn
from tests.support.billing import FIRST_DAY, TOTAL, Plant, plant

_DAY = timedelta(days=1)
_DAYS = 20
_WHEN = end_of(FIRST_DAY + (_DAYS - 1) * _DAY, CHINA_TIME) + timedelta(hours=10)
"""When meters are exchanged: on the day behind the last freeze of the old ones."""


async def _begun(at: Plant, *starts: str, days: int = _DAYS, **keys: Any) -> None:
    """Meters m1, m2, ... that count 1 kWh a day; the exchange is told five minutes late."""
    at.after(FIRST_DAY - 3 * _DAY)
    await at.put(*range(1, len(starts) + 1), **keys)
    for number in range(_DAYS - days, _DAYS):
        at.after(FIRST_DAY + number * _DAY)
        for meter, start in enumerate(starts, start=1):
            await at.keep(f"m{meter}", FIRST_DAY + number * _DAY, {TOTAL: Decimal(start) + number})
    at.clock.now = _WHEN + timedelta(minutes=5)


def _exchange(number: int, last: str, first: str = "0", at: datetime = _WHEN) -> Exchange:
    return Exchange(
        old=f"m{number}",
        new=f"n{number}",
        meter_number=f"{990 + number:012d}",
        removed_at=at,
        installed_at=at,
        last={TOTAL: Decimal(last)},
        first={TOTAL: Decimal(first)},
    )


async def _next(at: Plant, number: int, value: str, day: int = _DAYS) -> None:
    """The new meter's freeze."""
    at.after(FIRST_DAY + day * _DAY)
    await at.keep(f"n{number}", FIRST_DAY + day * _DAY, {TOTAL: value})


def _of(at: Plant, meter: str, day: int = _DAYS) -> Consumption:
    with at.freezes() as freezes:
        return freezes.consumption(meter, TOTAL, FIRST_DAY + day * _DAY, FIRST_DAY + day * _DAY)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("last", "first", "then", "quality"),
    [
        ("119.5", "0", "0.5", "valid"),
        ("121.00", "0", "0.5", "valid"),
        ("121.01", "0", "0.5", "suspect"),
        ("219.5", "0", "0.5", "suspect"),
        ("99119.5", "0", "0.5", "suspect"),
        ("119.5", "3", "5.00", "valid"),
        ("119.5", "3", "5.01", "suspect"),
    ],
)
async def test_a_told_register_is_held_against_the_usual_day(
    tmp_path: Path, last: str, first: str, then: str, quality: str
) -> None:
    """VEE-12: of 219.5 in place of 119.5 a customer who uses one kWh a day would pay a hundred, unseen."""
    async with plant(tmp_path) as at:
        await _begun(at, "100")
        await at.book.exchange(_exchange(1, last, first), actor="li")
        await _next(at, 1, then)
        made = _of(at, "n1")
        assert (quality, quality == "suspect") == (made.quality, Marks.METER_CHANGE in made.marks)
        assert Decimal(last) - 119 + Decimal(then) - Decimal(first) == made.amount, "kept for a person to see"


@pytest.mark.asyncio
@pytest.mark.parametrize(("last", "quality"), [("380.00", "valid"), ("489.00", "suspect")])
async def test_without_usual_days_the_meter_itself_is_the_limit(
    tmp_path: Path, last: str, quality: str
) -> None:
    """A meter of some days could else be told to have shown anything."""
    async with plant(tmp_path) as at:
        await _begun(at, "100", days=2)
        await at.book.exchange(_exchange(1, last), actor="li")
        await _next(at, 1, "0.5")
        assert quality == _of(at, "n1").quality


@pytest.mark.asyncio
async def test_a_removal_is_held_against_the_usual_day(tmp_path: Path) -> None:
    """The last bill of who moves out is made of what somebody wrote down."""
    async with plant(tmp_path) as at:
        await _begun(at, "100", "100")
        for meter, shown in (("m1", "119.5"), ("m2", "219.5")):
            turn = Turn(meter=meter, at=_WHEN, registers={TOTAL: Decimal(shown)})
            await at.book.turn(turn, actor="li")
        at.after(FIRST_DAY + _DAYS * _DAY)
        assert ["valid", "suspect"] == [_of(at, meter).quality for meter in ("m1", "m2")]


@pytest.mark.asyncio
async def test_the_usual_day_is_multiplied_and_of_the_meter_before(tmp_path: Path) -> None:
    """Behind other transformers the same customer counts otherwise; that is no mistake of anybody."""
    async with plant(tmp_path) as at:
        await _begun(at, "100", ct="30")
        told = _exchange(1, "119.5")
        told = Exchange(**{**{key: getattr(told, key) for key in told.__slots__}, "ct": Decimal(1)})
        await at.book.exchange(told, actor="li")
        await _next(at, 1, "15")
        assert (Decimal(30), "valid") == (_of(at, "n1").amount, _of(at, "n1").quality)
