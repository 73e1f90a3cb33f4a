"""The broker connection against brokers that are old, silent, strict or rude."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from meterlink.errors import BrokerAway, MessageRefused
from meterlink.transports.mqtt import MqttConnector
from tests.support.processes import LOOPBACK
from tests.support.servers import Mosquitto

_PASSWORD = "not to be seen"
_CONNACK_5 = bytes.fromhex("2003 0000 00")
_CONNACK_311 = bytes.fromhex("2002 0000")
_REFUSED_VERSION = bytes.fromhex("2002 0001")

Answer = Callable[[bytes], bytes | None]


@asynccontextmanager
async def _broker(answer: Answer) -> AsyncIterator[int]:
    """A broker that answers each packet as told: octets, or ``None`` to hang up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.read(2):  # all packets of these tests are shorter than 128 octets
                octets = answer(head + await reader.readexactly(head[1]))
                if octets is None:
                    break
                writer.write(octets)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def _version(connect: bytes) -> int:
    assert b"\x00\x04MQTT" == connect[2:8]
    return connect[8]


@pytest.mark.parametrize(
    "to_version_5",
    [_REFUSED_VERSION, bytes.fromhex("2003 0084 00"), None],
    ids=["refused", "refused-5", "hang-up"],
)
@pytest.mark.asyncio
async def test_an_old_broker_is_spoken_to_in_its_version(to_version_5: bytes | None) -> None:
    """A plant with an old broker must work, and not pay for a failed try at each connection."""
    tried: list[int] = []

    def answer(packet: bytes) -> bytes | None:
        if packet[0] >> 4 != 1:
            return None
        tried.append(_version(packet))
        return _CONNACK_311 if tried[-1] == 4 else to_version_5

    async with _broker(answer) as port:
        connector = MqttConnector(LOOPBACK, port)
        for _ in range(2):
            async with connector.connect(client_id="c"):
                pass
    assert [5, 4, 4] == tried
    assert 4 == connector.version


@pytest.mark.asyncio
async def test_a_broker_that_is_replaced_is_asked_again() -> None:
    """A remembered version must not lock the daemon out after the broker was upgraded."""
    accepted = 4

    def answer(packet: bytes) -> bytes | None:
        if packet[0] >> 4 != 1 or _version(packet) != accepted:
            return None
        return _CONNACK_311 if accepted == 4 else _CONNACK_5

    async with _broker(answer) as port:
        connector = MqttConnector(LOOPBACK, port)
        async with connector.connect(client_id="c"):
            pass
        accepted = 5
        with pytest.raises(BrokerAway):
            async with connector.connect(client_id="c"):
                pass
        async with connector.connect(client_id="c"):
            assert 5 == connector.version


@pytest.mark.asyncio
async def test_a_missing_puback_ends_the_connection() -> None:
    """F37: a broker that hangs must not hold the relay for ever: it may have arrived, so it is sent again."""
    async with _broker(lambda packet: _CONNACK_5 if packet[0] >> 4 == 1 else b"") as port:
        connector = MqttConnector(LOOPBACK, port, publish_timeout_s=0.1)
        async with connector.connect(client_id="c") as connection:
            with pytest.raises(BrokerAway, match=r"no PUBACK within 0\.1 s"):
                await connection.publish("a", b"")
            with pytest.raises(BrokerAway, match="no PUBACK"):
                await connection.receive()


@pytest.mark.asyncio
async def test_a_silent_broker_is_given_up() -> None:
    """F36: a port that accepts and says nothing is a broker that is away."""
    async with _broker(lambda _packet: b"") as port:
        with pytest.raises(BrokerAway, match="no answer in time"):
            async with MqttConnector(LOOPBACK, port, connect_timeout_s=0.1).connect(client_id="c"):
                pass


@pytest.mark.parametrize(
    "octets", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00", b"\x20\x00", b"\x90\x00", b"\xff" * 50]
)
@pytest.mark.asyncio
async def test_rubbish_is_a_broker_that_is_away(octets: bytes) -> None:
    """Another program on the port must give a clear error, neither a crash nor a wait without end."""
    async with _broker(lambda _packet: octets) as port:
        with pytest.raises(BrokerAway):
            async with MqttConnector(LOOPBACK, port, connect_timeout_s=0.2).connect(client_id="c"):
                pass


@pytest.mark.parametrize(
    "packet", ["3000", "3203 0001", "3205 0001 ff 0001", "4001 00", "9003 0001 01", "0000"]
)
@pytest.mark.asyncio
async def test_a_malformed_packet_ends_the_connection_at_most(packet: str) -> None:
    """A broken broker must cost a connection, never the daemon."""

    def answer(received: bytes) -> bytes | None:
        if received[0] >> 4 == 1:
            return _CONNACK_5 + bytes.fromhex(packet)
        return None

    async with _broker(answer) as port, MqttConnector(LOOPBACK, port).connect(client_id="c") as connection:
        with pytest.raises(BrokerAway):
            await connection.publish("a", b"")


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (0x00, None),
        (0x10, None),
        (0x83, MessageRefused),
        (0x99, MessageRefused),
        (0x87, BrokerAway),
        (0x97, BrokerAway),
    ],
)
@pytest.mark.asyncio
async def test_the_reason_in_a_puback_decides(reason: int, error: type[Exception] | None) -> None:
    """A refusal for good must not be tried for ever; one that a person can lift must not lose the message."""

    def answer(packet: bytes) -> bytes | None:
        if packet[0] >> 4 == 1:
            return _CONNACK_5
        if packet[0] >> 4 == 3:
            mid = packet[5:7]  # behind the head, a topic of one octet and its length
            return b"\x40\x03" + mid + bytes([reason])
        return None

    async with _broker(answer) as port, MqttConnector(LOOPBACK, port).connect(client_id="c") as connection:
        if error is None:
            await connection.publish("a", b"")
        else:
            with pytest.raises(error):
                await connection.publish("a", b"")


