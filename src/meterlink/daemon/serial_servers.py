"""Serial servers: the ports that they dial, and what they say of themselves among the octets of meters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import structlog

from meterlink.bus.dialling import Opener
from meterlink.config import LineSettings, Settings
from meterlink.config.serial_server import SerialServerSettings, is_told_apart
from meterlink.errors import LineLost
from meterlink.model.line_url import ListenUrl
from meterlink.transports.hall import STRANGERS_MAX, Hall, PortOpener
from meterlink.transports.registration import RegistrationSession, ServerHabits, StrippedStream
from meterlink.transports.stream import ByteStream

_log = structlog.get_logger(__name__)


class SerialServers:
    """All ports on which serial servers of the configuration dial in.

    Args:
        settings: checked.

    """

    def __init__(self, settings: Settings) -> None:
        self._known: dict[tuple[str, int], dict[bytes, ServerHabits]] = {}
        self.take(settings)
        self._halls = {
            endpoint: Hall(partial(RegistrationSession, known), strangers_max=STRANGERS_MAX + len(known))
            for endpoint, known in self._known.items()
        }

    def take(self, settings: Settings) -> None:
        """Know the lines of another configuration, whose servers dial the same ports."""
        for known in self._known.values():
            known.clear()
        for line, _ in settings.meters_by_line():
            if isinstance(url := line.parsed_url, ListenUrl) and url.device:
                told = line.serial_server or SerialServerSettings()
                registration = told.registration_of(url.device)
                habits = ServerHabits(url.device, registration, told.heartbeat_s)
                self._known.setdefault(url.endpoint, {})[registration] = habits

    def way(self, line: LineSettings, opener: Opener) -> Opener:
        """How a line is opened whose serial server dials in, or says things of its own.

        Args:
            line: of the configuration.
            opener: opens one that we dial; unused for one that dials in.

        """
        url, told = line.parsed_url, line.serial_server or SerialServerSettings()
        if isinstance(url, ListenUrl):
            beats, hall = told.heartbeats_of(url.device), self._halls[url.endpoint]
            registration = told.registration_of(url.device)
            again = registration if is_told_apart(registration) else b""

            async def taken() -> ByteStream:
                if (seat := hall.take(url.device)) is None:
                    raise LineLost(f"{line.name}: serial server {url.device} is not connected: it dials in")
                return StrippedStream(seat.stream, beats, again=again, heard=seat.keeper.rest)

            return taken
        beats, registration = told.heartbeats_of(""), told.registration_of("")
        if not (beats or registration):
            return opener

        async def stripped() -> ByteStream:
            return StrippedStream(await opener(), beats, registration=registration, again=registration)

        return stripped

    @asynccontextmanager
    async def open(self, opener: PortOpener) -> AsyncIterator[list[str]]:
        """Listen until the end; gives ``HOST:PORT`` of each port.

        Raises:
            LineBusy, LineLost: a port cannot be opened; none is left open.

        """
        async with AsyncExitStack() as stack:
            where = []
            for (host, port), hall in self._halls.items():
                where.append(f"{host}:{await stack.enter_async_context(opener(host, port, hall))}")
                _log.info("listening", at=where[-1], serial_servers=len(self._known[host, port]))
            yield where
