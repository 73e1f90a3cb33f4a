"""A spoilt way between the gateway and a real broker, a real database, and the names of both."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs

from meterlink.clock import SystemClock
from meterlink.errors import LineLost
from meterlink.ingest.dead_letters import DeadLetters
from meterlink.ingest.influx import InfluxSink
from meterlink.ingest.memory import MemorySink
from meterlink.ingest.sink import PointSink
from meterlink.ingest.subscriber import Subscriber
from meterlink.journal.journal import Journal
from meterlink.model.envelope import Envelope
from meterlink.model.line_url import TcpUrl
from meterlink.model.topics import reading_topic
from meterlink.publish.relay import SINK, Relay
from meterlink.transports.memory import MemoryBroker
from meterlink.transports.messages import MessageConnector
from meterlink.transports.mqtt import MqttConnector
from meterlink.transports.open import open_line
from tests.support.faulty_way import FaultyWay, Mode
from tests.support.processes import LOOPBACK
from tests.support.records import EPOCH, record
from tests.support.servers import InfluxDB, Mosquitto

_AT_ONCE = 40
_NAME = "broker.example"


class _Gateway:
    """A journal and its relay on one way to a broker, an ingest on another."""

    def __init__(self, journal: Journal, relay: Relay, letters: DeadLetters, sink: PointSink) -> None:
        self.journal, self.relay, self.letters, self.sink = journal, relay, letters, sink
        self.kept = 0

    async def keep(self) -> None:
        """Some more readings."""
        for _ in range(_AT_ONCE):
            await self.journal.keep(record(self.kept))
            self.kept += 1

    async def drained(self) -> None:
        """Wait until the broker has acknowledged all, and the ingest has stored it."""
        await self.relay.drained()
        await _until(self._is_stored)

    async def _is_stored(self) -> bool:
        return await self.letters.highest_seq("g") >= self.journal.newest_id


async def _until(there: Callable[[], Awaitable[bool]]) -> None:
    while not await there():  # noqa: ASYNC110 (what is waited for is no event)
        await asyncio.sleep(0.01)


@asynccontextmanager
async def _gateway(
    folder: Path, to_broker: MessageConnector, to_ingest: MessageConnector, sink: PointSink
) -> AsyncIterator[_Gateway]:
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        journal = await stack.enter_async_context(Journal.open(folder / "j.db", clock=clock))
        letters = await stack.enter_async_context(DeadLetters.open(folder / "d.db", clock=clock))
        relay = Relay(journal, to_broker, site="s", gateway="g", random=Random(1))

        async def forgotten() -> None:
            await relay.begin_again(await letters.highest_seq("g"))

        ingest = Subscriber(to_ingest, sink, letters, random=Random(2), forgotten=forgotten)
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(ingest.run())]
            await ingest.subscribed.wait()
            running.append(group.create_task(relay.run()))
            yield _Gateway(journal, relay, letters, sink)
            for task in running:
                task.cancel()


def _connector(port: int, host: str = LOOPBACK, **more: Any) -> MqttConnector:
    return MqttConnector(host, port, version=4, connect_timeout_s=0.3, publish_timeout_s=0.3, **more)


def _stored(gateway: _Gateway) -> dict[Any, object]:
    """Every reading that the database has."""
    assert isinstance(gateway.sink, MemorySink)
    return {key: fields["item_t0"] for key, fields in gateway.sink.points.items()}


def _kept(gateway: _Gateway) -> dict[Any, object]:
    """Every reading that was kept, as the database should have it."""
    tags = (("gateway", "g"), ("meter", "m1"), ("site", "s"))
    return {("instant", tags, int(EPOCH.timestamp()) + n): float(n) for n in range(gateway.kept)}


@pytest.mark.asyncio
async def test_f36_a_broker_that_cannot_be_used_delays_and_loses_nothing(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    """F36: refused, hanging, reset, half-open, octet by octet: readings would be gone, or sent for ever."""
    way = FaultyWay(mosquitto.port)
    troubles: tuple[Mode, ...] = ("refuses", "hangs", "resets", "half-open")
    async with (
        way.listening(),
        _gateway(tmp_path, _connector(way.port), _connector(mosquitto.port), MemorySink()) as gateway,
    ):
        await gateway.keep()
        for mode in troubles:
            await gateway.drained()
            with capture_logs() as logs:
                await way.turn(mode)
                await gateway.keep()
                await _until(_told(logs, "relay.broker_away"))
                await way.turn("open")
        await gateway.drained()
        await way.turn("drips")
        await gateway.keep()
        await gateway.drained()
        assert _kept(gateway) == _stored(gateway)
        assert gateway.kept == await gateway.journal.sinks.cursor(SINK)


def _told(logs: list[Any], event: str) -> Callable[[], Awaitable[bool]]:
    async def told() -> bool:
        return any(entry["event"] == event for entry in logs)

    return told


class _WithoutPubacks:
    """What a broker says, without its PUBACKs: so many of them are lost."""

    def __init__(self, count: int) -> None:
        self.left = count
        self._rest = b""

    def __call__(self, octets: bytes) -> bytes:
        self._rest += octets
        passed = b""
        while len(self._rest) >= 2 and len(self._rest) >= 2 + self._rest[1]:
            assert self._rest[1] < 0x80, "this broker has little to say to who only publishes"
            packet, self._rest = self._rest[: 2 + self._rest[1]], self._rest[2 + self._rest[1] :]
            if packet[0] >> 4 == 4 and self.left:
                self.left -= 1
            else:
                passed += packet
        return passed


@pytest.mark.asyncio
async def test_f37_lost_pubacks_cost_a_repetition_and_no_reading(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    """F37: a message that arrived without its PUBACK would be given up, or be stored as a second reading."""
    way = FaultyWay(mosquitto.port)
    lossy = _WithoutPubacks(2 * _AT_ONCE)
    way.back = lossy
    async with (
        way.listening(),
        _gateway(tmp_path, _connector(way.port), _connector(mosquitto.port), MemorySink()) as gateway,
    ):
        await gateway.keep()
        await gateway.drained()
        assert 0 == lossy.left
        assert way.connections >= 3, "each time without an answer the relay begins anew"
        assert _kept(gateway) == _stored(gateway)


@pytest.mark.asyncio
async def test_f38_a_broker_that_lost_its_store_gets_all_of_it_again(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    """F38: what a broker had acknowledged and lost with its disk would never reach the database."""
    sink = MemorySink()
    connectors = [_connector(mosquitto.port) for _ in range(2)]
    async with _gateway(tmp_path, connectors[0], connectors[1], sink) as gateway:
        await gateway.keep()
        await gateway.drained()
        sink.away = "503 Service Unavailable"
        await gateway.keep()
        await gateway.relay.drained()
        mosquitto.kill()
        mosquitto.store.unlink()
        await asyncio.to_thread(mosquitto.start)
        sink.away = ""
        await gateway.drained()
        assert _kept(gateway) == _stored(gateway)


@pytest.mark.asyncio
async def test_f39_a_database_that_is_busy_away_or_strict(tmp_path: Path, influxdb: InfluxDB) -> None:
    """F39: points would be lost to 429, 503 or one bad line, or stored twice after a lost answer."""
    way, broker = FaultyWay(influxdb.port), MemoryBroker()
    sent = 0

    async def publish(*, data_class: str = "instant") -> None:
        nonlocal sent
        async with broker.connect(client_id="p") as port:
            sent += 1
            one = record(sent, data_class=data_class)
            envelope = Envelope(gateway="g", boot=1, seq=sent, record=one)
            await port.publish(reading_topic("s", "g", "m1"), envelope.to_json())

    async with way.listening(), DeadLetters.open(tmp_path / "d.db", clock=SystemClock()) as letters:
        url = f"http://{LOOPBACK}:{way.port}"
        sink = InfluxSink(url, token="t", org="o", bucket=InfluxDB.bucket, timeout_s=0.5)
        await sink.write([f"conflicting,a=1 item_t0=3i {int(EPOCH.timestamp())}"])
        ingest = Subscriber(broker, sink, letters, random=Random(1))
        task = asyncio.create_task(ingest.run())
        await ingest.subscribed.wait()

        async def stored() -> bool:
            return await letters.highest_seq("g") == sent

        for answer in (429, 503):
            with capture_logs() as logs:
                influxdb.answers(answer)
                await publish()
                await _until(_told(logs, "ingest.sink_away"))
                assert any(str(answer) in entry.get("reason", "") for entry in logs)
                influxdb.answers(None)
            await _until(stored)
        with capture_logs() as logs:
            way.back = lambda octets: b""  # it commits, and its answer never comes
            await publish()
            await _until(_told(logs, "ingest.sink_away"))
            assert 3 == len(influxdb.points("instant", "item_t0")), "it has it already"
            way.back = bytes
            way.cut()
        await _until(stored)
        await asyncio.gather(publish(), publish(data_class="conflicting"), publish())
        await _until(stored)
        task.cancel()
        await asyncio.wait([task])
        [buried] = await letters.newest(10)
        assert "field type conflict" in buried.words
        await sink.aclose()
    expected = [int(EPOCH.timestamp()) + n for n in (1, 2, 3, 4, 6)]
    assert expected == [point.time_s for point in influxdb.points("instant", "item_t0")]


class _Names:
    """What a name server says of one name: nothing, while it is gone."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.is_gone = True
        self.asked = 0
        self._real = socket.getaddrinfo
        patch.setattr(socket, "getaddrinfo", self._ask)

    def _ask(self, host: Any, *rest: Any, **more: Any) -> Any:
        if host != _NAME:
            return self._real(host, *rest, **more)
        self.asked += 1
        if self.is_gone:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return self._real(LOOPBACK, *rest, **more)