@pytest.mark.asyncio
async def test_the_limits_in_connack_are_kept() -> None:
    """A broker hangs up on who exceeds its limits, again and again: we would never get a message through."""
    received: list[bytes] = []
    waiting = asyncio.Event()

    def answer(packet: bytes) -> bytes | None:
        if packet[0] >> 4 == 1:  # receive maximum 2, maximum packet size 100
            return bytes.fromhex("200b 0000 08 21 0002 27 00000064")
        received.append(packet)
        waiting.set()
        return b""

    async with _broker(answer) as port, MqttConnector(LOOPBACK, port).connect(client_id="c") as connection:
        with pytest.raises(MessageRefused, match="100 are allowed"):
            await connection.publish("a", bytes(100))
        publishing = [asyncio.ensure_future(connection.publish("a", b"%d" % n)) for n in range(3)]
        while len(received) < 2:
            await waiting.wait()
            waiting.clear()
        for _ in range(20):
            await asyncio.sleep(0)
        assert [b"0", b"1"] == [packet[-1:] for packet in received]
        for each in publishing:
            each.cancel()
        await asyncio.wait(publishing)


@pytest.mark.asyncio
async def test_a_refused_subscription_is_an_error() -> None:
    """An ingest that is connected and not subscribed would look healthy and receive nothing."""
    for granted in ("80", "87", "00"):

        def answer(packet: bytes, granted: str = granted) -> bytes | None:
            if packet[0] >> 4 == 1:
                return _CONNACK_5
            return b"\x90\x04" + packet[2:4] + bytes.fromhex("00" + granted) if packet[0] >> 4 == 8 else None

        async with _broker(answer) as port:
            with pytest.raises(BrokerAway, match="refuses the subscription to a/b"):
                async with MqttConnector(LOOPBACK, port).connect(client_id="c", subscriptions=("a/b",)):
                    pass


@pytest.mark.asyncio
async def test_nobody_there_is_said_plainly() -> None:
    """The operator must see that the connection was refused."""
    server = await asyncio.start_server(lambda _reader, _writer: None, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(BrokerAway, match="Connection refused"):
        async with MqttConnector(LOOPBACK, port).connect(client_id="c"):
            pass


class _StrictMosquitto(Mosquitto):
    """Wants a password, and TLS with a certificate that it signed itself."""

    @property
    def certificate(self) -> Path:
        return self.folder / "server.crt"

    def _settings(self) -> str:
        key, users = self.folder / "server.key", self.folder / "users"
        if not key.exists():
            kind = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
            name = f"subjectAltName=IP:{LOOPBACK}"
            files = ("-keyout", str(key), "-out", str(self.certificate))
            _run("openssl", "req", *kind.split(), "-addext", name, *files)
            users.touch(mode=0o600)
            _run("mosquitto_passwd", "-b", str(users), "gateway", _PASSWORD)
        text = super()._settings().replace("allow_anonymous true", "allow_anonymous false")
        return text + f"certfile {self.certificate}\nkeyfile {key}\npassword_file {users}\n"


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


async def _try(make: Callable[[], MqttConnector]) -> str:
    """Why connecting fails; empty when it does not."""
    connector = make()
    try:
        async with connector.connect(client_id="c", subscriptions=("a",)) as port:
            await port.publish("a", b"x")
            assert b"x" == (await port.receive()).payload
    except BrokerAway as error:
        assert error.__context__ is None or _PASSWORD not in str(error.__context__)
        return f"{error!r} {connector!r} {vars(connector)!r}"
    return ""


@pytest.mark.server("mosquitto")
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket")  # paho leaves it to the collector
@pytest.mark.asyncio
async def test_tls_and_password(capfd: pytest.CaptureFixture[str]) -> None:
    """Only who knows the password gets in, only to the right broker, and nobody ever reads the password."""
    with _StrictMosquitto() as server:
        trusting = ssl.create_default_context(cafile=server.certificate)
        strange = ssl.create_default_context()

        def connector(password: str | None, tls: ssl.SSLContext | None) -> Callable[[], MqttConnector]:
            username = None if password is None else "gateway"
            return lambda: MqttConnector(LOOPBACK, server.port, username=username, password=password, tls=tls,
                                         connect_timeout_s=2)  # fmt: skip

        attempts: dict[str, Awaitable[str]] = {
            "": _try(connector(_PASSWORD, trusting)),
            "Not authorized": _try(connector("wrong", trusting)),
            "Not authorized ": _try(connector(None, trusting)),
            "CERTIFICATE_VERIFY_FAILED": _try(connector(_PASSWORD, strange)),
            "hung up": _try(connector(_PASSWORD, None)),
        }
        for words, attempt in attempts.items():
            said = await attempt
            assert (words.strip() in said) and (bool(words) == bool(said)), said
            assert _PASSWORD not in said
    assert _PASSWORD not in "".join(capfd.readouterr())
