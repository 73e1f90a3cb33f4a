"""What a broker connection promises: the same for the broker in memory and for real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from meterlink.errors import BrokerAway, MessageRefused
from meterlink.publish import broker as embedded
from meterlink.transports.messages import IncomingMessage, MessagePort
from tests.support.brokers import (
    INFLIGHT_MAX,
    PAYLOAD_OCTETS_MAX,
    BrokerUnderTest,
    EmbeddedUnderTest,
    MemoryUnderTest,
    MosquittoUnderTest,
    RestartableBroker,
)
from tests.support.servers import Mosquitto

_MOSQUITTO = pytest.mark.server("mosquitto")


_RESTARTABLE = [
    "memory",
    pytest.param("mosquitto, MQTT 5", marks=_MOSQUITTO),
    pytest.param("mosquitto, MQTT 3.1.1", marks=_MOSQUITTO),
]


@asynccontextmanager
async def _embedded() -> AsyncIterator[BrokerUnderTest]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "INFLIGHT_MAX", INFLIGHT_MAX)
        async with embedded.embedded_broker(keeps_sessions_of=["s"]) as port:
            yield EmbeddedUnderTest(port)


@asynccontextmanager
async def _running(kind: str) -> AsyncIterator[RestartableBroker]:
    if kind == "memory":
        yield MemoryUnderTest()
    else:
        server = Mosquitto()
        server.inflight_max = INFLIGHT_MAX
        server.survives_kill = False  # it is only ever stopped
        with server:
            yield MosquittoUnderTest(server, 5 if "MQTT 5" in kind else 4)


@pytest_asyncio.fixture(params=[*_RESTARTABLE, "embedded"])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[BrokerUnderTest]:
    """Each broker in turn."""
    async with _embedded() if request.param == "embedded" else _running(request.param) as running:
        yield running


@pytest_asyncio.fixture(params=_RESTARTABLE)
async def restartable(request: pytest.FixtureRequest) -> AsyncIterator[RestartableBroker]:
    """Each broker that keeps its sessions when it is stopped."""
    async with _running(request.param) as running:
        yield running


async def _publish(broker: BrokerUnderTest, *payloads: bytes, topic: str = "a/b") -> None:
    async with broker.connector.connect(client_id="publisher") as port:
        for payload in payloads:
            await port.publish(topic, payload)


async def _receive(port: MessagePort, count: int, *, acknowledge: bool = True) -> list[IncomingMessage]:
    messages = []
    for _ in range(count):
        messages.append(await port.receive())
        if acknowledge:
            await port.acknowledge(messages[-1])
    return messages


def _payloads(messages: list[IncomingMessage]) -> list[bytes]:
    return [message.payload for message in messages]


def _numbered(count: int, start: int = 0) -> list[bytes]:
    return [b"%d" % n for n in range(start, start + count)]


@pytest.mark.asyncio
async def test_a_message_arrives_as_it_was_sent(broker: BrokerUnderTest) -> None:
    """Octets and topic must come through untouched, whatever they are."""
    payload = bytes(range(256)) + "抄表".encode()
    async with broker.connector.connect(client_id="s", subscriptions=("表/+/x",)) as port:
        await _publish(broker, payload, b"", topic="表/m 1/x")
        first, second = await _receive(port, 2)
    assert ("表/m 1/x", payload, False) == (first.topic, first.payload, first.retained)
    assert b"" == second.payload


@pytest.mark.asyncio
async def test_messages_published_at_once_keep_their_order(broker: BrokerUnderTest) -> None:
    """The order per meter rests on this: calls are sent in the order in which they were made."""
    payloads = _numbered(300)
    async with broker.connector.connect(client_id="s", subscriptions=("a/b",)) as port:
        async with broker.connector.connect(client_id="p") as publisher, asyncio.TaskGroup() as tasks:
            for payload in payloads:
                tasks.create_task(publisher.publish("a/b", payload))
        assert payloads == _payloads(await _receive(port, 300))


@pytest.mark.asyncio
async def test_what_was_not_acknowledged_comes_again_in_order(broker: BrokerUnderTest) -> None:
    """The ingest acknowledges after the database has it; whatever it had in hand must come again."""
    async with broker.connector.connect(client_id="s", subscriptions=("a/#",), persistent=True) as port:
        await _publish(broker, *_numbered(10))
        messages = await _receive(port, 10, acknowledge=False)
        for message in messages[:4]:
            await port.acknowledge(message)
        # A round trip: mosquitto lets a new connection of a client overtake what the old one sent last.
        await port.publish("end", b"")
    async with broker.connector.connect(client_id="s", subscriptions=("a/#",), persistent=True) as port:
        assert _numbered(6, 4) == _payloads(await _receive(port, 6))
        await _publish(broker, b"next")
        assert [b"next"] == _payloads(await _receive(port, 1))


@pytest.mark.asyncio
async def test_a_persistent_session_collects_while_its_client_is_away(broker: BrokerUnderTest) -> None:
    """While the ingest restarts the gateway goes on; more than mosquitto's default of 1000 must wait."""
    async with broker.connector.connect(client_id="s", subscriptions=("a/b",), persistent=True) as port:
        assert not port.resumed
    await _publish(broker, *_numbered(1_500))
    async with broker.connector.connect(client_id="s", subscriptions=("a/b",), persistent=True) as port:
        assert port.resumed, "whoever publishes would send everything again"
        assert _numbered(1_500) == _payloads(await _receive(port, 1_500))


