"""A gateway comes back days later with a clock that stood still: what was due then is not done now."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from meterlink.errors import NotAllowed
from tests.sim.test_reconnections import M, alarms, work
from tests.support.order_gateway import OrderGateway, kinds_of, one_meter

AWAY_S = 3 * 86_400


def back_with_a_waiting_closing(tmp_path: Path, shows: timedelta | datetime) -> tuple[OrderGateway, str]:
    """A payer's closing found nobody; three days later the gateway starts, and its clock shows this."""
    gateway = one_meter(tmp_path)
    closing: list[str] = []

    async def before() -> None:
        await gateway.cut_off_and_unplugged(M)
        closing.extend((await gateway.paid(M))["orders"])

    gateway.run(seconds=60, meanwhile=before, kill=True)
    days_later(gateway, shows)
    return gateway, closing[0]


def days_later(gateway: OrderGateway, shows: timedelta | datetime) -> None:
    """Let the gateway be away for three days.

    Args:
        gateway: that was killed.
        shows: its clock when it is back: the time, or how much later than at its end.

    """
    ended_at = gateway.now()
    gateway.sim.run(asyncio.sleep(AWAY_S))
    gateway.plugged = True
    gateway.desk_opened.clear()
    until = ended_at + shows if isinstance(shows, timedelta) else shows
    gateway.clock.ahead = until - gateway.sim.clock.utc_now()


@pytest.mark.parametrize("shows", [timedelta(hours=-1), datetime(1970, 1, 1, tzinfo=UTC)])
def test_nothing_goes_while_our_clock_is_behind(tmp_path: Path, shows: timedelta | datetime) -> None:
    """A household would get supply three days late, with somebody at its wires (decision 23)."""
    gateway, closing = back_with_a_waiting_closing(tmp_path, shows)

    async def after() -> None:
        await gateway.up()
        await asyncio.sleep(1500)
        order = await gateway.ask("clara", "order.show", id=closing)
        assert (True, 1) == (order["is_open"], order["postponed"]), "once before, and no more is counted"
        assert "CLOCK_NOT_SET" in await alarms(gateway)
        gateway.clock.ahead = timedelta()
        assert "expired" == (await gateway.until(closing))["state"]

    gateway.run(seconds=2400, meanwhile=after)
    assert ["trip"] == gateway.obeyed()


def test_a_closing_that_comes_while_our_clock_is_behind_waits(tmp_path: Path) -> None:
    """It would leave by a clock of which nobody knows how wrong it is, and no deadline be over by it."""
    gateway = one_meter(tmp_path)
    gateway.run(seconds=60, meanwhile=lambda: gateway.cut_off(M), kill=True)
    days_later(gateway, timedelta(hours=-1))

    async def after() -> None:
        await gateway.up()
        (closing,) = (await gateway.paid(M))["orders"]
        await asyncio.sleep(1500)
        order = await gateway.ask("clara", "order.show", id=closing)
        assert (["create", "authorise"], 0) == (kinds_of(order["steps"]), order["postponed"])
        gateway.clock.ahead = timedelta()
        assert "expired" == (await gateway.until(closing))["state"]

    gateway.run(seconds=2400, meanwhile=after)
    assert ["trip"] == gateway.obeyed()


def test_a_meter_by_whose_clock_it_is_too_late_has_our_clock_doubted(tmp_path: Path) -> None:
    """A clock that stood still and is not behind the log would let the closing go all the same."""
    gateway, closing = back_with_a_waiting_closing(tmp_path, timedelta(minutes=1))

    async def after() -> None:
        await gateway.up()
        order = await gateway.until(closing)
        assert "refused" == order["state"]
        assert ["TIME-01"] == [one["rule"] for one in order["steps"][-1]["rules"] if not one["passed"]]
        assert "field_order" in [item["kind"] for item in await work(gateway)]

    gateway.run(seconds=1500, meanwhile=after)
    assert ["trip"] == gateway.obeyed()


def test_two_people_trust_a_clock_that_was_ahead_before(tmp_path: Path) -> None:
    """One start with a clock in the next century would stop all orders until then."""
    gateway, _ = back_with_a_waiting_closing(tmp_path, timedelta(days=-20))

    async def after() -> None:
        await gateway.up()
        for user in ("sam", "steve"):
            await gateway.ask(user, "control.trust", reason="compared with the radio clock")
        await not_doubted()

    async def not_doubted() -> None:
        await gateway.up()
        told = await gateway.refused("sam", "control.trust", reason="again")
        assert isinstance(told, NotAllowed) and "not_doubted" == told.why

    gateway.run(seconds=60, meanwhile=after)
    gateway.run(seconds=60, meanwhile=not_doubted)
