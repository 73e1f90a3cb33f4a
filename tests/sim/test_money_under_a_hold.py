"""A top-up whose time was over while an inspector held its meter: who paid gets the money, and once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.journal.acts import ActLog
from meterlink.model.payload import time_out
from meterlink.orders.attention.alarms import Alarms
from meterlink.orders.book import Book
from meterlink.orders.held import Held
from meterlink.orders.paid import held_money, payments
from meterlink.orders.paid.held_money import HeldMoney
from tests.sim.test_local_prepayment import Shop
from tests.sim.test_orders_after_exchange import NEW, exchanged
from tests.sim.test_orders_under_a_hold import dark_shop, tell_hold
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import TUESDAY, OrderGateway

M = f"m{ADDRESS}"
PAID_AT = time_out(TUESDAY)


@pytest.fixture(autouse=True)
def _an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """A top-up has an hour instead of a day."""
    for module in (payments, held_money):
        monkeypatch.setattr(module, "TOPPED_UP_WITHIN", timedelta(hours=1))


async def _expired_under_a_hold(shop: Shop) -> str:
    """The meter is dark and held, somebody pays, and the hour of his order passes."""
    gateway = shop.gateway
    await gateway.up()
    await asyncio.sleep(4 * 3600)  # the meter has opened for want of money
    await tell_hold(gateway)
    (top_up,) = (await gateway.paid(M, at=PAID_AT))["orders"]
    order = await gateway.until(top_up)
    assert ("expired", 0) == (order["state"], order["transmissions"])
    await asyncio.sleep(120)
    return str(top_up)


async def _top_ups(gateway: OrderGateway) -> list[Mapping[str, Any]]:
    """All that there are, the newest last."""
    answer = await gateway.ask("clara", "order.list", meter=M, all=True)
    return [one for one in answer["orders"] if one["kind"] == "top_up"]


def _fed(gateway: OrderGateway) -> list[str]:
    """The top-ups that the meter remembers; it opens and closes by itself besides."""
    return [kind for kind in gateway.obeyed() if kind == "top_up"]


async def _item(gateway: OrderGateway, order: str) -> Mapping[str, Any]:
    return await gateway.ask("david", "work.show", item=f"manual:{order}")


def test_the_money_goes_on_when_the_hold_is_released(tmp_path: Path) -> None:
    """Who has paid would stay in the dark behind a hold that is over, until two persons find time."""
    shop = dark_shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        first = await _expired_under_a_hold(shop)
        item = await _item(gateway, first)
        assert "begins again by itself, once" in item["notes"][-1]["text"]
        alarms = (await gateway.ask("david", "alarm.list"))["alarms"]
        (alarm,) = [one for one in alarms if one["rule"] == "TOP_UP_HELD"]
        assert (12_000, 1) == (alarm["estimate_cents"], alarm["count"])
        await asyncio.sleep(3 * 3600)
        assert item == await _item(gateway, first), "told once"
        assert not gateway.press_key()
        await tell_hold(gateway, "released", "h2")
        await asyncio.sleep(70)
        (again,) = [one["id"] for one in await _top_ups(gateway) if one["id"] != first]
        done = await gateway.until(again)
        assert ("done", "billing:p1", 12_000) == (done["state"], done["payment"], done["amount_cents"])
        assert gateway.press_key()
        closed = await _item(gateway, first)
        assert (False, True) == (closed["is_open"], again in closed["notes"][-1]["text"])
        await gateway.paid(M, at=PAID_AT)  # told again
        await tell_hold(gateway, "set", "h3")
        await tell_hold(gateway, "released", "h4")
        await asyncio.sleep(2 * 3600)
        assert 2 == len(await _top_ups(gateway))

    shop.run(14 * 3600, script)
    assert ["top_up"] == _fed(gateway)


async def _notes(gateway: OrderGateway, top_up: str) -> None:
    await gateway.ask("anna", "work.note", item=f"manual:{top_up}", text="given back at the counter")


async def _proposes(gateway: OrderGateway, top_up: str) -> None:
    await gateway.ask("anna", "work.close", item=f"manual:{top_up}", why="given back at the counter")


async def _closes(gateway: OrderGateway, top_up: str) -> None:
    await _proposes(gateway, top_up)
    await gateway.ask("david", "work.close", item=f"manual:{top_up}", why="given back, seen")


@pytest.mark.parametrize("takes_it", [_notes, _proposes, _closes])
def test_what_a_person_has_taken_up_does_not_begin_by_itself(
    tmp_path: Path, takes_it: Callable[[OrderGateway, str], Awaitable[None]]
) -> None:
    """Money that was given back at the counter would be in the wallet as well."""
    shop = dark_shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        top_up = await _expired_under_a_hold(shop)
        await takes_it(gateway, top_up)
        await tell_hold(gateway, "released", "h2")
        await asyncio.sleep(2 * 3600)
        assert [top_up] == [one["id"] for one in await _top_ups(gateway)]

    shop.run(9 * 3600, script)
    assert [] == _fed(gateway)


def test_who_orders_it_anew_himself_has_it_once(tmp_path: Path) -> None:
    """The clerk's order and the one that begins by itself would both bring the money of one payment."""
    shop = dark_shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await _expired_under_a_hold(shop)
        await tell_hold(gateway, "released", "h2")
        order = {**gateway.order("c-1", "top_up", M), "payment": "billing:p1", "amount_cents": 12_000}
        await gateway.ask("clara", "order.create", order=order)
        await gateway.operated("c-1")
        assert "done" == (await gateway.until("c-1"))["state"]
        await asyncio.sleep(2 * 3600)

    shop.run(9 * 3600, script)
    assert ["top_up"] == _fed(gateway)


