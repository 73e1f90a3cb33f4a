"""Months of a plant with faults: whoever keeps amounts, and asks for what became another, has what holds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final, Literal

import httpx
import pytest

from meterlink.accounts.tokens import Scope
from meterlink.errors import BadRequest
from meterlink.roster.correction import Correction
from meterlink.roster.faults import RosterRefused
from meterlink.roster.turns import Turn
from meterlink.validation.judge import Judge
from meterlink.validation.validator import Validator
from tests.support.billed_months import ITEMS, Months
from tests.support.billing import FIRST_DAY, AnyFacts, Plant, plant
from tests.support.web import served

_DAYS: Final = 32
_DAY: Final = timedelta(days=1)
_SPANS: Final = ((2, 2), (9, 9), (3, 12), (15, 15), (10, 20), (0, 31))
"""First and last day, counted from the first of all."""

Row = dict[str, Any]


@dataclass
class _Mirror:
    """What somebody has who asks for one span and area again and again.

    Args:
        client: asks.
        url: without its page.
        rng: of the pages.

    """

    client: httpx.AsyncClient
    url: str
    rng: Random
    rows: dict[str, Row] = field(default_factory=dict)
    as_of: str = ""
    news: int = 0

    async def follow(self) -> None:
        """Take what became another since the last time; then nothing is other than at the gateway."""
        found, _, as_of = await self._asked("")
        if not self.as_of:
            self.rows = found
        else:
            new, gone, as_of = await self._asked(f"&since={self.as_of}")
            for meter in (*gone, *(one for row in new.values() for one in row["place"])):
                self.rows.pop(meter, None)
            self.rows |= new
            self.news += len(new) + len(gone)
        self.as_of = as_of
        assert found == self.rows, self.url

    async def _asked(self, more: str) -> tuple[dict[str, Row], list[str], str]:
        """Rows by meter, who is gone, and as of when: page after page."""
        rows: dict[str, Row] = {}
        gone, as_of = list[str](), ""
        url = f"{self.url}{more}&limit={self.rng.choice((2, 3, 1000))}"
        while url:
            answer = await self.client.get(url)
            page = answer.json()
            rows |= {row["meter"]: row for row in page["consumption"]}
            gone += page["gone"]
            as_of = as_of or page["as_of"]
            url = answer.links.get("next", {}).get("url", "")
        return rows, gone, as_of


async def _told_otherwise(at: Plant, months: Months, rng: Random) -> None:
    """People tell of a meter that it went, that it stood elsewhere, or that a register was another."""
    chance, one = rng.random(), rng.choice(months.customers[:4])
    ends: tuple[Literal["first", "last"], ...] = ("first", "last")
    with contextlib.suppress(BadRequest, RosterRefused):  # of a meter that went already, for one
        if chance < 0.2 and len(one.meters) > 1:
            number, end = rng.randrange(1, len(one.meters)), rng.choice(ends)
            meter = one.meters[number if end == "first" else number - 1]
            registers = {ITEMS[0]: Decimal(rng.randrange(90_000_000)) / 100}
            await at.book.correct(
                Correction(meter=meter, end=end, registers=registers, word="typed wrongly"), actor="li"
            )
        elif chance < 0.3:
            goes = months.customers[4]
            when = at.clock.now - timedelta(hours=rng.randrange(1, 100))
            await at.book.turn(Turn(meter=goes.meter, at=when, registers=dict(goes.registers)), actor="li")
        elif chance < 0.4:
            one = rng.choice(months.customers)
            ratio, customer = str(one.multiplier), f"{one.number:012d}"
            await at.put(one.number, area=f"area{rng.randrange(3)}", ct=ratio, customer_number=customer)


def _mirrors(client: httpx.AsyncClient, rng: Random) -> Iterator[tuple[int, _Mirror]]:
    """By the day from which on it can be asked for, counted from the first of all."""
    for first, last in _SPANS:
        for area in ("", "&area=area1"):
            days = f"from={FIRST_DAY + first * _DAY}&to={FIRST_DAY + last * _DAY}"
            yield last, _Mirror(client, f"/v1/consumption?{days}{area}", rng)


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", [2, 3])
async def test_who_follows_amounts_has_those_of_the_gateway(tmp_path: Path, seed: int) -> None:
    """An amount that became another, or doubtful, would be billed as it was, and nobody would hear of it."""
    rng = Random(seed)
    async with plant(tmp_path) as at, served(tmp_path) as api:
        at.journal.judge = Judge(Validator(AnyFacts()), {})
        months = Months(at, rng)
        await months.begin()
        async with api.client(api.token(Scope.CONSUMPTION)) as client:
            mirrors = list(_mirrors(client, rng))
            for number in range(_DAYS):
                await months.day(FIRST_DAY + number * _DAY)
                await _told_otherwise(at, months, rng)
                for last, one in mirrors:
                    if last <= number and rng.random() < 0.4:
                        await one.follow()
            for _, one in mirrors:
                await one.follow()
        assert all(one.news for last, one in mirrors if last < _DAYS - 1), "something came of each"
