"""The session of one connection that a DL/T 698.45 terminal made: at the door first, then at the line's ear.

It owns the connection's deframer, and sorts whole frames by who began:

- what the terminal began (login, heartbeat, logout, reports) is for ``meterwire``'s listener, and answered;
- what answers a request of ours goes on to the session of the exchange, and so does the notice that an
  association ended, which both want to know.

What a connection reports before a login is neither kept nor acknowledged: its terminal tells it again after.
A call is answered with our time, by which terminals may set their clocks: whether it can be trusted, the
configuration says. Source: spec dlt698, sections 1.7, 3.2, 3.8 and 8.3.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import tzinfo

import structlog

from meterlink.clock import Clock
from meterlink.drivers.dlt698.reports import Told
from meterlink.drivers.reports import Report
from meterwire.dlt698.apdus.secret_ranges import secret_ranges
from meterwire.dlt698.axdr.values import DateTime
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.deframer import Deframer, Found
from meterwire.dlt698.link.frame import encode
from meterwire.dlt698.sessions import listener as wire

FRAME_OCTETS_MAX = 4_096
"""Longest frame that is waited for; terminals in the field send 1,024, some 2,048."""
FRAME_GAP_S = 10.0
"""A frame whose rest has not come after so much silence was cut short; what comes then is a new one."""
IDLE_MARGIN_S = 60.0
"""A terminal may be silent for two of its heartbeat periods and this. Source: field practice, section 4."""
HEARTBEAT_DEFAULT_S = 900.0
"""For a terminal that tells no period."""

_DIGITS = 12
_log = structlog.get_logger(__name__)
_Ranges = tuple[tuple[int, int], ...]


class TerminalSession:
    """Doorkeeper and listener of one connection.

    Args:
        known: addresses of the terminals that may come in, 12 digits each.
        clock: our time.
        zone: what terminals' clocks show.
        clock_trusted: tell terminals that our clock is right.
        report: where reports go.
        dialled: the terminal that we dialled, 12 digits: it may report without a login; ``None``: it dialled.

    Attributes:
        terminal: who calls, 12 digits, once he may come in.
        ending: why the connection is to end.
        idle_limit_s: how long it may be silent, as it said last.
        faults: frames and reports over which this program broke.
        frames: that were heard.

    """

    def __init__(
        self,
        known: Collection[str],
        *,
        clock: Clock,
        zone: tzinfo,
        clock_trusted: bool,
        report: Callable[[Report], None],
        dialled: str | None = None,
    ) -> None:
        self.terminal: str | None = dialled
        self.ending = ""
        self.idle_limit_s = 2 * HEARTBEAT_DEFAULT_S + IDLE_MARGIN_S
        self.faults = 0
        self.frames = 0
        self._known = known
        self._clock = clock
        self._zone = zone
        self._clock_trusted = clock_trusted
        self._report = report
        self._deframer = Deframer(frame_octets_max=FRAME_OCTETS_MAX)
        self._listener = wire.Listener(self._result_for)
        self._fed_at_s = clock.monotonic_s()
        self._due = bytearray()
        self._taken = bytearray()
        self._answers = bytearray()
        self._ring: Callable[[], None] | None = None

    # --- what hall and line call -------------------------------------------------------------

    def feed(self, octets: bytes) -> None:
        """See ``Listener.feed`` of the bus."""
        now_s = self._clock.monotonic_s()
        if self._deframer.pending and now_s - self._fed_at_s > FRAME_GAP_S:
            for frame in self._deframer.give_up():
                self._take(Found(frame, encode(frame), 0))
        self._fed_at_s = now_s
        for found in self._deframer.feed_found(octets):
            self._take(found)

    def octets_to_send(self) -> bytes:
        """See ``Listener.octets_to_send``."""
        return _drained(self._due)

    def octets_taken(self) -> bytes:
        """See ``Listener.octets_taken``."""
        return _drained(self._taken)

    def octets_for_exchange(self) -> bytes:
        """See ``Listener.octets_for_exchange``."""
        return _drained(self._answers)

    def secret_ranges(self, octets: bytes) -> _Ranges:
        """See ``Listener.secret_ranges``."""
        return secret_ranges(octets)

    def on_due(self, ring: Callable[[], None] | None) -> None:
        """See ``Listener.on_due``."""
        self._ring = ring

    # --- inside ------------------------------------------------------------------------------

    def _result_for(self, server: ServerAddress) -> int:
        return wire.LINK_OK if _address(server) in self._known else wire.LINK_ILLEGAL_DEVICE

    @property
    def _may_report(self) -> bool:
        """Anybody can dial and write a known address into a report; who has logged in may tell something."""
        return self.terminal is not None

    def _take(self, found: Found) -> None:
        """Sort a frame; one over which we break is as if it had not come: its terminal sends it again."""
        self.frames += 1
        try:
            self._sort(found)
        except Exception as error:  # noqa: BLE001 - the line and its neighbours go on
            self._broke(_address(found.frame.server), error)

    def _broke(self, terminal: str, error: Exception) -> None:
        self.faults += 1
        if self.faults & (self.faults - 1) == 0:  # of many, the first, second, fourth ...
            _log.error("frame_broke_us", terminal=terminal, faults=self.faults, exc_info=error)

    def _sort(self, found: Found) -> None:
        frame = found.frame
        if not frame.from_server:
            return  # an echo, or somebody who plays our part
        if frame.started_by_client:
            self._answers += found.octets
            return
        self._taken += found.octets
        for heard in self._listener.feed(found.octets, self._now()):
            if isinstance(heard, wire.Call):
                self._call(heard)
            elif isinstance(heard, wire.Report):
                if self._may_report:
                    self._report(self._told(heard))
            else:
                self._answers += found.octets
        self._due += self._listener.octets_to_send()

    def _call(self, call: wire.Call) -> None:
        self._due += call.answer(self._now(), clock_trusted=self._clock_trusted)
        who = _address(call.server)
        if call.result != wire.LINK_OK:
            known = self.terminal is not None
            self.ending = f"terminal {who} calls on the connection of another" if known else _unknown(who)
        elif call.request.type == wire.LOGOUT:
            self.ending = "it logged out"
        else:
            self.terminal = who
            heartbeat_s = float(call.request.heartbeat_s) or HEARTBEAT_DEFAULT_S
            self.idle_limit_s = 2 * heartbeat_s + IDLE_MARGIN_S

    def _told(self, report: wire.Report) -> Report:
        address, received_at = _address(report.server), self._clock.utc_now()
        told = Told(report, address=address, zone=self._zone, received_at=received_at)
        if told.broken is not None:
            self._broke(address, told.broken)
        return Report(
            terminal=self.terminal or address,
            parts=told.parts,
            key=told.key,
            summary=told.summary,
            received_at=received_at,
            acknowledge=lambda: self._acknowledge(report.acknowledgement),
        )

    def _acknowledge(self, octets: bytes) -> None:
        if self._ring is not None:  # else the connection has gone, and the terminal tells it again
            self._due += octets
            self._ring()

    def _now(self) -> DateTime:
        return DateTime.of(self._clock.utc_now().astimezone(self._zone))


def _address(server: ServerAddress) -> str:
    """12 digits, whatever length was sent."""
    return server.device_digits.lstrip("0").zfill(_DIGITS)


def _unknown(terminal: str) -> str:
    return f"no line is configured for terminal {terminal} (listen://HOST:PORT?terminal={terminal})"


def _drained(octets: bytearray) -> bytes:
    taken = bytes(octets)
    octets.clear()
    return taken
