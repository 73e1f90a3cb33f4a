"""A qualification that nobody goes on with, with the contact open: somebody is told, and it can be closed."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from pathlib import Path

import pytest

from meterlink.errors import LineError
from metersim import Station
from metersim.line.fault_rules import FaultRule
from metersim.works.switch import Command
from tests.sim.test_reconnections import alarms, work
from tests.support.at_the_meter import STEPS_MAX, AtTheMeter
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway

M = f"m{ADDRESS}"
LEFT = ("PROBE_LEFT_OPEN", "field_order")


def a_gateway(folder: Path) -> OrderGateway:
    gateway = OrderGateway(folder, [Station(meter=a_meter(OPEN_TO_ALL))], proved=None)
    gateway.employ("ines", "inspector")
    return gateway


async def walked_into_the_dark(gateway: OrderGateway, fred: AtTheMeter) -> None:
    """As far as the first trip."""
    await gateway.up()
    await fred.begin(M)
    for _ in range(STEPS_MAX):
        await fred.step()
        if "trip" in gateway.obeyed():
            return
    raise AssertionError(f"nothing was tripped: {fred.walk}")


async def told(gateway: OrderGateway) -> list[tuple[str, str]]:
    """Alarms, and whoever is sent out for them."""
    sent = [item["kind"] for item in await work(gateway) if item["kind"] == "field_order"]
    return list(zip(await alarms(gateway), sent, strict=True))


@pytest.mark.parametrize("leaves", [True, False])
def test_a_walk_left_with_an_open_contact_is_somebodys_work(tmp_path: Path, leaves: bool) -> None:
    """A household would stay in the dark, and nobody know: the person at the meter has gone."""
    gateway = a_gateway(tmp_path)
    fred = AtTheMeter(gateway)

    async def script() -> None:
        await walked_into_the_dark(gateway, fred)
        assert [] == await told(gateway)
        if leaves:
            await gateway.ask("fred", "qualify.leave", meter=M)
        await asyncio.sleep(2 * 60 if leaves else 17 * 60)
        assert [LEFT] == await told(gateway)
        await asyncio.sleep(3 * 3_600)
        assert [LEFT] == await told(gateway), "once"

    gateway.run(seconds=5 * 3_600, meanwhile=script)


def test_a_walk_that_a_crash_has_ended_is_somebodys_work(tmp_path: Path) -> None:
    """The daemon died in the middle, the person went home."""
    gateway = a_gateway(tmp_path)
    fred = AtTheMeter(gateway)
    gateway.run(seconds=600, meanwhile=lambda: walked_into_the_dark(gateway, fred), kill=True)

    async def script() -> None:
        await gateway.up()
        await asyncio.sleep(17 * 60)
        assert [LEFT] == await told(gateway)

    gateway.run(seconds=1_800, meanwhile=script)


@pytest.mark.parametrize("away_s", [0, 86_400])
def test_who_was_alarmed_is_not_alarmed_again_by_the_next_program(tmp_path: Path, away_s: int) -> None:
    """Each start of the daemon would count the alarm on, or raise a second one on another day."""
    gateway = a_gateway(tmp_path)
    fred = AtTheMeter(gateway)

    async def raised() -> list[tuple[str, int]]:
        told = (await gateway.ask("david", "alarm.list"))["alarms"]
        return [(one["rule"], one["count"]) for one in told]

    async def left() -> None:
        await walked_into_the_dark(gateway, fred)
        await asyncio.sleep(17 * 60)
        assert [("PROBE_LEFT_OPEN", 1)] == await raised()
        await asyncio.sleep(away_s)

    async def later() -> None:
        await gateway.up()
        await asyncio.sleep(3 * 60)
        assert [("PROBE_LEFT_OPEN", 1)] == await raised()

    gateway.run(seconds=away_s + 3_600, meanwhile=left)
    gateway.run(seconds=600, meanwhile=later)


def test_a_close_that_never_arrives_alarms_whoever_else_was_sent(tmp_path: Path) -> None:
    """The order sends somebody out for itself; nobody at a screen would hear that a probe left it dark."""
    gateway = a_gateway(tmp_path)
    fred = AtTheMeter(gateway)

    async def script() -> None:
        await gateway.up()
        await fred.begin(M)
        for _ in range(STEPS_MAX):
            if fred.walk["result"]:
                break
            if fred.walk["next"].get("probe") == "direct":
                gateway.strikes.rules.add(FaultRule(what="loss", item="1CH"), at=gateway.now())
            with contextlib.suppress(LineError):
                await fred.step()
            await asyncio.sleep(1)
        assert "stopped" == fred.walk["result"]
        assert "direct" == fred.confirmed[-1]
        await asyncio.sleep(2 * 60)
        assert [LEFT] == await told(gateway)
        await asyncio.sleep(2 * 86_400)
        assert [LEFT] == await told(gateway), "once, on whatever day"

    gateway.run(seconds=3 * 86_400, meanwhile=script)


def test_another_person_takes_a_left_walk_up_and_closes(tmp_path: Path) -> None:
    """Only who has gone could close; before that nobody may come between."""
    gateway = a_gateway(tmp_path)
    fred, ines = AtTheMeter(gateway), AtTheMeter(gateway, "ines")

    async def script() -> None:
        await walked_into_the_dark(gateway, fred)
        error = await gateway.refused("ines", "qualify.begin", meter=M)
        assert "one person does all of it" in str(error)
        await asyncio.sleep(17 * 60)
        await ines.qualify(M)

    gateway.run(seconds=2 * 3_600, meanwhile=script)
    assert ("qualified", "ines") == (ines.walk["result"], ines.walk["by"])
    assert "direct_close" == gateway.obeyed()[-1]


def test_nobody_comes_between_because_a_clock_was_set(tmp_path: Path) -> None:
    """A second person would switch the load on under the hands of the first, who is still there."""
    gateway = a_gateway(tmp_path)
    fred = AtTheMeter(gateway)

    async def script() -> None:
        await gateway.up()
        await asyncio.sleep(20 * 60)
        await walked_into_the_dark(gateway, fred)
        gateway.clock.ahead = timedelta(hours=3)
        error = await gateway.refused("ines", "qualify.begin", meter=M)
        assert "one person does all of it" in str(error)
        await asyncio.sleep(2 * 60)
        assert [] == await told(gateway), "he has not gone"

    gateway.run(seconds=2 * 3_600, meanwhile=script)


@pytest.mark.parametrize("is_paid", [False, True])
def test_who_begins_where_a_walk_was_left_closes(tmp_path: Path, is_paid: bool) -> None:
    """Nobody could close but with a screwdriver: no order goes to a model that is not qualified."""
    gateway = a_gateway(tmp_path)
    fred, ines = AtTheMeter(gateway), AtTheMeter(gateway, "ines")

    async def script() -> None:
        await walked_into_the_dark(gateway, fred)
        await gateway.ask("fred", "qualify.leave", meter=M)
        if is_paid:
            (close,) = (await gateway.paid(M))["orders"]
            assert "refused" == (await gateway.until(close))["state"]
        await asyncio.sleep(2 * 60)
        assert 1 + is_paid == len([one for one in await work(gateway) if one["kind"] == "field_order"])
        await ines.qualify(M)
        assert [] == [one for one in await work(gateway) if one["kind"] == "field_order"], "all is done"
        await asyncio.sleep(35 * 60)
        assert [] == [one for one in await work(gateway) if one["kind"] == "field_order"], "nobody waits"

    gateway.run(seconds=3_600, meanwhile=script)
    assert (("close",), "closed") == (tuple(ines.confirmed), ines.walk["result"])
    assert ["trip", "direct_close"] == gateway.obeyed()[-2:]


def test_a_contact_that_was_closed_by_hand_is_not_closed_again(tmp_path: Path) -> None:
    """A model that was left once could never be qualified at that meter again."""
    gateway = a_gateway(tmp_path)
    fred = AtTheMeter(gateway)

    async def script() -> None:
        await walked_into_the_dark(gateway, fred)
        await gateway.ask("fred", "qualify.leave", meter=M)
        gateway.meters[ADDRESS].works.switch.obey(Command(kind="direct_close"), gateway.now())
        await fred.qualify(M)
        assert ("closed", []) == (fred.walk["result"], fred.confirmed[fred.confirmed.index("trip") + 1 :])
        await fred.begin(M)
        assert "" == fred.walk["closes"]

    gateway.run(seconds=3_600, meanwhile=script)


def test_a_walk_to_its_end_is_nobodys_work(tmp_path: Path) -> None:
    """Each qualification would send somebody out for nothing."""
    gateway = a_gateway(tmp_path)
    fred = AtTheMeter(gateway)

    async def script() -> None:
        await fred.qualify(M)
        await asyncio.sleep(3_600)
        assert [] == await told(gateway)

    gateway.run(seconds=3 * 3_600, meanwhile=script)
