"""Polls a second over 100 TCP connections, and how late the loop is with 1,000 lines.

The whole path without the journal, as in ``bench_poll``; beside it the echo floor over as many connections
and PyPI's ``dlt645`` with its asyncio client. Floor and ours are measured on both event loops that a daemon
may run on: Python's own, and uvloop (``event_loop`` of ``[gateway]``), each ours beside the floor of the same
loop. The yardstick is the floor on Python's own; ours on uvloop is told beside that too, and by its name.
Rounds of the contestants take turns, all in an interpreter that is told what the daemon tells its own. The
peer's data, which takes a second a client to build, is built once.

The 1,000 lines are asked without a pause and answer as lines of 2400 bit/s do, so that the loop has as much
to do as it ever has with lines of that rate; how late a timer rings then is what everybody else waits for.

Usage: ``python -m bench.bench_polls`` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import statistics
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import structlog
import uvloop

from bench.answering import PACED_EXCHANGE_S, allow_sockets, running, serving
from bench.bench_poll import echoed, line_to
from bench.beside import Rate, Stopwatch, medians_of, ratios_to, told
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import SystemClock
from meterlink.daemon.interpreter import tuned
from meterlink.drivers.dlt645.driver import Dlt645Driver

ROUNDS = 5
CONNECTIONS = 100
ECHOES = 20_000
POLLS = 8_000
PEER_POLLS = 2_000
LINES = 1_000
LAG_S = 8.0
SETTLE_S = 2.0
TICK_S = 0.005
_ADDRESS = "000000000161"


async def _polled(reads: list[Callable[[], Awaitable[object]]], polls: int) -> Rate:
    """Polls a second, each connection asked again as soon as it has answered."""

    async def poll(read: Callable[[], Awaitable[object]], count: int) -> None:
        for _ in range(count):
            assert await read() is not None, "an answer was not understood"

    await asyncio.gather(*(poll(read, 1) for read in reads))
    watch = Stopwatch()
    await asyncio.gather(*(poll(read, polls // len(reads)) for read in reads))
    return watch.rate(polls)


async def _meterlink(ports: list[int]) -> Rate:
    async with asyncio.TaskGroup() as group:
        lines = [line_to(port) for port in ports]
        owners = [group.create_task(line.run()) for line in lines]
        rate = await _polled([_read(line) for line in lines], POLLS)
        for owner in owners:
            owner.cancel()
    return rate


def _read(line: Line) -> Callable[[], Awaitable[object]]:
    driver = Dlt645Driver(SystemClock())
    return lambda: driver.read(line, _ADDRESS, "forward_active_energy", priority=Priority.CURVE)


def _peers() -> Callable[[list[int]], Coroutine[Any, Any, Rate]]:
    from dlt645.aio import AsyncMeterClientService, AsyncTcpClient
    from loguru import logger

    logger.remove()
    one = AsyncMeterClientService.new_tcp_client("127.0.0.1", 0, 5.0)
    one.set_address(_ADDRESS)

    async def measure(ports: list[int]) -> Rate:
        peers = []
        for port in ports:
            peer = copy.copy(one)
            peer.client = AsyncTcpClient(ip="127.0.0.1", port=port, timeout=5.0)
            await peer.connect()
            peers.append(peer)
        rate = await _polled([partial(peer.read_00, 0x00010000) for peer in peers], PEER_POLLS)
        for peer in peers:
            await peer.disconnect()
        return rate

    return measure


async def _lag(ports: list[int]) -> tuple[float, float]:
    """99th percentile of how late timers ring, in milliseconds, and polls a second meanwhile."""
    loop, late_s, polls = asyncio.get_running_loop(), list[float](), 0

    async def poll(read: Callable[[], Awaitable[object]]) -> None:
        nonlocal polls
        while True:
            await read()
            polls += 1

    async with asyncio.TaskGroup() as group:
        lines = [line_to(port) for port in ports]
        tasks = [group.create_task(line.run()) for line in lines]
        for line in lines:
            tasks.append(group.create_task(poll(_read(line))))
            await asyncio.sleep(PACED_EXCHANGE_S / LINES)
        await asyncio.sleep(SETTLE_S)
        begun, polls = loop.time(), 0
        while (now := loop.time()) < begun + LAG_S:
            await asyncio.sleep(TICK_S)
            late_s.append(loop.time() - now - TICK_S)
        rate = polls / (loop.time() - begun)
        for task in tasks:
            task.cancel()
    return statistics.quantiles(late_s, n=100)[-1] * 1000, rate


def main() -> None:
    """Measure and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    allow_sockets()  # 1,000 lines are three thousand sockets
    rates: dict[str, list[Rate]] = {
        name: []
        for name in ("echo floor", "meterlink", "echo floor on uvloop", "meterlink on uvloop", "dlt645")
    }
    peers = _peers()
    with tuned(), serving("echo") as echo, running("meter", CONNECTIONS) as meters:
        for _ in range(ROUNDS):
            rates["echo floor"].append(asyncio.run(echoed(echo, CONNECTIONS, ECHOES)))
            rates["meterlink"].append(asyncio.run(_meterlink(meters.ports)))
            rates["echo floor on uvloop"].append(uvloop.run(echoed(echo, CONNECTIONS, ECHOES)))
            rates["meterlink on uvloop"].append(uvloop.run(_meterlink(meters.ports)))
            rates["dlt645"].append(asyncio.run(peers(meters.ports)))
    with tuned(), running("paced_meter", LINES) as paced:
        lag_ms, lag_rate = asyncio.run(_lag(paced.ports))
    medians = medians_of(rates)
    document = {
        "bench": "polls, 100 TCP connections; 1,000 lines of 2400 bit/s",
        "unit": "polls a second; of a core that the client used; ms",
        "rounds": ROUNDS,
        "medians": {
            **told(medians),
            "1,000 lines": round(lag_rate),
            "1,000 lines, lag p99, ms": round(lag_ms, 1),
        },
        "ratios": {
            **ratios_to(medians, "meterlink", ("echo floor", "dlt645")),
            **ratios_to(medians, "meterlink on uvloop", ("echo floor", "echo floor on uvloop")),
            "1,000 lines / what they can": round(lag_rate * PACED_EXCHANGE_S / LINES, 2),
        },
        "goals": {
            "meterlink / echo floor": "must 0.25, goal 0.4",
            "meterlink / dlt645": "must 2",
            "lag p99": "must 50 ms, goal 10 ms",
        },
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
