"""Money behind a top-up of which nobody can tell waits until two persons have found what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from meterlink.orders.paid import held_money
from tests.sim.test_local_prepayment import Shop, _no_keys
from tests.support.control_bench import ADDRESS

M = f"m{ADDRESS}"


async def work(shop: Shop) -> dict[str, Mapping[str, Any]]:
    """The open items about money, by their order."""
    items = (await shop.gateway.ask("david", "work.list"))["items"]
    return {item["order"]: item for item in items if item["kind"] == "manual"}


async def state(shop: Shop, order: str) -> str:
    """Where an order stands."""
    return str((await shop.gateway.ask("clara", "order.show", id=order))["state"])


async def top_ups(shop: Shop) -> list[str]:
    """The ids of all top-ups."""
    orders = (await shop.gateway.ask("clara", "order.list", all=True))["orders"]
    return [one["id"] for one in orders if one["kind"] == "top_up"]


async def unknown(shop: Shop) -> str:
    """A top-up of which nobody can tell any more; its id."""

    async def breaks(program: Any, request: Mapping[str, Any]) -> None:
        await program.answer(request)
        if request["op"] == "wallet645":
            shop.behaviour = _no_keys

    await shop.gateway.up()
    shop.gateway.employ("ivan", "inspector")
    shop.behaviour = breaks
    (first,) = (await shop.gateway.paid(M, "p1"))["orders"]
    for _ in range(26):
        await asyncio.sleep(3600)
        if await state(shop, first) == "unknown":
            break
    shop.behaviour = None
    return str(first)


async def found(shop: Shop, order: str, finding: str) -> None:
    """Two persons say what became of it."""
    await shop.gateway.ask("david", "order.find", id=order, finding=finding, evidence="the display")
    await asyncio.sleep(120)
    assert 2 == len(await top_ups(shop)), "one person is not enough"
    await shop.gateway.ask("ivan", "order.confirm", id=order, finding=finding)


@pytest.mark.parametrize("finding", ["done", "not_done"])
def test_money_goes_on_when_the_earlier_one_is_found(tmp_path: Path, finding: str) -> None:
    """The second payer's money would stay with us for ever (decision 22, c; TOP-05)."""
    shop = Shop(tmp_path)
    shop.gateway.strikes.add("loss")

    async def script() -> None:
        first = await unknown(shop)
        (second,) = (await shop.gateway.paid(M, "p2", amount_cents=5_000))["orders"]
        assert "refused" == (await shop.gateway.until(second))["state"]
        await asyncio.sleep(120)
        notes = [note["text"] for note in (await work(shop))[second]["notes"]]
        assert "begins again by itself" in notes[-1]
        assert [] == shop.gateway.obeyed(), "nothing is prepared while it is unknown"
        await found(shop, first, finding)
        await asyncio.sleep(600)
        (again,) = set(await top_ups(shop)) - {first, second}
        assert "done" == await state(shop, again)
        assert second not in await work(shop)
        await asyncio.sleep(3600)
        assert 3 == len(await top_ups(shop))

    shop.run(30 * 3600, script)
    assert ["top_up"] == shop.gateway.obeyed()


def test_it_goes_on_once_behind_a_restart(tmp_path: Path) -> None:
    """What waits is told by the log alone, and money that goes twice is lost (TOP-01)."""
    shop = Shop(tmp_path)
    shop.gateway.strikes.add("loss")
    orders: list[str] = []

    async def script() -> None:
        orders.append(await unknown(shop))
        orders.extend((await shop.gateway.paid(M, "p2", amount_cents=5_000))["orders"])
        await asyncio.sleep(120)
        await shop.gateway.ask("david", "order.find", id=orders[0], finding="not_done", evidence="seen")
        await shop.gateway.ask("ivan", "order.confirm", id=orders[0], finding="not_done")

    async def later() -> None:
        await shop.gateway.up()
        await asyncio.sleep(600)
        (again,) = set(await top_ups(shop)) - set(orders)
        assert "done" == await state(shop, again)

    shop.gateway.run(seconds=30 * 3600, meanwhile=script, kill=True)
    shop.run(700, later)
    shop.run(700, later)
    assert ["top_up"] == shop.gateway.obeyed()


def test_whoever_takes_the_item_keeps_it(tmp_path: Path) -> None:
    """Two persons give the money back, and it would come into the meter as well (TOP-06)."""
    shop = Shop(tmp_path)
    shop.gateway.strikes.add("loss")

    async def script() -> None:
        first = await unknown(shop)
        (second,) = (await shop.gateway.paid(M, "p2", amount_cents=5_000))["orders"]
        await asyncio.sleep(120)
        item = (await work(shop))[second]["id"]
        await shop.gateway.ask("david", "work.note", item=item, text="given back at the till")
        await found(shop, first, "not_done")
        await asyncio.sleep(600)
        assert {first, second} == set(await top_ups(shop))
        assert second in await work(shop)

    shop.run(30 * 3600, script)
    assert [] == shop.gateway.obeyed()


@pytest.mark.parametrize("is_found", [True, False])
def test_an_old_item_that_announced_nothing_is_left_to_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_found: bool
) -> None:
    """The till has given the money back, the program is renewed, and the meter is topped up as well (TOP-06).

    Where the earlier one is still unknown at the first start, nobody has missed what is announced then.
    """
    shop = Shop(tmp_path)
    shop.gateway.strikes.add("loss")
    orders: list[str] = []

    async def found_now() -> None:
        await shop.gateway.ask("david", "order.find", id=orders[0], finding="not_done", evidence="seen")
        await shop.gateway.ask("ivan", "order.confirm", id=orders[0], finding="not_done")

    async def notes() -> list[str]:
        item = (await work(shop))[orders[1]]
        return [note["text"] for note in item["notes"] if note["verb"] == "note"]

    async def before() -> None:
        orders.append(await unknown(shop))
        orders.extend((await shop.gateway.paid(M, "p2", amount_cents=5_000))["orders"])
        assert "refused" == (await shop.gateway.until(orders[1]))["state"]
        if is_found:
            await found_now()
        await asyncio.sleep(600)
        assert [] == await notes(), "a log that an older program wrote"

    async def later() -> None:
        await shop.gateway.up()
        await asyncio.sleep(600)
        (told,) = await notes()
        assert ("two persons decide about the money" if is_found else "it begins again by itself") in told
        if not is_found:
            await found_now()
            await asyncio.sleep(600)
        assert (2 if is_found else 3) == len(await top_ups(shop))

    with monkeypatch.context() as old:
        old.setattr(held_money, "_BEHIND_UNKNOWN", frozenset({"none"}))
        shop.gateway.run(seconds=30 * 3600, meanwhile=before)
    shop.run(1500, later)
    if is_found:
        shop.run(1500, later)
    assert ([] if is_found else ["top_up"]) == shop.gateway.obeyed()
