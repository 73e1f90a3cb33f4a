"""Who has paid and whose closing two persons found not done is still in the dark: it goes on for him."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from metersim.works.works import Works
from tests.sim.test_waiting_for_current import stopping, work
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway, one_meter

M = f"m{ADDRESS}"
HOUR_S = 3600
MINUTE_S = 60


async def _closings(gateway: OrderGateway) -> list[Mapping[str, Any]]:
    orders = (await gateway.ask("clara", "order.list", meter=M, all=True))["orders"]
    return [one for one in orders if one["kind"] == "permit_close"]


async def _lost(gateway: OrderGateway) -> str:
    """The permit of somebody who paid is lost, and another meter answers for a moment; its id."""
    await gateway.cut_off(M)
    other = replace(gateway.meters[ADDRESS].works.plate, meter_number="000000000999")
    with pytest.MonkeyPatch.context() as patch:
        gateway.strikes.add("loss")
        gateway.strikes.then(lambda: patch.setattr(Works, "plate", property(lambda _: other)))
        (close,) = (await gateway.paid(M))["orders"]
        assert "unknown" == (await gateway.until(close))["state"]
    return str(close)


async def _found(gateway: OrderGateway, close: str, finding: str) -> None:
    """Two persons find what became of it, and somebody ticks off all work."""
    await gateway.ask("david", "order.find", id=close, finding=finding, evidence="seen at the meter by fred")
    for item in (await gateway.ask("david", "work.list"))["items"]:
        await gateway.ask("david", "work.close", item=item["id"], why="looked after")
    await gateway.ask("anna", "order.confirm", id=close, finding=finding)
    await asyncio.sleep(5 * MINUTE_S)


def test_a_permit_that_was_not_done_is_followed_by_another(tmp_path: Path) -> None:
    """A payer would stay in the dark although nothing but a lost frame stood in his way."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        lost = await _lost(gateway)
        await _found(gateway, lost, "not_done")
        first, again = await _closings(gateway)
        assert (lost, "waiting_for_key") == (first["id"], again["state"])
        assert 2 == first["transmissions"] + again["transmissions"]

    gateway.run(seconds=HOUR_S, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_where_no_attempt_is_left_somebody_goes_there(tmp_path: Path) -> None:
    """Without an order, and without anybody on the way to him, a payer would be forgotten (CTRL-17)."""
    gateway = one_meter(tmp_path)
    seen: list[Any] = []

    async def look() -> None:
        seen.append([(one["id"], one["state"], one["transmissions"]) for one in await _closings(gateway)])
        seen.append(await work(gateway))

    async def script() -> None:
        lost = await _lost(gateway)
        await asyncio.sleep(40 * MINUTE_S)
        await _found(gateway, lost, "not_done")
        _, again = await _closings(gateway)
        assert ["CTRL-17"] == stopping(await gateway.ask("clara", "order.show", id=again["id"]))
        await look()

    async def later() -> None:
        await gateway.up()
        await asyncio.sleep(5 * MINUTE_S)
        await look()

    gateway.run(seconds=2 * HOUR_S, meanwhile=script)
    gateway.run(seconds=HOUR_S, meanwhile=later)
    (_, (again, *ended)), items = seen[:2]
    assert (["refused", 0], [("field_order", again)]) == (ended, items)
    assert seen[:2] == seen[2:], "one more for a finding, and no more for it behind a restart"
    assert ["trip"] == gateway.obeyed()


@pytest.mark.parametrize("is_confirmed", [True, False], ids=["done", "one person alone"])
def test_nothing_follows_what_may_have_closed_the_contact(tmp_path: Path, is_confirmed: bool) -> None:
    """A second frame would follow one that did its work, or of which nobody knows that it did nothing."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        lost = await _lost(gateway)
        if is_confirmed:
            await _found(gateway, lost, "done")
        else:
            await gateway.ask("david", "order.find", id=lost, finding="not_done", evidence="dark, says fred")
            await asyncio.sleep(5 * MINUTE_S)
        assert [lost] == [one["id"] for one in await _closings(gateway)]

    gateway.run(seconds=HOUR_S, meanwhile=script)
    assert ["trip"] == gateway.obeyed()
