"""An inspector's hold that comes just between somebody's look at the holds and the work that is opened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from meterlink.model.act import Act
from meterlink.orders.held import Held
from metersim import Station
from tests.sim.test_orders_under_a_hold import dark_shop, inspected, open_work, tell_hold
from tests.sim.test_walks_left import walked_into_the_dark
from tests.support.at_the_meter import AtTheMeter
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway

M = f"m{ADDRESS}"
DO_NOT = "DO NOT CLOSE, safety hold (open wires). Before: "


class Between:
    """Tells a hold behind the first look that work of one kind makes.

    Args:
        gateway: whose.
        kind: of the work.

    Attributes:
        looks: how often somebody looked for such work.

    """

    def __init__(self, gateway: OrderGateway, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks = 0
        looked = Held.on

        async def on(held: Held, opening: Act) -> Act | None:
            told = await looked(held, opening)
            if opening.body["kind"] == kind:
                self.looks += 1
                if self.looks == 1:
                    assert told == opening, "there is no hold yet"
                    await tell_hold(gateway)
            return told

        monkeypatch.setattr(Held, "on", on)


async def _three_lost_frames(gateway: OrderGateway) -> None:
    await gateway.cut_off(M)
    gateway.strikes.add("loss", times=9)
    (close,) = (await gateway.paid(M))["orders"]
    await gateway.until(close)


async def _silent_behind_a_trip(gateway: OrderGateway) -> None:
    await gateway.up()
    await gateway.told_for_trip(M)
    await gateway.trip("t-1", M)
    await gateway.until("t-1", "accepted", "readback")
    gateway.unplug()
    await asyncio.sleep(60)
    await gateway.paid(M)
    await asyncio.sleep(32 * 60)


async def _walk_left(gateway: OrderGateway) -> None:
    fred = AtTheMeter(gateway)
    await walked_into_the_dark(gateway, fred)
    await gateway.ask("fred", "qualify.leave", meter=M)
    await asyncio.sleep(2 * 60)


def _unqualified(folder: Path) -> OrderGateway:
    gateway = OrderGateway(folder, [Station(meter=a_meter(OPEN_TO_ALL))], proved=None)
    gateway.employ("ivan", "inspector")
    return gateway


@pytest.mark.parametrize("happens", [_three_lost_frames, _silent_behind_a_trip, _walk_left])
def test_a_hold_behind_the_look_is_in_the_words_of_a_field_order(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    happens: Callable[[OrderGateway], Awaitable[None]],
) -> None:
    """Somebody would be sent to close by hand where an inspector has forbidden it a moment before."""
    gateway = (_unqualified if happens is _walk_left else inspected)(tmp_path)
    between = Between(gateway, "field_order", monkeypatch)

    async def script() -> None:
        await happens(gateway)
        assert 2 == between.looks, "looked anew behind the hold"
        assert (await open_work(gateway))["field_order"].startswith(DO_NOT)
        await tell_hold(gateway, "released", "h2")
        assert not (await open_work(gateway))["field_order"].startswith("DO NOT")

    gateway.run(seconds=2 * 3600, meanwhile=script)


def test_a_hold_behind_the_look_opens_no_reminder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody would tell the customer to press the key behind open wires."""
    gateway = inspected(tmp_path)
    between = Between(gateway, "reminder", monkeypatch)

    async def script() -> None:
        await gateway.cut_off(M)
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close, "waiting_for_key")
        await asyncio.sleep(2 * 3600 + 90)
        assert between.looks >= 2
        assert {"secure"} == set(await open_work(gateway))
        await tell_hold(gateway, "released", "h2")
        await asyncio.sleep(70)
        assert {"reminder"} == set(await open_work(gateway))

    gateway.run(seconds=4 * 3600, meanwhile=script)


def test_a_hold_behind_the_look_is_in_the_words_of_a_top_up_that_people_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Money brought by hand would let the key close what an inspector holds."""
    shop = dark_shop(tmp_path)
    gateway = shop.gateway
    between = Between(gateway, "manual", monkeypatch)

    async def script() -> None:
        await gateway.up()
        gateway.unplug()
        (top_up,) = (await gateway.paid(M))["orders"]
        await gateway.ask("clara", "order.cancel", id=top_up, reason="told by mistake")
        assert 2 == between.looks
        assert (await open_work(gateway))["manual"].startswith(DO_NOT)

    shop.run(3600, script)
