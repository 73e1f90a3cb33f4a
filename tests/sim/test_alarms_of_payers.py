"""Whoever has paid is warned no longer, however far the alarm had come when it was told (ARR-06)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from meterlink.model.payload import time_out
from meterlink.orders.paid.payments import Payments
from metersim.works.works import Works
from tests.sim.test_payments_of_before import orders_of
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway, one_meter

M = f"m{ADDRESS}"
MINUTE_S = 60


async def _created(gateway: OrderGateway) -> None:
    await gateway.up()
    await gateway.ask("clara", "order.create", order=gateway.order("a-1", "alarm_on", M))


async def _read_back(gateway: OrderGateway) -> None:
    """The alarm is on, and nobody knows it yet: no answer came, and the line has gone."""
    await _created(gateway)
    gateway.strikes.add("silence")

    def soon() -> None:
        asyncio.get_running_loop().call_later(0.2, gateway.unplug)

    gateway.strikes.then(soon)
    await gateway.operated("a-1")
    await gateway.until("a-1", "readback")


def _is_on(gateway: OrderGateway) -> bool:
    return bool(gateway.meters[ADDRESS].works.switch.alarm)


def test_an_alarm_that_is_read_back_is_ended_when_it_is_proved(tmp_path: Path) -> None:
    """The meter of a household that has paid would warn it for ever."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await _read_back(gateway)
        at = time_out(gateway.now())
        assert ["a-1"] == (await gateway.paid(M, at=at))["orders"]
        await asyncio.sleep(5)
        gateway.plugged = True
        assert "done" == (await gateway.until("a-1"))["state"]
        (off,) = set(await orders_of(gateway)) - {"a-1"}
        assert ("alarm_off", "done") == ((order := await gateway.until(off))["kind"], order["state"])
        assert [] == (await gateway.paid(M, at=at))["orders"], "all of it is done"

    gateway.run(seconds=3600, meanwhile=script)
    assert (["alarm_on", "alarm_off"], False) == (gateway.obeyed(), _is_on(gateway))


async def _waits_for_its_line(gateway: OrderGateway) -> None:
    await _created(gateway)
    gateway.unplug()
    await asyncio.sleep(1)
    await gateway.operated("a-1")
    await asyncio.sleep(5)


def test_an_alarm_that_is_not_sent_is_cancelled(tmp_path: Path) -> None:
    """A meter would begin to warn a household that owes nothing any more."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await _waits_for_its_line(gateway)
        assert [] == (await gateway.paid(M, "part", settles=False))["orders"]
        assert "authorised" == (await orders_of(gateway))["a-1"]
        assert ["a-1"] == (await gateway.paid(M))["orders"]
        assert {"a-1": "cancelled"} == await orders_of(gateway)
        assert "other" not in [one["kind"] for one in (await gateway.ask("david", "work.list"))["items"]]

    gateway.run(seconds=60, meanwhile=script)
    assert [] == gateway.obeyed()


def test_an_alarm_of_which_nobody_can_tell_is_ended_too(tmp_path: Path) -> None:
    """A lost answer and an exchanged meter would keep the warning on at one who has paid."""
    gateway = one_meter(tmp_path)
    other = replace(gateway.meters[ADDRESS].works.plate, meter_number="000000000999")

    async def script() -> None:
        await _read_back(gateway)
        await gateway.paid(M)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Works, "plate", property(lambda _: other))
            gateway.plugged = True
            assert "unknown" == (await gateway.until("a-1"))["state"]
        (off,) = set(await orders_of(gateway)) - {"a-1"}
        assert "done" == (await gateway.until(off))["state"]

    gateway.run(seconds=3600, meanwhile=script)
    assert (["alarm_on", "alarm_off"], False) == (gateway.obeyed(), _is_on(gateway))


def test_a_payment_that_a_crash_left_untold_ends_what_was_operated_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its record and its orders a payment was only written: the alarm would go on unheard of."""
    gateway = one_meter(tmp_path)

    async def nothing(*_told: object) -> list[str]:
        return []

    async def before() -> None:
        await _waits_for_its_line(gateway)
        with monkeypatch.context() as patch:
            patch.setattr(Payments, "paid", nothing)
            await gateway.paid(M)
        gateway.plugged = True
        await asyncio.sleep(2 * MINUTE_S)
        await gateway.operated("a-1")
        assert "done" == (await gateway.until("a-1"))["state"]

    async def after() -> None:
        await gateway.up()
        (off,) = set(await orders_of(gateway)) - {"a-1"}
        assert "done" == (await gateway.until(off))["state"]

    gateway.run(seconds=3600, meanwhile=before)
    gateway.run(seconds=60, meanwhile=after)
    assert ["alarm_on", "alarm_off"] == gateway.obeyed()


def test_an_alarm_that_is_operated_after_a_payment_stays_on(tmp_path: Path) -> None:
    """A payment that is told again, or found again by a restart, would quiet what was meant all the same."""
    gateway = one_meter(tmp_path)

    async def before() -> None:
        await _created(gateway)
        at = time_out(gateway.now())
        assert [] == (await gateway.paid(M, at=at))["orders"], "nobody has operated it"
        await gateway.operated("a-1")
        assert "done" == (await gateway.until("a-1"))["state"]
        assert [] == (await gateway.paid(M, at=at))["orders"]

    async def after() -> None:
        await gateway.up()
        await asyncio.sleep(MINUTE_S)
        assert {"a-1": "done"} == await orders_of(gateway)

    for script in (before, after):
        gateway.run(seconds=120, meanwhile=script)
    assert (["alarm_on"], True) == (gateway.obeyed(), _is_on(gateway))
