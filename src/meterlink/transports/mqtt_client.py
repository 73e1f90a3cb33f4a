"""aiomqtt with acknowledgement by hand: the one place that touches what aiomqtt and paho keep private.

aiomqtt 2.5 acknowledges a message before anybody has seen it, throws messages away when its queue is full,
ignores the reason in a PUBACK, and waits out its timeout when a broker hangs up before CONNACK. paho below it
can do all of that right. What is overridden here, and why, stands at each method; the rest of aiomqtt (the
connecting thread, the sockets on the loop, keepalive, SUBSCRIBE) serves as it is.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

import aiomqtt
import paho.mqtt.client as paho
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from meterlink.errors import BrokerAway
from meterlink.transports.messages import IncomingMessage

CLOSE_WAIT_S = 2.0
"""How long a DISCONNECT may take; a dead peer's socket is closed without it."""
PACKETS_A_TURN_MAX = 64
"""Packets read before the loop serves others again."""
SESSION_EXPIRY_S = 0xFFFF_FFFF  # MQTT 5, 3.1.2.11.2: "does not expire"; 3.1.1 knows nothing else
PACKET_OCTETS_MAX = 268_435_460  # MQTT 5, 2.1.4: 5 octets and the largest remaining length
RECEIVE_MAX_DEFAULT = 65_535  # MQTT 5, 3.2.2.3.3
INBOX_MAX = 65_535
"""All the packet identifiers there are, so no honest broker gets there.

Not the receive maximum that we ask for: mosquitto 2.0.11 sends a quarter more while it is acknowledged to.
"""

_T = TypeVar("_T")
_QUIET = logging.getLogger("meterlink.transports.paho")
_QUIET.setLevel(logging.CRITICAL + 1)  # every failure is told by ours, once


class OldBroker(BrokerAway):
    """The broker does not speak MQTT 5, or hung up on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """What one connection needs.

    Args:
        host: name or address of the broker.
        port: its TCP port.
        username: for the broker, or ``None``.
        password: for the broker; never shown.
        tls: how to check the broker's certificate and to show ours; ``None``: no TLS.
        connect_timeout_s: TCP, TLS and CONNACK, each.
        publish_timeout_s: a PUBACK that takes longer ends the connection.
        keepalive_s: a silent connection is found dead within twice this.
        receive_max: messages the broker may leave unacknowledged with us.

    """

    host: str
    port: int
    username: str | None
    password: str | None
    tls: ssl.SSLContext | None
    connect_timeout_s: float
    publish_timeout_s: float
    keepalive_s: int
    receive_max: int

    @property
    def where(self) -> str:
        """The broker's address, for people."""
        return f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        """Without the password."""
        return f"ClientSettings({self.where})"


class _Unconfirmed(NamedTuple):
    """A message without PUBACK so far, and when that is too long."""

    future: asyncio.Future[int]
    due: float


