"""The embedded broker, beyond the contract of every broker: back pressure, watchers, takeovers, loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest

from meterlink.errors import BrokerAway
from meterlink.publish.broker import BACKLOG_MAX, CONNECTIONS_MAX, INFLIGHT_MAX, LOOPBACK, embedded_broker
from meterlink.transports.messages import MessagePort
from meterlink.transports.mqtt import MqttConnector

_BACKLOG = 100


class _Broker(NamedTuple):
    port: int
    connector: MqttConnector


@asynccontextmanager
async def _running(
    *, keeps_sessions_of: tuple[str, ...] = ("ingest",), backlog_max: int = BACKLOG_MAX
) -> AsyncIterator[_Broker]:
    async with embedded_broker(keeps_sessions_of=keeps_sessions_of, backlog_max=backlog_max) as port:
        yield _Broker(port, MqttConnector(LOOPBACK, port, version=4))


async def _drain(port: MessagePort, count: int) -> list[int]:
    numbers = []
    for _ in range(count):
        message = await port.receive()
        await port.acknowledge(message)
        numbers.append(int(message.payload))
    return numbers


@pytest.mark.parametrize("away", [False, True], ids=["slow", "away"])
@pytest.mark.asyncio
async def test_publishers_wait_while_the_ingest_is_behind(away: bool) -> None:
    """With the database away for a day the readings must wait in the log, not in this process's memory."""
    total = INFLIGHT_MAX + 5 * _BACKLOG
    async with (
        _running(backlog_max=_BACKLOG) as broker,
        broker.connector.connect(client_id="relay") as relay,
    ):
        ingest = broker.connector.connect(client_id="ingest", subscriptions=("a",), persistent=True)
        port = await ingest.__aenter__()
        if away:
            await ingest.__aexit__(None, None, None)
        publishing = [asyncio.ensure_future(relay.publish("a", b"%d" % n)) for n in range(total)]
        taken = -1
        while taken < (taken := sum(each.done() for each in publishing)):
            for _ in range(2_000):
                await asyncio.sleep(0)
        limit = _BACKLOG + (0 if away else INFLIGHT_MAX)
        assert limit <= taken <= limit + _BACKLOG  # what was on the way inside the broker goes beyond
        if away:
            ingest = broker.connector.connect(client_id="ingest", subscriptions=("a",), persistent=True)
            port = await ingest.__aenter__()
        assert list(range(total)) == await _drain(port, total)
        await asyncio.wait(publishing)
        await ingest.__aexit__(None, None, None)


@pytest.mark.asyncio
async def test_a_publisher_that_comes_again_and_again_fills_nothing() -> None:
    """While it waits for room it is not taken; else each reconnection would add a window to the queue."""
    reconnections, window = 8, 400
    async with (
        _running(backlog_max=10) as broker,
        broker.connector.connect(client_id="ingest", subscriptions=("a",), persistent=True) as port,
    ):
        confirmed = 0
        for _ in range(reconnections):
            async with broker.connector.connect(client_id="relay") as relay:
                publishing = [asyncio.ensure_future(relay.publish("a", b"0")) for _ in range(window)]
                for _ in range(2_000):
                    await asyncio.sleep(0)
                confirmed += sum(each.done() for each in publishing)
                for each in publishing:
                    each.cancel()
                await asyncio.wait(publishing)
        async with broker.connector.connect(client_id="relay") as relay:
            last = asyncio.ensure_future(relay.publish("a", b"1"))
            taken = 0
            while [0] == await _drain(port, 1):
                taken += 1
            await last
    assert confirmed <= taken <= INFLIGHT_MAX + window  # and not all eight windows


@pytest.mark.asyncio
async def test_a_watcher_never_stops_the_readings() -> None:
    """Who watches with a sleeping program must not hold up the database, nor leave a queue behind."""
    async with _running(backlog_max=10) as broker:
        async with (
            broker.connector.connect(client_id="watcher", subscriptions=("a",), persistent=True) as watcher,
            broker.connector.connect(client_id="ingest", subscriptions=("a",), persistent=True) as port,
            broker.connector.connect(client_id="relay") as relay,
        ):
            for n in range(INFLIGHT_MAX + 50):  # the watcher acknowledges nothing
                await relay.publish("a", b"%d" % n)
                assert [n] == await _drain(port, 1)
            seen = [int((await watcher.receive()).payload) for _ in range(INFLIGHT_MAX)]
            assert list(range(INFLIGHT_MAX)) == seen
        async with (
            broker.connector.connect(client_id="watcher", subscriptions=("a",), persistent=True) as watcher,
            broker.connector.connect(client_id="relay") as relay,
        ):
            await relay.publish("a", b"999")
            assert [999] == await _drain(watcher, 1)  # nothing of the former session


@pytest.mark.asyncio
async def test_a_takeover_keeps_the_session() -> None:
    """An ingest that connects again before the broker has noticed the end of its first connection."""
    async with (
        _running() as broker,
        broker.connector.connect(client_id="relay") as relay,
        broker.connector.connect(client_id="ingest", subscriptions=("a",), persistent=True) as older,
    ):
        await relay.publish("a", b"1")
        assert b"1" == (await older.receive()).payload
        async with broker.connector.connect(
            client_id="ingest", subscriptions=("a",), persistent=True
        ) as newer:
            with pytest.raises(BrokerAway):
                await older.receive()
            assert [1] == await _drain(newer, 1)
            await relay.publish("a", b"2")
            assert [2] == await _drain(newer, 1)


@pytest.mark.asyncio
async def test_it_listens_on_loopback_only_and_to_so_many() -> None:
    """Anybody may publish to it, so nobody from the network may reach it; and it has a limit."""
    async with _running(keeps_sessions_of=()) as broker:
        assert "127.0.0.1" == LOOPBACK
        with socket.socket() as other, pytest.raises(ConnectionRefusedError):
            other.connect(("127.0.0.2", broker.port))  # bound to every address it would answer here
        streams = [await asyncio.open_connection(LOOPBACK, broker.port) for _ in range(CONNECTIONS_MAX + 1)]
        assert b"" == await streams[-1][0].read(1)  # hung up on
        for _, writer in streams:
            writer.close()
            await writer.wait_closed()


@pytest.mark.asyncio
async def test_rubbish_ends_a_connection_at_most() -> None:
    """Another program that talks to the port by mistake must not end the broker."""
    async with _running(keeps_sessions_of=()) as broker:
        for octets in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x00" * 100,
            b"\xff" * 100,
            b"\x10\xff\xff\xff\x7f" + bytes(50),
        ):
            _, writer = await asyncio.open_connection(LOOPBACK, broker.port)
            writer.write(octets)
            writer.close()
            await writer.wait_closed()
        async with broker.connector.connect(client_id="c", subscriptions=("a",)) as port:
            await port.publish("a", b"7")
            assert [7] == await _drain(port, 1)


@pytest.mark.asyncio
async def test_a_taken_port_is_said_plainly() -> None:
    """A second daemon on the machine must be told which port, not show a trace."""
    async with embedded_broker() as port:
        with pytest.raises(BrokerAway, match=f"127.0.0.1:{port}: .*in use"):
            async with embedded_broker(port):
                pass
