"""Current that comes back without the key: where the key is broken, and where a consent runs out."""

from __future__ import annotations

import asyncio
from pathlib import Path

from meterlink.model.payload import time_out
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway, one_meter

M = f"m{ADDRESS}"


async def _agreed(gateway: OrderGateway, form: str) -> None:
    record = {"kind": "consent", "id": "c1", "sender": "billing", "meter": M, "form": form}
    await gateway.told({**record, "at": time_out(gateway.now())})


def test_a_broken_key_keeps_nobody_in_the_dark(tmp_path: Path) -> None:
    """Who has paid and cannot press the key would wait for a day, although he agreed in writing."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close, "waiting_for_key")
        direct = gateway.order("c-1", "direct_close", M, payment="billing:p1")
        assert "CTRL-15" in str(await gateway.refused("clara", "order.create", order=direct))
        await _agreed(gateway, "written")
        await gateway.ask("clara", "order.create", order=direct)
        await gateway.operated("c-1")
        assert "done" == (await gateway.until("c-1"))["state"]
        order = await gateway.until(close)
        assert ("done", "closed_by_key") == (order["state"], order["steps"][-1]["verb"])

    gateway.run(seconds=1800, meanwhile=script)
    assert ["trip", "permit_close", "direct_close"] == gateway.obeyed()


def test_a_consent_that_runs_out_between_two_frames_leaves_the_key(tmp_path: Path) -> None:
    """Who has paid would wait for somebody to come, because half an hour ago he agreed by phone (CTRL-15)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        await _agreed(gateway, "recorded")
        await asyncio.sleep(29 * 60 + 30)
        gateway.strikes.add("loss")
        (close,) = (await gateway.paid(M))["orders"]
        order = await gateway.until(close)
        assert ("direct_close", "not_done", 1) == (order["kind"], order["state"], order["transmissions"])
        assert [] == (await gateway.ask("david", "work.list"))["items"]
        (permit,) = (await gateway.ask("clara", "order.list"))["orders"]
        assert ("permit_close", "billing:p1") == (permit["kind"], permit["payment"])
        assert order["deadline_at"] == permit["deadline_at"]
        await gateway.until(permit["id"], "waiting_for_key")
        assert gateway.press_key()
        assert "done" == (await gateway.until(permit["id"]))["state"]

    gateway.run(seconds=3 * 3600, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_frames_of_the_direct_close_and_of_the_permit_count_together(tmp_path: Path) -> None:
    """A dead line would be sent six frames before somebody goes there (CTRL-17)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        await _agreed(gateway, "recorded")
        await asyncio.sleep(29 * 60 + 30)
        gateway.strikes.add("loss", times=9)
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close)
        (permit,) = (await gateway.ask("clara", "order.list"))["orders"]
        order = await gateway.until(permit["id"])
        assert 2 == order["transmissions"]
        (item,) = (await gateway.ask("david", "work.list"))["items"]
        assert ("field_order", permit["id"]) == (item["kind"], item["order"])

    gateway.run(seconds=3 * 3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()
