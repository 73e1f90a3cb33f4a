"""Months of a plant with faults: what billing gets is what the journal has, each once, and adds up."""

from __future__ import annotations

import contextlib
import csv
import io
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from meterlink.accounts.tokens import Scope
from meterlink.billing.days import end_of
from meterlink.billing.estimates import ESTIMATED, standing
from meterlink.billing.estimating import Estimator
from meterlink.billing.freezes import FreezeRow
from meterlink.billing.source import Freezes
from meterlink.errors import BadRequest
from meterlink.journal.reader import JournalReader
from meterlink.model.act import Topic
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.reading import Record
from meterlink.model.zone import CHINA_TIME
from tests.support.billed_months import ITEMS, SILENT, Customer, Months
from tests.support.billing import FIRST_DAY, JOURNAL, Plant, plant
from tests.support.web import served

_DAYS = 32
_DAY = timedelta(days=1)
_ASKED = {22, 23, SILENT, SILENT + 1}
"""Days whose estimates are asked for: there are some weeks before them."""
_ALL = [FIRST_DAY + n * _DAY for n in range(_DAYS)]

Rows = Counter[tuple[int, str, str, str]]
"""Row of the log, meter, item, value."""


def _kept(folder: Path) -> Rows:
    """The freezes of the log, read as the log is."""
    with JournalReader(folder / JOURNAL) as reader:
        rows = reader.rows_after(0, 100_000)
    return Counter(
        (row.id, one.meter, one.item, str(one.value))
        for row in rows
        if isinstance(row.record, Record) and row.record.data_class == DAILY_FREEZE
        for one in row.record.readings
    )


def _followed(freezes: Freezes, cursor: int, rng: Random) -> tuple[Rows, int]:
    """What whoever goes on from a cursor gets, in pages of any size."""
    found: Rows = Counter()
    while cursor < freezes.newest():
        rows, cursor = freezes.after(cursor, limit=rng.randrange(1, 40))
        found.update((row.seq, row.meter, one.item, str(one.value)) for row in rows for one in row.registers)
    return found, cursor


async def _pulled(folder: Path, rng: Random) -> Rows:
    """What whoever follows the API from nothing gets, in pages of any size."""
    found: Rows = Counter()
    query, more = "", True
    async with served(folder) as api, api.client(api.token(Scope.FREEZE)) as client:
        while more:
            page = (await client.get(f"/v1/daily-freeze?limit={rng.randrange(20, 60)}{query}")).json()
            query, more = f"&cursor={page['cursor']}", page["more"]
            found.update(
                (row["seq"], row["meter"], one["item"], one["value"])
                for row in page["freezes"]
                for one in row["registers"]
            )
    return found


def _sealed(at: Plant) -> Rows:
    """What stands in the seals and supplements of all days."""
    found: Rows = Counter()
    settlements = at.settlements()
    for one in settlements.list():
        with settlements.open_file(one.day, one.area, one.number, "daily-freeze.csv") as file:
            text = io.StringIO(file.read().decode(), newline="")
        for row in csv.DictReader(text):
            assert (one.day.isoformat(), one.area) == (row["day"], row["area"])
            found[int(row["seq"]), row["meter"], row["item"], row["value"]] += 1
    return found


def _adds_up(freezes: Freezes, one: Customer, rng: Random) -> int:
    """Of any days between two freezes exactly what was used, or a reason; how many days had one.

    So the days of a span together are the span.
    """
    days = sorted(one.told)
    steps = list(pairwise(days))
    spans = [*steps, (days[0], days[-1]), *(sorted(rng.sample(days, 2)) for _ in range(10))]
    for item in ITEMS:
        for before, last in spans:
            meter, used = one.truth[last]
            found = freezes.consumption(meter, item, before + _DAY, last)
            since, until = end_of(before, CHINA_TIME), end_of(last, CHINA_TIME)
            is_broken = any(since < at < until for at in one.breaks)
            truth = None if is_broken else used[item] - one.truth[before][1][item]
            assert truth == found.amount, (meter, before, last, found)
    for day in sorted(set(_ALL) - one.told - {FIRST_DAY}):
        assert "missing" == freezes.consumption(one.truth[day][0], ITEMS[0], day, day).kind, "never a guess"
    return len(steps)


