"""A protocol of lines of text for tests of dialling in: no codec of ours, so that only the way is tested.

``LOGIN 12 60`` (terminal, heartbeat in seconds), ``BEAT``, ``BYE``, ``REPORT x`` are the terminal's;
``A x`` answers our question ``Q x``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.transports.hall import Hall
from meterlink.transports.stream import ByteStream

TIMING = Timing(reply_timeout_s=5.0, octet_gap_s=0.5, answer_max_s=5.0)


class TextSession:
    """Doorkeeper and listener of one connection.

    Args:
        known: terminals that may come in.
        report: gets each report and what to call when it is kept.

    """

    def __init__(
        self, known: Collection[str], report: Callable[[str, Callable[[], None]], None] | None = None
    ) -> None:
        self.terminal: str | None = None
        self.ending = ""
        self.idle_limit_s = 0.0
        self.frames = 0
        self._known = known
        self._report = report
        self._rest = b""
        self._due = self._answers = self._taken = b""
        self._ring: Callable[[], None] | None = None

    def feed(self, octets: bytes) -> None:
        *lines, self._rest = (self._rest + octets).split(b"\n")
        for line in lines:
            self.frames += 1
            self._hear(line.decode("latin-1"))

    def octets_to_send(self) -> bytes:
        octets, self._due = self._due, b""
        return octets

    def octets_taken(self) -> bytes:
        octets, self._taken = self._taken, b""
        return octets

    def octets_for_exchange(self) -> bytes:
        octets, self._answers = self._answers, b""
        return octets

    def secret_ranges(self, octets: bytes) -> tuple[tuple[int, int], ...]:
        at = octets.find(b"secret")
        return ((at, at + 6),) if at >= 0 else ()

    def on_due(self, ring: Callable[[], None] | None) -> None:
        self._ring = ring

    def _hear(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word == "A":
            self._answers += line.encode() + b"\n"
            return
        self._taken += line.encode("latin-1") + b"\n"
        match word:
            case "LOGIN":
                self._login(*rest.split(" "))
            case "BEAT":
                self._due += b"BEAT OK\n"
            case "BYE":
                self._due += b"BYE OK\n"
                self.ending = "it logged out"
            case "REPORT" if self._report is not None:
                self._report(rest, lambda: self._acknowledge(rest))

    def _login(self, terminal: str, heartbeat_s: str) -> None:
        if terminal not in self._known:
            self._due += b"NO\n"
            self.ending = f"nobody knows terminal {terminal}"
            return
        self.terminal, self.idle_limit_s = terminal, 2 * float(heartbeat_s)
        self._due += b"OK\n"

    def _acknowledge(self, report: str) -> None:
        self._due += f"ACK {report}\n".encode()
        if self._ring is not None:
            self._ring()


class TextExchange:
    """One question; a session of the bus."""

    def __init__(self, question: str) -> None:
        self.answer = ""
        self.failed = False
        self._question = question
        self._octets = f"Q {question}\n".encode()
        self._heard = b""

    @property
    def finished(self) -> bool:
        return self.failed or bool(self.answer)

    def octets_to_send(self) -> bytes:
        octets, self._octets = self._octets, b""
        return octets

    def feed(self, octets: bytes) -> None:
        assert octets.endswith(b"\n"), "the listener hands on whole frames"
        self._heard += octets
        for line in self._heard.decode().split("\n"):
            if line == f"A {self._question}":
                self.answer = line

    def expire(self) -> None:
        self.failed = True

    def secret_ranges(self, _octets: bytes) -> tuple[tuple[int, int], ...]:
        return ()


async def read_line(stream: ByteStream) -> str:
    """The next line of text."""
    line = b""
    while not line.endswith(b"\n"):
        line += await stream.receive(1)
    return line.decode().rstrip("\n")


async def login(stream: ByteStream, terminal: str, heartbeat_s: float = 60) -> None:
    """Log in and see that it was taken."""
    await stream.send(f"LOGIN {terminal} {heartbeat_s:g}\n".encode())
    assert "OK" == await read_line(stream)


def listening_line(hall: Hall[TextSession], terminal: str) -> Line:
    """The line of a terminal; somebody must run it."""
    return Line(f"line {terminal}", opener=hall.door(terminal), timing=TIMING, rng=random.Random(1))


async def settle() -> None:
    """Let everything happen that needs no time."""
    for _ in range(20):
        await asyncio.sleep(0)
