"""A protection, or another customer, is told once the frame of a trip has left: nobody is left dark."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.config.meters import CUSTOMER_WAS_MAX
from meterlink.model.order import OrderKind
from meterlink.model.payload import time_out
from meterlink.orders.paid.told_of_spared import _is_told
from meterlink.orders.waiting.spared import Spared, Sparing
from metersim import Station
from tests.sim.test_orders_of_a_changed_roster import _committed
from tests.sim.test_protected_at_every_meter import OTHER, two_meters
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway

M = f"m{ADDRESS}"


def _gateway(folder: Path, *, delay_min: int = 0) -> OrderGateway:
    gateway = OrderGateway(folder, [Station(meter=a_meter(OPEN_TO_ALL))])
    gateway.employ("olga", "operator")
    if delay_min:
        gateway.meters[ADDRESS].works.switch.trip_delay = timedelta(minutes=delay_min)
    return gateway


async def _orders(gateway: OrderGateway) -> list[tuple[str, str]]:
    found = (await gateway.ask("clara", "order.list", all=True))["orders"]
    return [(one["kind"], one["state"]) for one in found]


async def _work(gateway: OrderGateway) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = (await gateway.ask("david", "work.list"))["items"]
    return [one for one in found if one["kind"] == "cut_off"]


async def _alarms(gateway: OrderGateway) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = (await gateway.ask("david", "alarm.list"))["alarms"]
    return [one for one in found if one["rule"].startswith("CUT_OFF")]


@pytest.mark.parametrize("delay_min", [0, 20, 40])
def test_who_lives_by_a_machine_is_told_of_and_reconnected(tmp_path: Path, delay_min: int) -> None:
    """Somebody who lives by a machine would stay in the dark, and nothing and nobody would say so."""
    gateway = _gateway(tmp_path, delay_min=delay_min)
    switch = gateway.meters[ADDRESS].works.switch

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        await asyncio.sleep(300)
        assert switch.contact_open is not bool(delay_min)
        await gateway.told_of_life_support(meter=M)
        await asyncio.sleep(1)
        (item,), (alarm,) = await _work(gateway), await _alarms(gateway)
        assert ("CUT_OFF_PROTECTED", "serious", M) == (alarm["rule"], alarm["severity"], alarm["meter"])
        contact = "opens by 20" if delay_min else "stands open"
        for words in ("life_support", "billing:x1", "t-1", "受保护用户", contact):
            assert words in item["why"], item["why"]
        await asyncio.sleep(delay_min * 60 + 600)
        gateway.meters[ADDRESS].works.advance(gateway.sim.clock.utc_now())
        assert [("permit_close", "waiting_for_key"), ("trip", "done")] == sorted(await _orders(gateway))
        assert gateway.press_key()
        await asyncio.sleep(1800)
        assert [("permit_close", "done"), ("trip", "done")] == sorted(await _orders(gateway))

    gateway.run(seconds=9000, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()[:2]


@pytest.mark.parametrize("delay_min", [0, 20])
def test_whom_the_roster_comes_to_protect_is_reconnected(tmp_path: Path, delay_min: int) -> None:
    """What an operator writes into the roster a minute too late would help nobody any more."""
    gateway = _gateway(tmp_path, delay_min=delay_min)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        await asyncio.sleep(300)
        assert "revision" in await _committed(gateway, protected=["hospital"])
        await asyncio.sleep(61)
        (item,), (alarm,) = await _work(gateway), await _alarms(gateway)
        assert "hospital" in item["why"]
        assert "roster:2" in item["why"]
        assert ["order:t-1", "evidence:roster:2"] == alarm["evidence"]
        await asyncio.sleep(delay_min * 60 + 600)
        assert [("permit_close", "waiting_for_key"), ("trip", "done")] == sorted(await _orders(gateway))

    gateway.run(seconds=3600, meanwhile=script)


@pytest.mark.parametrize("delay_min", [0, 40])
def test_a_new_tenant_pays_nobody_s_debt_in_the_dark(tmp_path: Path, delay_min: int) -> None:
    """Whoever moves in would be cut off for what somebody else owed, silently and for ever."""
    gateway = _gateway(tmp_path, delay_min=delay_min)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        await asyncio.sleep(300)
        told = await _committed(gateway, are_corrected=False, are_new=True, customer_number="000099999999")
        assert "revision" in told
        await asyncio.sleep(61)
        (item,), (alarm,) = await _work(gateway), await _alarms(gateway)
        assert "another customer" in item["why"]
        assert ("CUT_OFF_ANOTHER", "CTRL-12") == (alarm["rule"], alarm["origin"])
        await asyncio.sleep(delay_min * 60 + 600)
        assert [("permit_close", "waiting_for_key"), ("trip", "done")] == sorted(await _orders(gateway))

    gateway.run(seconds=6000, meanwhile=script)


def test_a_number_that_was_written_down_wrongly_is_no_new_tenant(tmp_path: Path) -> None:
    """Correcting a slip of the pen would reconnect everybody whose number had one."""
    gateway = _gateway(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        assert "revision" in await _committed(gateway, customer_number="000099999999")
        await asyncio.sleep(600)
        assert [("trip", "done")] == await _orders(gateway)
        assert ([], []) == (await _work(gateway), await _alarms(gateway))

    gateway.run(seconds=2000, meanwhile=script)


def test_the_number_of_a_new_tenant_may_be_corrected(tmp_path: Path) -> None:
    """Each slip of the pen would begin the wait anew, with a closing and clocks of its own."""
    gateway = _gateway(tmp_path)

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        await _committed(gateway, are_corrected=False, are_new=True, customer_number="000099999999")
        for number in ("000099999998", "000099999997"):
            await asyncio.sleep(2400)
            await _committed(gateway, customer_number=number)
            await asyncio.sleep(120)
            found = await _orders(gateway)
            assert 1 == [kind for kind, _ in found].count("permit_close"), found
        (item,), (alarm,) = await _work(gateway), await _alarms(gateway)
        assert "roster:2" in item["why"]
        assert 1 == alarm["count"]

    gateway.run(seconds=6000, meanwhile=script)


def test_whose_number_is_corrected_many_times_owes_still(tmp_path: Path) -> None:
    """Who owes would be reconnected, once an entry has no room for the number that he had."""
    gateway = _gateway(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        for number in range(CUSTOMER_WAS_MAX + 2):
            assert "revision" in await _committed(gateway, customer_number=f"{99999990 + number:012}")
        await asyncio.sleep(300)
        assert [("trip", "done")] == await _orders(gateway)
        assert ([], []) == (await _work(gateway), await _alarms(gateway))

    gateway.run(seconds=2000, meanwhile=script)


@pytest.mark.parametrize(("days", "closes"), [(29, True), (31, False)])
def test_what_an_old_log_tells_is_a_person_s_to_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, days: int, closes: bool
) -> None:
    """After an update all premises that were ever re-let would be closed at once, whoever is there."""
    gateway = _gateway(tmp_path)

    async def nobody(*_: object) -> list[Spared]:
        return []

    async def script() -> None:
        await gateway.cut_off(M)
        await _committed(gateway, are_corrected=False, are_new=True, customer_number="000099999999")
        await asyncio.sleep(120)
        assert [] == await _work(gateway)

    with monkeypatch.context() as older:
        older.setattr(Sparing, "since", nobody)
        gateway.run(seconds=900, meanwhile=script)
    gateway.sim.clock.advance(days * 86_400)

    async def updated() -> None:
        await gateway.up()
        await asyncio.sleep(300)
        (item,), (alarm,) = await _work(gateway), await _alarms(gateway)
        assert 1 == alarm["count"]
        assert closes is not ("nothing closes by itself" in item["why"])
        assert closes is ("permit_close" in [kind for kind, _ in await _orders(gateway)])

    gateway.run(seconds=600, meanwhile=updated)


def test_it_is_told_once_whatever_happens_to_the_daemon(tmp_path: Path) -> None:
    """A restart, and each record that says the same, would send somebody again and close once more."""
    gateway = _gateway(tmp_path, delay_min=20)
    told: list[str] = []

    async def cut() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        await asyncio.sleep(300)
        told.append(time_out(gateway.now()))
        await gateway.told_of_life_support(meter=M, at=told[0])
        await asyncio.sleep(1)

    gateway.run(seconds=400, meanwhile=cut)

    async def again() -> None:
        await gateway.up()
        await gateway.told_of_life_support(meter=M, at=told[0])
        await gateway.told_of_life_support("x2", meter=M)
        await asyncio.sleep(1800)
        assert [("permit_close", "waiting_for_key"), ("trip", "done")] == sorted(await _orders(gateway))
        (_,), (alarm,) = await _work(gateway), await _alarms(gateway)
        assert 1 == alarm["count"]

    gateway.run(seconds=2400, meanwhile=again)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_a_protection_that_ends_before_the_close_leaves_closes_nothing(tmp_path: Path) -> None:
    """Whoever is protected by mistake for a minute would be reconnected without paying."""
    gateway = _gateway(tmp_path, delay_min=20)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        await asyncio.sleep(300)
        await gateway.told_of_life_support(meter=M)
        await asyncio.sleep(60)
        await gateway.told_of_life_support("x2", meter=M, state="lifted")
        await asyncio.sleep(2400)
        assert [("trip", "done")] == await _orders(gateway)
        assert 1 == len(await _work(gateway)), "a person decides, who knows of both"

    gateway.run(seconds=4000, meanwhile=script)


def test_a_protection_behind_one_that_was_lifted_counts_for_itself(tmp_path: Path) -> None:
    """Who comes to live by a machine would stay in the dark, because of one told by mistake before."""
    gateway = _gateway(tmp_path)

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        await gateway.told_of_life_support(meter=M)
        await asyncio.sleep(60)
        await gateway.told_of_life_support("x2", meter=M, state="lifted")
        gateway.plugged = True
        await asyncio.sleep(600)
        (item,) = await _work(gateway)
        await gateway.ask("david", "work.close", item=item["id"], why="a slip: the debt stands")
        await asyncio.sleep(86_400)
        assert [("permit_close", "refused"), ("trip", "done")] == sorted(await _orders(gateway))
        await gateway.told_of_life_support("x3", meter=M)
        await asyncio.sleep(600)
        assert ("permit_close", "waiting_for_key") in await _orders(gateway)
        (item,) = await _work(gateway)
        assert "billing:x3" in item["why"]
        told = [evidence for one in await _alarms(gateway) for evidence in one["evidence"]]
        assert "evidence:billing:x3" in told

    gateway.run(seconds=2 * 86_400, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()[:2]


def test_a_cause_whose_name_begins_like_another_is_told_too(tmp_path: Path) -> None:
    """Nobody would hear of the second protection, because its name is the beginning of the first one's."""
    gateway = _gateway(tmp_path)

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        for told in ("x12", "x1"):
            await gateway.told_of_life_support(told, meter=M)
            await asyncio.sleep(60)
            (item,) = await _work(gateway)
            assert f"by billing:{told}," in item["why"]
            await gateway.ask("david", "work.close", item=item["id"], why="a slip")
            await gateway.told_of_life_support(f"{told}-", meter=M, state="lifted")
            await asyncio.sleep(120)
            assert [] == await _work(gateway), "once for each"

    gateway.run(seconds=2_000, meanwhile=script)


