"""A real broker: MQTT 5 where it speaks that, 3.1.1 otherwise; QoS 1; acknowledged by hand.

Nothing of version 5 is relied on, it only tells more: why a message was refused, and how many may be under
way. With 3.1.1 a message that the broker's access list forbids is acknowledged and gone: let the gateway
publish below its own topic before anything else.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiomqtt import ProtocolVersion

from meterlink.errors import BrokerAway, MessageRefused
from meterlink.transports.messages import IncomingMessage, MessagePort
from meterlink.transports.mqtt_client import AcknowledgingClient, ClientSettings, OldBroker
from meterlink.transports.wakers import Wakers

CONNECT_TIMEOUT_S = 10.0
PUBLISH_TIMEOUT_S = 20.0
KEEPALIVE_S = 30
RECEIVE_MAX = 1_000
"""Messages the broker may leave unacknowledged with us (MQTT 5; 3.1.1 has no word for it)."""
PAYLOAD_OCTETS_MAX = 1024 * 1024
"""A record of 2,000 readings is a third of it."""
PACKET_OVERHEAD_OCTETS = 16
"""PUBLISH around topic and payload: at most 5 + 2 + 2 + 1, MQTT 5, 3.3."""

_FIRST_REFUSAL = 0x80  # MQTT 5, 2.4
_NOBODY = 0x10  # MQTT 5, 2.4: no matching subscribers; the broker has thrown the message away
_NEVER = {
    0x83: "implementation specific",
    0x90: "topic name invalid",
    0x99: "payload format invalid",
}
"""Reasons in a PUBACK that lie in the message; all others (not authorised, quota, ...) may pass.

"Implementation specific" is what mosquitto says to a message beyond its ``message_size_limit``.
"""

_log = structlog.get_logger(__name__)


class MqttConnector:
    """The way to one broker; remembers which version it speaks.

    Args:
        host: name or address.
        port: TCP port.
        username: for the broker, if it wants one.
        password: for the broker; never shown.
        tls: how to check the broker's certificate and to show ours; ``None``: no TLS.
        version: 5 or 4 (3.1.1) to insist on one; ``None``: 5, and 3.1.1 if the broker does not speak it.
        connect_timeout_s: TCP, TLS and CONNACK, each.
        publish_timeout_s: a PUBACK that takes longer ends the connection.
        keepalive_s: a silent connection is found dead within twice this.
        receive_max: messages that may wait here unacknowledged, 1 to 65,535.
        payload_octets_max: larger ones are refused.
        needs_subscriber: a message that nobody is subscribed to counts as not taken (MQTT 5 tells; with
            3.1.1 it is acknowledged and gone).

    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        username: str | None = None,
        password: str | None = None,
        tls: ssl.SSLContext | None = None,
        version: int | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        publish_timeout_s: float = PUBLISH_TIMEOUT_S,
        keepalive_s: int = KEEPALIVE_S,
        receive_max: int = RECEIVE_MAX,
        payload_octets_max: int = PAYLOAD_OCTETS_MAX,
        needs_subscriber: bool = False,
    ) -> None:
        self._needs_subscriber = needs_subscriber
        self._settings = ClientSettings(
            host=host,
            port=port,
            username=username,
            password=password,
            tls=tls,
            connect_timeout_s=connect_timeout_s,
            publish_timeout_s=publish_timeout_s,
            keepalive_s=keepalive_s,
            receive_max=receive_max,
        )
        self._payload_octets_max = payload_octets_max
        self._wanted = None if version is None else ProtocolVersion(version)
        self._spoken: ProtocolVersion | None = None

    @property
    def version(self) -> int | None:
        """The protocol level that the broker spoke last: 5, or 4 for 3.1.1."""
        return self._spoken

    @asynccontextmanager
    async def connect(
        self, *, client_id: str, subscriptions: tuple[str, ...] = (), persistent: bool = False
    ) -> AsyncIterator[MessagePort]:
        """See ``MessageConnector.connect``."""
        arrived = Wakers()
        client = await self._open(client_id, persistent, arrived)
        try:
            await client.subscribe_all(subscriptions)
            yield _MqttPort(
                client, arrived, self._payload_octets_max, needs_subscriber=self._needs_subscriber
            )
        finally:
            await client.close()

    async def _open(self, client_id: str, persistent: bool, arrived: Wakers) -> AcknowledgingClient:
        known = self._wanted or self._spoken
        for version in (known,) if known else (ProtocolVersion.V5, ProtocolVersion.V311):
            client = AcknowledgingClient(
                self._settings,
                client_id=client_id,
                persistent=persistent,
                version=version,
                changed=arrived.wake,
            )
            try:
                await client.open()
            except OldBroker:
                self._spoken = None  # it may be another broker by now: look again next time
                if version == ProtocolVersion.V5 and not known:
                    continue
                raise
            if self._spoken != version:
                _log.info("mqtt.connected", broker=self._settings.where, version=version.name)
            self._spoken = version
            return client
        raise AssertionError("the last version either opens or raises")


class _MqttPort:
    """One connection, from CONNACK to its end."""

    def __init__(
        self,
        client: AcknowledgingClient,
        arrived: Wakers,
        payload_octets_max: int,
        *,
        needs_subscriber: bool,
    ) -> None:
        self._needs_subscriber = needs_subscriber
        self._client = client
        self._arrived = arrived
        self._payload_octets_max = payload_octets_max
        self._quota = asyncio.Semaphore(client.quota)

    @property
    def resumed(self) -> bool:
        """See ``MessagePort.resumed``."""
        return self._client.resumed

    async def publish(self, topic: str, payload: bytes) -> None:
        """See ``MessagePort.publish``."""
        if not topic:  # paho lets it pass, for the topic aliases of MQTT 5; the broker would hang up
            raise MessageRefused("the topic is empty")
        packet_octets = len(topic.encode()) + len(payload) + PACKET_OVERHEAD_OCTETS
        if len(payload) > self._payload_octets_max or packet_octets > self._client.packet_octets_max:
            limit = min(self._payload_octets_max, self._client.packet_octets_max)
            raise MessageRefused(f"{len(payload)} octets are too many: {limit} are allowed")
        async with self._quota:
            self._check()
            try:
                confirmed = self._client.send(topic, payload)
            except ValueError as error:
                raise MessageRefused(f"{topic!r} is no topic to publish to: {error}") from None
            code = await confirmed
        if code == _NOBODY and self._needs_subscriber:
            raise BrokerAway("nobody has subscribed yet: start the ingest; until then readings are kept")
        if code in _NEVER:
            raise MessageRefused(f"the broker refuses it: {_NEVER[code]}")
        if code >= _FIRST_REFUSAL:
            raise BrokerAway(f"the broker does not take it now: reason {code:#04x}")

    async def receive(self) -> IncomingMessage:
        """See ``MessagePort.receive``."""
        while True:
            self._check()
            if self._client.inbox:
                return self._client.inbox.popleft()
            await self._arrived.wait()

    async def acknowledge(self, message: IncomingMessage) -> None:
        """See ``MessagePort.acknowledge``."""
        self._check()
        if message.token:  # a message at QoS 0 wants none
            self._client.confirm(message.token)

    def _check(self) -> None:
        if self._client.lost is not None:
            raise BrokerAway(str(self._client.lost))