@pytest.mark.asyncio
async def test_a_session_that_is_not_persistent_forgets(broker: BrokerUnderTest) -> None:
    """A person who watches once must not leave a growing queue behind."""
    async with broker.connector.connect(client_id="s", subscriptions=("a/b",)) as port:
        await _publish(broker, b"1")
        await _receive(port, 1, acknowledge=False)
    await _publish(broker, b"2")
    async with broker.connector.connect(client_id="s", subscriptions=("a/b",)) as port:
        await _publish(broker, b"3")
        assert [b"3"] == _payloads(await _receive(port, 1))


@pytest.mark.asyncio
async def test_no_more_than_the_limit_waits_for_acknowledgement(broker: BrokerUnderTest) -> None:
    """The broker must hold back what we have no room for, and go on as we acknowledge."""
    total = 4 * INFLIGHT_MAX
    async with broker.connector.connect(client_id="s", subscriptions=("a/b",), persistent=True) as port:
        await _publish(broker, *_numbered(total))
        first = await _receive(port, INFLIGHT_MAX, acknowledge=False)
        more = asyncio.ensure_future(port.receive())
        # A round trip through the broker later nothing more has come.
        async with broker.connector.connect(client_id="other", subscriptions=("c",)) as other:
            await _publish(broker, b"", topic="c")
            await _receive(other, 1)
        assert not more.done()
        for message in first:
            await port.acknowledge(message)
        middle = await more
        await port.acknowledge(middle)
        rest = await _receive(port, total - INFLIGHT_MAX - 1)
    assert _numbered(total) == _payloads([*first, middle, *rest])


@pytest.mark.asyncio
async def test_a_cancelled_receive_loses_nothing(broker: BrokerUnderTest) -> None:
    """The ingest gives up waiting to write what it has; the message that comes then must not vanish."""
    async with broker.connector.connect(client_id="s", subscriptions=("a/b",)) as port:
        waiting = asyncio.ensure_future(port.receive())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await _publish(broker, b"1")
        assert [b"1"] == _payloads(await _receive(port, 1))


@pytest.mark.asyncio
async def test_a_client_id_has_one_connection(broker: BrokerUnderTest) -> None:
    """Two ingests with one id would fight over the messages; the older one must learn that it is out."""
    async with (
        broker.connector.connect(client_id="s", subscriptions=("a/b",)) as older,
        broker.connector.connect(client_id="s", subscriptions=("a/b",)) as newer,
    ):
        with pytest.raises(BrokerAway):
            await older.receive()
        await _publish(broker, b"1")
        assert [b"1"] == _payloads(await _receive(newer, 1))


