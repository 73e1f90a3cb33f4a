"""A client without any of our lines: octets through a plain socket or a plain serial port."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import serial

from meterwire.dlt645 import Deframer, Frame

REPLY_TIMEOUT_S = 10.0
_POLL_S = 0.2
_OCTETS_MAX = 4096


class PlainClient:
    """An open line, seen from the other side.

    Args:
        send: takes octets.
        receive: gives what is there, ``b""`` when nothing came for a moment.

    """

    def __init__(self, send: Callable[[bytes], object], receive: Callable[[], bytes]) -> None:
        self.send = send
        self._receive = receive

    def ask(self, octets: bytes, *, frames: int = 1) -> list[Frame]:
        """Send a request and wait for so many frames.

        Raises:
            TimeoutError: they did not come; the message holds what did.

        """
        self.send(octets)
        deframer, heard, found = Deframer(), b"", list[Frame]()
        deadline = time.monotonic() + REPLY_TIMEOUT_S
        while len(found) < frames:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(found)} of {frames} frames came: {heard.hex(' ')}")
            octets = self._receive()
            heard += octets
            found += deframer.feed(octets)
        return found


@contextmanager
def plain_client(url: str) -> Iterator[PlainClient]:
    """Open the line at ``url`` and close it at the end of the block.

    Args:
        url: ``tcp://HOST:PORT`` or ``serial://PATH?baud=..``.

    """
    parts = urlsplit(url)
    if parts.scheme == "tcp":
        assert parts.hostname
        assert parts.port
        with socket.create_connection((parts.hostname, parts.port), timeout=REPLY_TIMEOUT_S) as connection:
            connection.settimeout(_POLL_S)
            yield PlainClient(connection.sendall, lambda: _received(connection))
    else:
        baud = int(parse_qs(parts.query)["baud"][0])
        with serial.Serial(parts.path, baud, timeout=_POLL_S) as port:
            yield PlainClient(port.write, lambda: bytes(port.read(max(1, port.in_waiting))))


def _received(connection: socket.socket) -> bytes:
    try:
        octets = connection.recv(_OCTETS_MAX)
    except TimeoutError:
        return b""
    if not octets:
        raise ConnectionResetError("the other side closed the connection")
    return octets
