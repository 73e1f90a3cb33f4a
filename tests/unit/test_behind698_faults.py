"""Concentrators of DL/T 698.45 at their worst: restarts, blocks, late answers, silence, empty stores."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from meterlink.bus.queue import Priority
from meterlink.drivers.behind698.ways import MARGIN_S, METER_TIMEOUT_S
from meterlink.errors import LineLost, ReplyTimeout
from metersim.terminals.port import Route
from metersim.terminals.proxy import ProxyHabits
from metersim.terminals.ways import Mishap, Ways
from meterwire.dlt698.apdus.get import GetResponseRecord
from meterwire.dlt698.apdus.parts import AttributeResult, Dar
from meterwire.dlt698.apdus.proxy import ProxyGetResponseList, ProxyTransCommandResponse
from meterwire.dlt698.axdr.values import NULL
from meterwire.dlt698.objects.records import METER_ADDRESS
from meterwire.dlt698.sessions.transfer import Sizes
from tests.support.behind698 import FREEZES, HeadEnd, Meddler
from tests.support.concentrator import CARRIER_645, CARRIER_698, SELDOM, WIRED_645, WIRED_698, World

METERS = (WIRED_698, WIRED_645, CARRIER_645, CARRIER_698)
NIGHT_S = 14 * 3600
"""From 11:00 to 01:00."""
BLOCKS = Ways(call=SELDOM, sizes=Sizes(256, 256))


def _record_of(head: HeadEnd, records: Sequence[Any], address: str) -> None:
    [record] = records
    assert head.midnight() == record.slot
    for item in FREEZES:
        [value] = [one for one in record.values if one.item == item]
        assert head.true(address, item, record.slot) == value.value


def test_an_answer_of_several_blocks_is_whole() -> None:
    """A night of many meters does not fit one APDU: those behind the first block would have none."""
    head = HeadEnd(World(ways=BLOCKS))

    async def story() -> None:
        await asyncio.sleep(NIGHT_S)
        for address in METERS:
            _record_of(head, (await head.night(address, head.midnight())).records, address)

    head.run(story)
    assert {"GetRequestRecord", "GetRequestNext"} == set(head.asked())


@pytest.mark.parametrize("block", [1, 2, 3])
def test_f15_a_concentrator_that_restarts_amid_blocks(block: int) -> None:
    """F15: half of an answer would be kept, or the line be dead until somebody restarts us."""
    ways = replace(BLOCKS, mishap=Mishap(reset_at_block=block, reset_s=20))
    head = HeadEnd(World(ways=ways))

    async def story() -> None:
        await asyncio.sleep(NIGHT_S)
        with pytest.raises(LineLost):
            await head.night(WIRED_698, head.midnight())
        await asyncio.sleep(60)
        for address in METERS:
            _record_of(head, (await head.night(address, head.midnight())).records, address)

    head.run(story)
    assert 1 == head.world.concentrator.resets
    assert head.opened > 1


@pytest.mark.parametrize("seed", range(3))
def test_f16_a_carrier_of_half_a_second_to_half_a_minute(seed: int) -> None:
    """F16: a value would be another meter's, or an hour's old, when answers take as long as they like."""
    world = World(idle=True, seed=seed, carrier=Route(shortest_s=0.5, longest_s=29.0))
    head = HeadEnd(world)
    kept: list[tuple[str, Any]] = []

    async def ask(address: str) -> None:
        for _ in range(4):
            try:
                kept.append((address, await head.now(address)))
            except ReplyTimeout:
                continue

    async def story() -> None:
        async with asyncio.TaskGroup() as group:
            for address in METERS:
                group.create_task(ask(address))

    head.run(story)
    assert len(kept) >= 12
    for address, answer in kept:
        then = answer.taken_at - timedelta(seconds=METER_TIMEOUT_S + MARGIN_S)
        item, [value] = "forward_active_energy", answer.values
        assert head.true(address, item, then) <= value.value <= head.true(address, item, answer.taken_at)


def test_f16_an_answer_that_comes_after_its_time_is_nobodys() -> None:
    """F16: the answer to the last question would be taken for that of the next, which asks the same."""
    head = HeadEnd(World(idle=True))
    held: list[float] = [50.0, 25.0]

    def late(apdu: Any) -> Sequence[tuple[float, Any]]:
        is_proxied = isinstance(apdu, ProxyGetResponseList)
        return [(held.pop(0) if is_proxied and held else 0.0, apdu)]

    head.between = lambda duplex: Meddler(duplex, late)

    async def story() -> None:
        began = head.sim.clock.monotonic_s()
        with pytest.raises(ReplyTimeout):
            await head.now(CARRIER_698)
        waited_s = head.sim.clock.monotonic_s() - began
        assert METER_TIMEOUT_S + MARGIN_S <= waited_s < 50
        await head.now(CARRIER_698)  # the late answer comes while this is asked
        assert waited_s + 25 <= head.sim.clock.monotonic_s() - began, "its own answer was waited for"
        await head.now(CARRIER_645)

    head.run(story)
    assert 3 == len(head.requests)


def test_answers_in_any_order_are_matched_by_address() -> None:
    """A neighbour's consumption would stand on the bill."""
    head = HeadEnd(World())

    def turned(apdu: Any) -> Sequence[tuple[float, Any]]:
        if isinstance(apdu, GetResponseRecord) and isinstance(apdu.record.result, tuple):
            rows = apdu.record._replace(result=apdu.record.result[::-1])
            return [(0.0, replace(apdu, record=rows))]
        return [(0.0, apdu)]

    head.between = lambda duplex: Meddler(duplex, turned)

    async def story() -> None:
        await asyncio.sleep(NIGHT_S)
        for address in METERS:
            _record_of(head, (await head.night(address, head.midnight())).records, address)

    head.run(story)
    assert ["GetRequestRecord"] == head.asked()


