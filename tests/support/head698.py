"""A head-end of DL/T 698.45 over a socket, with our sessions: it dials, or is dialled and logged in to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from meterwire.dlt698.apdus.apdu import Apdu, decode_apdu
from meterwire.dlt698.axdr.values import DateTime
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.deframer import Deframer
from meterwire.dlt698.sessions.association import Association, Offer
from meterwire.dlt698.sessions.client import ClientSession
from meterwire.dlt698.sessions.listener import LINK_OK, Call, Listener
from tests.support.processes import LOOPBACK

_TIMEOUT_S: Final = 5.0
_OCTETS: Final = 4096
_NOW: Final = DateTime(2026, 11, 22, 7, 8, 0, 0, 0)


class Head:
    """One head-end, one meter and the connection between them.

    Args:
        connection: with the meter.
        address: of the meter, 12 digits.
        version: of the protocol, in a CONNECT.

    Attributes:
        asked: every APDU that was sent in one frame.
        calls: what the terminal said of itself.

    """

    def __init__(self, connection: socket.socket, address: str, *, version: int) -> None:
        connection.settimeout(_TIMEOUT_S)
        self.asked: list[Apdu] = []
        self.calls: list[Call] = []
        self.association = Association(ServerAddress(address), offer=Offer(version=version))
        self._connection = connection
        self._ear = Listener(lambda _: LINK_OK)

    def await_login(self) -> None:
        """Answer the terminal's login.

        Raises:
            TimeoutError, ConnectionError: it does not call.

        """
        while not self.calls:
            self._hear(self._received())

    def connect(self) -> Any:
        """The answer to a CONNECT."""
        return self._run(self.association.connect())

    def ask(self, request: Apdu) -> Any:
        """The answer to a request, whole.

        Raises:
            TimeoutError, ConnectionError: there is none.

        """
        return self._run(self.association.exchange(request))

    def count(self, service: type) -> int:
        """How many requests of a service were sent."""
        return sum(isinstance(apdu, service) for apdu in self.asked)

    def _run(self, session: ClientSession) -> Any:
        while not session.finished:
            octets = session.octets_to_send()
            frames = Deframer().feed(octets)
            self.asked += [decode_apdu(frame.user_data) for frame in frames if not frame.segmented]
            self._connection.sendall(octets)
            session.feed(self._received())
            self._hear(session.unclaimed())
        self.association.settle(session)
        return session.reply

    def _hear(self, octets: bytes) -> None:
        for heard in self._ear.feed(octets, _NOW):
            if isinstance(heard, Call):
                self.calls.append(heard)
                self._connection.sendall(heard.answer(_NOW))

    def _received(self) -> bytes:
        octets = self._connection.recv(_OCTETS)
        if not octets:
            raise ConnectionError("the meter hung up")
        return octets


@contextmanager
def dialling(url: str) -> Iterator[socket.socket]:
    """A connection with a meter that listens.

    Args:
        url: ``tcp://HOST:PORT``.

    """
    host, _, port = url.removeprefix("tcp://").partition(":")
    with socket.create_connection((host, int(port)), timeout=_TIMEOUT_S) as connection:
        yield connection


@contextmanager
def listening() -> Iterator[socket.socket]:
    """A socket that a terminal can dial."""
    with socket.create_server((LOOPBACK, 0)) as ear:
        ear.settimeout(_TIMEOUT_S)
        yield ear
