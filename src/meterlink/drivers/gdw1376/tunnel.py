"""Meters' frames through a terminal (AFN 10 F1): a stream of octets, for a meter's driver a cable.

What is sent is one frame of the meter's protocol. It goes to the terminal as a request, and what the meter
answered comes back as octets. A meter that says nothing (length 0, or a denial) ends the wait at once, as a
silent meter; a terminal that is gone ends the stream. A terminal whose connection broke, or that was not
waited for, may still be at the frame before, and denies the next one: that is no silence of its meter.
Nothing is ever forwarded twice here: whether a frame may be sent again is known only to who made it.
Source: spec gdw1376, B3, AFN 10; decision 22 b.
"""

from __future__ import annotations

from typing import Final

from meterlink.bus.dialling import Opener
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.gdw1376.settings import CARRIER_PORT, FRAME_MARGIN_S
from meterlink.drivers.gdw1376.station import FORWARD_FN, Station
from meterlink.errors import BadAnswer, BusFull, ConfigError, LineBusy, LineClosed, LineLost, ReplyTimeout
from meterlink.transports.stream import ByteStream
from meterwire.dlt645.link import frame as link645
from meterwire.dlt645.link.deframer import Deframer as Deframer645
from meterwire.dlt645.link.functions import READS
from meterwire.dlt698.link.deframer import Deframer as Deframer698
from meterwire.gdw1376.functions import terminal as table
from meterwire.gdw1376.messages.terminal import unit

GET: Final = b"\x05"
"""Tag of the requests of DL/T 698.45 that read, where they are not wrapped in a cipher."""
BAUD_2400: Final = 3
"""Code of a port's rate; a carrier does not look at it."""


class Tunnel:
    """The way to the meters behind one terminal; a ``ByteStream``.

    Args:
        station: the terminal.
        line: that of its connection.

    """

    def __init__(self, station: Station, line: Line) -> None:
        self._station = station
        self._line = line
        self._answer = b""
        self._closed = False

    async def send(self, octets: bytes) -> None:
        """See ``ByteStream.send``; returns when the meter has answered, or not.

        Raises:
            LineLost: the terminal is gone, or cannot be asked.
            LineClosed: we closed it.
            ReplyTimeout: the terminal said nothing.

        """
        self._check()
        self._answer = b""
        try:
            self._answer = await self._forwarded(octets)
        except (LineBusy, BusFull, BadAnswer, ConfigError) as error:
            raise LineLost(f"{self._line.name}: {error}") from None

    async def receive(self, limit: int = 4096) -> bytes:
        """See ``ByteStream.receive``.

        Raises:
            LineClosed: we closed it.
            TimeoutError: the meter said nothing, or nothing more.

        """
        self._check()
        taken, self._answer = self._answer[:limit], self._answer[limit:]
        if not taken:
            raise TimeoutError
        return taken

    def receive_nowait(self) -> bytes:
        """See ``ByteStream.receive_nowait``: what an earlier frame brought too much."""
        taken, self._answer = self._answer, b""
        return taken

    async def aclose(self) -> None:
        """See ``ByteStream.aclose``."""
        self._closed, self._answer = True, b""

    def _check(self) -> None:
        if self._closed:
            raise LineClosed(f"{self._line.name}: we closed it")

    async def _forwarded(self, octets: bytes) -> bytes:
        station, clock = self._station, self._station.clock
        settings, meter = station.settings, address_in(octets)
        wait_s = station.patience.wait_s(meter) if is_read(octets) else settings.frame_timeout_s
        port = {**self._port(meter), "frame_timeout_ms": wait_s * 1000}
        values = {**port, "len": len(octets), "payload": octets}
        busy_until_s, begun_s = station.forwarding_until_s, clock.monotonic_s()
        # There it may have to wait for one of the terminal's own, which takes no longer than one of ours.
        station.forwarding_until_s = begun_s + settings.forward_timeout_s + settings.frame_timeout_s
        try:
            answer = await station.ask(
                self._line,
                table.FORWARD,
                [unit(table.FORWARD, FORWARD_FN, values)],
                priority=Priority.CONTROL,  # who goes first was decided on the line above
                timeout_s=wait_s + FRAME_MARGIN_S,
            )
        except ReplyTimeout:
            if meter is not None:
                station.patience.nothing_said(meter, wait_s)
            raise
        if answer.is_denied and clock.monotonic_s() < busy_until_s:
            station.forwarding_until_s = busy_until_s
            raise LineLost(f"{self._line.name}: terminal {station.name} is still at an earlier frame")
        station.forwarding_until_s = 0.0
        found = b"".join(one.values.get("payload", b"") for one in answer.units if one.fn == FORWARD_FN)
        if meter is not None and found:
            station.patience.answered(meter, clock.monotonic_s() - begun_s)
        elif meter is not None:
            station.patience.silent(meter, wait_s)
        return found

    def _port(self, meter: str | None) -> dict[str, object]:
        """Port and its settings: as configured, else as the archive says of the meter."""
        settings = self._station.settings
        entry = None if meter is None else self._station.last_entry(meter)
        port = settings.port or (entry.port if entry is not None and entry.port else CARRIER_PORT)
        baud = settings.baud_code
        if baud is None:
            baud = entry.baud_code if entry is not None and entry.baud_code else BAUD_2400
        return {
            "port": port,
            "baud_code": baud,
            "stop_bits": 1,
            "parity_on": settings.parity != "none",
            "parity": "odd" if settings.parity == "odd" else "even",
            "data_bits": 8,
            "byte_timeout_ms": settings.octet_timeout_ms,
        }


def address_in(octets: bytes) -> str | None:
    """The meter that a frame is for, 12 digits; ``None``: several, or it is no frame of a known protocol."""
    for frame645 in Deframer645().feed(octets):
        return None if link645.goes_to_many(frame645.address) else frame645.address
    for frame698 in Deframer698().feed(octets):
        digits = frame698.server.device_digits.lstrip("0").zfill(12)
        return digits if digits.isdecimal() else None
    return None


def is_read(octets: bytes) -> bool:
    """Whether a frame changes nothing at its meter; ``False`` also where nobody can see that."""
    for frame645 in Deframer645().feed(octets):
        return frame645.function in READS
    return any(frame698.user_data[:1] == GET for frame698 in Deframer698().feed(octets))


def through(station: Station, line: Line) -> Opener:
    """Opens the way to the meters behind a terminal; there is none while the terminal is away.

    Args:
        station: the terminal.
        line: that of its connection.

    """

    async def opened() -> ByteStream:
        if line.absence:
            raise LineLost(line.absence)
        return Tunnel(station, line)

    return opened
