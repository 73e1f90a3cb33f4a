"""Concentrators of DL/T 698.45 that cannot send a long answer, or know no PROXY: what they are asked then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from meterlink.bus.queue import Priority
from meterlink.drivers.behind698.proxy import METERS_REFUSED, WITHOUT_S
from meterlink.drivers.dlt698.events import counted_kinds
from meterlink.drivers.dlt698.portion import REMEMBERED_S, Portion
from meterlink.errors import LineLost, ReplyTimeout
from meterwire.dlt698.apdus.get import GetResponseRecord
from meterwire.dlt698.apdus.link_management import ServerErrorResponse
from meterwire.dlt698.apdus.parts import Dar
from meterwire.dlt698.apdus.proxy import ProxyGetResponseList, ProxyGetResponseRecord
from meterwire.dlt698.objects.concentrator import COLLECTED
from tests.support.behind698 import HeadEnd, Meddler
from tests.support.concentrator import CARRIER_645, CARRIER_698, WIRED_645, WIRED_698, World

METERS = (WIRED_698, WIRED_645, CARRIER_645, CARRIER_698)
NIGHT_S = 14 * 3600
"""From 11:00 to 01:00."""
DAY_S = 86_400
STORE, PROXY, FORWARD = (f"terminal 020000000001 {way}" for way in ("store", "proxy", "forward"))


class _Short:
    """Answers with ERROR in the place of what it cannot send.

    Args:
        refuses: what that is.
        error: type of the ERROR.

    Attributes:
        refused: how many answers were not sent.

    """

    def __init__(self, refuses: Callable[[Any], bool], error: int = 255) -> None:
        self._refuses, self._error = refuses, error
        self.refused = 0

    def between(self, duplex: Any) -> Meddler:
        return Meddler(duplex, self._on)

    def _on(self, apdu: Any) -> Sequence[tuple[float, Any]]:
        if self._refuses(apdu):
            self.refused += 1
            apdu = ServerErrorResponse(piid=apdu.piid, error=self._error)
        return [(0.0, apdu)]


def _rows(apdu: Any) -> int:
    is_record = isinstance(apdu, GetResponseRecord | ProxyGetResponseRecord)
    return len(apdu.record.result) if is_record and not isinstance(apdu.record.result, Dar) else 0


def _of_store(apdu: Any) -> bool:
    return isinstance(apdu, GetResponseRecord) and apdu.record.oad == COLLECTED


def _is_proxied(apdu: Any) -> bool:
    return isinstance(apdu, ProxyGetResponseList | ProxyGetResponseRecord)


def _routes(answer: Any) -> set[str]:
    return {value.route for record in answer.records for value in record.values}


@pytest.mark.parametrize("rows_max", [2, 3, 5])
def test_a_store_that_cannot_send_the_night_of_all_is_asked_for_fewer(rows_max: int) -> None:
    """Each meter behind it would be asked itself, every night, although the night lies in the store."""
    short = _Short(lambda apdu: _of_store(apdu) and _rows(apdu) > rows_max)
    head = HeadEnd(World())
    head.between = short.between

    async def nights() -> None:
        for address in METERS:
            answer = await head.night(address, head.midnight())
            [record] = answer.records
            assert {STORE} == _routes(answer)
            for value in record.values:
                assert head.true(address, value.item, record.slot) == value.value

    async def story() -> None:
        await asyncio.sleep(NIGHT_S)
        await nights()
        once = short.refused
        assert 1 <= once <= 6, "half by half"
        await asyncio.sleep(DAY_S - 60)
        await nights()
        assert once == short.refused, "it is remembered"

    head.run(story)
    assert {"GetRequestRecord"} == set(head.asked())


def test_a_store_that_cannot_send_several_nights_is_asked_night_by_night() -> None:
    """What a week's outage left to fetch would be fetched from the meters."""
    short = _Short(lambda apdu: _of_store(apdu) and _rows(apdu) > 3)
    head = HeadEnd(World())
    head.between = short.between

    async def story() -> None:
        await asyncio.sleep(NIGHT_S + 5 * DAY_S)
        slots = [head.midnight(-days) for days in range(6)]
        answer = await head.night(CARRIER_698, *slots, priority=Priority.BACKFILL)
        assert slots == [record.slot for record in answer.records]
        assert {STORE} == _routes(answer)

    head.run(story)
    assert short.refused


def test_a_store_that_always_says_other_costs_little() -> None:
    """Halving would be tried in vain again and again, for every meter and night."""
    short = _Short(_of_store)
    head = HeadEnd(World())
    head.between = short.between

    async def story() -> None:
        await asyncio.sleep(NIGHT_S)
        for address in METERS:
            assert {PROXY} == _routes(await head.night(address, head.midnight()))
        assert short.refused <= 7
        await asyncio.sleep(3600)
        before = short.refused
        for address in METERS:
            await head.night(address, head.midnight())
        assert before + 1 == short.refused, "one question for all of them"

    head.run(story)


