"""Who asks for consumption once, and then for what became another since, has what is asked for anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from meterlink.billing.days import end_of
from meterlink.billing.estimating import Estimator
from meterlink.errors import MeterlinkError
from meterlink.model.marks import Marks
from meterlink.model.zone import CHINA_TIME
from meterlink.roster.exchange import Exchange
from meterlink.roster.saying import Saying
from meterlink.roster.turns import Turn
from tests.support.billing import FIRST_DAY, TOTAL, Plant, plant
from tests.support.web import served

_DAY = timedelta(days=1)
_ONE = FIRST_DAY + 8 * _DAY
_MONTH = f"/v1/consumption?from={FIRST_DAY + 5 * _DAY}&to={FIRST_DAY + 9 * _DAY}"
_GUESSED = f"/v1/consumption?from={_ONE}&to={_ONE}&estimates=true"
Row = dict[str, Any]


@dataclass
class _Life:
    """A plant to which anything happens, told early and late."""

    at: Plant
    rng: Random
    registers: dict[str, Decimal] = field(default_factory=dict)
    exchanged: int = 0

    async def day(self, number: int) -> None:
        """A night is read, with holes and corrections, and something else happens."""
        day, rng = FIRST_DAY + number * _DAY, self.rng
        self.at.after(day, hours=rng.uniform(0.5, 20))
        for meter in list(self.registers):
            self.registers[meter] += Decimal(rng.randrange(500)) / 100
            if rng.random() < 0.75:
                await self.at.keep(meter, day, {TOTAL: self.registers[meter]})
            if rng.random() < 0.1 and number:
                await self.correct(FIRST_DAY + rng.randrange(number) * _DAY)
        if number == 13:
            with suppress(MeterlinkError):  # it may have come only since
                await self._remove()
        happens: list[Callable[[], Awaitable[object]]] = [self._moves, self._ratio, self._exchange]
        for event in rng.sample([*happens, self._estimate, self._reverse], 2):
            if rng.random() < 0.4:
                with suppress(MeterlinkError):
                    await event()

    async def correct(self, day: Any) -> None:
        """Another value of a day, which may be good for nothing."""
        meter, marks = (
            self.rng.choice(list(self.registers)),
            self.rng.choice([Marks.CONFLICT, Marks.CLOCK_FAR]),
        )
        await self.at.keep(meter, day, {TOTAL: Decimal(self.rng.randrange(20_000)) / 100}, marks=marks)

    def _ago(self, hours: int) -> Any:
        return self.at.clock.now - timedelta(hours=self.rng.uniform(0, hours))

    async def _moves(self) -> None:
        number = self.rng.randrange(1, 5)
        if f"m{number}" in self.registers:
            told = {"area": self.rng.choice(["east", "west"]), "ct": self.rng.choice(["30", "20"])}
            customer = f"{self.rng.randrange(10**6):012d}"
            await self.at.put(number, saying=Saying.NEW_CUSTOMERS, customer_number=customer, **told)

    async def _ratio(self) -> None:
        meter, ratio = self.rng.choice(list(self.registers)), Decimal(self.rng.choice([10, 30, 40]))
        since = end_of(self._ago(500).date(), CHINA_TIME) - timedelta(hours=self.rng.choice([24, 36]))
        told = Turn(meter=meter, at=since, ct=ratio, registers={}, void_later=True)
        await self.at.book.turn(told, actor="li")

    async def _exchange(self) -> None:
        old, at = self.rng.choice(list(self.registers)), self._ago(400)
        self.exchanged += 1
        new = f"n{self.exchanged}"
        exchange = Exchange(
            old=old,
            new=new,
            meter_number=f"{900 + self.exchanged:012d}",
            removed_at=at,
            installed_at=at,
            last={TOTAL: Decimal(9_999)},
            first={TOTAL: Decimal(0)},
        )
        await self.at.book.exchange(exchange, actor="li")
        del self.registers[old]
        self.registers[new] = Decimal(0)

    async def _remove(self) -> None:
        """It was taken out weeks ago, and somebody tells it now."""
        if len(self.registers) > 2:
            meter = self.rng.choice(list(self.registers))
            turn = Turn(meter=meter, at=self._ago(1) - 11 * _DAY, registers={TOTAL: Decimal(9_999)})
            await self.at.book.turn(turn, actor="li")
            del self.registers[meter]

    async def _estimate(self) -> None:
        estimator = Estimator(self.at.freezes, self.at.journal.acts, self.at.clock)
        await estimator.estimate(self.rng.choice(list(self.registers)), TOTAL, _ONE, actor="li")

    async def _reverse(self) -> None:
        await Estimator(self.at.freezes, self.at.journal.acts, self.at.clock).reverse_due()


async def _news(
    client: httpx.AsyncClient, url: str, since: str, life: _Life
) -> tuple[list[Row], list[str], str]:
    """The rows since, two a page, those that are gone, and where they end; something may come between."""
    rows: list[Row] = []
    gone: list[str] = []
    as_of, where = "", f"{url}&limit=2" + (f"&since={since}" if since else "")
    while where:
        told = await client.get(where)
        assert 200 == told.status_code, told.text
        as_of = as_of or told.json()["as_of"]
        page = told.json()
        assert len(page["consumption"]) + len(page["gone"]) <= 2, "a page is no longer than was asked for"
        rows += page["consumption"]
        gone += page["gone"]
        where = told.links.get("next", {}).get("url", "")
        if where and life.rng.random() < 0.2:
            await life.correct(_ONE)
    return rows, gone, as_of


def _take(held: dict[str, Row], rows: list[Row], gone: list[str]) -> None:
    for meter in gone:
        held.pop(meter, None)
    for row in rows:
        for meter in row["place"]:
            held.pop(meter, None)
    held |= {row["meter"]: row for row in rows}


@pytest.mark.asyncio
@pytest.mark.parametrize("url", [_MONTH, f"{_MONTH}&area=east", _GUESSED])
@pytest.mark.parametrize("seed", [20261122, 1, 2, 3])
async def test_the_news_alone_are_as_good_as_all(tmp_path: Path, url: str, seed: int) -> None:
    """A correction, an exchange or a ratio that was told late would never reach the bill."""
    held: dict[str, Row] = {}
    since, asked, taken, lost = "", 0, 0, 0
    async with plant(tmp_path) as at, served(tmp_path) as api, api.client(api.token()) as client:
        life = _Life(at, Random(seed))
        at.after(FIRST_DAY - 2 * _DAY)
        await at.put(1, 2, 3, 4, area="east", ct="30")
        life.registers = {f"m{number}": Decimal("100.00") for number in range(1, 5)}
        for number in range(28):
            await life.day(number)
            if life.rng.random() < 0.6 or number == 27:
                rows, gone, since = await _news(client, url, since, life)
                _take(held, rows, gone)
                lost += len(gone)
                asked, taken = asked + 1, taken + len(rows)
        last = (await client.get(f"{url}&since={since}")).json()
        _take(held, last["consumption"], last["gone"])
        everything = (await client.get(url)).json()["consumption"]
    assert {row["meter"]: row for row in everything} == held
    assert life.exchanged and asked > 10
    assert lost or url == _GUESSED or seed != 20261122, "some rows are gone"
    assert taken < asked * 4 * 0.8, "and it is not all of it, each time"


@pytest.mark.asyncio
async def test_a_row_that_is_gone_is_told(tmp_path: Path) -> None:
    """Billing would keep for ever the consumption of days on which the meter was gone already."""
    async with plant(tmp_path) as at, served(tmp_path) as api, api.client(api.token()) as client:
        at.after(FIRST_DAY - 2 * _DAY)
        await at.put(1, 2, area="east")
        for number in range(6):
            at.after(FIRST_DAY + number * _DAY)
            await at.keep("m1", FIRST_DAY + number * _DAY, {TOTAL: str(100 + number)})
        url = f"/v1/consumption?from={FIRST_DAY + 3 * _DAY}&to={FIRST_DAY + 4 * _DAY}"
        page = (await client.get(url)).json()
        assert (["m1", "m2"], []) == ([row["meter"] for row in page["consumption"]], page["gone"])
        gone_at = end_of(FIRST_DAY + _DAY, CHINA_TIME) + timedelta(hours=1)
        turn = Turn(meter="m1", at=gone_at, registers={TOTAL: Decimal(105)})
        await at.book.turn(turn, actor="li")
        for more in ("", "&area=east", "&meter=m1"):
            since = (await client.get(f"{url}{more}&since={page['as_of']}")).json()
            assert ([], ["m1"]) == (since["consumption"], since["gone"]), more
        for more in ("&area=west", "&meter=m2"):
            assert [] == (await client.get(f"{url}{more}&since={page['as_of']}")).json()["gone"], more
