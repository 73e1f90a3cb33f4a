"""Servers in processes of their own: an echo, a fixed meter, the simulator, and PyPI's ``dlt645``.

So a client is measured and nothing else, or a server on a core of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

ANSWER_DATA = bytes.fromhex("3333343359333333")  # 00010000, 0.26 kWh, masked
REQUEST_OCTETS = 16
PACED_EXCHANGE_S = 36 * 11 / 2400 + 0.02
"""A read of one energy on a line of 2400 bit/s, at the least."""
SIMULATED_LINES = 32
SIMULATED_METERS = 32
"""On each line; the first of all has the address 1."""
PEER_ADDRESS = "000000000001"


class _Echo(asyncio.Protocol):
    """Sends back what comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)  # type: ignore[attr-defined]


class _Meter(_Echo):
    """Answers every request of 16 octets with 0.26 kWh, from the address that was asked."""

    def data_received(self, data: bytes) -> None:
        start = data.find(b"\x68")
        if len(data) - start < REQUEST_OCTETS:
            return  # requests of one write arrive whole on loopback
        body = data[start : start + 8] + b"\x91\x08" + ANSWER_DATA
        self._transport.write(body + bytes([sum(body) & 0xFF]) + b"\x16")  # type: ignore[attr-defined]


class _PacedMeter(_Meter):
    """The same behind a serial server: the answer comes when a line of 2400 bit/s has carried it."""

    def data_received(self, data: bytes) -> None:
        """Answer later."""
        asyncio.get_running_loop().call_later(PACED_EXCHANGE_S, super().data_received, data)


class Server(NamedTuple):
    """A server in its own process.

    Args:
        pid: of the process.
        ports: where it listens.

    """

    pid: int
    ports: list[int]

    def cpu_s(self) -> float:
        """Seconds of a core that the process has used, from the clock that Linux keeps for it."""
        return time.clock_gettime(~self.pid << 3 | 2)  # clock_getcpuclockid(3)


def allow_sockets() -> None:
    """Let this process, and those that it starts, open as many files as the system allows it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def serving(kind: str) -> Iterator[int]:
    """Run the server ``echo``, ``meter`` or ``paced_meter`` in its own process; gives its port."""
    with running(kind) as server:
        yield server.ports[0]


@contextlib.contextmanager
def running(kind: str, ports: int = 1) -> Iterator[Server]:
    """Run a server in its own process: one of those above, ``simulator`` or ``dlt645``.

    Args:
        kind: of server.
        ports: on how many one of those above listens.

    """
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.answering", kind, str(ports)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield Server(process.pid, [int(port) for port in process.stdout.readline().split()])
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


async def _simulator(stack: contextlib.AsyncExitStack) -> list[int]:
    """Lines of simulated meters, one port each, without delay and without pacing."""
    from metersim.plant.built import BuiltPlant
    from metersim.plant.figures import Figures
    from metersim.serving.served import SystemClock
    from metersim.serving.tcp import open_tcp

    figures = Figures(lines=SIMULATED_LINES, meters=SIMULATED_METERS, reply_delay_ms=0)
    built = BuiltPlant(figures.plant(), clock=SystemClock())
    urls = [await stack.enter_async_context(open_tcp(line, "127.0.0.1", 0)) for line in built.lines.values()]
    return [int(url.rpartition(":")[2]) for url in urls]


async def _peer(stack: contextlib.AsyncExitStack) -> list[int]:
    """``dlt645``'s asyncio server: one meter, without its log."""
    from dlt645.service.serversvc.async_server_service import AsyncMeterServerService
    from loguru import logger

    logger.remove()
    service = AsyncMeterServerService.new_tcp_server("127.0.0.1", 0)
    service.set_address(bytes.fromhex(PEER_ADDRESS)[::-1])
    service.set_00(0x00010000, 0.26)
    await stack.enter_async_context(service)
    return [service.server.port]


async def _main(kind: str, count: int) -> None:
    if kind in {"simulator", "dlt645"}:
        async with contextlib.AsyncExitStack() as stack:
            ports = await (_simulator if kind == "simulator" else _peer)(stack)
            print(*ports, flush=True)
            await asyncio.Event().wait()
    protocol = {"echo": _Echo, "meter": _Meter, "paced_meter": _PacedMeter}[kind]
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(protocol, "127.0.0.1", 0) for _ in range(count)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
