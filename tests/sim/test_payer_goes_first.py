"""Who has paid does not wait for what people ordered at that meter and never sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.order import OrderKind
from meterlink.model.payload import time_out
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway, one_meter

M = f"m{ADDRESS}"
FORGOTTEN = {
    OrderKind.PERMIT_CLOSE: "desk:wo1",
    OrderKind.GUARANTEE_ON: "",
    OrderKind.GUARANTEE_OFF: "",
}
"""What a clerk may have created and nobody has sent, and its reference."""


async def cut_off(gateway: OrderGateway) -> None:
    """The customer is cut off, and a work order would allow a closing."""
    await gateway.cut_off(M)
    work_order = {
        "kind": "work_order",
        "id": "wo1",
        "sender": "desk",
        "at": time_out(gateway.now()),
        "meter": M,
        "until": time_out(gateway.now() + timedelta(days=9)),
        "why": "a new tenant",
    }
    (told,) = (await gateway.ask("david", "evidence.add", records=[work_order]))["records"]
    assert told["is_new"]


async def created(gateway: OrderGateway, kind: OrderKind) -> None:
    """A clerk creates an order for the next days, and forgets it."""
    until = gateway.now().replace(microsecond=0) + timedelta(days=5)
    order = gateway.order("c-1", kind, M, reference=FORGOTTEN[kind], deadline_at=time_out(until))
    await gateway.ask("clara", "order.create", order=order)


def told_last(order: Mapping[str, Any]) -> tuple[str, str]:
    """Who took the last step of an order, and what he said."""
    step = order["steps"][-1]
    return step["actor"], step["told"]


@pytest.mark.parametrize("kind", FORGOTTEN)
def test_a_forgotten_order_does_not_keep_a_payer_in_the_dark(tmp_path: Path, kind: OrderKind) -> None:
    """A family that paid would get no frame of its closing while a clerk's order lies about (CTRL-16)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await cut_off(gateway)
        await created(gateway, kind)
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close, "waiting_for_key")
        order = await gateway.ask("clara", "order.show", id="c-1")
        assert "cancelled" == order["state"]
        assert ("meterlink", f"paid: billing:p1: the closing {close} goes first") == told_last(order)
        assert [] == (await gateway.ask("david", "work.list"))["items"]

    gateway.run(seconds=600, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_an_order_that_waits_for_its_line_makes_way(tmp_path: Path) -> None:
    """A payer would stand behind a clerk's closing that was operated and put off, with its own deadline."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await cut_off(gateway)
        await created(gateway, OrderKind.PERMIT_CLOSE)
        gateway.unplug()
        await gateway.operated("c-1")
        await asyncio.sleep(20)
        assert (await gateway.ask("clara", "order.show", id="c-1"))["is_open"]
        (close,) = (await gateway.paid(M))["orders"]
        await asyncio.sleep(5)
        assert "cancelled" == (await gateway.ask("clara", "order.show", id="c-1"))["state"]
        gateway.plugged = True
        await gateway.until(close, "waiting_for_key")

    gateway.run(seconds=1800, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_what_a_person_has_sent_is_not_taken_back(tmp_path: Path) -> None:
    """A closing that left for the meter would be called off in the log, and obeyed all the same."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await cut_off(gateway)
        await created(gateway, OrderKind.PERMIT_CLOSE)
        await gateway.operated("c-1")
        await gateway.until("c-1", "accepted", "readback", "waiting_for_key")
        await gateway.paid(M)
        assert gateway.press_key()
        order = await gateway.until("c-1")
        assert "done" == order["state"]
        assert "cancel" not in [step["verb"] for step in order["steps"]]

    gateway.run(seconds=1800, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_an_alarm_that_a_person_ordered_stays(tmp_path: Path) -> None:
    """Orders that stand in nobody's way would vanish with each payment."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await cut_off(gateway)
        await gateway.ask("clara", "order.create", order=gateway.order("a-1", OrderKind.ALARM_ON, M))
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close, "waiting_for_key")
        assert (await gateway.ask("clara", "order.show", id="a-1"))["is_open"]

    gateway.run(seconds=600, meanwhile=script)
