"""The REST API on a port: what its server refuses, and what a fault of the simulator shows."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from metersim.api.connections import ASKS_WITHIN_S, CONNECTIONS_MAX
from metersim.api.exchanges import CallView, Exchanges
from metersim.api.limits import HEAD_OCTETS_MAX
from metersim.api.served import Served
from metersim.api.serving import open_api
from metersim.plant.built import BuiltPlant
from metersim.plant.plant import Plant
from metersim.serving.served import SystemClock

pytestmark = pytest.mark.asyncio


class BrokenExchanges(Exchanges):
    """A fault of the simulator."""

    def last(self, limit: int, **_: Any) -> list[CallView]:
        """It never works."""
        raise RuntimeError("the password is 123456")


@asynccontextmanager
async def served_api(asks_within_s: float = ASKS_WITHIN_S) -> AsyncIterator[int]:
    """A plant whose API is served; gives its port."""
    clock, plant = SystemClock(), Plant()
    served = Served(built=BuiltPlant(plant, clock=clock), exchanges=BrokenExchanges(plant, clock=clock))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        async with open_api(served, listening, asks_within_s=asks_within_s) as url:
            yield int(url.rpartition(":")[2])


async def asked(port: int, path: str, head: str = "") -> tuple[int, str]:
    """Status and body of an answer, over a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n"
    writer.write(request.encode())
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return int(answer.split()[1]), answer.partition("\r\n\r\n")[2]


async def test_a_head_has_an_end() -> None:
    """A head without end would fill the memory."""
    usual = sum(map(len, ("host", "localhost", "connection", "close", "x")))
    async with served_api() as port:
        for octets, wanted in ((HEAD_OCTETS_MAX - usual, 200), (HEAD_OCTETS_MAX - usual + 1, 431)):
            assert wanted == (await asked(port, "/v1/plant", f"x: {'1' * octets}\r\n"))[0]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /v1/plant HTTP/1.1\r\nx: " + b"1" * HEAD_OCTETS_MAX)  # and it goes on
        assert b"HTTP/1.1 400" == (await reader.read())[:12]
        writer.close()


async def test_half_a_request_is_none() -> None:
    """A client that was killed in the middle of its request would have changed the plant."""
    async with served_api() as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        body = b'{"what": "silence"}'
        head = "POST /v1/faults HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body) + 1}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert (200, "[]") == await asked(port, "/v1/faults")


async def test_connections_have_an_end() -> None:
    """A client that forgets to close would take all files of the process."""
    async with served_api(asks_within_s=60) as port, AsyncExitStack() as stack:
        for _ in range(CONNECTIONS_MAX - 1):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
        assert 200 == (await asked(port, "/v1/plant"))[0]
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        stack.callback(writer.close)
        assert 503 == (await asked(port, "/v1/plant"))[0]


async def test_of_many_who_come_together_the_first_are_served(capfd: pytest.CaptureFixture[str]) -> None:
    """All would be refused while there is room for most, each with a line on standard error."""
    surplus = 16
    async with served_api(asks_within_s=60) as port, AsyncExitStack() as stack:
        streams = []
        for _ in range(CONNECTIONS_MAX + surplus):
            streams.append(await asyncio.open_connection("127.0.0.1", port))
            stack.callback(streams[-1][1].close)
        for _, writer in streams:
            writer.write(b"GET /v1/plant HTTP/1.1\r\nHost: localhost\r\n\r\n")
        lines = [(await reader.readline()).split()[1] for reader, _ in streams]
        assert [b"200"] * CONNECTIONS_MAX + [b"503"] * surplus == lines
    assert "" == capfd.readouterr().err


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /v1/pl",
        b"POST /v1/faults HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
        b"GET /v1/faults HTTP/1.1\r\nHost: localhost\r\n\r\nGET /v1/pl",
    ],
)
async def test_who_asks_nothing_is_not_waited_for(begun: bytes) -> None:
    """Clients that hang would keep everybody else out until the plant ends."""
    async with served_api(asks_within_s=0.1) as port, AsyncExitStack() as stack:
        streams = []
        for _ in range(CONNECTIONS_MAX):
            streams.append(await asyncio.open_connection("127.0.0.1", port))
            stack.callback(streams[-1][1].close)
            streams[-1][1].write(begun)
        for reader, _ in streams:
            await reader.read()  # to its end
        assert 200 == (await asked(port, "/v1/plant"))[0]


async def test_a_fault_of_the_simulator_shows_nothing_of_it() -> None:
    """A stack trace, with whatever stands in it, would go to whoever asked."""
    async with served_api() as port:
        status, body = await asked(port, "/v1/calls")
        problem = json.loads(body)
        assert (500, "urn:metersim:problem:internal") == (status, problem["type"])
        assert "123456" not in body
