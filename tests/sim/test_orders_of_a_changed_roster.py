"""The roster changes while orders are on their way: none goes to a meter that is no longer there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.journal.reader import JournalReader
from meterlink.model.order import OrderKind
from meterlink.orders.strays import Strays
from metersim import Station
from tests.support.control_bench import ADDRESS, NUMBER, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway, kinds_of

M = f"m{ADDRESS}"
OTHER = "000000000009"
OTHER_NUMBER = f"{int(NUMBER) + 7:012d}"


def _gateway(folder: Path) -> OrderGateway:
    """Two meters on one line, of which the roster knows the first."""
    stations = [
        Station(meter=a_meter(OPEN_TO_ALL)),
        Station(meter=a_meter(OPEN_TO_ALL, address=OTHER, number=OTHER_NUMBER)),
    ]
    gateway = OrderGateway(folder, stations)
    del gateway.addresses[f"m{OTHER}"]
    gateway.employ("olga", "operator")
    return gateway


async def change(gateway: OrderGateway, **fields: Any) -> None:
    answer = await _committed(gateway, **fields)
    assert "revision" in answer, answer


async def _committed(
    gateway: OrderGateway, *, are_corrected: bool = True, are_new: bool = False, meter: str = M, **fields: Any
) -> Mapping[str, Any]:
    with JournalReader(gateway.folder / JOURNAL_FILE) as reader:
        roster = reader.roster()
    ticket = (await gateway.ask("olga", "roster.begin"))["ticket"]
    entry = {**roster.entries[meter], **fields}
    await gateway.ask("olga", "roster.put", ticket=ticket, entries=[entry])
    return await gateway.ask(
        "olga",
        "roster.commit",
        ticket=ticket,
        revision=roster.revision,
        are_numbers_corrected=are_corrected,
        are_customers_new=are_new,
    )


async def _stopped(gateway: OrderGateway) -> set[str]:
    order = gateway.order("o-x", OrderKind.ALARM_ON, M)
    rules = (await gateway.ask("clara", "order.dry_run", order=order))["rules"]
    return {rule["rule"] for rule in rules if not rule["passed"]}


def test_an_order_goes_to_the_meter_that_stands_there_now(tmp_path: Path) -> None:
    """A trip would go to whoever has the address now that was his, or none go until the next start."""
    gateway = _gateway(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await change(gateway, address=OTHER, meter_number=OTHER_NUMBER)
        assert "CTRL-12" in await _stopped(gateway), "its line still leads to the old one"
        await asyncio.sleep(10)  # the line finishes what it has in hand
        assert "CTRL-12" not in await _stopped(gateway)
        await gateway.trip("t-1", M)
        assert "done" == (await gateway.until("t-1"))["state"]

    gateway.run(seconds=900, meanwhile=script)
    assert ([], ["trip"]) == (gateway.obeyed(ADDRESS), gateway.obeyed(OTHER))
    assert 2 == gateway.dialled


def test_an_exchange_that_nobody_recorded_trips_nobody(tmp_path: Path) -> None:
    """The new meter would inherit debts and consents by a table that somebody has typed."""
    gateway = _gateway(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        answer = await _committed(gateway, are_corrected=False, address=OTHER, meter_number=OTHER_NUMBER)
        assert ["meter_number"] == [one["column"] for one in answer["refused"]]
        gateway.meters[ADDRESS].works.exchange(gateway.now(), meter_number=OTHER_NUMBER)
        await gateway.trip("t-1", M)
        order = await gateway.until("t-1")
        assert "refused" == order["state"]
        assert ["CTRL-12"] == [rule["rule"] for rule in order["steps"][-1]["rules"] if not rule["passed"]]

    gateway.run(seconds=900, meanwhile=script)
    assert ([], []) == (gateway.obeyed(ADDRESS), gateway.obeyed(OTHER))


def test_an_order_that_waits_at_a_change_goes_the_new_way(tmp_path: Path) -> None:
    """An order approved before a change would go to the old meter, or be ended by an edit."""
    gateway = _gateway(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.ask("clara", "order.create", order=gateway.order("t-1", OrderKind.TRIP, M))
        await gateway.ask("anna", "order.approve", id="t-1")
        await gateway.ask("david", "order.arm", id="t-1")
        await change(gateway, address=OTHER, meter_number=OTHER_NUMBER)
        told = await gateway.refused("david", "order.operate", id="t-1")
        assert "the way to it is not built of that yet" in str(told)
        await asyncio.sleep(10)
        await gateway.operated("t-1")
        assert "done" == (await gateway.until("t-1"))["state"]

    gateway.run(seconds=900, meanwhile=script)
    assert ([], ["trip"]) == (gateway.obeyed(ADDRESS), gateway.obeyed(OTHER))


def test_an_order_for_a_meter_that_goes_ends_as_a_stray(tmp_path: Path) -> None:
    """A meter that was taken out would be tripped in a cupboard, or its order stay open for ever."""
    gateway = _gateway(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        gateway.unplug()
        await gateway.trip("t-1", M)
        await asyncio.sleep(1)
        await change(gateway, in_service_until=gateway.now().isoformat())
        gateway.plugged = True
        order = await gateway.until("t-1")
        assert ("refused", "refuse") == (order["state"], kinds_of(order["steps"])[-1])
        assert "not in service here any more" in order["steps"][-1]["told"]

    gateway.run(seconds=1800, meanwhile=script)
    assert ([], []) == (gateway.obeyed(ADDRESS), gateway.obeyed(OTHER))


def test_a_meter_that_goes_while_another_one_s_orders_end_leaves_none_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The orders of the second meter would stand open until their deadline, or the next start, for nobody."""
    stations = [
        Station(meter=a_meter(OPEN_TO_ALL)),
        Station(meter=a_meter(OPEN_TO_ALL, address=OTHER, number=OTHER_NUMBER)),
        Station(meter=a_meter(OPEN_TO_ALL, address="000000000017", number="000000000017")),
    ]
    gateway = OrderGateway(tmp_path, stations)
    gateway.employ("olga", "operator")
    ended, looks = Strays.end, []

    async def end(self: Strays) -> None:
        await ended(self)
        looks.append(gateway.now())
        if len(looks) == 2:  # the first is that of the start
            await change(gateway, meter=f"m{OTHER}", in_service_until=gateway.now().isoformat())
            await asyncio.sleep(30)

    monkeypatch.setattr(Strays, "end", end)

    async def script() -> None:
        await gateway.up()
        for number, meter in enumerate((M, f"m{OTHER}")):
            order = gateway.order(f"o-{number}", OrderKind.ALARM_ON, meter)
            await gateway.ask("clara", "order.create", order=order)
        await change(gateway, in_service_until=gateway.now().isoformat())
        await asyncio.sleep(60)
        states = [(await gateway.ask("clara", "order.show", id=f"o-{n}"))["state"] for n in range(2)]
        assert ["refused", "refused"] == states

    gateway.run(seconds=120, meanwhile=script)


def test_no_order_leaves_while_a_change_is_being_written(tmp_path: Path) -> None:
    """An order that was judged a moment before would leave by what is no longer so."""
    outcomes = set()
    for milliseconds in range(0, 3000, 250):
        folder = tmp_path / str(milliseconds)
        folder.mkdir()
        gateway = _gateway(folder)
        sent_before: list[bool] = []

        async def script(
            gateway: OrderGateway = gateway, wait_ms: int = milliseconds, sent: list[bool] = sent_before
        ) -> None:
            await gateway.up()
            await gateway.told_for_trip(M)
            await gateway.trip("t-1", M)
            await asyncio.sleep(wait_ms / 1000)
            await change(gateway, in_service_until=gateway.now().isoformat())
            steps = kinds_of((await gateway.ask("clara", "order.show", id="t-1"))["steps"])
            sent.append("intend" in steps)

        gateway.run(seconds=300, meanwhile=script)
        assert sent_before == [bool(gateway.obeyed(ADDRESS))], f"after {milliseconds} ms"
        outcomes.update(sent_before)
    assert {True, False} == outcomes, "both were seen"