def test_a_terminal_that_says_nothing_of_a_meter() -> None:
    """The meter would be taken for its neighbour, or the exchange never end."""
    head = HeadEnd(World(idle=True))
    head.between = lambda duplex: Meddler(
        duplex,
        lambda apdu: [(0.0, replace(apdu, targets=()) if isinstance(apdu, ProxyGetResponseList) else apdu)],
    )

    async def story() -> None:
        began = head.sim.clock.monotonic_s()
        with pytest.raises(ReplyTimeout):
            await head.now(CARRIER_698)
        assert head.sim.clock.monotonic_s() - began < METER_TIMEOUT_S + MARGIN_S + 1, "its own budget"

    head.run(story)


@pytest.mark.parametrize("address", [CARRIER_645, CARRIER_698])
def test_a_busy_terminal_is_asked_again_later(address: str) -> None:
    """Busy, taken for a plain no, would end the day for that item."""
    head = HeadEnd(World(idle=True))

    def busy(apdu: Any) -> Sequence[tuple[float, Any]]:
        if isinstance(apdu, ProxyGetResponseList):
            [target] = apdu.targets
            items = tuple(AttributeResult(one.oad, Dar(2)) for one in target.items)
            apdu = replace(apdu, targets=(target._replace(items=items),))
        return [(0.0, apdu)]

    head.between = lambda duplex: Meddler(duplex, busy)

    async def story() -> None:
        with pytest.raises(ReplyTimeout, match="dar 2"):
            await head.now(address)

    head.run(story)
    assert 1 == len(head.requests)


@pytest.mark.parametrize("silent_reply", ["dar", "empty"])
def test_a_frame_that_nobody_answers_ends_at_once(silent_reply: Any) -> None:
    """The line would wait for the rest of an answer that has been said not to come."""
    ways = Ways(call=SELDOM, proxy=ProxyHabits(silent_reply=silent_reply))
    head = HeadEnd(World(idle=True, ways=ways, dead=[CARRIER_645]), ways=["forward"], meter_timeout_s=12)

    async def story() -> None:
        began = head.sim.clock.monotonic_s()
        with pytest.raises(ReplyTimeout):
            await head.now(CARRIER_645)
        assert 12 <= head.sim.clock.monotonic_s() - began < 13

    head.run(story)


@pytest.mark.parametrize("nothing_found", ["zero_rows", "null_row"])
def test_what_the_store_lacks_is_asked_of_the_meter(nothing_found: Any) -> None:
    """A concentrator that was off in the night would mean a night without readings."""
    head = HeadEnd(World(idle=True, ways=Ways(call=SELDOM, nothing_found=nothing_found)))

    async def story() -> None:
        await asyncio.sleep(NIGHT_S)
        for address in METERS:
            answer = await head.night(address, head.midnight())
            _record_of(head, answer.records, address)
            assert {"terminal 020000000001 proxy"} == {one.route for one in answer.records[0].values}

    head.run(story)
    assert 1 == head.asked().count("GetRequestRecord")


def test_a_concentrator_has_half_an_hour_to_read_the_night_itself() -> None:
    """Five hundred meters would be asked through a carrier on which their concentrator asks them too."""
    head = HeadEnd(World(idle=True))

    async def story() -> None:
        await asyncio.sleep(NIGHT_S - 3600 + 120)
        slots = head.midnight(), head.midnight(-1)
        early = await head.night(CARRIER_698, *slots, priority=Priority.BACKFILL)
        assert {slots[0]} == set(early.not_yet)
        assert {slots[1]} == {record.slot for record in early.records}, "that of yesterday is long due"
        await asyncio.sleep(1800)
        _record_of(head, (await head.night(CARRIER_698, slots[0])).records, CARRIER_698)

    head.run(story)


