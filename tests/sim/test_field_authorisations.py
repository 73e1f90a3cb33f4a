"""Whoever is sent to close a contact by hand has a way that works, and is told of it (CTRL-17, AUD-01)."""

from __future__ import annotations

from pathlib import Path

from meterlink.daemon.refusals import told
from tests.sim.test_closings_repeated import operated_by
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway, one_meter

M = f"m{ADDRESS}"


async def _no(gateway: OrderGateway, order: str) -> tuple[str, str]:
    """What a dispatcher is told who would authorise somebody for an order, in both languages."""
    error = told(await gateway.refused("david", "control.grant", id=order, person="fred"))
    return error["en"], error["zh"]


def test_what_has_ended_is_not_authorised_and_the_no_leads_to_what_works(tmp_path: Path) -> None:
    """Somebody would drive to the order that the field order names, and be refused in front of the meter."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        gateway.strikes.add("loss", times=3)
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close)
        (item,) = (await gateway.ask("david", "work.list"))["items"]
        assert ("field_order", close) == (item["kind"], item["order"])
        en, zh = await _no(gateway, close)
        assert "has ended (not_done)" in en and "billing:p1" in en
        assert "已结束(not_done)" in zh and "billing:p1" in zh
        order = gateway.order("c-1", "permit_close", M, payment="billing:p1")
        await gateway.ask("clara", "order.create", order=order)
        await gateway.operated_in_the_field("c-1")
        await gateway.until("c-1", "waiting_for_key")
        assert gateway.press_key()
        await gateway.until("c-1", "done")
        assert [] == (await gateway.ask("david", "work.list"))["items"]

    gateway.run(seconds=7200, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_what_goes_by_itself_is_not_authorised(tmp_path: Path) -> None:
    """Nobody arms what no person has created: it would be of no use to whoever stands there."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        (close,) = (await gateway.paid(M))["orders"]
        en, zh = await _no(gateway, close)
        assert "goes by itself" in en and "自动执行" in zh

    gateway.run(seconds=600, meanwhile=script)


def test_what_was_sent_is_not_authorised(tmp_path: Path) -> None:
    """The dispatcher would believe that somebody acts, who is refused in front of the meter."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await operated_by(gateway, "david")
        await gateway.until("c-1", "waiting_for_key")
        en, zh = await _no(gateway, "c-1")
        assert "was sent already" in en and "已发送" in zh

    gateway.run(seconds=600, meanwhile=script)


def test_a_no_for_want_of_a_role_does_not_speak_of_the_state(tmp_path: Path) -> None:
    """Who may not would wait for another state of the order, instead of asking somebody who may."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        order = gateway.order("a-1", "alarm_on", M)
        await gateway.ask("clara", "order.create", order=order)
        error = await gateway.refused("clara", "order.arm", id="a-1")
        assert "clara没有可执行该操作(operate)的角色" == told(error)["zh"]
        error = await gateway.refused("fred", "order.create", order={**order, "id": "a-2"})
        assert "角色" in told(error)["zh"] and "状态" not in told(error)["zh"]

    gateway.run(seconds=60, meanwhile=script)
