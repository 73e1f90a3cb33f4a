"""A look that contradicts itself is taken once more, and then it stops the order (fact 3)."""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.order import OrderKind
from meterlink.model.payload import time_out
from meterlink.orders.qualifying.qualified import WITHDRAWN
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


_FLOWING = ("voltage.", "current", "active_power")
_COMMAND_ALONE = 0x0010
"""Status word 3: the command is closed, the contact open."""


def _shows(monkeypatch: pytest.MonkeyPatch, word: int | None, *, has_mains: bool) -> None:
    """The meters answer on; they may stick to a word, and measure nothing at all."""
    content, shown = Works.content, Works.status_word_3

    def measured(self: Works, item: str, at: datetime) -> Any:
        is_nothing = item.startswith(_FLOWING) and not has_mains
        return Decimal(0) if is_nothing else content(self, item, at)

    def told(self: Works, at: datetime, **more: bool) -> int:
        return shown(self, at, **more) if word is None else word

    monkeypatch.setattr(Works, "content", measured)
    monkeypatch.setattr(Works, "status_word_3", told)


@pytest.mark.parametrize(
    ("word", "has_mains", "contradiction"),
    [
        (None, False, "no_voltage"),
        (_COMMAND_ALONE, False, "command_and_contact_differ"),
        (_COMMAND_ALONE, True, "load_with_contact_open"),
    ],
)
def test_an_outage_behind_a_closing_takes_no_model_away(
    tmp_path: Path, word: int | None, contradiction: str, *, has_mains: bool
) -> None:
    """One street without mains would stop the orders, and the reconnections, of every meter of a model."""
    gateway = OrderGateway(tmp_path, [Station(meter=a_meter(OPEN_TO_ALL))], proved=None)
    fred = AtTheMeter(gateway)

    async def script() -> None:
        await fred.qualify(M)
        await gateway.cut_off(M)
        consent = {"kind": "consent", "id": "c1", "sender": "billing", "meter": M, "form": "written"}
        await gateway.told({**consent, "at": time_out(gateway.now())})
        with pytest.MonkeyPatch.context() as patch:
            (close,) = (await gateway.paid(M))["orders"]
            while "direct_close" not in gateway.obeyed()[-1:]:  # noqa: ASYNC110  # no meter tells when it obeys
                await asyncio.sleep(0.002)
            _shows(patch, word, has_mains=has_mains)
            order = await gateway.until(close)
        end = order["steps"][-1]["body"]["inputs"]["contradiction"]
        assert ("relay_fault", contradiction) == (order["state"], end)
        rules = {one["rule"] for one in (await gateway.ask("david", "alarm.list"))["alarms"]}
        assert "RELAY_FAULT" in rules and "relay_fault" in await open_work(gateway)
        models = (await gateway.ask("fred", "qualify.list"))["models"]
        assert (len(models), WITHDRAWN in rules) == ((0, True) if has_mains else (1, False))

    gateway.run(seconds=3 * HOUR_S, meanwhile=script)


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
