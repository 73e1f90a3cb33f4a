"""Faults on a line: when they end nothing is missing, nothing is wrong, and nobody had to do anything."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from metersim import Line, MemoryDuplex, Meter, Port, Station, memory_pair
from tests.support.agreement import readings_of
from tests.support.faulty_line import MIDNIGHT, FaultyLine
from tests.support.simulated import ITEMS, START, Duplex, SimulatedGateway

_HOUR_S = 3600


def _disturbed(folder: Path, *faults: str, at_least: int, **rule: Any) -> FaultyLine:
    """Faults for 40 minutes, then none: time enough to read all of it, from the meters' own memory."""
    line = FaultyLine(folder)
    for what in faults:
        line.strike(what, **rule)
    struck: list[int] = []

    async def count() -> None:
        await asyncio.sleep(0.65 * _HOUR_S)
        struck.append(line.struck())

    line.run(hours=1.4, mended_after=0.66, meanwhile=count)
    assert struck[0] >= at_least, "the line was hardly disturbed"
    return line


def test_f1_requests_and_answers_that_get_lost_are_asked_for_again(tmp_path: Path) -> None:
    """F1: each octet that a line drops would be a hole in somebody's curve."""
    line = _disturbed(tmp_path, "loss", "silence", probability=0.35, at_least=8)
    assert [] == line.differences(hours=1)


def test_f2_an_answer_that_comes_twice_is_one_reading(tmp_path: Path) -> None:
    """F2: a repeater's second copy would be kept again, or be taken for the answer to the next question."""
    line = _disturbed(tmp_path, "duplicate", at_least=12)
    assert [] == line.differences(hours=1)
    assert 1 == line.gateway.dialled


def test_f2_a_copy_that_comes_later_answers_nothing(tmp_path: Path) -> None:
    """F2: the copy of the last answer arrives when the next question has been asked."""
    line = _disturbed(tmp_path, "double", ms=40, at_least=12)
    assert [] == line.differences(hours=1)


def test_f3_answers_cut_short_are_asked_for_again(tmp_path: Path) -> None:
    """F3: a line that swallows ends would leave holes, or values made of halves."""
    line = _disturbed(tmp_path, "truncation", probability=0.5, at_least=8)
    assert [] == line.differences(hours=1)


def test_f4_answers_with_flipped_bits_are_asked_for_again(tmp_path: Path) -> None:
    """F4: a disturbed line would leave holes, or values that nobody measured."""
    line = _disturbed(tmp_path, "bit_flip", probability=0.5, bits=1, at_least=8)
    assert [] == line.differences(hours=1)


def test_f5_rubbish_before_answers_costs_nothing(tmp_path: Path) -> None:
    """F5: rubbish before every answer, and preambles of every length, would cost exchanges or readings."""
    line = FaultyLine(tmp_path, stations={number: {"preamble": 4 * number} for number in range(4)})
    line.strike("noise")
    line.run(hours=1)
    assert line.struck() > 20
    assert [] == line.differences(hours=0.75)


@pytest.mark.parametrize("ms", [550, 4_000])
def test_f6_late_answers_are_those_of_nobody(tmp_path: Path, ms: int) -> None:
    """F6: what comes after the timeout would be taken for the answer to the next question, of any meter."""
    line = _disturbed(tmp_path, "late", probability=0.4, ms=ms, at_least=5)
    assert [] == line.differences(hours=1)


def test_f7_an_answer_from_another_address_is_nobodys_reading(tmp_path: Path) -> None:
    """F7: the consumption of one customer would stand under the name of another."""
    line = _disturbed(tmp_path, "other_address", probability=0.5, at_least=8)
    assert [] == line.differences(hours=1)


def test_f9_a_meter_that_is_dead_for_hours_among_32_costs_them_nothing(tmp_path: Path) -> None:
    """F9: one dead meter would make 31 others late; and what it holds would be missing when it is back."""
    line = FaultyLine(tmp_path, count=32, gather_s=3600)
    dead = line.names[8]
    line.strike("silence", meter=line.address(8))
    asked: list[int] = []

    async def count() -> None:
        await asyncio.sleep(2.49 * _HOUR_S)
        asked.append(line.struck())
        holes = line.verdict(hours=2).holes
        assert {(dead, "curve"): {"silent"}, (dead, "daily_freeze"): {"silent"}} == {
            series: set(reasons) for series, reasons in holes.items()
        }

    line.run(hours=3, mended_after=2.5, meanwhile=count)
    assert [] == line.differences(hours=2)
    assert asked[0] * 0.5 <= 0.02 * 2.5 * _HOUR_S, f"{asked[0]} timeouts of half a second"
    rounds: dict[int, list[datetime]] = {}  # one each hour
    for reading in readings_of(line.gateway.rows()):
        if reading.meter != dead:
            rounds.setdefault(reading.taken_at.hour, []).append(reading.taken_at)
    assert 3 == len(rounds)
    took = max(max(moments) - min(moments) for moments in rounds.values())
    assert took < timedelta(seconds=15), "no neighbour waits for it"


