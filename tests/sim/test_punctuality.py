"""Of those who paid, 95 % have current within half an hour; where not, people are told (CTRL-16)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from meterlink.cli import app
from meterlink.cli.asking import Asking
from meterlink.journal.journal import Journal
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.attention.alarms import Alarms
from meterlink.orders.book import Book
from meterlink.orders.reconciliation import punctuality
from meterlink.orders.reconciliation.punctuality import (
    ALARM_DAYS,
    CASES_MIN,
    DAYS_MAX,
    NAMED_MAX,
    Punctuality,
    Share,
    Waited,
)
from meterlink.roster.roster import Roster
from metersim import Simulation
from tests.sim.test_local_prepayment import Shop
from tests.sim.test_orders_after_exchange import a_gateway, exchanged
from tests.sim.test_orders_of_a_changed_roster import change
from tests.sim.test_waiting_for_current import alarms
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import TUESDAY, OrderGateway, one_meter

M = f"m{ADDRESS}"
DAY = "2026-11-24"
A_DAY = timedelta(days=1)


async def _counted(gateway: OrderGateway, day: str = DAY, days: int = 1) -> Mapping[str, Any]:
    return await gateway.ask("anna", "reconnections", day=day, days=days)


async def _figures(gateway: OrderGateway, **of: Any) -> tuple[int, int, int, bool]:
    found = await _counted(gateway, **of)
    return found["in_time"], len(found["late"]), found["waiting"], found["is_kept"]


async def _paid_and_pressed(gateway: OrderGateway, minutes: float) -> None:
    """Somebody is cut off, pays, and presses the key so much later."""
    await gateway.cut_off(M)
    (close,) = (await gateway.paid(M))["orders"]
    await gateway.until(close, "waiting_for_key")
    await asyncio.sleep(minutes * 60)
    assert gateway.press_key()
    await gateway.until(close)


def test_who_presses_the_key_in_time_is_counted_so(tmp_path: Path) -> None:
    """The figure that the utility is measured by would count frames, and not light."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        assert (0, 0, 0, True) == await _figures(gateway)
        await _paid_and_pressed(gateway, 20)
        assert (1, 0, 0, True) == await _figures(gateway)
        assert (0, 0, 0, True) == await _figures(gateway, day="2026-11-23", days=5), "not of that day"
        await asyncio.sleep(16 * 3600)
        assert (1, 0, 0, True) == await _figures(gateway, day="2026-11-25", days=2)
        assert "RECONNECT_SHARE" not in await alarms(gateway)

    gateway.run(seconds=17 * 3600, meanwhile=script)


def test_who_waits_for_longer_is_late_and_told_in_the_night(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would see that payers wait for hours as long as each has it within a day."""
    monkeypatch.setattr(punctuality, "CASES_MIN", 1)
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close, "waiting_for_key")
        assert (0, 0, 1, True) == await _figures(gateway), "there still is time"
        await asyncio.sleep(31 * 60)
        assert (0, 1, 0, False) == await _figures(gateway), "in the dark, and too late already"
        assert gateway.press_key()
        await gateway.until(close)
        found = await _counted(gateway, days=30)
        assert ([{"meter": M, "cause": "billing:p1"}], False) == (found["late"], found["is_kept"])
        assert "RECONNECT_SHARE" not in await alarms(gateway), "the day is not over"
        await asyncio.sleep(16 * 3600)
        assert "RECONNECT_SHARE" in await alarms(gateway)
        await asyncio.sleep(48 * 3600)
        told = (await gateway.ask("david", "alarm.list"))["alarms"]
        (alarm,) = [one for one in told if one["rule"] == "RECONNECT_SHARE"]
        assert ("0 %", "95 %", 1) == (alarm["value"], alarm["threshold"], alarm["count"]), "of each day once"

    gateway.run(seconds=66 * 3600, meanwhile=script)


def test_who_paid_into_a_wallet_that_never_got_it_waits_too(tmp_path: Path) -> None:
    """Those in the dark for the longest would not count, because nothing could be sent to them."""
    shop = Shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        await gateway.until("t-1")
        gateway.unplug()
        await gateway.paid(M)
        await asyncio.sleep(20 * 60)
        assert (0, 0, 1, True) == await _figures(gateway)
        await asyncio.sleep(26 * 3600)
        late = (await _counted(gateway))["late"]
        assert [{"meter": M, "cause": "billing:p1"}] == late
        assert (0, 0, 0, True) == await _figures(gateway, day="2026-11-25"), "of the day on which it began"

    shop.run(30 * 3600, script)


def test_who_waits_while_the_trip_is_read_back_counts(tmp_path: Path) -> None:
    """Nothing can be opened for him yet, and his half hour is over all the same."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        gateway.strikes.then(gateway.unplug)
        await gateway.trip("t-1", M)
        await gateway.until("t-1", "readback", "unconfirmed")
        await gateway.paid(M)
        await asyncio.sleep(35 * 60)
        assert (0, 1, 0, False) == await _figures(gateway)

    gateway.run(seconds=2 * 3600, meanwhile=script)


def test_who_gets_another_meter_while_he_waits_is_one(tmp_path: Path) -> None:
    """He would count as late for ever at the meter that is gone, and as in time at the new one."""
    gateway = a_gateway(tmp_path)

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        await gateway.paid(M)
        await asyncio.sleep(120)
        gateway.plugged = True
        await exchanged(gateway)
        await asyncio.sleep(15 * 60)
        gateway.press_key()
        await asyncio.sleep(4 * 3600)
        assert (1, 0, 0, True) == await _figures(gateway)

    gateway.run(seconds=6 * 3600, meanwhile=script)


@pytest.mark.parametrize(("minutes", "figures"), [(20, (1, 0, 0, True)), (40, (0, 1, 0, False))])
def test_who_waited_at_a_meter_that_has_gone_still_counts(
    tmp_path: Path, minutes: float, figures: tuple[int, int, int, bool]
) -> None:
    """The share of a month would become another one with each meter that is taken away."""
    gateway = a_gateway(tmp_path)

    async def script() -> None:
        await _paid_and_pressed(gateway, minutes)
        assert figures == await _figures(gateway)
        await change(gateway, in_service_until=gateway.now().isoformat())
        await asyncio.sleep(60)
        assert "no meter" in str(
            await gateway.refused("clara", "order.create", order=gateway.order("t-2", "trip", M))
        )
        assert figures == await _figures(gateway)

    gateway.run(seconds=2 * 3600, meanwhile=script)


@pytest.mark.parametrize(("most", "is_whole"), [(3, True), (2, False)])
def test_a_count_that_could_not_look_at_all_orders_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, is_whole: bool
) -> None:
    """A share of some would be told as that of all."""
    monkeypatch.setattr(punctuality, "READ_MAX", most)
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await _paid_and_pressed(gateway, 20)  # by a trip and a permit
        assert is_whole is (await _counted(gateway, days=DAYS_MAX))["is_whole"]

    gateway.run(seconds=3600, meanwhile=script)


