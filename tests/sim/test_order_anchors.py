"""What must hold when the world misbehaves around an order (F23, F44 to F54); the meters are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.errors import NotAllowed, OrderClash
from meterlink.model.order import Order, OrderKind
from meterlink.orders.judging.judge import Stopped
from meterlink.orders.life.look import Conclusion
from meterlink.orders.life.proof import conclude
from metersim import Faults, Station
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway, kinds_of

M = f"m{ADDRESS}"
MOMENTS_MS = [*range(0, 700, 50), *range(725, 1600, 125)]
"""Moments after a trip is operated: its looks, its frame, its answer and its read-back lie among them.
``crash_points`` kills at every change between them."""


def a_gateway(tmp_path: Path, meter: Any = None, **more: Any) -> OrderGateway:
    return OrderGateway(tmp_path, [Station(meter=meter or a_meter(OPEN_TO_ALL))], **more)


def trip_at(gateway: OrderGateway) -> Callable[[], Awaitable[None]]:
    """A trip that is operated ten seconds after the start."""

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        order = gateway.order("t-1", OrderKind.TRIP, M)
        await gateway.ask("clara", "order.create", order=order)
        await gateway.ask("anna", "order.approve", id="t-1")
        await gateway.ask("david", "order.arm", id="t-1")
        await asyncio.sleep(10 - (gateway.now() - gateway.started_at).total_seconds())
        await gateway.ask("david", "order.operate", id="t-1")

    return script


def looked_at(gateway: OrderGateway, order_id: str = "t-1") -> dict[str, Any]:
    """The order once it has ended, in a daemon that runs again."""
    found: dict[str, Any] = {}

    async def script() -> None:
        await gateway.up()
        found.update(await gateway.until(order_id))

    gateway.run(seconds=3 * 3600, meanwhile=script)
    return found


def test_a_trip_by_three_persons(tmp_path: Path) -> None:
    """The plain way through evidence, rules, approval and line would not lead to an open contact."""
    gateway = a_gateway(tmp_path)
    gateway.run(seconds=60, meanwhile=trip_at(gateway))
    order = looked_at(gateway)
    assert "done" == order["state"]
    steps = "create approve authorise arm operate take intend accept read_back prove"
    assert steps.split() == kinds_of(order["steps"])
    assert ["trip"] == gateway.obeyed()


@pytest.mark.parametrize("milliseconds", MOMENTS_MS)
def test_f23_told_to_stop_during_a_command(tmp_path: Path, milliseconds: int) -> None:
    """SIGTERM between the frame and its read-back would leave an order that nobody finishes, or repeat it."""
    gateway = a_gateway(tmp_path)
    gateway.run(seconds=10 + milliseconds / 1000, meanwhile=trip_at(gateway))
    order = looked_at(gateway)
    assert ("done", 1) == (order["state"], order["transmissions"])
    assert ["trip"] == gateway.obeyed()


@pytest.mark.parametrize("milliseconds", MOMENTS_MS)
def test_f44_killed_before_and_after_send_answer_and_read_back(tmp_path: Path, milliseconds: int) -> None:
    """After a crash a trip would be sent again though it was obeyed, or its outcome be taken for granted."""
    gateway = a_gateway(tmp_path)
    gateway.run(seconds=10 + milliseconds / 1000, meanwhile=trip_at(gateway), kill=True)
    order = looked_at(gateway)
    assert "done" == order["state"]
    assert ["trip"] == gateway.obeyed()


def test_f45_answer_lost_but_relay_moved(tmp_path: Path) -> None:
    """A lost answer would be taken for a failure, and the trip sent a second time."""
    gateway = a_gateway(tmp_path)
    gateway.strikes.add("silence")
    gateway.run(seconds=60, meanwhile=trip_at(gateway))
    order = looked_at(gateway)
    assert ("done", 1) == (order["state"], order["transmissions"])
    assert "lose" in kinds_of(order["steps"])
    assert ["trip"] == gateway.obeyed()


def test_f45_request_lost_and_sent_again_after_proof(tmp_path: Path) -> None:
    """A frame that never came to the meter would never be repeated, though nothing happened."""
    gateway = a_gateway(tmp_path)
    gateway.strikes.add("loss")
    gateway.run(seconds=60, meanwhile=trip_at(gateway))
    order = looked_at(gateway)
    assert ("done", 2) == (order["state"], order["transmissions"])
    steps = kinds_of(order["steps"])
    assert steps.index("lose") < steps.index("prove_not") < len(steps) - 1 - steps[::-1].index("intend")
    assert ["trip"] == gateway.obeyed()


def test_f46_the_same_id_from_a_hundred_callers(tmp_path: Path) -> None:
    """A caller that asks again and again would make as many orders."""
    gateway = a_gateway(tmp_path)
    answers: list[Any] = []

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        order = gateway.order("t-1", OrderKind.TRIP, M)
        asked = [gateway.ask("clara", "order.create", order=order) for _ in range(100)]
        answers.extend(await asyncio.gather(*asked))
        other = {**order, "reason": "another"}
        assert isinstance(await gateway.refused("clara", "order.create", order=other), OrderClash)
        await gateway.ask("anna", "order.approve", id="t-1")
        await gateway.operated("t-1")
        await gateway.until("t-1")

    gateway.run(seconds=120, meanwhile=script)
    assert [answers[0]] * 100 == answers
    assert ["trip"] == gateway.obeyed()


def test_f48_a_deadline_that_passes_in_the_queue(tmp_path: Path) -> None:
    """A trip that waited for its line would be sent when nobody expects it any more."""
    gateway = a_gateway(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        gateway.unplug()
        await asyncio.sleep(1)
        deadline_at = (gateway.now() + timedelta(seconds=90)).replace(microsecond=0)
        await gateway.trip("t-1", M, deadline_at=deadline_at.isoformat())
        await asyncio.sleep(120)
        gateway.plugged = True
        order = await gateway.until("t-1")
        assert "expired" == order["state"]

    gateway.run(seconds=400, meanwhile=script)
    assert [] == gateway.obeyed()


def test_f49_nobody_approves_an_own_order(tmp_path: Path) -> None:
    """One person alone could cut a household off."""
    gateway = a_gateway(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.ask("both", "order.create", order=gateway.order("t-1", OrderKind.TRIP, M))
        error = await gateway.refused("both", "order.approve", id="t-1")
        assert isinstance(error, Stopped)
        assert "AUD-02" in str(error)
        await gateway.ask("anna", "order.approve", id="t-1")
        error = await gateway.refused("anna", "order.arm", id="t-1")
        assert isinstance(error, NotAllowed)
        order = await gateway.ask("clara", "order.show", id="t-1")
        assert "authorised" == order["state"]

    gateway.run(seconds=60, meanwhile=script)
    assert [] == gateway.obeyed()


def test_f51_a_protected_meter_is_never_cut_off(tmp_path: Path) -> None:
    """A hospital would go dark by an order that everybody has approved."""
    gateway = a_gateway(tmp_path, keys={ADDRESS: {"protected": ["hospital"]}})

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        order = gateway.order("t-1", OrderKind.TRIP, M)
        error = await gateway.refused("clara", "order.create", order=order)
        assert isinstance(error, Stopped)
        assert "CTRL-08" in str(error)

    gateway.run(seconds=60, meanwhile=script)
    assert [] == gateway.obeyed()


def test_f51_protected_while_it_waits(tmp_path: Path) -> None:
    """A customer who becomes protected between approval and sending would be cut off."""
    gateway = a_gateway(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        gateway.unplug()
        await asyncio.sleep(1)
        await gateway.trip("t-1", M)
        record = {"kind": "protection", "id": "h1", "sender": "clara", "protection": "life_support"}
        now = gateway.now().isoformat()
        added = await gateway.ask(
            "clara", "evidence.add", records=[{**record, "state": "set", "at": now, "meter": M}]
        )
        assert ["t-1"] == added["records"][0]["orders"]
        gateway.plugged = True
        order = await gateway.ask("clara", "order.show", id="t-1")
        assert "cancelled" == order["state"]
        assert "protection clara:h1: a new order takes a new approval" == order["steps"][-1]["told"]

    gateway.run(seconds=3700, meanwhile=script)
    assert [] == gateway.obeyed()


def test_f52_a_payment_while_a_trip_waits(tmp_path: Path) -> None:
    """Who has paid would be cut off all the same."""
    gateway = a_gateway(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        gateway.unplug()
        await asyncio.sleep(1)
        await gateway.trip("t-1", M)
        told = await gateway.paid(M)
        assert ["t-1"] == told["orders"]
        assert "cancelled" == (await gateway.until("t-1"))["state"]
        gateway.plugged = True
        await asyncio.sleep(120)

    gateway.run(seconds=200, meanwhile=script)
    assert [] == gateway.obeyed()


def test_f52_a_payment_after_the_trip_reconnects(tmp_path: Path) -> None:
    """Who pays after the trip would stay in the dark until somebody thinks of it."""
    meter = a_meter(OPEN_TO_ALL)
    gateway = a_gateway(tmp_path, meter)

    async def script() -> None:
        await gateway.cut_off(M)
        (close,) = (await gateway.paid(M))["orders"]
        paid_at = gateway.now()
        assert "waiting_for_key" == (await gateway.until(close, "waiting_for_key"))["state"]
        assert gateway.now() - paid_at < timedelta(minutes=5), "CTRL-16"
        assert meter.works.switch.press_key(gateway.sim.clock.utc_now())
        assert "done" == (await gateway.until(close))["state"]
        assert [] == (await gateway.paid(M, "p2"))["orders"], "nothing is left to reconnect"

    gateway.run(seconds=3600, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_f52_a_payment_while_the_trip_is_on_its_way(tmp_path: Path) -> None:
    """A payment between frame and read-back would be lost: neither cancelled nor reversed."""
    gateway = a_gateway(tmp_path)
    gateway.strikes.add("silence")

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        await gateway.until("t-1", "sending")
        assert ["t-1"] == (await gateway.paid(M))["orders"]
        order = await gateway.until("t-1")
        assert "done" == order["state"]
        listed = await gateway.ask("clara", "order.list", meter=M, all=True)
        (close,) = [one for one in listed["orders"] if one["kind"] == "permit_close"]
        assert "waiting_for_key" == (await gateway.until(close["id"], "waiting_for_key"))["state"]

    gateway.run(seconds=600, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_f54_a_meter_whose_clock_is_ahead_of_the_deadline(tmp_path: Path) -> None:
    """A trip would be obeyed after its deadline by a meter whose clock is wrong; none is sent to it."""
    gateway = a_gateway(tmp_path, a_meter(OPEN_TO_ALL, clock_ahead=timedelta(minutes=10)))

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        order = await gateway.until("t-1", "authorised", "refused")
        assert "CTRL-13" in str(order["steps"][-1])

    gateway.run(seconds=120, meanwhile=script)
    assert [] == gateway.obeyed()


OTHER = "000000000162"


def test_an_order_at_which_the_program_fails_does_not_stop_its_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug that one order meets would keep a whole line from being read and reconnected."""

    def breaks(order: Order, *args: Any, **more: Any) -> Conclusion:
        if order.meter == f"m{ADDRESS}":
            raise ZeroDivisionError("a bug")
        return conclude(order, *args, **more)

    monkeypatch.setattr("meterlink.orders.dispatch.reading_back.conclude", breaks)
    meters = [a_meter(OPEN_TO_ALL), a_meter(OPEN_TO_ALL, address=OTHER, number="000000990162")]
    gateway = OrderGateway(tmp_path, [Station(meter=meter) for meter in meters])

    async def script() -> None:
        await gateway.up()
        for number, meter in enumerate((f"m{ADDRESS}", f"m{OTHER}")):
            order = gateway.order(f"a-{number}", OrderKind.ALARM_ON, meter)
            await gateway.ask("clara", "order.create", order=order)
            await gateway.operated(f"a-{number}")
        assert "done" == (await gateway.until("a-1"))["state"]
        assert "readback" == (await gateway.until("a-0", "readback"))["state"]

    gateway.run(seconds=300, meanwhile=script)
    assert ["alarm_on"] == gateway.obeyed(ADDRESS)
    assert ["alarm_on"] == gateway.obeyed(OTHER)