def test_a_terminal_that_cannot_send_many_rows_of_a_meter_is_asked_for_fewer() -> None:
    """Fetching again what was missed would need frames, one by one, of a meter that PROXY reaches."""
    short = _Short(lambda apdu: _is_proxied(apdu) and _rows(apdu) > 2)
    head = HeadEnd(World(idle=True), ways=["proxy", "forward"])
    head.between = short.between

    async def story() -> None:
        await asyncio.sleep(NIGHT_S + 8 * DAY_S)
        slots = [head.midnight(-days) for days in range(8)]
        for turn in range(2):
            for address in (CARRIER_698, WIRED_698):
                answer = await head.night(address, *slots, priority=Priority.BACKFILL)
                assert slots == [record.slot for record in answer.records]
                assert {PROXY} == _routes(answer)
            if not turn:
                once = short.refused
        assert 1 <= once == short.refused <= 3

    head.run(story)


def test_counts_of_events_come_in_as_many_parts_as_are_answered() -> None:
    """Events of a meter behind such a terminal would never be read by PROXY."""
    short = _Short(lambda apdu: isinstance(apdu, ProxyGetResponseList) and len(apdu.targets[0].items) > 3)
    head = HeadEnd(World(idle=True), ways=["proxy"])
    head.between = short.between

    async def story() -> None:
        driver = head.driver(CARRIER_698)
        kinds = tuple(counted_kinds())[::4]
        counts = await driver.read_event_counts(head.line, CARRIER_698, kinds, priority=Priority.CURVE)
        assert (set(kinds), {}) == ({*counts.counts, *counts.refused}, counts.unfit)

    head.run(story)
    assert 1 <= short.refused <= 2


@pytest.mark.parametrize(("error", "meters"), [(2, 1), (1, METERS_REFUSED), (255, METERS_REFUSED)])
def test_a_terminal_without_proxy_is_not_asked_for_it_by_every_meter(error: int, meters: int) -> None:
    """Each reading of each meter would cost an exchange in vain."""
    short = _Short(_is_proxied, error)
    head = HeadEnd(World(idle=True))
    head.between = short.between

    async def story() -> None:
        for _ in range(3):
            for address in METERS:
                with suppress(ReplyTimeout):  # frames go to the carrier, where two of them are
                    assert [FORWARD] == [value.route for value in (await head.now(address)).values]
        assert meters == short.refused
        await asyncio.sleep(WITHOUT_S + 1)
        await head.now(CARRIER_645)
        assert meters + 1 == short.refused, "it may have got another program"

    head.run(story)


def test_a_terminal_that_is_there_again_is_asked_by_proxy_again() -> None:
    """A terminal that was exchanged or got another program would be read by frames for ever."""
    short = _Short(_is_proxied, 2)
    head = HeadEnd(World(idle=True))
    head.between = short.between

    async def story() -> None:
        assert [FORWARD] == [value.route for value in (await head.now(CARRIER_645)).values]
        head.between = lambda duplex: duplex
        head.world.concentrator.reset(10)
        await asyncio.sleep(1)
        with pytest.raises(LineLost):
            await head.now(CARRIER_645)
        await asyncio.sleep(120)
        assert [PROXY] == [value.route for value in (await head.now(CARRIER_645)).values]

    head.run(story)


def test_what_one_meter_refuses_says_nothing_of_the_terminal() -> None:
    """One meter that PROXY does not do for would make all others slow."""
    short = _Short(lambda apdu: _is_proxied(apdu) and CARRIER_645 == apdu.targets[0].tsa.digits)
    head = HeadEnd(World(idle=True))
    head.between = short.between

    async def story() -> None:
        for _ in range(METERS_REFUSED + 1):
            assert [FORWARD] == [value.route for value in (await head.now(CARRIER_645)).values]
            assert [PROXY] == [value.route for value in (await head.now(CARRIER_698)).values]

    head.run(story)


def test_what_was_learned_of_a_length_ends() -> None:
    """A device of which one answer failed once would be asked row by row for ever."""
    now = [0.0]
    portion = Portion(lambda: now[0])
    assert 1600 == portion.of(1600)
    assert portion.halved(1600, least=40)
    assert (800, 300) == (portion.of(1600), portion.of(300))
    assert portion.halved(800, least=40)
    assert 400 == portion.of(1600)
    portion.answered()
    assert not portion.halved(40, least=40)
    assert 400 == portion.of(1600), "it had answered something"
    now[0] = REMEMBERED_S
    assert 1600 == portion.of(1600)


def test_length_was_not_the_reason_where_the_least_is_refused_too() -> None:
    """A device that says no to everything would be asked half by half again with each request."""
    now = [0.0]
    portion = Portion(lambda: now[0])
    assert portion.halved(100, least=40)
    assert portion.halved(50, least=40)
    assert not portion.halved(40, least=40)
    assert 1600 == portion.of(1600)
    assert not portion.halved(1600, least=40), "nobody tries for a while"
    now[0] = REMEMBERED_S
    assert portion.halved(1600, least=40)
