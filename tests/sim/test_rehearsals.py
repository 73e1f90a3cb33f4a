"""What a rehearsal says of an order: what stops it now, and what would at its later steps as things stand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.order import OrderKind
from metersim import Station
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, TUESDAY, OrderGateway, one_meter

M = f"m{ADDRESS}"
Preparing = Callable[[OrderGateway], Awaitable[object]]
Stops = list[tuple[str, str, str]]


async def _rehearsed(
    gateway: OrderGateway, kind: OrderKind = OrderKind.TRIP, **fields: Any
) -> tuple[list[str], Stops]:
    """The rules that stop it now, and those that would later, with the step and what becomes of it."""
    order = gateway.order("t-9", kind, M, **fields)
    told = await gateway.ask("clara", "order.dry_run", order=order)
    now = [one["rule"] for one in told["rules"] if not one["passed"]]
    assert all(one["en"] and one["zh"] and not one["passed"] for one in told["later"])
    return now, [(one["stage"], one["rule"], one["on_stop"]) for one in told["later"]]


async def _stopped(gateway: OrderGateway) -> None:
    await gateway.told_for_trip(M)
    await gateway.ask("sam", "control.stop", reason="a storm is coming")


async def _frozen(gateway: OrderGateway) -> None:
    await gateway.told_for_trip(M)
    await gateway.ask("sam", "control.freeze", area="*", reason="frost")


async def _in_flight(gateway: OrderGateway) -> None:
    await gateway.told_for_trip(M)
    gateway.strikes.then(gateway.unplug)
    await gateway.ask("clara", "order.create", order=gateway.order("a-1", OrderKind.ALARM_ON, M))
    await gateway.operated("a-1")
    await gateway.until("a-1", "readback")


WORLDS: Mapping[
    str, tuple[Callable[[OrderGateway], Awaitable[object]], timedelta, list[tuple[str, str, str]]]
]
WORLDS = {
    "nothing": (lambda gateway: gateway.told_for_trip(M), timedelta(), []),
    "the kill switch is thrown": (_stopped, timedelta(), [("operate", "CTRL-10", "refuse")]),
    "it is night": (
        lambda gateway: gateway.told_for_trip(M),
        timedelta(hours=12),
        [("approve", "CTRL-09", "refuse")],
    ),
    "a freeze is declared": (_frozen, timedelta(), [("approve", "CTRL-09", "refuse")]),
    "an alarm is read back": (_in_flight, timedelta(), [("paper", "CTRL-21", "postpone")]),
}
"""What is told, how long after ten o'clock it is, and what a rehearsal of a trip says of its later steps."""


@pytest.mark.parametrize("world", WORLDS)
def test_a_rehearsal_says_what_would_stop_the_later_steps(tmp_path: Path, world: str) -> None:
    """A clerk would prepare a trip that nobody can send, and be told that all is well."""
    preparing, late_by, later = WORLDS[world]
    gateway = OrderGateway(tmp_path, [Station(meter=a_meter(OPEN_TO_ALL))], start=TUESDAY + late_by)

    async def script() -> None:
        await gateway.up()
        await preparing(gateway)
        before = await gateway.ask("clara", "order.list", all=True)
        assert ([], later) == await _rehearsed(gateway)
        assert before == await gateway.ask("clara", "order.list", all=True), "nothing is kept"

    gateway.run(seconds=120, meanwhile=script)


def test_what_stops_it_now_is_not_told_again(tmp_path: Path) -> None:
    """The one sentence that matters would stand among forty that say the same of each step."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        now, later = await _rehearsed(gateway)
        assert "CTRL-02" in now
        assert [("operate", "CTRL-06", "refuse")] == later, "and no last notice was sent"

    gateway.run(seconds=60, meanwhile=script)


def test_an_approver_is_told_what_stops_the_operating(tmp_path: Path) -> None:
    """An approver would put his name under what nobody can send today."""
    gateway = one_meter(tmp_path)

    async def later(step: str) -> list[tuple[str, str]]:
        who = {"approve": "anna", "operate": "david"}[step]
        told = await gateway.ask(who, "order.check", id="t-1", verb=step)
        return [(one["stage"], one["rule"]) for one in told["later"]]

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.ask("clara", "order.create", order=gateway.order("t-1", OrderKind.TRIP, M))
        assert [] == await later("approve")
        await gateway.ask("sam", "control.stop", reason="a storm is coming")
        assert [("operate", "CTRL-10")] == await later("approve")
        await gateway.ask("anna", "order.approve", id="t-1")
        assert [] == await later("operate"), "it is stopped now"
        assert [] == await later("approve"), "it is approved: there is no such step any more"

    gateway.run(seconds=60, meanwhile=script)


@pytest.mark.parametrize("kind", [OrderKind.ALARM_ON, OrderKind.ALARM_OFF])
def test_what_needs_no_approval_is_foretold_too(tmp_path: Path, kind: OrderKind) -> None:
    """The steps of an order that nobody approves would never be looked at."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.up()
        assert ([], []) == await _rehearsed(gateway, kind)
        await _in_flight(gateway)
        assert ([], [("paper", "CTRL-21", "postpone")]) == await _rehearsed(gateway, kind)

    gateway.run(seconds=60, meanwhile=script)