def test_money_that_is_held_is_not_forgotten_behind_a_restart(tmp_path: Path) -> None:
    """A restart while the hold stands, or just behind its release, would leave the payer in the dark."""
    shop = dark_shop(tmp_path)
    gateway = shop.gateway

    async def released() -> None:
        await gateway.up()
        await tell_hold(gateway, "released", "h2")

    async def script() -> None:
        await gateway.up()
        await asyncio.sleep(70)
        assert "done" == (await gateway.until((await _top_ups(gateway))[-1]["id"]))["state"]

    async def expired() -> None:
        await _expired_under_a_hold(shop)

    shop.run(7 * 3600, expired)
    shop.gateway.run(seconds=5.5, meanwhile=released, kill=True)
    shop.run(3600, script)
    assert ["top_up"] == _fed(gateway)


def test_a_hold_that_came_later_begins_no_top_up(tmp_path: Path) -> None:
    """Money whose way was down for a day, and that two persons were asked about, would go by itself."""
    shop = dark_shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        await gateway.up()
        gateway.unplug()
        (top_up,) = (await gateway.paid(M))["orders"]
        assert "expired" == (await gateway.until(top_up))["state"]
        gateway.plugged = True
        await tell_hold(gateway)
        await asyncio.sleep(120)
        await tell_hold(gateway, "released", "h2")
        await asyncio.sleep(3600)
        assert [top_up] == [one["id"] for one in await _top_ups(gateway)]
        assert (await _item(gateway, top_up))["is_open"]

    shop.run(5 * 3600, script)
    assert [] == _fed(gateway)


@pytest.mark.parametrize("restarts", [False, True])
def test_an_exchange_under_the_hold_leaves_the_money_to_two_people_who_read_so(
    tmp_path: Path, restarts: bool
) -> None:
    """The item would promise for ever what nobody does, and the money of who paid lie in the ledger."""
    shop = dark_shop(tmp_path)
    gateway = shop.gateway
    gateway.employ("olga", "operator")
    first: list[str] = []

    async def until_exchanged() -> None:
        first.append(await _expired_under_a_hold(shop))
        assert "or the meter is exchanged" in (await _item(gateway, first[0]))["notes"][-1]["text"]
        await exchanged(gateway)
        await asyncio.sleep(0 if restarts else 120)

    async def later() -> None:
        await gateway.up()
        await asyncio.sleep(120)
        item = await _item(gateway, first[0])
        (note,) = [one["text"] for one in item["notes"] if "two persons decide" in one["text"]]
        assert f"meter {M} has gone; meter {NEW} came after it" in note
        alarms = (await gateway.ask("david", "alarm.list"))["alarms"]
        told = [(one["meter"], one["count"]) for one in alarms if one["rule"] == "TOP_UP_HELD"]
        assert [(M, 1), (NEW, 1)] == sorted(told)
        released = {"kind": "safety_hold", "id": "h2", "sender": "ivan", "at": time_out(gateway.now())}
        released |= {"meter": NEW, "hold": "H", "state": "released", "why": "mended"}
        await gateway.ask("ivan", "evidence.add", records=[released])
        await asyncio.sleep(2 * 3600)
        assert [first[0]] == [one["id"] for one in await _top_ups(gateway)]
        answer = await gateway.ask("clara", "order.list", meter=NEW, all=True)
        assert [] == answer["orders"]
        item = await _item(gateway, first[0])
        assert item["is_open"]
        assert 1 == sum("two persons decide" in one["text"] for one in item["notes"]), "told once"

    shop.run(8 * 3600, until_exchanged)
    shop.run(4 * 3600, later)
    assert [] == _fed(gateway)


def test_what_was_ordered_anew_and_ended_does_not_begin_by_itself(tmp_path: Path) -> None:
    """A clerk has called it off because the customer fetches his money, and it goes all the same."""
    shop = dark_shop(tmp_path)
    gateway = shop.gateway
    gateway.employ("olga", "operator")

    async def script() -> None:
        first = await _expired_under_a_hold(shop)
        order = {**gateway.order("c-1", "top_up", M), "payment": "billing:p1", "amount_cents": 12_000}
        await gateway.ask("clara", "order.create", order=order)
        await gateway.ask("clara", "order.cancel", id="c-1", reason="he comes for his money")
        await tell_hold(gateway, "released", "h2")
        await asyncio.sleep(2 * 3600)
        assert [first, "c-1"] == [one["id"] for one in await _top_ups(gateway)]
        await exchanged(gateway)
        await asyncio.sleep(120)
        told = [one["text"] for one in (await _item(gateway, first))["notes"]]
        assert not [text for text in told if "two persons decide" in text], "somebody has decided already"

    shop.run(9 * 3600, script)
    assert [] == _fed(gateway)