@pytest.mark.asyncio
async def test_a_broker_that_goes_and_returns_keeps_the_session(restartable: RestartableBroker) -> None:
    """Whoever waits must be told that it is gone; afterwards nothing unacknowledged may be missing."""
    broker = restartable
    async with broker.connector.connect(client_id="s", subscriptions=("a/b",), persistent=True) as port:
        await _publish(broker, *_numbered(3))
        messages = await _receive(port, 3, acknowledge=False)
        await port.acknowledge(messages[0])
        await port.publish("end", b"")  # see above
        waiting = asyncio.ensure_future(port.receive())
        async with broker.connector.connect(client_id="p") as publisher:
            await broker.stop()
            for attempt in (
                waiting,
                publisher.publish("a/b", b"x"),
                port.acknowledge(messages[1]),
                port.receive(),
            ):
                with pytest.raises(BrokerAway):
                    await attempt
    with pytest.raises(BrokerAway):
        async with broker.connector.connect(client_id="s"):
            pass
    await broker.start()
    async with broker.connector.connect(client_id="s", subscriptions=("a/b",), persistent=True) as port:
        assert port.resumed
        assert _numbered(2, 1) == _payloads(await _receive(port, 2))


@pytest.mark.asyncio
async def test_a_message_that_can_never_be_taken_is_refused_alone(broker: BrokerUnderTest) -> None:
    """One impossible message must not take the connection, and those beside it, along."""
    async with broker.connector.connect(client_id="s", subscriptions=("#",)) as port:
        largest = bytes(PAYLOAD_OCTETS_MAX)
        for topic, payload in [("a/+", b""), ("a/#", b""), ("", b""), ("a/b", largest + b"x")]:
            with pytest.raises(MessageRefused):
                await port.publish(topic, payload)
        await port.publish("a/b", largest)
        assert [largest] == _payloads(await _receive(port, 1))


@pytest.mark.asyncio
async def test_after_its_block_a_port_is_closed(broker: BrokerUnderTest) -> None:
    """A task that outlives the connection must get an error, not wait for ever."""
    with pytest.raises(KeyError):
        async with broker.connector.connect(client_id="s", subscriptions=("a/b",)) as port:
            raise KeyError  # an error of the body comes out as it is
    for attempt in (port.receive(), port.publish("a/b", b"")):
        with pytest.raises(BrokerAway):
            await attempt


@pytest.mark.asyncio
async def test_cancelling_ends_cleanly(broker: BrokerUnderTest) -> None:
    """A daemon that stops cancels whoever waits in a connection; that must neither hang nor leak."""

    async def wait_for_ever() -> None:
        async with broker.connector.connect(client_id="s", subscriptions=("a/b",)) as port:
            await port.receive()

    for turns in (0, 1, 2, 50):
        task = asyncio.ensure_future(wait_for_ever())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


_FILTERS = ["a/b", "a/+", "+/b", "a/#", "#", "+", "a/b/#", "+/+", "/a", "/#", "a//b", "a/+/b", "A/b"]
_TOPICS = ["a", "a/b", "a/b/c", "b/b", "/a", "/", "a//b", "a/", "A/b"]


@pytest.mark.asyncio
async def test_filters_match_as_the_standard_says(broker: BrokerUnderTest) -> None:
    """A filter read differently in memory would let simulated tests pass that fail with a real broker."""
    expected = {
        "a/b": ["a/b"],
        "a/+": ["a/b", "a/"],
        "+/b": ["a/b", "b/b", "A/b"],
        "a/#": ["a", "a/b", "a/b/c", "a//b", "a/"],
        "#": _TOPICS,
        "+": ["a"],
        "a/b/#": ["a/b", "a/b/c"],
        "+/+": ["a/b", "b/b", "/a", "/", "a/", "A/b"],
        "/a": ["/a"],
        "/#": ["/a", "/"],
        "a//b": ["a//b"],
        "a/+/b": ["a//b"],
        "A/b": ["A/b"],
    }
    found = {}
    async with broker.connector.connect(client_id="p") as publisher:
        for topic_filter in _FILTERS:
            async with broker.connector.connect(client_id="s", subscriptions=(topic_filter, "end")) as port:
                for topic in [*_TOPICS, "end"]:
                    await publisher.publish(topic, b"")
                topics = []
                while (message := await port.receive()).topic != "end":
                    topics.append(message.topic)
                found[topic_filter] = topics
    assert expected == found