class AcknowledgingClient(aiomqtt.Client):
    """One connection, once: ``open``, use, ``close``.

    Attributes:
        inbox: messages received and not yet handed out.
        lost: why the connection ended, once it has.
        quota: messages that the broker lets us have under way.
        packet_octets_max: largest packet that the broker takes.
        resumed: whether the broker has kept our session.

    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        client_id: str,
        persistent: bool,
        version: aiomqtt.ProtocolVersion,
        changed: Callable[[], None],
    ) -> None:
        self._v5 = version == aiomqtt.ProtocolVersion.V5
        session: dict[str, Any] = {"clean_session": not persistent}
        if self._v5:
            session = {"clean_start": not persistent, "properties": _connect_properties(settings, persistent)}
        super().__init__(
            settings.host,
            settings.port,
            username=settings.username,
            password=settings.password,
            tls_context=settings.tls,
            identifier=client_id,
            protocol=version,
            timeout=settings.connect_timeout_s,
            keepalive=settings.keepalive_s,
            max_inflight_messages=0,  # no limit inside paho: we keep the broker's quota ourselves
            logger=_QUIET,
            **session,
        )
        self._client.manual_ack_set(True)
        self._client.connect_timeout = settings.connect_timeout_s
        self._changed = changed
        self._unconfirmed: dict[int, _Unconfirmed] = {}
        self._publish_timeout_s = settings.publish_timeout_s
        self._overdue: asyncio.TimerHandle | None = None
        self._abandoned = False
        self._hung_up = False
        self._packets = 0
        self.inbox: deque[IncomingMessage] = deque()
        self.lost: BrokerAway | None = None
        self.quota = RECEIVE_MAX_DEFAULT
        self.packet_octets_max = PACKET_OCTETS_MAX
        self.resumed = False

    async def open(self) -> None:
        """Connect and wait for CONNACK.

        Raises:
            OldBroker: try MQTT 3.1.1.
            BrokerAway: unreachable or refused.

        """
        try:
            await self.__aenter__()
        except MqttConnectError as error:
            self._abandon()
            text = f"the broker refuses the connection: {error.rc}"
            raise (OldBroker if _is_version_refusal(error.rc) else BrokerAway)(text) from None
        except aiomqtt.MqttError as error:
            self._abandon()
            text = f"the broker cannot be reached: {error}"
            raise (OldBroker if self._hung_up else BrokerAway)(text) from None
        except BaseException:
            self._abandon()
            raise
        self._disconnected.add_done_callback(self._on_disconnected)

    async def close(self) -> None:
        """Say DISCONNECT if the connection stands, and close the socket in any case."""
        try:
            async with asyncio.timeout(CLOSE_WAIT_S):
                await self.__aexit__(None, None, None)
        except (TimeoutError, aiomqtt.MqttError):
            pass
        finally:
            self._abandon()
            self.lose("we closed the connection")

    async def subscribe_all(self, filters: tuple[str, ...]) -> None:
        """Subscribe at QoS 1.

        Raises:
            BrokerAway: the broker refuses one, or grants less than QoS 1.

        """
        if not filters:
            return
        try:
            granted = await self.subscribe([(each, 1) for each in filters])
        except aiomqtt.MqttError as error:
            raise BrokerAway(f"no answer to the subscription: {error}") from None
        for topic_filter, code in zip(filters, granted, strict=True):
            level = code.value if isinstance(code, ReasonCode) else code
            if level != 1:
                raise BrokerAway(f"the broker refuses the subscription to {topic_filter}: {code}")

    def send(self, topic: str, payload: bytes) -> asyncio.Future[int]:
        """Hand a message to the socket at QoS 1; the future brings the reason code of its PUBACK.

        Raises:
            BrokerAway: there is no connection.
            ValueError: no topic to publish to.

        """
        info = self._client.publish(topic, payload, qos=1)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            raise self.lost or BrokerAway(f"the connection to the broker broke: {paho.error_string(info.rc)}")
        future = self._loop.create_future()
        self._unconfirmed[info.mid] = _Unconfirmed(future, self._loop.time() + self._publish_timeout_s)
        if self._overdue is None:
            self._overdue = self._loop.call_later(self._publish_timeout_s, self._look_for_overdue)
        return future

    def confirm(self, mid: int) -> None:
        """Send PUBACK.

        Raises:
            BrokerAway: there is no connection.

        """
        code = self._client.ack(mid, 1)
        if code != paho.MQTT_ERR_SUCCESS or self.lost:
            raise self.lost or BrokerAway(f"the connection to the broker broke: {paho.error_string(code)}")

    def lose(self, why: str) -> None:
        """The connection is no longer any good: tell everybody who waits in it."""
        if self.lost is not None:
            return
        self.lost = BrokerAway(why)
        unconfirmed, self._unconfirmed = self._unconfirmed, {}
        for each in unconfirmed.values():
            if not each.future.done():
                each.future.set_exception(BrokerAway(why))
                each.future.exception()  # who waited may have been cancelled: then nobody asks
        if self._overdue is not None:
            self._overdue.cancel()
        self._changed()

    def _look_for_overdue(self) -> None:
        """One timer a connection, for the oldest: PUBACKs come in the order of the messages."""
        self._overdue = None
        if not self._unconfirmed:
            return
        due = next(iter(self._unconfirmed.values())).due
        if due <= self._loop.time():
            self.lose(f"no PUBACK within {self._publish_timeout_s:g} s")
        else:
            self._overdue = self._loop.call_at(due, self._look_for_overdue)

    # --- what aiomqtt does differently -----------------------------------------------------------

    async def _wait_for(self, fut: Awaitable[_T], timeout: float | None) -> _T:  # noqa: ASYNC109
        """Not with ``asyncio.wait_for``, which before Python 3.12 can swallow a cancellation."""
        try:
            async with asyncio.timeout(self.timeout if timeout is None else timeout):
                return await fut
        except TimeoutError:
            raise aiomqtt.MqttError("no answer in time") from None

    def _on_connect(
        self, client: Any, userdata: Any, flags: Any, reason_code: Any, properties: Properties | None = None
    ) -> None:
        """Also take the broker's limits from CONNACK, and whether it knows our session."""
        self.resumed = bool(flags.session_present)
        if self._v5 and properties is not None:
            self.quota = getattr(properties, "ReceiveMaximum", RECEIVE_MAX_DEFAULT)
            self.packet_octets_max = getattr(properties, "MaximumPacketSize", PACKET_OCTETS_MAX)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(
        self, client: Any, userdata: Any, flags: Any, reason_code: Any, properties: Properties | None = None
    ) -> None:
        """Also end a connecting that was hung up on before CONNACK, as brokers do to a version they hate."""
        if not self._connected.done():
            self._hung_up = True
            self._connected.set_exception(aiomqtt.MqttError("it hung up"))
        super()._on_disconnect(client, userdata, flags, reason_code, properties)

    def _on_message(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        """Never drop one silently: past the limit the connection ends, and the broker sends them again."""
        self._packets += 1
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # MQTT 3.3.2.1 forbids it; nothing that we read has an empty topic
        if len(self.inbox) >= INBOX_MAX:
            self.lose(f"the broker sent more than {INBOX_MAX} messages without an acknowledgement")
            return
        token = message.mid if message.qos else 0
        self.inbox.append(
            IncomingMessage(topic, bytes(message.payload), retained=message.retain, token=token)
        )
        self._changed()

    def _on_publish(
        self, client: Any, userdata: Any, mid: int, reason_code: Any, properties: Properties | None = None
    ) -> None:
        """Also pass on what the broker said of it."""
        self._packets += 1
        unconfirmed = self._unconfirmed.pop(mid, None)
        if unconfirmed is not None and not unconfirmed.future.done():
            unconfirmed.future.set_result(reason_code.value)

    def _on_socket_open(self, client: Any, userdata: Any, sock: Any) -> None:
        """Read many packets a turn; and do not watch a socket that was closed meanwhile."""
        self._in_loop(partial(self._watch, sock))

    def _on_socket_register_write(self, client: Any, userdata: Any, sock: Any) -> None:
        """Watch at once when in the loop: a later turn might find another socket under the same number."""
        self._in_loop(partial(self._watch_writes, sock))

    def _on_socket_unregister_write(self, client: Any, userdata: Any, sock: Any) -> None:
        """The same, the other way."""
        self._in_loop(partial(self._loop.remove_writer, sock.fileno()))

    def _on_socket_close(self, client: Any, userdata: Any, sock: Any) -> None:
        """The same; and end the keepalive task."""
        self._in_loop(partial(self._unwatch, sock.fileno()))

    def _client_connect(self) -> None:
        """In a thread. If nobody wants the connection any more when it stands, close it again."""
        super()._client_connect()
        if self._abandoned:
            self._client._sock_close()

    # --- the socket on the loop ------------------------------------------------------------------

    def _in_loop(self, call: Callable[[], object]) -> None:
        if asyncio._get_running_loop() is self._loop:
            call()
        else:
            self._loop.call_soon_threadsafe(call)

    def _watch(self, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.add_reader(sock.fileno(), self._read)
            self._misc_task = self._loop.create_task(self._misc_loop(), name="mqtt.keepalive")

    def _watch_writes(self, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.add_writer(sock.fileno(), self._guarded, self._client.loop_write)

    def _unwatch(self, descriptor: int) -> None:
        if descriptor >= 0:
            self._loop.remove_reader(descriptor)
            self._loop.remove_writer(descriptor)
        if self._misc_task is not None and not self._misc_task.done():
            self._misc_task.cancel()

    def _read(self) -> None:
        """Read packets while they come: one a turn of the loop would be slow."""
        for _ in range(PACKETS_A_TURN_MAX):
            before = self._packets
            self._guarded(self._client.loop_read)
            if self._packets == before:
                return

    def _guarded(self, step: Callable[[], object]) -> None:
        """What breaks in paho is the connection."""
        try:
            step()
        except Exception as error:  # noqa: BLE001  # paho raises whatever a malformed packet leads it to
            self.lose(f"the connection to the broker broke: {error}")

    def _on_disconnected(self, disconnected: asyncio.Future[None]) -> None:
        error = None if disconnected.cancelled() else disconnected.exception()
        self.lose(f"the connection to the broker broke: {error}" if error else "the connection ended")

    def _abandon(self) -> None:
        """Close the socket, now or as soon as the connecting thread has it."""
        self._abandoned = True
        self._client._sock_close()
        if self._connected.done() and not self._connected.cancelled():
            self._connected.exception()  # else asyncio complains that nobody asked


def _connect_properties(settings: ClientSettings, persistent: bool) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.ReceiveMaximum = settings.receive_max
    properties.SessionExpiryInterval = SESSION_EXPIRY_S if persistent else 0
    return properties


def _is_version_refusal(code: object) -> bool:
    value = code.value if isinstance(code, ReasonCode) else code
    return value in (1, 0x84)  # MQTT 5, 3.2.2.2; 3.1.1 has the same