@pytest.mark.parametrize("restarts", [False, True])
def test_each_protection_that_comes_is_told_while_the_item_of_another_is_open(
    tmp_path: Path, *, restarts: bool
) -> None:
    """Whoever has the item would know of a slip of the pen, and nobody of the machine that came later."""
    gateway = _gateway(tmp_path)

    async def told(*causes: str) -> None:
        await asyncio.sleep(120)
        found = [one for one in await _alarms(gateway) if one["rule"] == "CUT_OFF_PROTECTED"]
        assert len(causes) == sum(one["count"] for one in found)
        (item,) = await _work(gateway)
        notes = [one["text"] for one in item["notes"] if one["verb"] == "note"]
        assert len(causes) == 1 + len(notes)
        assert f"by {causes[-1]}," in [item["why"], *notes][-1]

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        await gateway.told_of_life_support(meter=M)
        await told("billing:x1")
        await gateway.told_of_life_support("x2", meter=M)
        await told("billing:x1")
        await gateway.told_of_life_support("x3", meter=M, state="lifted")
        await told("billing:x1")

    async def later() -> None:
        await gateway.up()
        await gateway.told_of_life_support("x4", meter=M)
        await told("billing:x1", "billing:x4")
        assert "revision" in await _committed(gateway, protected=["hospital"])
        await told("billing:x1", "billing:x4", "roster:2")
        await _committed(gateway, are_corrected=False, are_new=True, customer_number="000099999999")
        await asyncio.sleep(120)
        (item,) = await _work(gateway)
        assert "another customer" in item["notes"][-1]["text"]
        another = [one for one in await _alarms(gateway) if one["rule"] == "CUT_OFF_ANOTHER"]
        assert [1] == [one["count"] for one in another]

    async def both() -> None:
        await script()
        await later()

    if restarts:
        gateway.run(seconds=900, meanwhile=script, kill=True)
        gateway.run(seconds=900, meanwhile=later)
    else:
        gateway.run(seconds=1800, meanwhile=both)


