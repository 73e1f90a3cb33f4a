"""The brokers that the contract of a broker connection is tested against, each with the same handles."""

from __future__ import annotations

import asyncio
from typing import Protocol

from meterlink.transports.memory import MemoryBroker
from meterlink.transports.messages import MessageConnector
from meterlink.transports.mqtt import MqttConnector
from tests.support.processes import LOOPBACK
from tests.support.servers import Mosquitto

INFLIGHT_MAX = 50
"""Messages that each of the brokers under test leaves unacknowledged at most."""
PAYLOAD_OCTETS_MAX = 10_000


class BrokerUnderTest(Protocol):
    """What a contract test needs of a broker."""

    @property
    def connector(self) -> MessageConnector:
        """The way to it."""


class RestartableBroker(BrokerUnderTest, Protocol):
    """A broker that keeps its sessions when it is stopped."""

    async def stop(self) -> None:
        """End it in good order: connections break, new ones are refused."""

    async def start(self) -> None:
        """Bring it back, with its sessions."""


class MemoryUnderTest:
    """The broker in memory."""

    def __init__(self) -> None:
        self.broker = MemoryBroker(inflight_max=INFLIGHT_MAX, payload_octets_max=PAYLOAD_OCTETS_MAX)
        self.connector = self.broker

    async def stop(self) -> None:
        """See ``RestartableBroker``."""
        self.broker.away = True
        self.broker.cut()

    async def start(self) -> None:
        """See ``RestartableBroker``."""
        self.broker.away = False


class EmbeddedUnderTest:
    """The embedded broker; it cannot be stopped and started without forgetting everything."""

    def __init__(self, port: int) -> None:
        self.connector = MqttConnector(LOOPBACK, port, version=4, payload_octets_max=PAYLOAD_OCTETS_MAX)


class MosquittoUnderTest:
    """A real broker, spoken to in one version of MQTT."""

    def __init__(self, server: Mosquitto, version: int) -> None:
        self._server = server
        self.connector = MqttConnector(
            LOOPBACK,
            server.port,
            version=version,
            receive_max=INFLIGHT_MAX,
            payload_octets_max=PAYLOAD_OCTETS_MAX,
        )

    async def stop(self) -> None:
        """See ``RestartableBroker``."""
        await asyncio.to_thread(self._server.stop)

    async def start(self) -> None:
        """See ``RestartableBroker``."""
        await asyncio.to_thread(self._server.start)
