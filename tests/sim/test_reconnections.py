"""Current comes back after a payment: in time, with the key, or by somebody who goes there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.errors import BusFull
from meterlink.orders import book as books
from meterlink.orders.dispatch.reminding import EVERY_S
from meterlink.orders.paid import payments
from meterlink.orders.paid.payments import Payments
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway, kinds_of, one_meter

M = f"m{ADDRESS}"


async def work(gateway: OrderGateway) -> list[Mapping[str, Any]]:
    """The open work items."""
    answer = await gateway.ask("david", "work.list")
    items: list[Mapping[str, Any]] = answer["items"]
    return items


async def alarms(gateway: OrderGateway) -> list[str]:
    """The rules of the open alarms."""
    return [one["rule"] for one in (await gateway.ask("david", "alarm.list"))["alarms"]]


def test_three_frames_that_never_arrive_send_somebody_there(tmp_path: Path) -> None:
    """A household that has paid would wait for frames that do not come to its meter (CTRL-17)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        gateway.strikes.add("loss", times=9)
        paid_at = gateway.now()
        (close,) = (await gateway.paid(M))["orders"]
        order = await gateway.until(close)
        assert ("not_done", 3) == (order["state"], order["transmissions"])
        assert gateway.now() - paid_at <= timedelta(minutes=30)
        (item,) = await work(gateway)
        assert ("field_order", close) == (item["kind"], item["order"])
        assert [] == await alarms(gateway), "the first command was in time"
        await asyncio.sleep(24 * 3600)
        assert ["RECONNECT_LATE_2"] == await alarms(gateway)

    gateway.run(seconds=26 * 3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_a_line_that_is_down_raises_the_alarm_and_sends_somebody_there(tmp_path: Path) -> None:
    """Nobody would know that a household is in the dark because an adapter is broken (CTRL-16)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        (close,) = (await gateway.paid(M))["orders"]
        await asyncio.sleep(7 * 60)
        assert ["RECONNECT_LATE_1"] == await alarms(gateway)
        order = await gateway.until(close)
        assert order["state"] in ("refused", "expired")
        (item,) = await work(gateway)
        assert ("field_order", close) == (item["kind"], item["order"])

    gateway.run(seconds=3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_a_reconnection_that_a_clerk_cancels_stays_somebodys_work(tmp_path: Path) -> None:
    """Who has paid would stay in the dark for good by one click, and nobody would be told (CTRL-16, 17)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        (close,) = (await gateway.paid(M))["orders"]
        order = await gateway.ask("clara", "order.cancel", id=close, reason="wrong number")
        assert "cancelled" == order["state"]
        (item,) = await work(gateway)
        assert ("field_order", close) == (item["kind"], item["order"])
        assert item["why"].endswith("cancelled by clara: wrong number")
        await asyncio.sleep(7 * 60)
        assert ["RECONNECT_LATE_1"] == await alarms(gateway), "the clocks go on"
        await asyncio.sleep(24 * 3600)
        assert "RECONNECT_LATE_2" in await alarms(gateway)

    gateway.run(seconds=25 * 3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


async def paid_behind_a_trip(gateway: OrderGateway, *, is_part: bool = False) -> None:
    """A trip has just been obeyed when its line breaks; a minute later the customer pays, or a part."""
    await gateway.up()
    await gateway.told_for_trip(M)
    await gateway.trip("t-1", M)
    await gateway.until("t-1", "accepted", "readback")
    gateway.unplug()
    await asyncio.sleep(60)
    assert "readback" == (await gateway.ask("clara", "order.show", id="t-1"))["state"]
    touched = [] if is_part else ["t-1"]
    assert touched == (await gateway.paid(M, settles=not is_part))["orders"], "nothing is sent blindly"


def test_the_clocks_run_while_a_paid_trip_is_still_read_back(tmp_path: Path) -> None:
    """Who pays just behind a trip at a meter that is silent would be forgotten for a day (CTRL-16, 17)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await paid_behind_a_trip(gateway)
        await asyncio.sleep(4 * 60)
        assert [] == await alarms(gateway), "five minutes are not over"
        await asyncio.sleep(2 * 60)
        assert ["RECONNECT_LATE_1"] == await alarms(gateway)
        await asyncio.sleep(23 * 60)
        assert [] == await work(gateway), "thirty minutes are not over"
        await asyncio.sleep(2 * 60)
        (item,) = await work(gateway)
        assert ("field_order", "t-1") == (item["kind"], item["order"])
        assert item["why"].startswith("paid (billing:p1) more than 30 minutes ago, and order t-1 (trip)")
        await gateway.ask("david", "work.close", item=item["id"], why="the door is locked")
        await asyncio.sleep(23 * 3600)
        assert "readback" == (await gateway.ask("clara", "order.show", id="t-1"))["state"]
        assert [] == await work(gateway), "what a person has closed stays closed"
        assert "RECONNECT_LATE_2" not in await alarms(gateway)
        await asyncio.sleep(3600)
        assert "RECONNECT_LATE_2" in await alarms(gateway)

    gateway.run(seconds=26 * 3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_the_clocks_end_when_a_paid_trip_is_undone(tmp_path: Path) -> None:
    """Somebody with light would be looked for as late, or nobody reconnected when the line is back."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await paid_behind_a_trip(gateway)
        await asyncio.sleep(40 * 60)
        gateway.plugged = True
        assert "done" == (await gateway.until("t-1"))["state"]
        listed = (await gateway.ask("clara", "order.list", meter=M))["orders"]
        (close,) = [one["id"] for one in listed if one["id"].startswith("pay-close")]
        await gateway.until(close, "waiting_for_key")
        assert gateway.press_key()
        assert "done" == (await gateway.until(close))["state"]
        assert [] == await work(gateway), "nobody has to go there any more"
        await asyncio.sleep(25 * 3600)
        assert ["RECONNECT_LATE_1"] == await alarms(gateway)

    gateway.run(seconds=27 * 3600, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_a_reconnection_that_nobody_can_see_sends_somebody_there(tmp_path: Path) -> None:
    """A close of which nothing is known would keep a household in the dark for a day (CTRL-17)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close, "accepted", "readback")
        gateway.unplug()
        await asyncio.sleep(31 * 60)
        assert "readback" == (await gateway.ask("clara", "order.show", id=close))["state"]
        (item,) = await work(gateway)
        assert ("field_order", close) == (item["kind"], item["order"])
        assert [] == await alarms(gateway), "the first command was in time"

    gateway.run(seconds=3600, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_field_staff_reconnect_with_a_one_time_authorisation(tmp_path: Path) -> None:
    """Somebody who stands at the meter could not close it, or anybody could at any time (CTRL-17, AUD-01)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        gateway.strikes.add("loss", times=3)
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close)
        order = {**gateway.order("f-1", "permit_close", M), "payment": "billing:p1"}
        await gateway.ask("clara", "order.create", order=order)
        assert "AUD-01" in str(await gateway.refused("fred", "order.arm", id="f-1"))
        await gateway.operated_in_the_field("f-1")
        assert "waiting_for_key" == (await gateway.until("f-1", "waiting_for_key"))["state"]
        assert gateway.press_key()
        assert "done" == (await gateway.until("f-1"))["state"]

    gateway.run(seconds=7200, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_a_payment_ends_the_alarm_too(tmp_path: Path) -> None:
    """The meter of a household that has paid would go on warning it (ARR-06)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.warned_and_cut_off(M)
        close, quiet = (await gateway.paid(M))["orders"]
        assert "done" == (await gateway.until(quiet))["state"], "it does not wait for the key"
        assert "waiting_for_key" == (await gateway.until(close, "waiting_for_key"))["state"]
        assert gateway.press_key()
        await gateway.until(close)

    gateway.run(seconds=3600, meanwhile=script)
    assert ["alarm_on", "trip", "permit_close", "alarm_off"] == gateway.obeyed(), "current comes first"


def test_nobody_presses_the_key(tmp_path: Path) -> None:
    """An order would wait for ever for a key that nobody presses."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        (close,) = (await gateway.paid(M))["orders"]
        await asyncio.sleep(25 * 3600)
        order = await gateway.until(close)
        assert ("waiting_for_key", False) == (order["state"], order["is_open"])
        assert "leave" == kinds_of(order["steps"])[-1]
        (item,) = await work(gateway)
        assert ("field_order", close) == (item["kind"], item["order"])

    gateway.run(seconds=26 * 3600, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


@pytest.mark.parametrize("is_told", [False, True])
def test_who_has_not_pressed_the_key_after_two_hours_is_told_again(tmp_path: Path, is_told: bool) -> None:
    """A family that paid would sit in the dark for a day, because nobody told it of the key (section 2.2)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        (close,) = (await gateway.paid(M))["orders"]
        since = (await gateway.until(close, "waiting_for_key"))["steps"][-1]["at"]
        left = datetime.fromisoformat(since) + timedelta(hours=2) - gateway.now()
        await asyncio.sleep(left.total_seconds() - 1)
        assert [] == await work(gateway)
        await asyncio.sleep(EVERY_S + 2)
        (item,) = await work(gateway)
        assert ("reminder", close, M) == (item["kind"], item["order"], item["meter"])
        assert "press the key" in item["why"]
        if is_told:
            await gateway.ask("clara", "work.close", item=item["id"], why="told her on the telephone")
        await asyncio.sleep(3600)
        assert ([] if is_told else [item["id"]]) == [one["id"] for one in await work(gateway)]
        assert gateway.press_key()
        assert "done" == (await gateway.until(close, "done"))["state"]
        assert [] == await work(gateway)
        told = await gateway.ask("david", "work.show", item=item["id"])
        assert ["open", "close"] == [note["verb"] for note in told["notes"]]

    gateway.run(seconds=8 * 3600, meanwhile=script)


def test_waiting_trips_keep_nobody_in_the_dark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders that wait for people would fill the room of those who have paid."""
    monkeypatch.setattr(books, "OPEN_MAX", 2)
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        for name in ("a-1", "a-2"):
            await gateway.ask("clara", "order.create", order=gateway.order(name, "alarm_on", M))
        await gateway.refused("clara", "order.create", order=gateway.order("a-3", "alarm_on", M))
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close, "waiting_for_key")

    gateway.run(seconds=120, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_payment_without_room_is_caught_up_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_restarted: bool
) -> None:
    """A payment that came when too many orders were open would be kept, and reconnect nobody, ever."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        with monkeypatch.context() as patched:
            patched.setattr(books, "PAID_OPEN_MAX", 0)
            assert [] == (await gateway.paid(M))["orders"]
            await asyncio.sleep(150)
            (alarm,) = (await gateway.ask("david", "alarm.list"))["alarms"]
            assert ("PAYMENT_NO_ROOM", 1, M) == (alarm["rule"], alarm["count"], alarm["meter"])
            assert ["evidence:billing:p1"] == alarm["evidence"]
        if not is_restarted:
            await reconnected()

    async def reconnected() -> None:
        await asyncio.sleep(65)
        listed = await gateway.ask("clara", "order.list", meter=M)
        (close,) = [one["id"] for one in listed["orders"]]
        await gateway.until(close, "waiting_for_key")

    gateway.run(seconds=300, meanwhile=script)
    if is_restarted:
        monkeypatch.setattr(payments, "CAUGHT_UP_RECORDS", 0)  # it is not among the newest any more

        async def again() -> None:
            await gateway.up()
            await reconnected()

        gateway.run(seconds=120, meanwhile=again)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_payments_without_room_are_kept_in_mind_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Payments without room would fill the memory, or the sender of one too many would not know."""
    monkeypatch.setattr(payments, "MISSED_MAX", 1)
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        with monkeypatch.context() as patched:
            patched.setattr(books, "PAID_OPEN_MAX", 0)
            await gateway.paid(M)
            with pytest.raises(BusFull):
                await gateway.paid(M, "p2")
            assert [] == (await gateway.paid(M))["orders"], "the first is kept in mind"

    gateway.run(seconds=60, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_a_partial_payment_withdraws_a_trip_and_reconnects_nobody(tmp_path: Path) -> None:
    """Who has paid something would be cut off meanwhile, or who still owes be reconnected for a cent."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        assert [] == (await gateway.paid(M, amount_cents=1, settles=False))["orders"]

    gateway.run(seconds=60, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_a_partial_payment_behind_a_trip_reconnects_nobody(tmp_path: Path) -> None:
    """Whoever pays a cent while a trip is read back would have supply, and owe the rest (CTRL-21)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await paid_behind_a_trip(gateway, is_part=True)
        await asyncio.sleep(60)
        gateway.plugged = True
        trip = await gateway.until("t-1")
        assert "done" == trip["state"]
        assert "payment" not in kinds_of(trip["steps"])
        listed = (await gateway.ask("clara", "order.list", meter=M, all=True))["orders"]
        assert ["t-1"] == [one["id"] for one in listed]

    gateway.run(seconds=3600, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_a_crash_between_a_payment_and_what_it_leads_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payment that was kept would never reconnect anybody, because the program died at that moment."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        with monkeypatch.context() as patched, pytest.raises(ConnectionError):
            patched.setattr(Payments, "paid", dies)  # the record is kept, and then the power fails
            await gateway.paid(M)

    async def dies(*_: object) -> list[str]:
        raise ConnectionError("the power fails")

    gateway.run(seconds=30, meanwhile=script)
    assert ["trip"] == gateway.obeyed()

    async def again() -> None:
        await gateway.up()
        listed = await gateway.ask("clara", "order.list", meter=M)
        (close,) = [one["id"] for one in listed["orders"]]
        assert "waiting_for_key" == (await gateway.until(close, "waiting_for_key"))["state"]

    gateway.run(seconds=120, meanwhile=again)
    assert ["trip", "permit_close"] == gateway.obeyed()