def test_a_new_protection_closes_although_an_older_cause_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes to live by a machine would stay dark because the flat was let anew five weeks before."""
    gateway = _gateway(tmp_path)

    async def nobody(*_: object) -> list[Spared]:
        return []

    async def script() -> None:
        await gateway.cut_off(M)
        await _committed(gateway, are_corrected=False, are_new=True, customer_number="000099999999")
        await asyncio.sleep(120)

    with monkeypatch.context() as older:
        older.setattr(Sparing, "since", nobody)
        gateway.run(seconds=900, meanwhile=script)
    gateway.sim.clock.advance(35 * 86_400)

    async def later() -> None:
        await gateway.up()
        await asyncio.sleep(120)
        assert ["trip"] == [kind for kind, _ in await _orders(gateway)]
        await gateway.told_of_life_support(meter=M)
        await asyncio.sleep(300)
        assert ("permit_close", "waiting_for_key") in await _orders(gateway)

    gateway.run(seconds=900, meanwhile=later)


@pytest.mark.parametrize(
    ("body", "is_told"),
    [
        ({"spared": "billing:x1", "why": ""}, True),
        ({"spared": "billing:x12", "why": "meter m: protected, by billing:x1, and cut off"}, False),
        ({"why": "meter m: protected since (hospital), by billing:x1, and cut off by order t"}, True),
        ({"why": "meter m: protected since (hospital), by billing:x12, and cut off by order t"}, False),
        ({"why": "somebody was there"}, False),
    ],
)
def test_older_acts_of_an_item_name_their_cause_in_words(body: Mapping[str, str], *, is_told: bool) -> None:
    """After an update somebody would be sent again to every household of whom people know."""
    assert is_told is _is_told(body, "billing:x1")


def test_a_hold_stands_before_a_protection(tmp_path: Path) -> None:
    """Current would come back where an inspector found that it kills."""
    gateway = _gateway(tmp_path)
    gateway.employ("ines", "inspector")

    async def script() -> None:
        await gateway.cut_off(M)
        hold = {
            "kind": "safety_hold",
            "id": "h1",
            "sender": "ines",
            "at": time_out(gateway.now()),
            "meter": M,
        }
        answer = await gateway.ask(
            "ines", "evidence.add", records=[{**hold, "hold": "H", "state": "set", "why": "bare wires"}]
        )
        assert "refused" not in answer["records"][0]
        await gateway.told_of_life_support(meter=M)
        await asyncio.sleep(120)
        assert ("permit_close", "refused") in await _orders(gateway)
        (item,) = await _work(gateway)
        assert item["why"].startswith("DO NOT CLOSE, safety hold (bare wires)")

    gateway.run(seconds=1000, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_a_clerk_may_name_the_protection(tmp_path: Path) -> None:
    """Nobody could bring current back by hand where the program's own reconnection was taken back."""
    gateway = _gateway(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        order = gateway.order("c-1", OrderKind.PERMIT_CLOSE, M, reference="billing:x1")
        assert "CTRL-16" in str(await gateway.refused("clara", "order.create", order=order))
        gateway.unplug()
        await gateway.told_of_life_support(meter=M)
        await asyncio.sleep(5)
        found = (await gateway.ask("clara", "order.list"))["orders"]
        (own,) = [one["id"] for one in found if one["kind"] == "permit_close"]
        await gateway.ask("clara", "order.cancel", id=own, reason="a call")
        gateway.plugged = True
        await asyncio.sleep(60)
        await gateway.ask("clara", "order.create", order=order)
        await gateway.operated("c-1")
        assert "waiting_for_key" == (await gateway.until("c-1", "waiting_for_key"))["state"]

    gateway.run(seconds=2000, meanwhile=script)


def test_a_closing_that_waited_behind_the_trip_is_followed_by_another(tmp_path: Path) -> None:
    """Where a clerk's closing ran out behind the trip's delay, nobody would bring current back (CTRL-21)."""
    gateway = _gateway(tmp_path, delay_min=60)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        await asyncio.sleep(300)
        await gateway.told_of_life_support(meter=M)
        order = gateway.order("c-1", OrderKind.PERMIT_CLOSE, M, reference="billing:x1")
        await gateway.ask("clara", "order.create", order={**order, "deadline_at": _in(gateway, 1200)})
        await gateway.operated("c-1")
        await asyncio.sleep(3900)
        found = {
            one["id"]: one["state"] for one in (await gateway.ask("clara", "order.list", all=True))["orders"]
        }
        assert ("done", "expired") == (found.pop("t-1"), found.pop("c-1"))
        assert ["waiting_for_key"] == list(found.values())

    gateway.run(seconds=6000, meanwhile=script)


def _in(gateway: OrderGateway, seconds: int) -> str:
    return time_out(gateway.now().replace(microsecond=0) + timedelta(seconds=seconds))


@pytest.mark.parametrize("by_roster", [False, True])
def test_a_protection_of_another_meter_reconnects_this_one(tmp_path: Path, *, by_roster: bool) -> None:
    """The ward behind the second meter of a hospital would stay dark, for it was told of the first."""
    gateway = two_meters(tmp_path)
    gateway.employ("olga", "operator")

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(OTHER)
        await gateway.trip("t-1", OTHER)
        assert "done" == (await gateway.until("t-1"))["state"]
        if by_roster:
            assert "revision" in await _committed(gateway, protected=["hospital"])
        else:
            await gateway.told_of_life_support(meter=M)
        await asyncio.sleep(120)
        assert [("permit_close", "waiting_for_key"), ("trip", "done")] == sorted(await _orders(gateway))
        (item,), (alarm,) = await _work(gateway), await _alarms(gateway)
        assert OTHER == item["meter"] == alarm["meter"]

    gateway.run(seconds=900, meanwhile=script)


def test_a_reconnection_whose_protection_ends_on_the_way_stops_and_says_so(tmp_path: Path) -> None:
    """It would go for a reason that is none any more, or be given up in silence (CTRL-16)."""
    gateway = _gateway(tmp_path)

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        await gateway.told_of_life_support(meter=M)
        await asyncio.sleep(60)
        assert ("permit_close", "authorised") in await _orders(gateway)
        await gateway.told_of_life_support("x2", meter=M, state="lifted")
        gateway.plugged = True
        await asyncio.sleep(600)
        assert ("permit_close", "refused") in await _orders(gateway)
        items = (await gateway.ask("david", "work.list"))["items"]
        assert {"cut_off", "field_order"} == {one["kind"] for one in items}
        (sent,) = [one for one in items if one["kind"] == "field_order"]
        assert "CTRL-16" in sent["why"]

    gateway.run(seconds=1200, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_current_that_is_back_closes_the_work(tmp_path: Path) -> None:
    """Somebody would be sent to a household that has had its current for hours."""
    gateway = _gateway(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        await gateway.told_of_life_support(meter=M)
        await asyncio.sleep(120)
        assert 1 == len(await _work(gateway))
        assert gateway.press_key()
        await asyncio.sleep(1800)
        assert [] == await _work(gateway)

    gateway.run(seconds=3000, meanwhile=script)
