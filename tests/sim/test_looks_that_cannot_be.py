"""A look that contradicts itself is taken once more, and then it stops the order (fact 3)."""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.order import OrderKind
from metersim import Station
from metersim.works.orders import Command
from metersim.works.works import Works
from tests.sim.test_orders_under_a_hold import open_work
from tests.sim.test_payments_of_before import orders_of
from tests.support.at_the_meter import AtTheMeter
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway, one_meter

M = f"m{ADDRESS}"
HOUR_S = 3600


def _stopped(order: Any) -> list[str]:
    return [one["rule"] for one in order["steps"][-1]["rules"] if not one["passed"]]


@pytest.mark.parametrize("by", ["order", "walk"])
def test_a_contact_that_moves_between_two_answers_takes_no_qualification_away(
    tmp_path: Path, by: str
) -> None:
    """Whoever presses a key while his meter is looked at would stop all orders of its model."""
    gateway = OrderGateway(tmp_path, [Station(meter=a_meter(OPEN_TO_ALL))], proved=None)
    fred = AtTheMeter(gateway)
    works = gateway.meters[ADDRESS].works
    shown = Works.status_word_3
    pressed: list[bool] = []

    def then_closed(self: Works, at: datetime, **more: bool) -> int:
        """The word as it stood, and the contact closes before the next question."""
        word = shown(self, at, **more)
        if not pressed:
            pressed.append(works.switch.press_key(at))
        return word

    async def looked_at() -> None:
        if by == "walk":
            await fred.begin(M)
            await fred.step()
            return
        await gateway.operated("a-1")
        assert "done" == (await gateway.until("a-1"))["state"]

    async def script() -> None:
        await fred.qualify(M)
        await gateway.ask("clara", "order.create", order=gateway.order("a-1", OrderKind.ALARM_ON, M))
        for kind in ("trip", "permit_close"):
            works.switch.obey(Command(kind=kind), gateway.now())
        await asyncio.sleep(2)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Works, "status_word_3", then_closed)
            await looked_at()
        assert [True] == pressed
        assert "stopped" != fred.walk["result"]
        assert 1 == len((await gateway.ask("fred", "qualify.list"))["models"])
        assert [] == (await gateway.ask("david", "alarm.list"))["alarms"]

    gateway.run(seconds=HOUR_S, meanwhile=script)
    assert by != "order" or "alarm_on" == gateway.obeyed()[-1]


def _sticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The meters say from now on that they are closed, and measure no voltage behind their contact."""
    content = Works.content

    def measured_behind(self: Works, item: str, at: datetime) -> Any:
        return Decimal(0) if item.startswith("voltage.") else content(self, item, at)

    def stuck(_self: Works, _at: datetime, **_more: bool) -> int:
        return 0

    monkeypatch.setattr(Works, "content", measured_behind)
    monkeypatch.setattr(Works, "status_word_3", stuck)


def test_a_closed_contact_without_voltage_has_brought_nobody_current(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The word of a meter that stuck would end the wait of a household in the dark: "closed already"."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        _sticks(monkeypatch)
        (close,) = (await gateway.paid(M))["orders"]
        order = await gateway.until(close)
        assert ("refused", True) == (order["state"], "CTRL-20" in _stopped(order))
        assert ["field_order"] == list(await open_work(gateway))
        await asyncio.sleep(2 * 60)
        assert {"t-1": "done", close: "refused"} == await orders_of(gateway)

    gateway.run(seconds=HOUR_S, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_a_key_is_not_seen_pressed_by_a_word_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A household in the dark would be told as reconnected, and nobody go there (CTRL-19)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close, "waiting_for_key")
        with monkeypatch.context() as patch:
            _sticks(patch)
            await asyncio.sleep(25 * HOUR_S)
            order = await gateway.until(close)
            assert ("waiting_for_key", False) == (order["state"], order["is_open"])
            assert "field_order" in await open_work(gateway)

    gateway.run(seconds=26 * HOUR_S, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()
