"""A closing that a person ordered, and whose frame was lost: how often, how long, and by whose right."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.payload import time_out
from meterlink.orders.judging.grants import Grants
from meterlink.orders.life.life import Life
from meterlink.orders.limits.caps import Verb
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway, one_meter

M = f"m{ADDRESS}"


async def _created(gateway: OrderGateway) -> None:
    """A household is cut off, and a clerk creates the closing of a work order."""
    await gateway.cut_off(M)
    until = time_out(gateway.now() + timedelta(days=3))
    work = {"kind": "work_order", "id": "w1", "sender": "desk", "at": time_out(gateway.now()), "meter": M}
    answer = await gateway.ask("david", "evidence.add", records=[{**work, "until": until, "why": "repair"}])
    assert "refused" not in answer["records"][0]
    deadline_at = time_out((gateway.now() + timedelta(days=2)).replace(microsecond=0))
    order = gateway.order("c-1", "permit_close", M, reference="desk:w1", deadline_at=deadline_at)
    await gateway.ask("clara", "order.create", order=order)


async def operated_by(gateway: OrderGateway, user: str) -> None:
    """The same, and somebody operates it."""
    await _created(gateway)
    if user == "fred":
        await gateway.ask("david", "control.grant", id="c-1", person="fred")
    await gateway.ask(user, "order.arm", id="c-1")
    await gateway.ask(user, "order.operate", id="c-1")


async def _lost(gateway: OrderGateway, user: str) -> None:
    """Its first frame is lost, and the line goes before that is proved."""
    gateway.strikes.then(lambda: gateway.strikes.add("loss"))  # the trip is not the one
    await operated_by(gateway, user)
    await gateway.until("c-1", "readback", "unconfirmed")
    gateway.unplug()


async def _left(gateway: OrderGateway) -> Mapping[str, Any]:
    """The order, once nothing more is tried, and somebody is sent there."""
    order = await gateway.until("c-1")
    items = (await gateway.ask("david", "work.list"))["items"]
    assert ["field_order:c-1"] == [item["id"] for item in items]
    return order


def test_a_lost_closing_of_a_person_is_not_sent_hours_later(tmp_path: Path) -> None:
    """Somebody who gave up on it and works at the wires would have current on them (CTRL-17)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await _lost(gateway, "david")
        await asyncio.sleep(3600)
        gateway.plugged = True
        order = await _left(gateway)
        assert ("not_done", 1) == (order["state"], order["transmissions"])
        assert ["CTRL-17"] == _stopping(order)

    gateway.run(seconds=2 * 3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_a_lost_closing_of_a_person_is_sent_again_in_time(tmp_path: Path) -> None:
    """One lost frame would send somebody there for nothing."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await _lost(gateway, "fred")
        await asyncio.sleep(300)
        gateway.plugged = True
        order = await gateway.until("c-1", "waiting_for_key")
        assert 2 == order["transmissions"]

    gateway.run(seconds=3600, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_a_closing_is_not_repeated_for_somebody_who_left_the_field_staff(tmp_path: Path) -> None:
    """The right that was taken from a person would go on in the machine."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await _lost(gateway, "fred")
        people = gateway.folder / "people.toml"
        told = people.read_text(encoding="utf-8").replace('roles = ["field"]', 'roles = ["viewer"]')
        people.write_text(told, encoding="utf-8")
        gateway.plugged = True
        order = await _left(gateway)
        assert ("not_done", 1, ["AUD-01"]) == (order["state"], order["transmissions"], _stopping(order))

    gateway.run(seconds=3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


async def _to_another(gateway: OrderGateway) -> None:
    await gateway.ask("david", "control.grant", id="c-1", person="frida")


async def _to_nobody(gateway: OrderGateway) -> None:
    told = await gateway.ask("david", "control.revoke", id="c-1", reason="not on duty")
    assert ("fred", 1) == (told["person"], told["transmissions"])


@pytest.mark.parametrize("goes", [_to_another, _to_nobody])
def test_a_closing_is_not_repeated_when_it_was_taken_from_somebody(
    tmp_path: Path, goes: Callable[[OrderGateway], Awaitable[None]]
) -> None:
    """Two people would close one meter, one of them from afar; or one who may not any more."""
    gateway = one_meter(tmp_path)
    gateway.employ("frida", "field")

    async def script() -> None:
        await _lost(gateway, "fred")
        await goes(gateway)
        gateway.plugged = True
        order = await _left(gateway)
        assert ("not_done", 1, ["AUD-01"]) == (order["state"], order["transmissions"], _stopping(order))

    gateway.run(seconds=3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


@pytest.mark.parametrize("after_ms", range(0, 400, 50))
def test_who_takes_it_back_learns_of_a_frame_that_leaves_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after_ms: int
) -> None:
    """Somebody would be told that nothing has left, and let people work at wires that are closed."""
    real, slowed = Grants._append, []

    async def slow(grants: Grants, life: Life, verb: Verb, *args: Any) -> None:
        if verb is Verb.REVOKE:
            slowed.append(life.order.id)
            await asyncio.sleep(0.1)  # the disk takes its time
        await real(grants, life, verb, *args)

    monkeypatch.setattr(Grants, "_append", slow)
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await operated_by(gateway, "fred")
        await asyncio.sleep(after_ms / 1000)
        told = await gateway.ask("david", "control.revoke", id="c-1", reason="not on duty")
        await asyncio.sleep(60)
        order = await gateway.ask("clara", "order.show", id="c-1")
        assert order["transmissions"] == told["transmissions"]
        assert ["c-1"] == slowed

    gateway.run(seconds=400, meanwhile=script)


def test_what_was_taken_back_is_operated_by_nobody(tmp_path: Path) -> None:
    """Field staff who were called back could still close, and nobody could send them again."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await _created(gateway)
        revoke = {"id": "c-1", "reason": "not on duty"}
        assert "nobody" in str(await gateway.refused("david", "control.revoke", **revoke))
        await gateway.ask("david", "control.grant", id="c-1", person="fred")
        for who in ("fred", "clara", "anna"):
            assert "no role" in str(await gateway.refused(who, "control.revoke", **revoke))
        assert "say why" in str(await gateway.refused("david", "control.revoke", id="c-1", reason=" "))
        await gateway.ask("david", "control.revoke", **revoke)
        assert "AUD-01" in str(await gateway.refused("fred", "order.arm", id="c-1"))
        assert "nobody" in str(await gateway.refused("david", "control.revoke", **revoke)), "once"
        await gateway.ask("david", "control.grant", id="c-1", person="fred")
        await gateway.ask("fred", "order.arm", id="c-1")

    gateway.run(seconds=3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def _stopping(order: Mapping[str, Any]) -> list[str]:
    """The rules that stopped an order at its last step."""
    return [one["rule"] for one in order["steps"][-1]["rules"] if not one["passed"]]