def moved_to_another_meter(tmp_path: Path, gateway: OrderGateway) -> OrderGateway:
    """The next daemon, whose roster has another meter of another number, and no exchange."""
    number = "000000990162"
    other = a_meter(OPEN_TO_ALL, address=OTHER, number=number)
    keys = {OTHER: {"meter_number": number}}
    moved = OrderGateway(tmp_path, [Station(meter=other)], keys=keys, start=gateway.clock.utc_now())
    moved.apply_roster()
    return moved


@pytest.mark.parametrize(("seconds", "was_sent"), [(10.05, False), (10.6, True)])
def test_orders_of_a_meter_that_was_taken_out_of_the_roster(
    tmp_path: Path, seconds: float, was_sent: bool
) -> None:
    """They would stay open for ever, and nobody would hear of one that was sent."""
    here = a_meter(OPEN_TO_ALL)
    gateway = a_gateway(tmp_path, here)
    gateway.strikes.add("silence")
    gateway.run(seconds=seconds, meanwhile=trip_at(gateway), kill=True)
    moved = moved_to_another_meter(tmp_path, gateway)

    async def script() -> None:
        await moved.up()
        order = await moved.ask("clara", "order.show", id="t-1")
        items = (await moved.ask("david", "work.list"))["items"]
        assert was_sent == order["is_open"]
        if was_sent:
            assert [("unknown_outcome", "t-1")] == [(one["kind"], one["order"]) for one in items]
        else:
            assert "refused" == order["state"]

    moved.run(seconds=60, meanwhile=script)


def test_a_meter_that_comes_back_ends_the_order_that_was_given_to_people(tmp_path: Path) -> None:
    """An order whose work item is there already could never end: its end would be refused for ever."""
    gateway = a_gateway(tmp_path)
    gateway.strikes.add("silence")
    gateway.run(seconds=10.6, meanwhile=trip_at(gateway), kill=True)
    moved = moved_to_another_meter(tmp_path, gateway)
    moved.run(seconds=30)
    dark = a_meter(OPEN_TO_ALL)
    back = OrderGateway(tmp_path, [Station(meter=dark, faults=Faults(silence=1.0))], start=moved.now())
    back.apply_roster()

    async def script() -> None:
        await back.up()
        await asyncio.sleep(25 * 3600)
        order = await back.ask("clara", "order.show", id="t-1")
        assert ("unknown", False) == (order["state"], order["is_open"])
        items = (await back.ask("david", "work.list"))["items"]
        assert [("unknown_outcome", "t-1")] == [(one["kind"], one["order"]) for one in items]

    back.run(seconds=26 * 3600, meanwhile=script)
