"""The embedded broker: amqtt on loopback, so that the whole path runs with nothing else installed.

What it does not do: it speaks MQTT 3.1.1 only, keeps everything in memory, and forgets all of it when the
process ends. The log and its cursor are the store; whoever composes the daemon steps the cursor back to what
the ingest is known to have written.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.errors import BrokerError

from meterlink.errors import BrokerAway

LOOPBACK = "127.0.0.1"
USERNAME = "meterlink"
"""Any name serves: amqtt keeps no session for clients without one."""


@asynccontextmanager
async def embedded_broker(port: int = 0) -> AsyncIterator[int]:
    """Run a broker on loopback until the end of the block; gives its port.

    Clients need no password, only a user name if their session is to be kept (``USERNAME``).

    Args:
        port: 1 to 65535, or 0 for one that is free.

    Raises:
        BrokerAway: the port is taken.

    """
    logging.getLogger("amqtt").setLevel(logging.ERROR)
    broker = Broker(
        BrokerConfig(
            listeners={"default": ListenerConfig(bind=f"{LOOPBACK}:{port}")},
            plugins={"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        ),
        loop=asyncio.get_running_loop(),
    )
    try:
        await broker.start()
    except BrokerError as error:
        raise BrokerAway(f"the embedded broker cannot start on {LOOPBACK}:{port}: {error}") from None
    try:
        yield _port_of(broker)
    finally:
        await broker.shutdown()


def _port_of(broker: Broker) -> int:
    """The port that the system chose; amqtt 0.12 does not tell it."""
    server = broker._servers["default"].instance
    assert isinstance(server, asyncio.Server)
    port = server.sockets[0].getsockname()[1]
    assert isinstance(port, int)
    return port
