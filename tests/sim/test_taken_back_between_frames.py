"""A trip whose first frame is proved to have done nothing is taken back before its second one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.errors import NotAllowed
from meterlink.model.order import OrderKind
from meterlink.model.payload import time_out
from metersim import Station
from tests.sim.test_orders_of_a_changed_roster import change
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway, one_meter

M = f"m{ADDRESS}"
Telling = Callable[[OrderGateway], Awaitable[object]]


async def between(gateway: OrderGateway) -> None:
    """The first frame of a trip got lost, that is proved, and the second is due in a minute."""
    await gateway.up()
    await gateway.told_for_trip(M)
    await gateway.trip("t-1", M)
    order = await gateway.until("t-1", "not_done")
    assert order["is_open"]


async def shown(gateway: OrderGateway, order_id: str = "t-1") -> Mapping[str, Any]:
    """An order as a clerk sees it."""
    return await gateway.ask("clara", "order.show", id=order_id)


async def cancelled(gateway: OrderGateway) -> None:
    """A clerk saw that it is the wrong household."""
    answer = await gateway.ask("clara", "order.cancel", id="t-1", reason="the wrong household")
    assert ("cancelled", False) == (answer["state"], answer["is_open"])


async def disputed(gateway: OrderGateway) -> None:
    """The customer contests the debt."""
    dispute = {"kind": "dispute", "id": "d1", "sender": "billing", "at": time_out(gateway.now())}
    await gateway.told({**dispute, "meter": M, "dispute": "D-1", "state": "opened"})


async def protected(gateway: OrderGateway) -> None:
    """Somebody in that house depends on current."""
    await gateway.told_of_life_support(meter=M)


TAKERS: Mapping[str, tuple[Telling, str]] = {
    "a person": (cancelled, "cancelled"),
    "a dispute": (disputed, "cancelled"),
    "a protection": (protected, "cancelled"),
    "a payment": (lambda gateway: gateway.paid(M), "not_done"),
    "a part of the debt": (lambda gateway: gateway.paid(M, amount_cents=100, settles=False), "not_done"),
}
"""Who takes it back, and how it ends; a payment stands in it beside the proof."""


@pytest.mark.parametrize("taker", TAKERS)
def test_what_waits_for_its_second_frame_is_taken_back(tmp_path: Path, taker: str) -> None:
    """A household that nobody may cut off any more would be cut off by the repeat, and all saw it come."""
    gateway = one_meter(tmp_path)
    gateway.strikes.add("loss", times=1)
    telling, end = TAKERS[taker]

    async def script() -> None:
        await between(gateway)
        await telling(gateway)
        await asyncio.sleep(1)
        order = await shown(gateway)
        assert (end, False) == (order["state"], order["is_open"])
        await asyncio.sleep(1800)
        order = await shown(gateway)
        assert (end, 1) == (order["state"], order["transmissions"])

    gateway.run(seconds=2400, meanwhile=script)
    assert [] == gateway.obeyed()


def test_a_closing_takes_the_trip_back_that_waits_for_its_second_frame(tmp_path: Path) -> None:
    """Who is reconnected by hand would be cut off a minute later by the trip of before (CTRL-21)."""
    gateway = one_meter(tmp_path)
    gateway.strikes.add("loss", times=1)

    async def script() -> None:
        await between(gateway)
        now, until = time_out(gateway.now()), time_out(gateway.now() + timedelta(days=9))
        work = {"kind": "work_order", "id": "wo1", "sender": "desk", "at": now, "meter": M, "until": until}
        await gateway.ask("david", "evidence.add", records=[{**work, "why": "the wrong household"}])
        close = gateway.order("c-1", OrderKind.PERMIT_CLOSE, M, reference="desk:wo1")
        await gateway.ask("clara", "order.create", order=close)
        order = await shown(gateway)
        assert ("cancelled", "reconnected by c-1") == (order["state"], order["steps"][-1]["told"])

    gateway.run(seconds=600, meanwhile=script)
    assert [] == gateway.obeyed()


def test_nobody_takes_back_what_is_out_or_what_he_may_not(tmp_path: Path) -> None:
    """A trip that may still open would be called cancelled; anybody could take back what others agreed to."""
    gateway = OrderGateway(tmp_path, [Station(meter=a_meter(OPEN_TO_ALL))])
    gateway.meters[ADDRESS].works.switch.trip_delay = timedelta(minutes=20)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        await gateway.until("t-1", "readback")
        refused = await gateway.refused("clara", "order.cancel", id="t-1", reason="the wrong household")
        assert isinstance(refused, NotAllowed)
        assert "a frame is out that the meter may still obey" in str(refused)
        refused = await gateway.refused("fred", "order.cancel", id="t-1", reason="no")
        assert "fred holds no role that may cancel" in str(refused)
        await gateway.until("t-1", "done")

    gateway.run(seconds=2400, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_a_paid_closing_is_taken_back_between_its_frames_and_not_away(tmp_path: Path) -> None:
    """Who has paid would stay in the dark, with nobody on the way, because somebody took his order back."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        close = await gateway.paid_in_vain(M)
        answer = await gateway.ask("clara", "order.cancel", id=close, reason="somebody is at the meter")
        assert ("cancelled", 1) == (answer["state"], answer["transmissions"])
        await asyncio.sleep(1800)
        assert 1 == (await shown(gateway, close))["transmissions"]
        work = (await gateway.ask("david", "work.list"))["items"]
        assert [("field_order", close)] == [(item["kind"], item["order"]) for item in work]

    gateway.run(seconds=2400, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_a_trip_between_its_frames_at_a_meter_that_leaves_is_cancelled(tmp_path: Path) -> None:
    """Two people would have to find out what is proved: that nothing happened."""
    gateway = one_meter(tmp_path)
    gateway.employ("olga", "operator")
    gateway.strikes.add("loss", times=1)

    async def script() -> None:
        await between(gateway)
        await change(gateway, in_service_until=gateway.now().isoformat())
        order = await gateway.until("t-1", "cancelled")
        assert (1, False) == (order["transmissions"], order["is_open"])
        assert "is not in service here any more" in order["steps"][-1]["told"]
        assert [] == (await gateway.ask("david", "work.list"))["items"]

    gateway.run(seconds=300, meanwhile=script)
    assert [] == gateway.obeyed()