def test_f10_a_node_that_babbles_holds_the_line_until_it_stops(tmp_path: Path) -> None:
    """F10: rubbish without end would hang the reading of a line for good, or fill the memory."""
    line = FaultyLine(tmp_path)

    async def babble() -> None:
        await asyncio.sleep(5 * 60)
        for _ in range(20 * 60):
            await line.gateway.say(b"\x68\x10\xfe\x16\x68" * 5)
            await asyncio.sleep(1)

    line.run(hours=1.5, meanwhile=babble)
    assert [] == line.differences(hours=1.25)
    assert 1 == line.gateway.dialled


def test_f13_an_adapter_that_echoes_is_read_like_any_other(tmp_path: Path) -> None:
    """F13: our own request would end each read, or a dead meter be taken for one that answers."""
    line = FaultyLine(tmp_path)
    dead = line.names[2]
    line.strike("echo")
    line.strike("silence", meter=line.address(2))
    line.run(hours=1)
    assert [] == line.differences(hours=0.75, but={dead})
    holes = line.verdict(hours=0.75).holes
    assert {"silent"} == {why for (meter, _), reasons in holes.items() if meter == dead for why in reasons}


def test_f14_a_slow_meter_costs_its_own_time_and_none_of_a_fast_one(tmp_path: Path) -> None:
    """F14: after each good answer of a fast meter the line would wait as long as the slowest one needs."""
    stations = [
        Station(meter=Meter("000000000001", seed=1), reply_delay_ms=500),
        *(Station(meter=Meter(f"{number:012d}", seed=1)) for number in range(2, 6)),
    ]
    gateway = SimulatedGateway(tmp_path, stations, every_s=60, reply_timeout_ms=None)
    gateway.run(seconds=59)
    readings = readings_of(gateway.rows())
    assert 5 * len(ITEMS) == len(readings)
    slow_s, fast_s = len(ITEMS) * 0.5, 4 * len(ITEMS) * 0.02
    took = max(reading.taken_at for reading in readings) - START
    assert took.total_seconds() < slow_s + fast_s + 0.5
    assert 5 * len(ITEMS) == len(gateway.answers), "nobody was asked twice"
    gateway.check()


class _Dying(Duplex):
    """A connection that carries nothing any more from some time on, and has no end."""

    def __init__(self, whole: Duplex, at_s: float) -> None:
        self.send = whole.send  # type: ignore[method-assign]
        self._whole = whole
        self._at_s = at_s

    async def receive(self) -> bytes:
        while octets := await self._whole.receive():
            if asyncio.get_running_loop().time() < self._at_s:
                return octets
        return b""


def test_a_connection_that_died_without_a_word_is_opened_anew(tmp_path: Path) -> None:
    """A serial server that lost its power would be asked for hours through a connection to nobody."""
    line = FaultyLine(tmp_path)
    gateway = line.gateway

    async def serve(duplex: Duplex) -> None:
        is_first = gateway.dialled == 1
        await gateway.serve_stations(_Dying(duplex, 0.7 * _HOUR_S) if is_first else duplex)

    gateway.serve = serve
    line.run(hours=1.5)
    assert [] == line.differences(hours=1.25)
    assert 2 == gateway.dialled


@pytest.mark.parametrize("wrong", [Port(9600), Port(2400, "odd"), Port(1200)], ids=str)
def test_f11_a_port_that_is_set_otherwise_meanwhile(tmp_path: Path, wrong: Port) -> None:
    """F11: what a wrong rate or parity makes of answers would be kept, or the line given up for good."""
    line = FaultyLine(tmp_path)
    gateway, ours = line.gateway, Port(2400)

    def tuned(port: Port) -> Line:
        stations = [Station(meter=meter, port=port) for meter in line.meters.values()]
        return Line(stations, clock=gateway.sim.clock, client=ours, record=gateway.answers.append)

    right, elsewhere = tuned(ours), tuned(wrong)
    clock = gateway.sim.clock

    async def serve(duplex: Duplex) -> None:
        ways = {one: memory_pair() for one in (right, elsewhere)}
        async with asyncio.TaskGroup() as group:
            for one, (far, near) in ways.items():
                group.create_task(one.serve(far))
                group.create_task(_pour(near, duplex))
            while octets := await duplex.receive():
                is_wrong = 0.3 < (clock.utc_now() - MIDNIGHT).total_seconds() / _HOUR_S < 0.8
                await ways[elsewhere if is_wrong else right][1].send(octets)
            for _, near in ways.values():
                near.close()

    gateway.serve = serve
    line.run(hours=1.5)
    assert [] == line.differences(hours=1.25)
    quiet = [
        reading.taken_at
        for reading in readings_of(gateway.rows())
        if 0.35 < (reading.taken_at - MIDNIGHT).total_seconds() / _HOUR_S < 0.8
    ]
    assert [] == quiet


async def _pour(source: MemoryDuplex, into: Duplex) -> None:
    with contextlib.suppress(ConnectionError):
        while octets := await source.receive():
            await into.send(octets)
