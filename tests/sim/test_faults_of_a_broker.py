"""What a broker does to a whole gateway in simulated time: away for a day, forgetful, far away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from metersim import Faults, Meter, Station
from tests.support.faulty_line import FaultyLine
from tests.support.simulated import ITEMS, START, SimulatedGateway, slots_between

_EVERY_S = 900


def _gateway(folder: Path, *, every_s: int = _EVERY_S) -> SimulatedGateway:
    stations = [Station(meter=Meter(f"{number:012d}", seed=1)) for number in (1, 2)]
    return SimulatedGateway(folder, stations, every_s=every_s)


def test_f42_a_day_without_the_broker_is_made_up_for(tmp_path: Path) -> None:
    """F42: readings of a day would be gone, or wait for somebody who starts the daemon anew."""
    gateway = _gateway(tmp_path)

    async def away() -> None:
        await asyncio.sleep(2_000)
        gateway.broker.away = True
        gateway.broker.cut()
        before = len(gateway.sink.points)
        await asyncio.sleep(24 * 3600)
        assert before == len(gateway.sink.points)
        gateway.broker.away = False
        await asyncio.sleep(35)
        gateway.check_database()

    gateway.run(seconds=26 * 3600, meanwhile=away)
    due = slots_between(START, _EVERY_S, 26 * 4 + 1)
    assert due == gateway.slots_of("000000000001", ITEMS[0])
    gateway.check()


@pytest.mark.parametrize("restarts", [False, True], ids=["running", "stopped meanwhile"])
def test_f38_what_a_broker_forgets_it_gets_again(tmp_path: Path, restarts: bool) -> None:
    """F38: readings that a broker had acknowledged and lost with its sessions would never be stored."""
    gateway = _gateway(tmp_path, every_s=60)

    async def forget() -> None:
        await asyncio.sleep(600)
        gateway.sink.away = "503 Service Unavailable"
        await asyncio.sleep(300)
        if not restarts:
            gateway.broker.forget()
            await asyncio.sleep(600)
            gateway.sink.away = ""

    gateway.run(seconds=900 if restarts else 1_600, meanwhile=forget, kill=restarts)
    if restarts:
        stored = len(gateway.sink.points)
        gateway.broker.forget()
        gateway.sink.away = ""
        gateway.run(seconds=100)
        assert len(gateway.sink.points) > stored
    gateway.check()


def test_f43_a_slow_way_that_loses_a_fifth_delays_and_loses_nothing(tmp_path: Path) -> None:
    """F43: over a mobile network no answer would be in time, or the broker get less than is read."""
    far = {"reply_delay_ms": 2_000, "faults": Faults(seed=3, loss=0.1, silence=0.1)}
    line = FaultyLine(tmp_path, count=2, stations={0: far, 1: far}, reply_timeout_ms=3_000)
    broker = line.gateway.broker
    broker.transit_s = broker.puback_delay_s = 1.0

    async def cuts() -> None:
        while True:
            await asyncio.sleep(line.gateway.sim.random.uniform(60, 600))
            broker.cut()

    async def for_a_while() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.4 * 3600):
                await cuts()

    line.run(hours=1.75, meanwhile=for_a_while)
    assert [] == line.differences(hours=1)
