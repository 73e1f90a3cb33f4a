"""Reading meters behind a concentrator of DL/T 698.45: its store, through it, and by their own frames."""

from __future__ import annotations

import asyncio

import pytest

from meterlink.errors import ReplyTimeout
from metersim.terminals.plan import CARRIER, FIRST_RS485
from tests.support.behind698 import FREEZES, HeadEnd
from tests.support.concentrator import (
    CARRIER_645,
    CARRIER_698,
    WIRED_645,
    WIRED_698,
    World,
)

METERS = (WIRED_698, WIRED_645, CARRIER_645, CARRIER_698)
PORTS = {WIRED_698: FIRST_RS485, WIRED_645: FIRST_RS485, CARRIER_645: CARRIER, CARRIER_698: CARRIER}
TERMINAL = "terminal 020000000001"


@pytest.mark.parametrize("address", METERS)
def test_a_value_of_now_is_read_through_the_terminal(address: str) -> None:
    """Nobody could read a meter behind a concentrator when a customer asks."""
    head = HeadEnd(World(idle=True))

    async def story() -> None:
        answer = await head.now(address)
        [value] = answer.values
        at = answer.taken_at
        assert "forward_active_energy" == value.item
        assert f"{TERMINAL} proxy" == value.route
        assert head.true(address, value.item, at) - value.value < 1

    head.run(story)
    assert ["ProxyGetRequestList"] == head.asked()


@pytest.mark.parametrize("address", METERS)
def test_a_value_of_now_is_read_by_the_meters_own_frames(address: str) -> None:
    """A concentrator that passes frames on and nothing else would hide its meters."""
    head = HeadEnd(World(idle=True), ways=["forward"], port=PORTS[address])

    async def story() -> None:
        [value] = (await head.now(address)).values
        assert f"{TERMINAL} forward" == value.route
        assert value.value > 0

    head.run(story)
    assert ["ProxyTransCommandRequest"] == head.asked()


@pytest.mark.parametrize("address", METERS)
@pytest.mark.parametrize("way", ["store", "proxy", "forward"])
def test_a_night_is_the_same_by_every_way(address: str, way: str) -> None:
    """One point would become two, or be another's, when a concentrator loses its store."""
    head = HeadEnd(World(), ways=[way] if way == "forward" else [way, "forward"], port=PORTS[address])

    async def story() -> None:
        await asyncio.sleep(86_400)
        slot = head.midnight()
        answer = await head.night(address, slot)
        [record] = answer.records
        assert slot == record.slot
        assert {f"{TERMINAL} {way}"} == {value.route for value in record.values}
        for item in FREEZES:
            [value] = [one for one in record.values if one.item == item]
            assert head.true(address, item, slot) == value.value
            assert "daily_freeze" == value.period
        assert answer.cut_short is None

    head.run(story)


def test_the_store_answers_for_all_meters_at_once() -> None:
    """A thousand meters would be a thousand requests over a mobile network each night."""
    head = HeadEnd(World())

    async def story() -> None:
        await asyncio.sleep(86_400)
        for address in METERS:
            [record] = (await head.night(address, head.midnight())).records
            assert head.true(address, FREEZES[0], record.slot) == record.values[0].value

    head.run(story)
    assert ["GetRequestRecord"] == head.asked()


def test_a_silent_meter_is_a_silence() -> None:
    """A dead meter would look like one that refuses, and not be asked again today."""
    head = HeadEnd(World(idle=True, dead=[CARRIER_698]))

    async def story() -> None:
        with pytest.raises(ReplyTimeout, match="dar 33"):
            await head.now(CARRIER_698)
        await head.now(CARRIER_645)

    head.run(story)
    assert ["ProxyGetRequestList"] * 2 == head.asked(), "and not once more by another way"
