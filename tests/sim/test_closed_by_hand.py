"""Staff close with a hand-held unit: the household has current, and the program finds that out by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from meterlink.model.act import KeptAct, Topic
from meterlink.model.payload import time_in
from metersim.works.switch import Command
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway, one_meter

M = f"m{ADDRESS}"
DAY = "2026-11-24"


def close_by_hand(gateway: OrderGateway) -> datetime:
    """Close as staff do, beside the program; when that was."""
    command = Command(kind="direct_close", operator="00004711")
    switch = gateway.meters[ADDRESS].works.switch
    switch.obey(command, gateway.sim.clock.utc_now())
    assert not switch.contact_open
    return gateway.sim.clock.utc_now()


async def work(gateway: OrderGateway) -> list[str]:
    """The kinds of the open work items."""
    return [item["kind"] for item in (await gateway.ask("david", "work.list"))["items"]]


async def alarms(gateway: OrderGateway) -> list[str]:
    """The rules of the open alarms."""
    return [one["rule"] for one in (await gateway.ask("david", "alarm.list"))["alarms"]]


async def punctual(gateway: OrderGateway) -> Mapping[str, Any]:
    """How many of that day had current in time."""
    return await gateway.ask("billing", "reconnections", day=DAY)


def sightings(gateway: OrderGateway) -> list[Mapping[str, Any]]:
    """The bodies of the looks that found current."""
    acts = [row.record.act for row in gateway.rows() if isinstance(row.record, KeptAct)]
    return [act.body for act in acts if act.topic is Topic.SUPPLY]


def test_a_closing_that_is_read_back_ends_when_staff_have_closed(tmp_path: Path) -> None:
    """The meter showed light, and after a day the order was unknown and the meter locked (2.2)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        gateway.strikes.add("loss")
        gateway.strikes.then(gateway.unplug)
        (close,) = (await gateway.paid(M))["orders"]
        await asyncio.sleep(40 * 60)
        assert "readback" == (await gateway.ask("clara", "order.show", id=close))["state"]
        assert ["field_order"] == await work(gateway)
        closed_at = close_by_hand(gateway)
        await asyncio.sleep(600)
        gateway.plugged = True
        await asyncio.sleep(7200)
        shown = await gateway.ask("clara", "order.show", id=close)
        body = shown["steps"][-1]["body"]
        assert ("done", "another hand") == (shown["state"], body["inputs"]["closed_by"])
        assert time_in(body["closed_at"]) == closed_at.replace(microsecond=0)
        assert [] == await work(gateway)
        assert 1 == len((await punctual(gateway))["late"])  # the record says so: 40 minutes
        await asyncio.sleep(23 * 3600)
        assert [] == [rule for rule in await alarms(gateway) if rule == "RECONNECT_LATE_2"]

    gateway.run(seconds=27 * 3600, meanwhile=script)
    assert ["trip", "direct_close"] == gateway.obeyed()


def test_a_plain_closing_by_hand_is_found_without_an_order(tmp_path: Path) -> None:
    """Somebody would be sent to a lit house, and a day later an alarm tell of darkness (CTRL-16)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        await gateway.paid(M)
        await asyncio.sleep(20 * 60)
        closed_at = close_by_hand(gateway)
        await asyncio.sleep(20 * 60)
        assert ["field_order"] == await work(gateway)
        gateway.plugged = True
        await asyncio.sleep(15 * 60)
        assert [] == await work(gateway)
        (seen,) = sightings(gateway)
        assert time_in(seen["closed_at"]) == closed_at.replace(microsecond=0)
        told = await punctual(gateway)
        assert (1, []) == (told["in_time"], told["late"])
        await asyncio.sleep(25 * 3600)
        assert "RECONNECT_LATE_2" not in await alarms(gateway)

    gateway.run(seconds=27 * 3600, meanwhile=script)
    assert ["trip", "direct_close"] == gateway.obeyed()
    assert 1 == len(sightings(gateway))


def test_a_closing_by_hand_that_came_late_stays_late(tmp_path: Path) -> None:
    """Whoever looks late would make it punctual, or a look that shows it open end the wait (CTRL-16)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        await gateway.paid(M)
        await asyncio.sleep(40 * 60)
        gateway.plugged = True
        await asyncio.sleep(20 * 60)
        assert [] == sightings(gateway)
        assert ["field_order"] == await work(gateway)
        close_by_hand(gateway)
        await asyncio.sleep(15 * 60)
        assert 1 == len(sightings(gateway))
        assert 1 == len((await punctual(gateway))["late"])

    gateway.run(seconds=7200, meanwhile=script)
    assert ["trip", "direct_close"] == gateway.obeyed()


def test_it_is_found_behind_a_restart(tmp_path: Path) -> None:
    """What is looked after only in memory would be forgotten with it."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        await gateway.paid(M)
        await asyncio.sleep(40 * 60)

    gateway.run(seconds=3600, meanwhile=script, kill=True)
    close_by_hand(gateway)

    async def later() -> None:
        await gateway.up()
        await asyncio.sleep(timedelta(minutes=12).total_seconds())
        assert [] == await work(gateway)

    gateway.plugged = True
    gateway.run(seconds=900, meanwhile=later)
    assert 1 == len(sightings(gateway))
    assert ["trip", "direct_close"] == gateway.obeyed()
