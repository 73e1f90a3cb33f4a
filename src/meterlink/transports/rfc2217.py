"""A serial server whose rate and parity are set over the connection (RFC 2217), through pyserial.

The library speaks with blocking calls and threads of its own, so a thread of ours waits for its octets and
another hands it ours; for the rest of the program this is a stream like any other. Rate and parity are set
once, while it is opened: the library sends all settings again whenever one of them is touched, its read
timeout too, so nothing is touched afterwards and all timing is the gateway's. What a line sends without end
waits in the network: the library's own queue has no limit, so it is given one.
Source: field practice, section 3; decision 9.
"""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

import serial
from serial import rfc2217

from meterlink.errors import LineLost
from meterlink.model.line_url import Rfc2217Url
from meterlink.transports.ours import OwnStream
from meterlink.transports.stream import ByteStream
from meterlink.transports.tcp_client import lock_place, place_of

OPEN_TIMEOUT_S: Final = 15.0
"""Dialling takes 5 s at most, telnet 3 s, and the settings 3 s: the library's own limits, and some more."""
WORD_OCTETS_MAX: Final = 4_096
"""Longest word of telnet; settings have some ten octets. The library would keep one without end."""
QUEUED_OCTETS_MAX: Final = 65_536
"""Octets that the library keeps for us; then the network keeps them."""
UNSENT_OCTETS_MAX: Final = 16_384
"""Octets of ours that wait to be written before the writer has to."""
_LOOK_S: Final = 0.2
"""How often the waiting thread sees that it is over."""
_PARITIES: Final = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}


async def open_rfc2217(url: Rfc2217Url) -> ByteStream:
    """Dial a serial server, set its port, and own it alone on this machine.

    Args:
        url: where, and at which rate and parity.

    Raises:
        LineBusy: another process of this machine has that line open.
        LineLost: it cannot be reached, does not speak RFC 2217, or refuses the settings.

    """
    place = place_of(url.host, url.port)
    lock = lock_place(place, str(url))
    threads = ThreadPoolExecutor(2, thread_name_prefix="rfc2217")
    try:
        opening = threads.submit(_open, url)
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            port = await asyncio.wrap_future(opening)
    except BaseException as error:
        opening.add_done_callback(_abandon)
        lock.close()
        threads.shutdown(wait=False)
        if isinstance(error, TimeoutError):
            raise LineLost(f"{url}: not open within {OPEN_TIMEOUT_S:g} s") from None
        if isinstance(error, serial.SerialException | OSError | ValueError):
            raise LineLost(f"{url}: {_words(error)}") from None
        raise
    stream = OwnStream(str(url), place)
    ThreadedTransport(stream, port, threads, on_end=lock.close)
    return stream


class _Connection:
    """The library's socket, which ends the connection where telnet comes and never comes to an end.

    Args:
        ends: the socket.
        delivered: how many octets of the line have come out of it so far.

    Attributes:
        pending: octets since the last one of the line, or the last whole word of telnet.

    """

    def __init__(self, ends: socket.socket, delivered: Callable[[], int]) -> None:
        self._ends = ends
        self._delivered = delivered
        self._seen = 0
        self.pending = 0

    def __getattr__(self, name: str) -> Any:
        """Everything else is the socket's."""
        return getattr(self._ends, name)

    def recv(self, count: int) -> bytes:
        """As of a socket.

        Raises:
            OSError: also where a word of telnet is too long.

        """
        seen, self._seen = self._seen, self._delivered()
        if seen != self._seen:
            self.pending = 0
        if self.pending > WORD_OCTETS_MAX:
            raise OSError(f"a word of telnet has more than {WORD_OCTETS_MAX} octets")
        octets = self._ends.recv(count)
        self.pending += len(octets)
        return octets


class _Port(rfc2217.Serial):
    """The library's port, with limits to what it keeps, and a reading thread that ends quietly."""

    _kept: queue.Queue[bytes] | None = None
    _connection: _Connection | None = None

    @property
    def _read_buffer(self) -> queue.Queue[bytes] | None:
        return self._kept

    @_read_buffer.setter
    def _read_buffer(self, kept: queue.Queue[bytes] | None) -> None:
        """From its beginning it keeps so much and no more."""
        if kept is not None:
            kept.maxsize = QUEUED_OCTETS_MAX
        self._kept = kept

    @property
    def _socket(self) -> _Connection | None:
        return self._connection

    @_socket.setter
    def _socket(self, ends: socket.socket | None) -> None:
        self._connection = None if ends is None else _Connection(ends, self._delivered)

    @property
    def _library(self) -> Any:
        """What the library does by methods that it shows to nobody."""
        return super()

    def _delivered(self) -> int:
        """How many octets of the line have come."""
        return 0 if self._kept is None else self._kept.unfinished_tasks

    def _telnet_read_loop(self) -> None:
        """What breaks the library's loop is a connection that cannot be used."""
        try:
            self._library._telnet_read_loop()
        except Exception:  # noqa: BLE001 (telnet without sense, or no room for an answer to it)
            with suppress(queue.Full):
                if self._kept is not None:
                    self._kept.put_nowait(b"")

    def _telnet_process_subnegotiation(self, suboption: bytes) -> None:
        self._word()
        self._library._telnet_process_subnegotiation(suboption)

    def _telnet_process_command(self, command: bytes) -> None:
        self._word()
        self._library._telnet_process_command(command)

    def _telnet_negotiate_option(self, command: bytes, option: bytes) -> None:
        self._word()
        self._library._telnet_negotiate_option(command, option)

    def _word(self) -> None:
        if self._connection is not None:
            self._connection.pending = 0

    @property
    def queued(self) -> int:
        """Octets that it keeps."""
        return 0 if self._kept is None else self._kept.qsize()

    def rest(self) -> bytes:
        """What it keeps now, also when the connection has ended: the library gives none of it any more."""
        kept = self._kept
        return b"" if kept is None else b"".join(kept.get_nowait() or b"" for _ in range(kept.qsize()))

    def close(self) -> None:
        """Let its reading thread go on to the end, which may wait for room; close a lost one too."""
        connection = self._connection
        if self._kept is not None:
            with self._kept.mutex:
                self._kept.maxsize = 0
                self._kept.not_full.notify_all()
        super().close()
        if connection is not None:
            connection.close()