@pytest.mark.parametrize(("most", "begins"), [(4, True), (3, False)])
def test_an_item_that_takes_no_more_acts_is_left_to_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, begins: bool
) -> None:
    """The story of one item would grow with every hold that comes and goes, and nobody look what is wrong."""
    monkeypatch.setattr(held_money, "ACTS_MAX", most)  # it is opened, told of, and told anew at the release
    shop = dark_shop(tmp_path)
    gateway = shop.gateway

    async def script() -> None:
        first = await _expired_under_a_hold(shop)
        await tell_hold(gateway, "released", "h2")
        await asyncio.sleep(3600)
        assert (1 + begins) == len(await _top_ups(gateway))
        assert (await _item(gateway, first))["is_open"] is not begins

    shop.run(8 * 3600, script)


@pytest.mark.parametrize("is_told", [True, False])
def test_a_crash_at_each_await_brings_money_once_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_told: bool
) -> None:
    """A program that dies while it begins anew would bring the money twice, or bring what was given back.

    Items of an older program, or of a hold that is over within a minute, said nothing of a new beginning.
    """
    shop = dark_shop(tmp_path)
    gateway = shop.gateway
    first: list[str] = []

    async def expired() -> None:
        first.append(await _expired_under_a_hold(shop))

    async def released() -> None:
        await gateway.up()
        await tell_hold(gateway, "released", "h2")

    async def untold(*_: object) -> None:
        """As a program that says nothing."""

    with monkeypatch.context() as older:
        if not is_told:
            older.setattr(HeldMoney, "_tell", untold)
        shop.run(7 * 3600, expired)
        gateway.run(seconds=5.5, meanwhile=released, kill=True)
    assert [] == _fed(gateway)
    deaths = _dying_in_turn(gateway, monkeypatch)
    assert deaths > 10

    async def later() -> None:
        await gateway.up()
        await asyncio.sleep(3000)
        item = await _item(gateway, first[0])
        assert is_told is not item["is_open"]
        told = [one["text"] for one in item["notes"] if one["verb"] == "note"]
        assert 1 == len(told)
        assert is_told is not ("two persons decide about the money" in told[0])
        alarms = (await gateway.ask("david", "alarm.list"))["alarms"]
        assert ["TOP_UP_HELD"] == [one["rule"] for one in alarms if one["rule"] == "TOP_UP_HELD"]

    shop.run(3600, later)
    assert (["top_up"] if is_told else []) == _fed(gateway)


def _dying_in_turn(gateway: OrderGateway, monkeypatch: pytest.MonkeyPatch) -> int:
    """Start the daemon anew until it lives, and kill it each time one await later in its look at an item."""
    inner, awaits, most, is_dead = HeldMoney._each, 0, 0, True

    def dies() -> bool:
        nonlocal awaits, is_dead
        awaits += 1
        if awaits == most:
            is_dead = True
            (daemon,) = [one for one in asyncio.all_tasks() if "Daemon.run" in repr(one.get_coro())]
            daemon.cancel()
        return is_dead

    async def mortal(self: HeldMoney, name: str) -> bool:
        return await _Mortal(inner(self, name), dies)

    with monkeypatch.context() as patch:
        patch.setattr(HeldMoney, "_each", mortal)
        for room, verb in _AWAITED:
            patch.setattr(room, verb, _giving_way(getattr(room, verb)))
        while is_dead:
            awaits, most, is_dead = 0, most + 1, False
            gateway.run(seconds=8)
    return most - 1


_AWAITED = (
    (ActLog, "of_subject"),
    (ActLog, "last_of"),
    (ActLog, "append"),
    (Alarms, "raise_"),
    (Book, "read"),
    (Book, "of_meter"),
    (Book, "begin"),
    (Held, "why"),
)
"""What a look at an item awaits; a log in memory answers at once."""


def _giving_way(verb: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def gives_way(*args: Any, **options: Any) -> Any:
        await asyncio.sleep(0)
        result = await verb(*args, **options)
        await asyncio.sleep(0)
        return result

    return gives_way


class _Mortal:
    """A coroutine that may die at each await at which it gives way, and then goes on no more."""

    def __init__(self, inner: Coroutine[Any, Any, bool], dies: Callable[[], bool]) -> None:
        self._inner = inner
        self._dies = dies

    def __await__(self) -> Generator[Any, Any, bool]:
        sent: Any = None
        raised: BaseException | None = None
        while True:
            try:
                given = self._inner.send(sent) if raised is None else self._inner.throw(raised)
            except StopIteration as stop:
                return bool(stop.value)
            sent = raised = None
            if self._dies():
                yield from asyncio.Future().__await__()
            try:
                sent = yield given
            except BaseException as error:  # noqa: BLE001  # as ``yield from`` hands it on
                raised = error
