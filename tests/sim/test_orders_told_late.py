"""Evidence told late, or by a clock that is wrong: the meters say whether somebody is cut off by it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from meterlink.model.order import OrderKind
from meterlink.model.payload import time_out
from meterlink.orders.judging.judge import Stopped
from tests.support.case_stories import begun, warned
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway, one_meter

M = f"m{ADDRESS}"
MINUTE = timedelta(minutes=1)
BEFORE_THE_BALANCE = 70 * MINUTE
"""The balance of these stories is an hour old."""


async def paid_earlier(gateway: OrderGateway) -> None:
    """The bank tells of money that came before the balance was made."""
    await gateway.paid(M, sender="bank", at=time_out(gateway.now() - BEFORE_THE_BALANCE))


async def refused_by(gateway: OrderGateway, rule: str, name: str) -> None:
    error = await gateway.refused("clara", "order.create", order=gateway.order(name, OrderKind.TRIP, M))
    assert isinstance(error, Stopped)
    assert rule in str(error)


def test_a_payment_that_the_bank_told_late_stops_the_next_trip(tmp_path: Path) -> None:
    """Who has paid would be dark, because his bank was slower than the balance (CTRL-11, CTRL-21)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.ask("clara", "order.create", order=gateway.order("t-0", OrderKind.TRIP, M))
        await gateway.ask("anna", "order.approve", id="t-0")
        await paid_earlier(gateway)
        assert "cancelled" == (await gateway.until("t-0"))["state"]
        await refused_by(gateway, "CTRL-11", "t-1")

    gateway.run(seconds=600, meanwhile=script)
    assert [] == gateway.obeyed()


def test_no_case_begins_for_a_debt_that_the_bank_says_is_paid(tmp_path: Path) -> None:
    """The case would end with a trip that no person had to think about."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        await warned(gateway)
        await paid_earlier(gateway)
        with pytest.raises(Stopped, match="CTRL-11"):
            await begun(gateway)

    gateway.run(seconds=600, meanwhile=script)
    assert [] == gateway.obeyed()


def test_a_payment_counts_against_a_balance_of_a_fast_clock(tmp_path: Path) -> None:
    """A balance of a clock that is minutes ahead would hide whoever pays in these minutes."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.told(
            {
                "kind": "balance_statement",
                "id": "ahead",
                "sender": "billing",
                "meter": M,
                "at": time_out(gateway.now() + 4 * MINUTE),
                "balance_cents": -12_000,
                "overdue_since": time_out(gateway.now() - timedelta(days=60)),
            }
        )
        await asyncio.sleep(120)
        await gateway.paid(M, sender="bank")
        await asyncio.sleep(130)
        await refused_by(gateway, "CTRL-11", "t-1")

    gateway.run(seconds=900, meanwhile=script)
    assert [] == gateway.obeyed()


def test_a_protection_that_is_set_after_a_lift_of_a_fast_clock_stands(tmp_path: Path) -> None:
    """Who lives by a machine would be cut off, because another clock is 4 minutes ahead (CTRL-08)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        long_ago = time_out(gateway.now() - timedelta(days=40))
        await gateway.told_of_life_support("x1", meter=M, at=long_ago)
        ahead = time_out(gateway.now() + 4 * MINUTE)
        await gateway.told_of_life_support("x2", meter=M, state="lifted", at=ahead)
        await asyncio.sleep(120)
        await gateway.told_of_life_support("x3", meter=M, sender="till")
        await asyncio.sleep(10)
        await refused_by(gateway, "CTRL-08", "t-1")

    gateway.run(seconds=900, meanwhile=script)
    assert [] == gateway.obeyed()


def test_a_protection_that_is_set_after_the_clock_was_set_back_stands(tmp_path: Path) -> None:
    """The newest word would count as the oldest one, in the night in which somebody mends the clock."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        for name, state in (("x1", "set"), ("x2", "lifted")):
            await gateway.told_of_life_support(name, meter=M, state=state)
            await asyncio.sleep(5)
        gateway.clock.ahead = -30 * MINUTE
        await gateway.told_of_life_support("x3", meter=M)
        await refused_by(gateway, "CTRL-08", "t-1")

    gateway.run(seconds=600, meanwhile=script)
    assert [] == gateway.obeyed()


def test_a_balance_that_a_clerk_brings_later_gives_light_again(tmp_path: Path) -> None:
    """Who owes nothing, as the counter found out, would stay dark by the older word of a program."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        at = time_out(gateway.now() - BEFORE_THE_BALANCE)
        clear = {"kind": "balance_statement", "id": "b-9", "sender": "clara", "at": at, "meter": M}
        await gateway.ask("clara", "evidence.add", records=[{**clear, "balance_cents": 0}])
        await asyncio.sleep(120)

    gateway.run(seconds=900, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()
