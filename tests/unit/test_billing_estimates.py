"""Estimates: on request alone, never two in a row, never an amount, and taken back by the real reading."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterlink.billing.days import end_of
from meterlink.billing.estimates import ESTIMATED, REVERSED, subject_of
from meterlink.billing.estimating import Estimator
from meterlink.errors import BadRequest
from meterlink.model.act import Topic
from meterlink.model.marks import Marks
from meterlink.model.zone import CHINA_TIME
from meterlink.roster.exchange import Exchange
from meterlink.roster.saying import Saying
from tests.support.billing import FIRST_DAY, TOTAL, Plant, plant
from tests.support.web import served

_DAY = FIRST_DAY + timedelta(days=28)
_ONE = timedelta(days=1)
_SAME = {7: "10.0", 14: "11.0", 21: "40.0", 28: "12.5"}
"""Days before, and what was consumed on each."""


async def _month(at: Plant, same: Mapping[int, str] = _SAME) -> Estimator:
    """A meter with some same weekdays, each between two freezes, and the one that begins the day."""
    await at.put(1)
    shown = Decimal(100)
    for before in sorted(same, reverse=True):
        day = _DAY - before * _ONE
        at.after(day)
        await at.keep("m1", day - _ONE, {TOTAL: shown})
        shown += Decimal(same[before])
        await at.keep("m1", day, {TOTAL: shown})
    await at.keep("m1", _DAY - _ONE, {TOTAL: Decimal("500.00")})
    at.after(_DAY)
    return Estimator(at.freezes, at.journal.acts, at.clock)


async def _verbs(at: Plant, day: date = _DAY) -> list[str]:
    acts = await at.journal.acts.of_subject(Topic.ESTIMATE, subject_of("m1", TOTAL, day))
    return [one.act.verb for one in acts]


@pytest.mark.asyncio
async def test_an_estimate_is_the_median_of_the_same_weekdays_and_no_amount(tmp_path: Path) -> None:
    """A feast would be billed as an ordinary day; or an estimate would pass for what a meter counted."""
    async with plant(tmp_path) as at:
        estimator = await _month(at)
        made = await estimator.estimate("m1", TOTAL, _DAY, actor="li")
        assert (Decimal("11.75"), 1, "li") == (made.amount, made.version, made.actor)
        assert tuple(_DAY - n * _ONE for n in (7, 14, 21, 28)) == made.basis
        assert made == await estimator.estimate("m1", TOTAL, _DAY, actor="wang"), "it stands"
        assert [ESTIMATED] == await _verbs(at)
        with at.freezes() as freezes:
            assert None is freezes.consumption("m1", TOTAL, _DAY, _DAY).amount
            assert [] == [row for row in freezes.after(0)[0] if row.day == _DAY]


@pytest.mark.asyncio
async def test_the_reading_takes_it_back_and_a_new_one_is_another_version(tmp_path: Path) -> None:
    """A day would be billed twice: as it was estimated, and as it was measured."""
    async with plant(tmp_path) as at:
        estimator = await _month(at)
        await estimator.estimate("m1", TOTAL, _DAY, actor="li")
        assert 0 == await estimator.reverse_due()
        await at.keep("m1", _DAY, {TOTAL: "509.00"})
        assert (1, 0) == (await estimator.reverse_due(), await estimator.reverse_due())
        assert [ESTIMATED, REVERSED] == await _verbs(at)
        [*_, last] = await at.journal.acts.of_subject(Topic.ESTIMATE, subject_of("m1", TOTAL, _DAY))
        assert ("11.75", "9.00", False) == (
            last.act.body["estimate"],
            last.act.body["measured"],
            last.act.is_open,
        )
        with pytest.raises(BadRequest, match="measured"):
            await estimator.estimate("m1", TOTAL, _DAY, actor="li")
        await at.keep("m1", _DAY, {TOTAL: "509.00"}, marks=Marks.CLOCK_FAR)
        assert 2 == (await estimator.estimate("m1", TOTAL, _DAY, actor="li")).version


@pytest.mark.asyncio
async def test_never_two_in_a_row_and_a_later_freeze_takes_it_back(tmp_path: Path) -> None:
    """A meter that is dead would be billed for months by what it once counted."""
    async with plant(tmp_path) as at:
        estimator = await _month(at)
        await estimator.estimate("m1", TOTAL, _DAY, actor="li")
        at.after(_DAY + 3 * _ONE)
        for days in (1, 2):
            with pytest.raises(BadRequest, match="two days in a row"):
                await estimator.estimate("m1", TOTAL, _DAY + days * _ONE, actor="li")
        await at.keep("m1", _DAY + 3 * _ONE, {TOTAL: "540.00"})
        with pytest.raises(BadRequest, match=f"--to {_DAY + 3 * _ONE}"):
            await estimator.estimate("m1", TOTAL, _DAY, actor="li")
        assert [ESTIMATED, REVERSED] == await _verbs(at)
        [*_, last] = await at.journal.acts.of_subject(Topic.ESTIMATE, subject_of("m1", TOTAL, _DAY))
        assert ("40.00", str(_DAY + 3 * _ONE)) == (last.act.body["measured"], last.act.body["measured_to"])


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("day", "meter", "why"),
    [
        (_DAY + _ONE, "m1", "not over"),
        (_DAY, "m9", "never knew"),
        (_DAY - 7 * _ONE, "m1", "is measured"),
    ],
)
async def test_what_cannot_be_estimated_is_refused(tmp_path: Path, day: date, meter: str, why: str) -> None:
    """A number would stand for a day of which nothing is to be guessed."""
    async with plant(tmp_path) as at:
        estimator = await _month(at)
        with pytest.raises(BadRequest, match=why):
            await estimator.estimate(meter, TOTAL, day, actor="li")
        assert [] == await at.journal.acts.subjects(Topic.ESTIMATE, only_open=False)


@pytest.mark.asyncio
async def test_one_weekday_is_not_enough(tmp_path: Path) -> None:
    """A bill would be made of one day that nobody compared with another."""
    async with plant(tmp_path) as at:
        estimator = await _month(at, {7: "10.0"})
        with pytest.raises(BadRequest, match="1 are valid"):
            await estimator.estimate("m1", TOTAL, _DAY, actor="li")


async def _last(at: Plant, day: date = _DAY) -> Mapping[str, Any]:
    [*_, last] = await at.journal.acts.of_subject(Topic.ESTIMATE, subject_of("m1", TOTAL, day))
    assert REVERSED == last.act.verb
    return last.act.body


@pytest.mark.asyncio
async def test_the_meter_in_its_place_takes_it_back(tmp_path: Path) -> None:
    """A meter that fell silent is exchanged: what it was estimated to count would be billed a second time."""
    async with plant(tmp_path) as at, served(tmp_path) as api:
        estimator = await _month(at)
        await estimator.estimate("m1", TOTAL, _DAY, actor="li")
        noon = at.clock.now = end_of(_DAY, CHINA_TIME) + timedelta(hours=12)
        last, first = {TOTAL: Decimal("515.00")}, {TOTAL: Decimal("0.00")}
        exchange = Exchange(
            old="m1",
            new="m9",
            meter_number="000000000009",
            removed_at=noon,
            installed_at=noon,
            last=last,
            first=first,
        )
        await at.book.exchange(exchange, actor="li")
        assert 0 == await estimator.reverse_due(), "no day has an end yet"
        asked = {"from": str(_DAY), "to": str(_DAY + _ONE), "estimates": "true"}
        async with api.client(api.token()) as client:
            [row] = (await client.get("/v1/consumption", params=asked)).json()["consumption"]
        assert ("m9", [str(_DAY)]) == (row["meter"], [one["day"] for one in row["estimates"]])
        await at.keep("m9", _DAY + _ONE, {TOTAL: "5.00"})
        assert 1 == await estimator.reverse_due()
        told = await _last(at)
        assert ("20.00", str(_DAY), str(_DAY + _ONE)) == (
            told["measured"],
            told["measured_from"],
            told["measured_to"],
        )


@pytest.mark.asyncio
async def test_the_day_before_is_not_estimated_when_its_end_is_taken_back(tmp_path: Path) -> None:
    """Two estimates in a row would stand, and the readings behind them take back only one."""
    async with plant(tmp_path) as at:
        estimator = await _month(at)
        await at.keep("m1", _DAY - 2 * _ONE, {TOTAL: "489.00"})
        await estimator.estimate("m1", TOTAL, _DAY, actor="li")
        await at.keep("m1", _DAY - _ONE, {TOTAL: "500.00"}, marks=Marks.INVALID_DIGITS)
        for weeks in (1, 2):  # so that the day before has same weekdays, too
            await at.keep("m1", _DAY - 7 * weeks * _ONE - 2 * _ONE, {TOTAL: str(480 - weeks)})
            await at.keep("m1", _DAY - 7 * weeks * _ONE - _ONE, {TOTAL: str(480 - weeks)})
        with pytest.raises(BadRequest, match="two days in a row"):
            await estimator.estimate("m1", TOTAL, _DAY - _ONE, actor="li")
        await at.keep("m1", _DAY, {TOTAL: "519.00"})
        assert 1 == await estimator.reverse_due()
        told = await _last(at)
        assert ("30.00", str(_DAY - _ONE), str(_DAY)) == (
            told["measured"],
            told["measured_from"],
            told["measured_to"],
        )


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("behind", "ct", "shown", "told"),
    [
        (3, "30", "540.00", (None, "multiplier_changed")),
        (3, "1", "1.00", (None, "went_back")),
        (500, "1", "900.00", ("400.00", None)),
    ],
)
async def test_a_reading_takes_it_back_whatever_it_says_and_whenever(
    tmp_path: Path, behind: int, ct: str, shown: str, told: tuple[str | None, str | None]
) -> None:
    """An estimate would stand for ever beside a reading that covers its day."""
    async with plant(tmp_path) as at:
        estimator = await _month(at)
        await estimator.estimate("m1", TOTAL, _DAY, actor="li")
        at.after(_DAY + behind * _ONE, hours=-12)
        await at.put(1, ct=ct)
        at.after(_DAY + behind * _ONE)
        await at.keep("m1", _DAY + behind * _ONE, {TOTAL: shown})
        assert (1, 0) == (await estimator.reverse_due(), await estimator.reverse_due())
        found = await _last(at)
        assert told == (found["measured"], found["lack"])
        with pytest.raises(BadRequest, match="reading has come"):
            await estimator.estimate("m1", TOTAL, _DAY, actor="li")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("told", "days", "is_made"),
    [
        ({"customer_number": "000000000099"}, 10, False),
        ({"customer_number": "000000000099"}, 17, True),
        ({"ct": "30"}, 10, False),
        ({"ct": "30"}, 17, True),
    ],
)
async def test_an_estimate_rests_on_days_of_its_own_customer(
    tmp_path: Path, told: Mapping[str, str], days: int, is_made: bool
) -> None:
    """Who moved in four days ago would be billed what the one before him used."""
    async with plant(tmp_path) as at:
        estimator = Estimator(at.freezes, at.journal.acts, at.clock)
        at.after(FIRST_DAY - 3 * _ONE)
        await at.put(1, customer_number="000000000001", ct="1")
        before = {"customer_number": "000000000001", "ct": "1"}
        for number in range(28):
            day = FIRST_DAY + number * _ONE
            if number == 28 - days:
                await at.put(1, saying=Saying.NEW_CUSTOMERS, **{**before, **told})
            at.after(day)
            await at.keep("m1", day, {TOTAL: Decimal(100 * number if number < 28 - days else 3000 + number)})
        at.after(_DAY)
        if is_made:
            made = await estimator.estimate("m1", TOTAL, _DAY, actor="li")
            assert (Decimal(told.get("ct", 1)), 2) == (made.amount, len(made.basis))
            return
        with pytest.raises(BadRequest, match=r"1 are valid.*3 are of before the customer"):
            await estimator.estimate("m1", TOTAL, _DAY, actor="li")