def _multiplied(freezes: Freezes, months: Months) -> int:
    """Each freeze that holds has the ratio of its time, told late or not; how many came again."""
    held: dict[tuple[str, date], FreezeRow] = {}
    cursor, told_again = 0, 0
    while cursor < freezes.newest():
        rows, cursor = freezes.after(cursor)
        for row in rows:
            before = held.get((row.meter, row.day))
            told_again += before is not None and before.place.multiplier != row.place.multiplier
            held[row.meter, row.day] = row
    for one in months.customers:
        for day in one.told:
            row = held[one.truth[day][0], day]
            assert one.ratios[day] == row.place.multiplier, (one.number, day)
    return told_again


async def _estimated(estimator: Estimator, months: Months, day: date) -> None:
    """Ask for an estimate of each day that was not read; some are refused."""
    for one in months.customers:
        if day not in one.told:
            with contextlib.suppress(BadRequest):
                await estimator.estimate(one.meter, ITEMS[0], day, actor="li")


async def _estimates_end(at: Plant, months: Months) -> int:
    """No estimate stands beside a reading of its day or of later, nor beside another; how many were made."""
    made = await at.journal.acts.of_verb(Topic.ESTIMATE, ESTIMATED, since=at.clock.now - 99 * _DAY)
    subjects = await at.journal.acts.subjects(Topic.ESTIMATE, only_open=True)
    acts = [act for one in subjects for act in await at.journal.acts.of_subject(Topic.ESTIMATE, one)]
    stand = {(estimate.meter, estimate.day) for estimate in standing(acts)}
    for one in months.customers:
        days = sorted(day for meter, day in stand if meter in one.meters)
        assert all(last - day > _DAY for day, last in pairwise(days)), "never two in a row"
        assert all(max(one.told) < day for day in days), "the reading has come"
    return len(made)


@pytest.mark.asyncio
@pytest.mark.parametrize(("seed", "told_again"), [(1, True), (2, True), (3, True), (7, False), (11, True)])
async def test_what_billing_gets_is_what_was_kept_and_adds_up(
    tmp_path: Path, seed: int, told_again: bool
) -> None:
    """A freeze missed or doubled on the way, or an amount that is not exact, is a wrong bill."""
    rng = Random(seed)
    async with plant(tmp_path) as at:
        months = Months(at, rng)
        await months.begin()
        settler = at.settler(formats=("csv",))
        estimator = Estimator(at.freezes, at.journal.acts, at.clock)
        followed: Rows = Counter()
        cursor = 0
        for number, day in enumerate(_ALL):
            await months.day(day)
            if number in _ASKED:
                await _estimated(estimator, months, day)
            late = _ALL[max(0, number - 9) : number + 1] if number % 5 == 4 else [day]
            for one in late:
                for area in ("area0", "area1"):
                    await settler.settle(one, area)
            if rng.random() < 0.3:
                with at.freezes() as freezes:
                    found, cursor = _followed(freezes, cursor, rng)
                    followed += found
        for day in _ALL:
            for area in ("area0", "area1"):
                await settler.settle(day, area)
        with at.freezes() as freezes:
            found, cursor = _followed(freezes, cursor, rng)
            followed += found
            kept = _kept(tmp_path)
            assert kept == followed == _followed(freezes, 0, rng)[0] == _sealed(at)
            assert kept == await _pulled(tmp_path, rng)
            assert 1 == max(kept.values())
            assert (_multiplied(freezes, months) > 0) == told_again
            assert sum(_adds_up(freezes, one, rng) for one in months.customers) > 160
        await estimator.reverse_due()
        assert await _estimates_end(at, months) > 1
        supplements = [one for one in at.settlements().list() if one.number > 1]
        assert supplements and months.exchanges and months.corrected, "all that can happen has happened"
        rolled = months.customers[0]
        assert rolled.registers[ITEMS[0]] < 900_000, "the register has rolled over"
