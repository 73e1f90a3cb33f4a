"""Somebody sets the gateway's clock while orders are under way: nothing ends by it, and nothing waits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.order import Order, OrderKind, OrderState
from meterlink.orders.life.life import Life
from meterlink.orders.paid.aftermath import needs_reconnection
from meterlink.orders.people import Actor
from meterlink.orders.rules.facts import Live
from meterlink.orders.rules.verdict import Stage, Verdict
from metersim import Meter, Station
from tests.sim.test_reconnections import M, alarms, paid_behind_a_trip, work
from tests.support.order_bench import START, Lenient, OrderBench
from tests.support.order_gateway import OrderGateway, one_meter

STEPS = (timedelta(hours=25), timedelta(hours=-30))
DAY_S = 24 * 3600


async def shown(gateway: OrderGateway, order_id: str) -> Mapping[str, Any]:
    return await gateway.ask("clara", "order.show", id=order_id)


@pytest.mark.parametrize("step", STEPS)
def test_a_read_back_lasts_a_day_by_no_clock_on_the_wall(tmp_path: Path, step: timedelta) -> None:
    """A trip would be unknown for good half a minute after it was sent, or nobody look for a day."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        await gateway.until("t-1", "accepted", "readback")
        gateway.unplug()
        await asyncio.sleep(20)
        gateway.clock.ahead = step
        before = len((await shown(gateway, "t-1"))["steps"])
        await asyncio.sleep(20 * 60)
        assert 3 <= len((await shown(gateway, "t-1"))["steps"]) - before, "it is looked at as before"
        await asyncio.sleep(DAY_S - 23 * 60)
        assert "readback" == (await shown(gateway, "t-1"))["state"], "a day is not over"
        await asyncio.sleep(5 * 60)
        assert "unknown" == (await shown(gateway, "t-1"))["state"]

    gateway.run(seconds=26 * 3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


@pytest.mark.parametrize("step", STEPS)
def test_who_waits_for_the_key_is_looked_at_for_a_day(tmp_path: Path, step: timedelta) -> None:
    """A customer who presses the key would never be seen to have light again."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close, "waiting_for_key")
        gateway.clock.ahead = step
        await asyncio.sleep(20 * 60)
        assert (await shown(gateway, close))["is_open"]
        assert gateway.press_key()
        await asyncio.sleep(3600)
        assert "done" == (await shown(gateway, close))["state"]

    gateway.run(seconds=3 * 3600, meanwhile=script)


@pytest.mark.parametrize("step", STEPS)
def test_the_clocks_of_those_who_have_paid_go_on(tmp_path: Path, step: timedelta) -> None:
    """Who has paid would be late at once, or forgotten for a day (CTRL-16, 17)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await paid_behind_a_trip(gateway)
        gateway.clock.ahead = step
        await asyncio.sleep(4 * 60)
        assert [] == await alarms(gateway), "five minutes are not over"
        await asyncio.sleep(2 * 60)
        assert ["RECONNECT_LATE_1"] == await alarms(gateway)
        await asyncio.sleep(23 * 60)
        assert [] == await work(gateway), "thirty minutes are not over"
        await asyncio.sleep(2 * 60)
        assert ["t-1"] == [item["order"] for item in await work(gateway)]

    gateway.run(seconds=3600, meanwhile=script)


@pytest.mark.parametrize("step", STEPS)
def test_nothing_is_sent_after_its_deadline_by_either_clock(tmp_path: Path, step: timedelta) -> None:
    """A household would be switched a day late, because somebody has set a clock back."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        (close,) = (await gateway.paid(M))["orders"]
        gateway.clock.ahead = step
        await asyncio.sleep(31 * 60)
        gateway.plugged = True
        assert (await shown(gateway, close))["state"] in ("expired", "refused")
        await asyncio.sleep(3600)

    gateway.run(seconds=3 * 3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_a_repeat_waits_no_day_because_a_clock_was_set_back(tmp_path: Path) -> None:
    """A reconnection whose first frame was lost would get its second after 30 hours, or never (CTRL-17)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        close = await gateway.paid_in_vain(M)
        gateway.clock.ahead = timedelta(hours=-30)
        await asyncio.sleep(5 * 60)
        order = await shown(gateway, close)
        assert ("waiting_for_key", 2) == (order["state"], order["transmissions"])

    gateway.run(seconds=3600, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


class _SetsTheClock(Lenient):
    """Somebody sets the clock while the rules look at what the meter said."""

    def __init__(self, step: timedelta) -> None:
        self.step = step
        self.bench: OrderBench

    async def judge(
        self, stage: Stage, order: Order, life: Life | None, actor: Actor, live: Live | None = None
    ) -> Sequence[Verdict]:
        if stage is Stage.LIVE:
            self.bench.sim.clock.step_wall(self.step)
            self.step = timedelta()
        return ()


@pytest.mark.parametrize("step", [timedelta(hours=2), timedelta(hours=-2)])
def test_no_frame_is_made_by_a_clock_that_was_set(tmp_path: Path, step: timedelta) -> None:
    """The meter's clock was compared with another one: its frame would live for hours, or be dead."""
    judge = _SetsTheClock(step)
    bench = judge.bench = OrderBench(tmp_path, Station(meter=Meter("000000000161", seed=7)), judge=judge)
    order = bench.order(OrderKind.PERMIT_CLOSE, deadline_at=START + timedelta(hours=8))

    async def acts() -> list[str]:
        await bench.book.begin(order, "meterlink")
        await bench.stands(order.id, OrderState.NOT_DONE, OrderState.WAITING_FOR_KEY, OrderState.DONE)
        return [kept.act.verb for kept in await bench.book.acts_of(order.id)]

    verbs = bench.run(acts)
    assert verbs is not None
    assert verbs.index("postpone") < verbs.index("intend"), "it is looked at again"


def test_what_was_done_last_is_what_the_log_tells_last(tmp_path: Path) -> None:
    """After the clock was set back, who is cut off again would not be reconnected when he pays."""
    bench = OrderBench(tmp_path, Station(meter=Meter("000000000161", seed=7)))

    async def script() -> list[Life]:
        close = bench.order(OrderKind.PERMIT_CLOSE, id="o-1")
        await bench.carry_out(bench.order(OrderKind.TRIP, id="o-0"))
        await bench.book.begin(close, "meterlink")
        await bench.stands("o-1", OrderState.WAITING_FOR_KEY)
        assert bench.press_key()
        await bench.ended("o-1")
        bench.sim.clock.step_wall(timedelta(hours=-30))
        await bench.carry_out(bench.order(OrderKind.TRIP, id="o-2"))
        return await bench.book.of_meter(close.meter)

    lives = bench.run(script)
    assert lives is not None
    assert ["o-0", "o-1", "o-2"] == [life.order.id for life in lives]
    assert [OrderState.DONE] * 3 == [life.state for life in lives]
    assert lives[1].since > lives[2].since, "the clock was set back between them"
    assert needs_reconnection(lives)


def test_an_authorisation_is_used_once_by_whichever_clock(tmp_path: Path) -> None:
    """Field staff could operate again and again with what was given for one time (AUD-01)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.ask("clara", "order.cancel", id=close, reason="by hand")
        order = {**gateway.order("f-1", "permit_close", M), "payment": "billing:p1"}
        await gateway.ask("clara", "order.create", order=order)
        await gateway.ask("david", "control.grant", id="f-1", person="fred")
        gateway.clock.ahead = -timedelta(hours=1)
        await gateway.ask("fred", "order.arm", id="f-1")
        await gateway.ask("fred", "order.operate", id="f-1")
        await gateway.until("f-1", "authorised")
        await asyncio.sleep(600)
        assert "AUD-01" in str(await gateway.refused("fred", "order.arm", id="f-1"))
        await gateway.ask("david", "control.grant", id="f-1", person="fred")
        await gateway.ask("fred", "order.arm", id="f-1")

    gateway.run(seconds=7200, meanwhile=script)
    assert ["trip"] == gateway.obeyed()
