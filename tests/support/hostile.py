"""Callers who mean no good, or are broken: what they say over one connection, and how it ended.

Each knows the port's protocol well enough to be as costly as it can: it makes good frames where those cost
more than rubbish. What it would send in all is made as it goes, so that a test holds none of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, repeat

from meterlink.errors import LineLost
from meterlink.transports.protocol_stream import ProtocolStream
from metersim.gdw1376.terminal import address_of
from meterwire.dlt645.link import frame as dlt645
from meterwire.dlt698.apdus.apdu import encode_apdu
from meterwire.dlt698.apdus.link_management import LinkRequest
from meterwire.dlt698.apdus.parts import AttributeResult, Piid
from meterwire.dlt698.apdus.report import ReportNotificationList
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import Data, DateTime
from meterwire.dlt698.link import frame as frame698
from meterwire.dlt698.link.address import ServerAddress
from meterwire.gdw1376.link import terminal_frame as frame1376
from meterwire.gdw1376.messages.terminal import unit
from meterwire.gdw1376.sessions import terminal_listener as calls
from meterwire.gdw1376.sessions.terminal_server import TerminalServer

TWO_GIGABYTES = 2 * 1024**3
PIECE = 16_384
NOON = DateTime.of(datetime(2026, 10, 1, 12, tzinfo=UTC))
HEARTBEAT_S = 120


@dataclass(slots=True)
class Ended:
    """How a connection ended.

    Args:
        after_s: how long it lasted.
        sent: octets that left.

    """

    after_s: float
    sent: int


class Speaks698:
    """A terminal of DL/T 698.45."""

    def login(self, name: str) -> bytes:
        """A login."""
        return self._call(name, 0)

    def beat(self, name: str) -> bytes:
        """A heartbeat."""
        return self._call(name, 1)

    def report(self, name: str, number: int) -> bytes:
        """A report; no two of 64 are alike."""
        energy = AttributeResult(Oad(0x0010, 2, 1), Data("double-long-unsigned", number))
        apdu = encode_apdu(ReportNotificationList(piid=Piid(number % 64), results=(energy,)))
        return frame698.encode(frame698.Frame(ServerAddress(name), 0x10, apdu, True, False))

    def unasked_answer(self, name: str) -> bytes:
        """What answers a question that nobody asked."""
        apdu = encode_apdu(LinkRequest(piid=Piid(0), type=1, heartbeat_s=HEARTBEAT_S, time=NOON))
        return frame698.encode(frame698.Frame(ServerAddress(name), 0x10, apdu * 16, True, True))

    def _call(self, name: str, kind: int) -> bytes:
        apdu = encode_apdu(LinkRequest(piid=Piid(0), type=kind, heartbeat_s=HEARTBEAT_S, time=NOON))
        return frame698.encode(
            frame698.Frame(ServerAddress(name), 0, apdu, True, False, frame698.FUNCTION_LINK)
        )


class Speaks1376:
    """A terminal of Q/GDW 1376.1."""

    def login(self, name: str) -> bytes:
        """A login."""
        return self._call(name, calls.LOGIN)

    def beat(self, name: str) -> bytes:
        """A heartbeat."""
        return self._call(name, calls.HEARTBEAT)

    def report(self, name: str, number: int) -> bytes:
        """A report of events, none of which is there."""
        server = TerminalServer(address_of(name), lambda _: [])
        told = {"ec": [number % 256, 0], "pm": number % 256, "pn_ptr": number % 256, "events": []}
        server.report(0x0E, [unit(0x0E, 1, told, way="up")])
        return server.octets_to_send()

    def unasked_answer(self, name: str) -> bytes:
        """What answers a question that nobody asked."""
        return frame1376.encode(
            frame1376.Frame(address_of(name), 0x0C, True, False, 8, b"\0\0\x02\0" + bytes(1000))
        )

    def _call(self, name: str, fn: int) -> bytes:
        server = TerminalServer(address_of(name), lambda _: [])
        server.call(fn)
        return server.octets_to_send()


class SpeaksSerial:
    """A serial server before meters of DL/T 645."""

    def login(self, name: str) -> bytes:
        """What it registers with."""
        return name.encode()

    def beat(self, name: str) -> bytes:
        """It has none."""
        return name.encode()

    def report(self, name: str, number: int) -> bytes:
        """An answer of a meter, before it has registered."""
        del name
        return dlt645.encode(dlt645.Frame(f"{number % 10**12:012d}", 0x11, bytes(200), from_meter=True))

    def unasked_answer(self, name: str) -> bytes:
        """An answer of a meter that nobody has."""
        return self.report(name, 999)


Speaks = Speaks698 | Speaks1376 | SpeaksSerial
Story = Callable[[Speaks, str], Iterator[bytes]]


# --- without a name ---------------------------------------------------------------------------------------


def wrong_address(speaks: Speaks, name: str) -> Iterator[bytes]:
    """Log in as somebody who is not known, and stay."""
    yield speaks.login(name)


def nameless_flood(speaks: Speaks, name: str) -> Iterator[bytes]:
    """Report without a login, without end."""
    for number in count():
        yield speaks.report(name, number)


def nameless_trickle(speaks: Speaks, name: str) -> Iterator[bytes]:
    """A login, an octet at a time; slower than it may be."""
    for octet in speaks.login(name) * 100:
        yield bytes((octet,))


def rubbish(speaks: Speaks, name: str) -> Iterator[bytes]:
    """Two gigabytes of what begins a frame of every protocol."""
    del speaks, name
    yield from repeat(b"\x68" * PIECE, TWO_GIGABYTES // PIECE)


# --- with a name that is known ----------------------------------------------------------------------------


def known_rubbish(speaks: Speaks, name: str) -> Iterator[bytes]:
    """Log in, then two gigabytes of rubbish."""
    yield speaks.login(name)
    yield from rubbish(speaks, name)


def known_beats(speaks: Speaks, name: str) -> Iterator[bytes]:
    """Log in, and beat without end."""
    yield speaks.login(name)
    yield from repeat(speaks.beat(name) * 32)


def known_answers(speaks: Speaks, name: str) -> Iterator[bytes]:
    """Log in, and answer what nobody asks, without end."""
    yield speaks.login(name)
    yield from repeat(speaks.unasked_answer(name) * 8)


def known_reports(speaks: Speaks, name: str) -> Iterator[bytes]:
    """Log in, and report without end, the same eight things: each costs a look into the journal."""
    yield speaks.login(name)
    yield from repeat(b"".join(speaks.report(name, number) for number in range(8)))


def known_trickle(speaks: Speaks, name: str) -> Iterator[bytes]:
    """Log in, and keep the connection with an octet a second that says nothing."""
    yield speaks.login(name)
    yield from repeat(b"\x68")


async def tell(far: ProtocolStream, pieces: Iterator[bytes], *, pause_s: float = 0.0) -> Ended:
    """Say all of it and wait for the end; what is answered is read, and dropped.

    Args:
        far: the connection.
        pieces: what to say.
        pause_s: before each piece but the first.

    """
    loop = asyncio.get_running_loop()
    begun, sent = loop.time(), 0
    reading = loop.create_task(_until_end(far))
    with suppress(LineLost):
        for piece in pieces:
            await far.send(piece)
            sent += len(piece)
            await asyncio.sleep(pause_s)
    return Ended(await reading - begun, sent)


async def _until_end(far: ProtocolStream) -> float:
    """Read until the other side ends it, and drop what comes; when that was."""
    with suppress(LineLost):
        while await far.receive():
            pass
    return asyncio.get_running_loop().time()
