"""A household is protected since because another number stands at its meter, and not by an exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from metersim import Station
from tests.sim.test_orders_after_exchange import NEW, exchanged
from tests.sim.test_orders_of_a_changed_roster import _committed
from tests.sim.test_spared_households import _alarms, _orders, _work
from tests.support.control_bench import ADDRESS, CUSTOMER, NUMBER, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway

SECOND = "000000000162"
M, OTHER = f"m{ADDRESS}", f"m{SECOND}"
WARD = "000088888888"
"""The number of a hospital."""


def _neighbours(folder: Path, *, control: Mapping[str, object] | None = None, **ward: object) -> OrderGateway:
    """Two customers with a meter each; the second one's entry says more."""
    other = a_meter(OPEN_TO_ALL, address=SECOND, number=f"{int(NUMBER) + 1:012d}")
    keys: dict[str, dict[str, object]] = {SECOND: {"customer_number": WARD, **ward}}
    keys[ADDRESS] = {"customer_number": CUSTOMER}
    stations = [Station(meter=a_meter(OPEN_TO_ALL)), Station(meter=other)]
    gateway = OrderGateway(folder, stations, keys=keys, control=control)
    gateway.employ("olga", "operator")
    return gateway


async def _told_and_reconnected(gateway: OrderGateway, cause: str, kind: str) -> None:
    """Within a minute or two, for this cause, once."""
    await asyncio.sleep(120)
    (alarm,) = await _alarms(gateway)
    assert ("CUT_OFF_PROTECTED", M, 1) == (alarm["rule"], alarm["meter"], alarm["count"])
    assert f"evidence:{cause}" in alarm["evidence"]
    (item,) = await _work(gateway)
    assert kind in item["why"]
    assert [("permit_close", "waiting_for_key"), ("trip", "done")] == sorted(await _orders(gateway))
    gateway.press_key(ADDRESS)
    await asyncio.sleep(1800)
    assert [("permit_close", "done"), ("trip", "done")] == sorted(await _orders(gateway))


@pytest.mark.parametrize("by", ["corrected", "new_customer", "other_corrected", "entry_of_no_number"])
def test_the_number_of_a_protected_customer_comes_to_a_dark_meter(tmp_path: Path, by: str) -> None:
    """The ward that moved in, or was here all along under a wrong number, would stay dark (CTRL-08)."""
    gateway = _neighbours(tmp_path, protected=["hospital"])

    async def script() -> None:
        await gateway.cut_off(M)
        if by == "other_corrected":
            await _committed(gateway, meter=OTHER, customer_number=CUSTOMER)
        elif by == "entry_of_no_number":
            await _committed(gateway, customer_number="")
            await asyncio.sleep(120)
            assert [] == await _alarms(gateway)
            await _committed(gateway, customer_number=WARD)
        else:
            is_new = by == "new_customer"
            await _committed(gateway, are_corrected=not is_new, are_new=is_new, customer_number=WARD)
        await _told_and_reconnected(gateway, f"roster:{3 if by.startswith('entry') else 2}", "hospital")

    gateway.run(seconds=4000, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed(ADDRESS)[:2]


@pytest.mark.parametrize("is_new", [True, False])
def test_what_was_told_of_a_customer_counts_at_the_meter_that_he_has_now(
    tmp_path: Path, *, is_new: bool
) -> None:
    """Who lives by a machine, as was told of his old flat, would sit in the dark in the new one."""
    gateway = _neighbours(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told_of_life_support(meter=OTHER)
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        assert "done" == (await gateway.until("t-1"))["state"]
        await asyncio.sleep(120)
        assert [] == await _alarms(gateway)
        await _committed(gateway, are_corrected=not is_new, are_new=is_new, customer_number=WARD)
        await _told_and_reconnected(gateway, "roster:2", "life_support")

    gateway.run(seconds=4000, meanwhile=script)


def test_a_number_that_goes_again_takes_its_protection_along(tmp_path: Path) -> None:
    """Whoever owes would be reconnected for good by a slip of the pen that stood for five minutes."""
    gateway = _neighbours(tmp_path, protected=["hospital"])

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        await _committed(gateway, meter=OTHER, customer_number=CUSTOMER)
        await asyncio.sleep(120)
        assert 1 == len(await _alarms(gateway))
        await _committed(gateway, meter=OTHER, customer_number=WARD)
        gateway.plugged = True
        await asyncio.sleep(600)
        assert [("permit_close", "refused"), ("trip", "done")] == sorted(await _orders(gateway))
        await asyncio.sleep(3600)
        assert 2 == len(await _orders(gateway)), "nobody waits there any more"

    gateway.run(seconds=6000, meanwhile=script)
    assert ["trip"] == gateway.obeyed(ADDRESS)


def test_an_exchange_protects_nobody_anew(tmp_path: Path) -> None:
    """Each exchange in winter would reconnect who was cut off in autumn, and call it a protection."""
    season = {"kind": "heating", "first": "11-26", "last": "03-15"}
    gateway = _neighbours(tmp_path, control={"seasons": [season]})
    del gateway.addresses[OTHER]

    async def script() -> None:
        await gateway.up()
        await _committed(gateway, protected=["heating"])
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        assert "done" == (await gateway.until("t-1"))["state"]
        await asyncio.sleep(timedelta(days=2).total_seconds())
        await exchanged(gateway)
        await asyncio.sleep(600)
        assert [] == await _alarms(gateway)
        answer = await gateway.ask("clara", "order.list", all=True)
        assert ["t-1"] == [one["id"] for one in answer["orders"]]
        await _committed(gateway, meter=NEW, protected=["heating", "hospital"])
        await asyncio.sleep(120)
        (alarm,) = await _alarms(gateway)
        assert "hospital" in alarm["value"]

    gateway.run(seconds=3 * 86_400, meanwhile=script)


def test_what_was_told_before_an_exchange_is_told_once(tmp_path: Path) -> None:
    """Somebody would be sent again to a household of which people know, because its meter is a new one."""
    gateway = _neighbours(tmp_path)

    async def script() -> None:
        await gateway.cut_off_and_unplugged(M)
        await _committed(gateway, protected=["hospital"])
        await asyncio.sleep(120)
        (item,) = await _work(gateway)
        await gateway.ask("david", "work.close", item=item["id"], why="seen: somebody goes there")
        await exchanged(gateway)
        await asyncio.sleep(600)
        assert ([M], []) == ([one["meter"] for one in await _alarms(gateway)], await _work(gateway))

    gateway.run(seconds=3000, meanwhile=script)
