"""Of those who paid, 95 % have current within half an hour; where not, people are told (CTRL-16)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from meterlink.cli import app
from meterlink.cli.asking import Asking
from meterlink.orders.reconciliation import punctuality
from meterlink.orders.reconciliation.punctuality import DAYS_MAX, Share, Waited
from tests.sim.test_waiting_for_current import alarms
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import TUESDAY, OrderGateway, one_meter

M = f"m{ADDRESS}"
DAY = "2026-11-24"


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


@pytest.mark.parametrize(
    "args", [{"day": "2026-11-25"}, {"days": 0}, {"days": DAYS_MAX + 1}, {"day": "0001-01-01"}]
)
def test_days_that_nobody_can_count_are_refused(tmp_path: Path, args: dict[str, Any]) -> None:
    """A mistyped day would read as one on which all was well."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        error = await gateway.refused("anna", "reconnections", **{"day": DAY, "days": 1, **args})
        assert "days be 1 to 366" in str(error)

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