def test_a_slot_that_is_yet_to_come_is_asked_of_a_meter_that_is_asked() -> None:
    """A meter whose clock is days ahead names a night before it is: only this question shows it."""
    head = HeadEnd(World())

    async def story() -> None:
        await asyncio.sleep(NIGHT_S)
        to_come = head.midnight(2)
        stored = await head.night(CARRIER_698, to_come, head.midnight())
        assert ({to_come}, False) == (set(stored.not_yet), stored.heard)
        assert ["GetRequestRecord"] == head.asked(), "nobody woke the meter"
        asked = await head.night(CARRIER_698, to_come, head.midnight(), head.midnight(-9))
        assert ({to_come}, True) == (set(asked.not_yet), asked.heard)
        assert "ProxyGetRequestRecord" in head.asked()
        assert "has not read it yet" not in asked.not_yet[to_come]

    head.run(story)


def test_a_concentrator_without_a_store_is_not_waited_for() -> None:
    """Its meters would be read half an hour late, each night, for nothing."""
    head = HeadEnd(World(idle=True))
    head.between = lambda duplex: Meddler(
        duplex,
        lambda apdu: [
            (
                0.0,
                replace(apdu, record=apdu.record._replace(result=Dar(6)))
                if isinstance(apdu, GetResponseRecord)
                else apdu,
            )
        ],
    )

    async def story() -> None:
        await asyncio.sleep(NIGHT_S - 3600 + 120)
        stored = await head.night(CARRIER_698, head.midnight())
        _record_of(head, stored.records, CARRIER_698)
        assert not stored.not_yet

    head.run(story)


def test_an_item_that_the_store_lacks_is_added() -> None:
    """A plan with one item more than the concentrator collects would never be settled."""
    head = HeadEnd(World())
    more = "forward_apparent_energy"

    async def story() -> None:
        await asyncio.sleep(NIGHT_S)
        answer = await head.night(CARRIER_698, head.midnight(), items=(FREEZES[0], more))
        [record] = answer.records
        routes = {value.item: value.route.rpartition(" ")[2] for value in record.values}
        came = {*routes, *record.refused}
        assert "store" == routes[FREEZES[0]]
        assert more in came, "by another way, or with the meter's own word that it has none"
        assert "store" != routes.get(more)
        assert not record.unfit

    head.run(story)


def test_a_silent_meter_leaves_what_the_store_had() -> None:
    """What is there would be thrown away because the meter does not answer for the rest."""
    head = HeadEnd(World())

    async def story() -> None:
        await asyncio.sleep(NIGHT_S)
        slots = head.midnight(), head.midnight(-20)
        for port in head.world.concentrator.meters.ports:
            port._route = Route(loss=1.0)
        answer = await head.night(CARRIER_698, *slots, priority=Priority.BACKFILL)
        _record_of(head, answer.records, CARRIER_698)
        assert isinstance(answer.cut_short, ReplyTimeout)

    head.run(story)


def test_meters_may_be_named_by_the_other_column() -> None:
    """Of concentrators that name meters by 4001 in the place of 202A no night would be found."""
    head = HeadEnd(World())

    def without(apdu: Any) -> Sequence[tuple[float, Any]]:
        if isinstance(apdu, GetResponseRecord) and METER_ADDRESS in apdu.record.rcsd:
            assert not isinstance(apdu.record.result, Dar)
            at = apdu.record.rcsd.index(METER_ADDRESS)
            rows = tuple((*row[:at], NULL, *row[at + 1 :]) for row in apdu.record.result)
            apdu = replace(apdu, record=apdu.record._replace(result=rows))
        return [(0.0, apdu)]

    head.between = lambda duplex: Meddler(duplex, without)

    async def story() -> None:
        await asyncio.sleep(NIGHT_S)
        for address in METERS:
            answer = await head.night(address, head.midnight())
            _record_of(head, answer.records, address)
            assert {"terminal 020000000001 store"} == {one.route for one in answer.records[0].values}

    head.run(story)
    assert ["GetRequestRecord"] * 2 == head.asked()


def test_a_meter_that_the_terminal_does_not_know_is_reached_by_its_frames() -> None:
    """A new meter would be unreadable until somebody enters it."""
    head = HeadEnd(World(idle=True, archive=False))

    async def story() -> None:
        for address in (CARRIER_645, CARRIER_698):
            [value] = (await head.now(address)).values
            assert "terminal 020000000001 forward" == value.route

    head.run(story)
    assert ["ProxyGetRequestList", "ProxyTransCommandRequest"] * 2 == head.asked()


def test_a_frame_leaves_once_whatever_comes_back() -> None:
    """It may be an order: what is sent again unasked may switch twice."""
    head = HeadEnd(World(idle=True), ways=["forward"])

    def refused(apdu: Any) -> Sequence[tuple[float, Any]]:
        if isinstance(apdu, ProxyTransCommandResponse):
            apdu = replace(apdu, result=Dar(15))
        return [(0.0, apdu)]

    head.between = lambda duplex: Meddler(duplex, refused)

    async def story() -> None:
        with pytest.raises(ReplyTimeout, match="dar 15"):
            await head.now(CARRIER_645)

    head.run(story)
    assert ["ProxyTransCommandRequest"] == head.asked()
