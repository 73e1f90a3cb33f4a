"""Polls a second over one TCP connection, beside the echo floor and PyPI's ``dlt645`` in the same run.

The whole path without the journal: queue, session, transport, timeout, matching, typed value. Rounds of the
contestants take turns, so that a machine whose speed drifts does not favour one; all in an interpreter that
is told what the daemon tells its own. Polls a second of a core that the client's process used are told too:
in them the server and others on the machine have no part.

Usage: ``python -m bench.bench_poll`` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable

import structlog

from bench.answering import serving
from bench.beside import Rate, Stopwatch, medians_of, ratios_to, told
from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import SystemClock
from meterlink.daemon.interpreter import tuned
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.model.line_url import TcpUrl
from meterlink.transports.open import open_line

ROUNDS = 7
ECHOES = 6_000
POLLS = 3_000
PEER_POLLS = 300
_ADDRESS = "000000000161"


class Pinger(asyncio.Protocol):
    """The floor: 30 octets there and back, nothing else, from when it is told to begin.

    Args:
        count: how often.

    """

    def __init__(self, count: int) -> None:
        self._left = count
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def begin(self) -> None:
        """Send the first."""
        self._transport.write(b"x" * 30)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._left -= 1
        if self._left:
            self._transport.write(data)  # type: ignore[attr-defined]
        else:
            self._transport.close()
            self.done.set_result(None)


async def _echo_floor(port: int) -> Rate:
    return await echoed(port, 1, ECHOES)


async def echoed(port: int, connections: int, echoes: int) -> Rate:
    """Octets there and back, as often as that goes, over so many connections at the same time."""
    loop = asyncio.get_running_loop()
    pingers = []
    for _ in range(connections):
        _, pinger = await loop.create_connection(lambda: Pinger(echoes // connections), "127.0.0.1", port)
        pingers.append(pinger)
    watch = Stopwatch()
    for pinger in pingers:
        pinger.begin()
    await asyncio.gather(*(pinger.done for pinger in pingers))
    return watch.rate(echoes)


def line_to(port: int) -> Line:
    """A line over TCP, as the daemon has them.

    Args:
        port: of a server on loopback.

    """
    url = TcpUrl(host="127.0.0.1", port=port)
    return Line("bench", opener=lambda: open_line(url), timing=Timing(), rng=random.Random(1))


async def _meterlink(port: int) -> Rate:
    line = line_to(port)
    driver = Dlt645Driver(SystemClock())
    async with asyncio.TaskGroup() as group:
        owner = group.create_task(line.run())
        await driver.read(line, _ADDRESS, "forward_active_energy", priority=Priority.CURVE)
        watch = Stopwatch()
        for _ in range(POLLS):
            await driver.read(line, _ADDRESS, "forward_active_energy", priority=Priority.CURVE)
        rate = watch.rate(POLLS)
        owner.cancel()
    return rate


def _peer(port: int) -> Callable[[], Rate]:
    from dlt645 import MeterClientService
    from loguru import logger

    logger.remove()
    client = MeterClientService.new_tcp_client("127.0.0.1", port, 5.0)
    client.set_address(_ADDRESS)
    client.connect()

    def measure() -> Rate:
        watch = Stopwatch()
        for _ in range(PEER_POLLS):
            item = client.read_00(0x00010000)
            assert item is not None, "the peer did not understand the answer"
        return watch.rate(PEER_POLLS)

    return measure


def main() -> None:
    """Measure and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    rates: dict[str, list[Rate]] = {"echo floor": [], "meterlink": [], "dlt645": []}
    with tuned(), serving("echo") as echo, serving("meter") as meter:
        peer = _peer(meter)
        for _ in range(ROUNDS):
            rates["echo floor"].append(asyncio.run(_echo_floor(echo)))
            rates["meterlink"].append(asyncio.run(_meterlink(meter)))
            rates["dlt645"].append(peer())
    medians = medians_of(rates)
    document = {
        "bench": "poll, one TCP connection",
        "unit": "polls a second; of a core that the client used",
        "rounds": ROUNDS,
        "medians": told(medians),
        "ratios": ratios_to(medians, "meterlink", ("echo floor", "dlt645")),
        "goals": {"meterlink / echo floor": "must 0.35, goal 0.6"},
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