def test_a_day_is_looked_at_an_hour_behind_it_and_the_newest_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who paid just before midnight would be late or forgotten, or an alarm be as long as a bad month."""
    midnight = datetime.combine(TUESDAY.date(), time(), CHINA_TIME)
    sim = Simulation(seed=1, start=midnight.astimezone(UTC) + timedelta(minutes=59, seconds=59))
    asked: list[tuple[date, int]] = []
    waits = tuple(
        Waited(meter="m1", cause=f"p{n}", since=TUESDAY - A_DAY, energised_at=None, is_late=True)
        for n in range(CASES_MIN)
    )

    async def count(_: Punctuality, last: date, days: int = 1) -> Share:
        asked.append((last, days))
        return Share(first=last, last=last, waits=waits, is_whole=True)

    monkeypatch.setattr(Punctuality, "count", count)

    async def script() -> None:
        async with Journal.open(tmp_path / "journal.sqlite3", clock=sim.clock) as journal:
            alarms = Alarms(journal.acts, sim.clock, zone=CHINA_TIME)
            book = Book(journal.acts, sim.clock)
            punctual = Punctuality(book, alarms, Roster(()), sim.clock, CHINA_TIME)
            for _ in range(3):
                await punctual.look()
                await asyncio.sleep(1)
            days = [TUESDAY.date() - 2 * A_DAY, TUESDAY.date() - A_DAY]
            assert [(day, ALARM_DAYS) for day in days] == asked, "each once"
            (alarm,) = await alarms.list()
        named = tuple(f"evidence:p{n}" for n in range(CASES_MIN - NAMED_MAX, CASES_MIN))
        assert ("0 %", named) == (alarm.seen.value, alarm.seen.evidence)

    sim.run(script())


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"day": "2026-11-25"}, "days be 1 to 366"),
        ({"days": 0}, "days be 1 to 366"),
        ({"days": DAYS_MAX + 1}, "days be 1 to 366"),
        ({"day": "0001-01-01"}, "of the years 2000 to 2999"),
    ],
)
def test_days_that_nobody_can_count_are_refused(tmp_path: Path, args: dict[str, Any], words: str) -> None:
    """A mistyped day would read as one on which all was well."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        error = await gateway.refused("anna", "reconnections", **{"day": DAY, "days": 1, **args})
        assert words in str(error)

    gateway.run(seconds=30, meanwhile=script)


@pytest.mark.parametrize(("late", "is_kept"), [(0, True), (1, True), (2, False)])
def test_ninety_five_of_a_hundred_are_enough(late: int, is_kept: bool) -> None:
    """The alarm would come for every single one, or never."""
    waits = tuple(
        Waited(meter="m1", cause=f"p{n}", since=TUESDAY, energised_at=TUESDAY, is_late=n < late)
        for n in range(20)
    )
    day = TUESDAY.date()
    few = Share(first=day, last=day, waits=waits[:19], is_whole=True)
    assert not few.is_alarming, "one of nineteen is more than 5 %"
    assert is_kept is not Share(first=day, last=day, waits=waits, is_whole=True).is_alarming
    assert is_kept is Share(first=day, last=day, waits=waits, is_whole=True).is_kept


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", "1 of 2 had current within 30 minutes (50 %, wanted 95 %)"),
        ("zh", "2户中1户在30分钟内复电(50 %,要求95 %)"),
    ],
)
def test_the_command_says_who_waited(monkeypatch: pytest.MonkeyPatch, lang: str, words: str) -> None:
    """People would read a figure, and not find whom to call."""
    late = [{"meter": "m7", "cause": "billing:p9"}]
    told = {"first": DAY, "last": DAY, "in_time": 1, "late": late, "waiting": 0}
    told |= {"wanted_percent": 95, "is_kept": False, "is_whole": True}
    monkeypatch.setattr(Asking, "_asked", lambda _, op, **args: {**told, "op": op, **args})
    ended = CliRunner().invoke(app, ["order", "punctual", "--day", DAY, "--lang", lang])
    assert (1, True, True) == (ended.exit_code, words in ended.stdout, "m7  billing:p9" in ended.stdout)
