"""Servers in processes of their own, so that a client is measured and nothing else: an echo and a meter."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator

ANSWER_DATA = bytes.fromhex("3333343359333333")  # 00010000, 0.26 kWh, masked
REQUEST_OCTETS = 16


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


@contextlib.contextmanager
def serving(kind: str) -> Iterator[int]:
    """Run the server ``echo`` or ``meter`` in its own process; gives its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.answering", kind], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


async def _main(kind: str) -> None:
    protocol = {"echo": _Echo, "meter": _Meter}[kind]
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(sys.argv[1]))