def _abandon(opening: Future[_Port]) -> None:
    """Close what was opened after all, when nobody waited any more: a serial server has one connection."""
    if not opening.cancelled() and opening.exception() is None:
        with suppress(serial.SerialException, OSError):
            opening.result().close()


def _open(url: Rfc2217Url) -> _Port:
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = _Port()
    port.port = f"rfc2217://{host}:{url.port}"
    port.baudrate, port.bytesize, port.stopbits = url.baud, 8, 1
    port.parity = _PARITIES[url.parity]
    port.timeout = _LOOK_S
    port.open()
    return port


class ThreadedTransport(asyncio.Transport):
    """What a stream needs of a transport, over a port whose calls block.

    Args:
        protocol: the stream.
        port: open.
        threads: two, for nobody else; ended with it.
        on_end: called once it is closed.

    """

    def __init__(
        self,
        protocol: OwnStream,
        port: _Port,
        threads: ThreadPoolExecutor,
        *,
        on_end: Callable[[], None],
    ) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._port = port
        self._threads = threads
        self._on_end = on_end
        self._closing = False
        self._unsent = 0
        self._held_back = False
        self._may_read = threading.Event()
        self._may_read.set()
        protocol.connection_made(self)
        threads.submit(self._wait_for_octets)

    @property
    def queued(self) -> int:
        """Octets that the library keeps, 0 to ``QUEUED_OCTETS_MAX``."""
        return self._port.queued

    # --- what a stream asks of it -----------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Hand octets to the thread that writes."""
        if self._closing:
            return
        octets = bytes(data)
        self._unsent += len(octets)
        if self._unsent > UNSENT_OCTETS_MAX and not self._held_back:
            self._held_back = True
            self._protocol.pause_writing()
        self._threads.submit(self._port.write, octets).add_done_callback(
            lambda written: self._call(self._written, len(octets), written)
        )

    def pause_reading(self) -> None:
        """Take no more for now."""
        self._may_read.clear()

    def resume_reading(self) -> None:
        """Take again."""
        self._may_read.set()

    def is_closing(self) -> bool:
        """Whether it has ended, or is about to."""
        return self._closing

    def abort(self) -> None:
        """End it, whatever is still unsent."""
        self._end(None)

    def close(self) -> None:
        """As ``abort``: nothing that is unsent may hold us."""
        self._end(None)

    # --- inside -----------------------------------------------------------------------------

    def _wait_for_octets(self) -> None:
        """In a thread of its own: hand on what comes, until the end."""
        try:
            while not self._closing:
                octets = self._port.read(1)
                octets += self._port.rest()  # `read` gives nothing once its thread has ended
                if octets:
                    self._may_read.wait()
                    self._call(self._arrived, octets)
        except (serial.SerialException, OSError) as error:
            if rest := self._port.rest():
                self._call(self._arrived, rest)
            self._call(self._end, error)

    def _call(self, what: Callable[..., None], *arguments: object) -> None:
        """In the loop, if it still runs."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what, *arguments)

    def _arrived(self, octets: bytes) -> None:
        if not self._closing:
            self._protocol.data_received(octets)

    def _written(self, count: int, written: Future[Any]) -> None:
        self._unsent -= count
        if not written.cancelled() and (error := written.exception()) is not None:
            self._end(error)
        elif self._held_back and self._unsent <= UNSENT_OCTETS_MAX // 2:
            self._held_back = False
            self._protocol.resume_writing()

    def _end(self, why: BaseException | None) -> None:
        if self._closing:
            return
        self._closing = True
        self._may_read.set()
        if why is not None:
            self._protocol.lose(LineLost(f"{self._protocol.name}: {_words(why)}"))
        # Closing waits for the library's thread: the loop does not.
        threading.Thread(target=self._close, name="rfc2217-closing", daemon=True).start()

    def _close(self) -> None:
        with suppress(serial.SerialException, OSError):
            self._port.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._call(self._ended)

    def _ended(self) -> None:
        self._on_end()
        self._protocol.connection_lost(None)


def _words(error: BaseException) -> str:
    """What went wrong, for people; the library names its objects at length."""
    text = str(error)
    if "does not seem to support RFC2217" in text:
        return "what answers there does not speak RFC 2217 (a raw TCP port? then write tcp://HOST:PORT)"
    if "does not accept parameter change" in text:
        return "the serial server refuses the rate or the parity"
    if isinstance(error, socket.gaierror):
        return "the name has no address"
    return text