@pytest.mark.asyncio
async def test_f40_names_that_are_gone_come_back(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F40: a gateway that starts without a name server would need somebody to start it again."""
    names = _Names(monkeypatch)
    line = TcpUrl(host=_NAME, port=mosquitto.port)
    with pytest.raises(LineLost, match="name resolution"):
        await open_line(line)
    to_broker = _connector(mosquitto.port, _NAME)
    with capture_logs() as logs:
        async with _gateway(tmp_path, to_broker, _connector(mosquitto.port), MemorySink()) as gateway:
            await gateway.keep()
            await _until(_told(logs, "relay.broker_away"))
            [told] = [entry for entry in logs if entry["event"] == "relay.broker_away"]
            assert "name resolution" in told["reason"]
            names.is_gone = False
            await gateway.drained()
            assert _kept(gateway) == _stored(gateway)
    await (await open_line(line)).aclose()


class _Authority:
    """Signs certificates of a broker."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority of a test")])
        day = timedelta(days=1)
        own = self._builder(self._name, self._key, until=datetime.now(UTC) + day)
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._write("ca.crt", own.sign(self._key, hashes.SHA256()))

    @property
    def certificate(self) -> Path:
        """Its own."""
        return self._folder / "ca.crt"

    def sign(self, *, until: datetime) -> None:
        """Write a certificate for the broker, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "broker")])
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))])
        builder = self._builder(name, key, until=until).add_extension(names, critical=False)
        self._write("server.crt", builder.sign(self._key, hashes.SHA256()))
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (self._folder / "server.key").write_bytes(private)

    def _builder(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, *, until: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(days=2))
            .not_valid_after(until)
        )

    def _write(self, name: str, certificate: x509.Certificate) -> None:
        (self._folder / name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


class _EncryptedMosquitto(Mosquitto):
    """Shows a certificate that stands beside its configuration."""

    def _settings(self) -> str:
        certificate = f"certfile {self.folder}/server.crt\nkeyfile {self.folder}/server.key\n"
        return super()._settings() + certificate


@pytest.mark.server("mosquitto")
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket")  # paho leaves it to the collector
@pytest.mark.asyncio
async def test_f41_a_certificate_that_expires_is_told_and_replaced(tmp_path: Path) -> None:
    """F41: readings would be lost until the new certificate, or go to whoever shows an old one."""
    server = _EncryptedMosquitto()
    authority = _Authority(server.folder)
    authority.sign(until=datetime.now(UTC) + timedelta(days=1))
    with server:
        tls = ssl.create_default_context(cafile=authority.certificate)
        connectors = [_connector(server.port, tls=tls) for _ in range(2)]
        sink = MemorySink()
        async with _gateway(tmp_path, connectors[0], connectors[1], sink) as gateway:
            await gateway.keep()
            await gateway.drained()
            with capture_logs() as logs:
                await asyncio.to_thread(server.stop)
                authority.sign(until=datetime.now(UTC) - timedelta(seconds=1))
                await gateway.keep()
                await asyncio.to_thread(server.start)

                async def refused() -> bool:
                    return any("expired" in entry.get("reason", "") for entry in logs)

                await _until(refused)
            assert _AT_ONCE == len(sink.points)
            await asyncio.to_thread(server.stop)
            authority.sign(until=datetime.now(UTC) + timedelta(days=1))
            await asyncio.to_thread(server.start)
            await gateway.drained()
            assert _kept(gateway) == _stored(gateway)
