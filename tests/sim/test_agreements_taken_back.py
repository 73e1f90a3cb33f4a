"""An agreement that protects a customer, and a clerk who would be rid of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from meterlink.errors import NotEntitled
from meterlink.model.payload import time_out
from meterlink.orders.judging.judge import Stopped
from metersim import Station
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway

M = f"m{ADDRESS}"


def _prepaid(folder: Path) -> OrderGateway:
    keys = {ADDRESS: {"agreement": "billing:a1"}}
    return OrderGateway(folder, [Station(meter=a_meter(OPEN_TO_ALL))], keys=keys)


async def _agreed(gateway: OrderGateway) -> None:
    """An overdraft and a notice with which this household is not cut off yet."""
    signed: dict[str, Any] = {"automatic_trips": False, "overdraft_cents": 50_000, "notice_days": 30}
    at = time_out(gateway.now() - timedelta(days=100))
    await gateway.told({"kind": "agreement", "id": "a1", "sender": "billing", "at": at, "meter": M, **signed})


def test_a_clerk_does_not_take_back_what_billing_told(tmp_path: Path) -> None:
    """One clerk would end a customer's overdraft and his longer notice, and cut him off."""
    gateway = _prepaid(tmp_path)

    async def script() -> None:
        await gateway.up()
        await _agreed(gateway)
        await gateway.told_for_trip(M)
        error = await gateway.refused("clara", "evidence.withdraw", id="billing:a1", reason="a mistake")
        assert isinstance(error, NotEntitled)
        stopped = await gateway.refused("clara", "order.create", order=gateway.order("t-1", "trip", M))
        assert "CTRL-05" in str(stopped)

    gateway.run(seconds=60, meanwhile=script)
    assert [] == gateway.obeyed()


def test_who_took_an_agreement_back_does_not_order_the_trip_and_the_approver_reads_of_it(
    tmp_path: Path,
) -> None:
    """Whoever speaks for a sender would be judge in his own case, and nobody would know."""
    gateway = _prepaid(tmp_path)
    people = (tmp_path / "people.toml").read_text(encoding="utf-8")
    clara = 'name = "clara"\nroles = ["clerk"]\n'
    (tmp_path / "people.toml").write_text(
        people.replace(clara, f'{clara}senders = ["clara", "billing"]\n'), encoding="utf-8"
    )
    gateway.employ("carl", "clerk")

    async def script() -> None:
        await gateway.up()
        await _agreed(gateway)
        await gateway.told_for_trip(M)
        await gateway.ask("clara", "evidence.withdraw", id="billing:a1", reason="it has ended")
        order = gateway.order("t-1", "trip", M)
        stopped = await gateway.refused("clara", "order.create", order=order)
        assert isinstance(stopped, Stopped)
        assert ["AUD-02"] == [one.rule for one in stopped.verdicts if not one.passed]
        await gateway.ask("carl", "order.create", order=order)
        shown = await gateway.ask("anna", "order.show", id="t-1")
        assert "agreement billing:a1 (clara, 2026-11-24)" == shown["withdrawn"]
        await gateway.ask("anna", "order.approve", id="t-1")
        await gateway.operated("t-1")
        assert "done" == (await gateway.until("t-1"))["state"]

    gateway.run(seconds=600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_an_agreement_that_the_roster_names_and_nobody_told_stops_a_trip(tmp_path: Path) -> None:
    """A customer with an agreed overdraft would be cut off as if he were billed afterwards."""
    gateway = _prepaid(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        stopped = await gateway.refused("clara", "order.create", order=gateway.order("t-1", "trip", M))
        assert isinstance(stopped, Stopped)
        assert ["CTRL-05"] == [one.rule for one in stopped.verdicts if not one.passed]

    gateway.run(seconds=60, meanwhile=script)
    assert [] == gateway.obeyed()
