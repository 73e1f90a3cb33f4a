"""A meter is exchanged while an order is out: what the new one shows says nothing of the old one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sim.test_orders_of_a_changed_roster import change
from tests.support.control_bench import ADDRESS, NUMBER
from tests.support.order_gateway import kinds_of, one_meter

M = f"m{ADDRESS}"
NEW = "000000000009"


@pytest.mark.parametrize("is_in_the_file", [False, True])
def test_another_meter_is_not_read_back_as_the_old_one(tmp_path: Path, *, is_in_the_file: bool) -> None:
    """A trip would be proved, or sent again, by the contact of a meter that never had it."""
    gateway = one_meter(tmp_path)

    async def sent() -> None:
        await gateway.up()
        await gateway.cut_off_unheard(M)

    gateway.run(seconds=600, meanwhile=sent)
    gateway.meters[ADDRESS].works.exchange(gateway.now(), meter_number=NEW)
    gateway.plugged = True
    if is_in_the_file:
        keys = gateway.meter_keys[ADDRESS]
        gateway.meter_keys = {ADDRESS: {**keys, "meter_number": NEW}}

    async def looked_at() -> None:
        await gateway.up()
        order = await gateway.until("t-1")
        assert "unknown" == order["state"]
        assert "give_up" == kinds_of(order["steps"])[-1]
        assert NEW in order["steps"][-1]["told"]
        (item,) = (await gateway.ask("david", "work.list"))["items"]
        assert ("unknown_outcome", "t-1") == (item["kind"], item["order"])
        assert NEW in item["why"]

    gateway.run(seconds=3600, meanwhile=looked_at)
    assert ["trip"] == gateway.obeyed()


def test_a_number_that_is_corrected_does_not_make_another_meter_the_old_one(tmp_path: Path) -> None:
    """A trip would be sent again to a household behind a meter that never had the first frame.

    The frame went to a number, and that number answers for it, whatever the roster says by now.
    """
    gateway = one_meter(tmp_path)
    gateway.employ("olga", "operator")

    async def script() -> None:
        await gateway.up()
        await gateway.cut_off_unheard(M)
        await change(gateway, meter_number=NEW)
        gateway.meters[ADDRESS].works.exchange(gateway.now(), meter_number=NEW)
        gateway.plugged = True
        order = await gateway.until("t-1")
        assert ("unknown", "give_up") == (order["state"], kinds_of(order["steps"])[-1])
        assert {"number": NEW, "sent_to": NUMBER} == order["steps"][-1]["body"]["inputs"]

    gateway.run(seconds=3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_a_key_is_not_awaited_at_another_meter(tmp_path: Path) -> None:
    """A reconnection would be done because a new meter comes with a closed contact."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        await gateway.until("t-1")
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close, "waiting_for_key")
        gateway.meters[ADDRESS].works.exchange(gateway.now(), meter_number=NEW)
        order = await gateway.until(close)
        assert ("waiting_for_key", "leave") == (order["state"], kinds_of(order["steps"])[-1])
        (item,) = (await gateway.ask("david", "work.list"))["items"]
        assert ("field_order", close) == (item["kind"], item["order"])

    gateway.run(seconds=3600, meanwhile=script)
