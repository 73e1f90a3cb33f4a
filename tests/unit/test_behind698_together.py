"""Several items of the moment of a meter behind a concentrator of DL/T 698.45: in how many requests."""

from __future__ import annotations

from typing import Any

import pytest

from meterlink.bus.queue import Priority
from meterlink.drivers.base import MeterAnswer
from meterlink.errors import ReplyTimeout
from metersim.terminals.plan import CARRIER, FIRST_RS485
from tests.support.behind698 import HeadEnd
from tests.support.concentrator import CARRIER_645, CARRIER_698, WIRED_645, WIRED_698, World

ITEMS = ("forward_active_energy", "voltage.a", "voltage.b", "voltage.c", "reverse_active_energy")
METERS = (WIRED_698, WIRED_645, CARRIER_645, CARRIER_698)
PORTS = {WIRED_698: FIRST_RS485, WIRED_645: FIRST_RS485, CARRIER_645: CARRIER, CARRIER_698: CARRIER}
TERMINAL = "terminal 020000000001"


async def _read(head: HeadEnd, address: str, *items: str) -> dict[str, Any]:
    """As plans and reads on demand do, as long as nothing is silent."""
    driver, found = head.driver(address), dict[str, Any]()
    while left := [item for item in items if item not in found]:
        group = driver.group(address, left)
        assert left[0] == group[0]
        if len(group) > 1:
            found |= await driver.read_group(
                head.line, address, group, as_status=False, priority=Priority.CURVE
            )
        else:
            found[left[0]] = await driver.read(head.line, address, left[0], priority=Priority.CURVE)
    return found


@pytest.mark.parametrize("address", METERS)
def test_several_items_go_into_one_proxy_request(address: str) -> None:
    """Each item of each meter would take a request that waits for the meter, a minute at the worst."""
    head = HeadEnd(World(idle=True))

    async def story() -> None:
        found = await _read(head, address, *ITEMS)
        assert set(ITEMS) == set(found)
        for item, one in found.items():
            assert isinstance(one, MeterAnswer), (item, one)
            assert [(item, f"{TERMINAL} proxy")] == [(value.item, value.route) for value in one.values]

    head.run(story)
    assert ["ProxyGetRequestList"] == head.asked()


@pytest.mark.parametrize(("address", "requests"), [(WIRED_698, 1), (WIRED_645, 3)])
def test_by_its_own_frames_a_meter_is_asked_as_on_a_line_of_ours(address: str, requests: int) -> None:
    """A concentrator that only forwards would be asked for each phase by itself."""
    head = HeadEnd(World(idle=True), ways=["forward"], port=PORTS[address])

    async def story() -> None:
        found = await _read(head, address, *ITEMS)
        assert {f"{TERMINAL} forward"} == {value.route for one in found.values() for value in one.values}

    head.run(story)
    assert ["ProxyTransCommandRequest"] * requests == head.asked()


def test_what_the_concentrator_cannot_ask_comes_by_the_next_way() -> None:
    """An item that DL/T 698.45 has no word for would be refused, or take the others of its plan with it."""
    head = HeadEnd(World(idle=True), port=PORTS[WIRED_645])
    lacking = "meter_time"

    async def story() -> None:
        found = await _read(head, WIRED_645, "voltage.a", lacking, "voltage.b")
        routes = {item: one.values[0].route for item, one in found.items()}
        expected = {"voltage.a": "proxy", "voltage.b": "proxy", lacking: "forward"}
        assert {item: f"{TERMINAL} {way}" for item, way in expected.items()} == routes

    head.run(story)
    assert 1 == head.asked().count("ProxyGetRequestList")


def test_a_silent_meter_is_not_asked_item_by_item() -> None:
    """A dead meter would take the concentrator's time once for each item of a plan."""
    head = HeadEnd(World(idle=True, dead=[WIRED_698]))

    async def story() -> None:
        with pytest.raises(ReplyTimeout):
            await _read(head, WIRED_698, *ITEMS)

    head.run(story)
    assert ["ProxyGetRequestList"] == head.asked()
