"""The session of one connection with a terminal of Q/GDW 1376.1: at the door first, then at the line's ear.

It owns the connection's deframer, and hands whole frames to ``meterwire``'s listener, which answers logins,
heartbeats and logouts and denies a heartbeat before any login, so that the terminal logs in. Reports go on to
whoever keeps what this terminal tells; each is confirmed when it has been kept, and told again until then.
Frames that answer questions of ours go to the exchange.

A port may serve terminals with addresses of five and of seven octets: the head does not tell which, so a
stranger's first frame is tried both ways, and only what names a terminal of the port counts.
Source: spec gdw1376, B1 to B3; field practice, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Protocol

import structlog

from meterlink.drivers.gdw1376.settings import TerminalSettings, terminal_name
from meterwire.errors import RemoteProtocolError
from meterwire.gdw1376.link import terminal_frame as link
from meterwire.gdw1376.link.deframer import TERMINAL, Deframer
from meterwire.gdw1376.link.terminal_frame import Address, Frame
from meterwire.gdw1376.messages.secrets import all_of, terminal_secret_ranges
from meterwire.gdw1376.messages.terminal import Message
from meterwire.gdw1376.sessions.terminal_listener import Report, TerminalListener
from meterwire.primitives.ranges import Ranges

STRANGER_IDLE_S: Final = 2 * 900.0 + 60.0
"""Nobody asks before a login: a stranger has a shorter limit of the port."""

_log = structlog.get_logger(__name__)


class Concerned(Protocol):
    """Whoever works with one terminal, over all its connections."""

    @property
    def settings(self) -> TerminalSettings:
        """What is known of it."""

    def came(self, protocol_id: int) -> None:
        """It has logged in.

        Args:
            protocol_id: the generation that it speaks: it is answered, and asked, in kind.

        """

    def dialled(self) -> None:
        """We have dialled it: it need not log in, and may be another than on the connection before."""

    def told(self, message: Message, confirm: Callable[[], None]) -> None:
        """It has reported something.

        Args:
            message: what.
            confirm: to be called once all of it is kept.

        """


class StationSession:
    """Doorkeeper and listener of one connection.

    Args:
        known: who may come in, by name of the terminal.
        dialled: name of the one that we dialled ourselves; it need not log in. Empty: it dials us.

    Attributes:
        terminal: who calls, e.g. ``0171-2082``, once he may come in.
        ending: why the connection is to end.
        faults: frames over which this program broke.
        frames: that were heard.

    """

    def __init__(self, known: Mapping[str, Concerned], *, dialled: str = "") -> None:
        self.terminal: str | None = None
        self.ending = ""
        self.faults = 0
        self.frames = 0
        self._known = known
        self._deframer = Deframer(TERMINAL)
        self._listener: TerminalListener | None = None
        self._concerned: Concerned | None = None
        self._wide = False
        self._due = bytearray()
        self._taken = bytearray()
        self._answers = bytearray()
        self._ring: Callable[[], None] | None = None
        if dialled:
            self._concerned = known[dialled]
            self._wide = self._concerned.settings.wide
            self._listener = self._listening()
            self._listener.terminal = self._concerned.settings.address
            self.terminal = dialled
            self._concerned.dialled()

    @property
    def idle_limit_s(self) -> float:
        """See ``Doorkeeper.idle_limit_s``."""
        return STRANGER_IDLE_S if self._concerned is None else self._concerned.settings.idle_limit_s

    # --- what hall and line call -------------------------------------------------------------

    def feed(self, octets: bytes) -> None:
        """See ``Listener.feed`` of the bus."""
        for span in self._deframer.feed(octets):
            if self.ending:
                return
            try:
                self._take(span.octets)
            except Exception as error:  # noqa: BLE001 - the line and its neighbours go on
                self.faults += 1
                if self.faults & (self.faults - 1) == 0:  # of many, the first, second, fourth ...
                    _log.error("frame_broke_us", terminal=self.terminal, faults=self.faults, exc_info=error)

    def octets_to_send(self) -> bytes:
        """See ``Listener.octets_to_send``."""
        return _drained(self._due)

    def octets_taken(self) -> bytes:
        """See ``Listener.octets_taken``."""
        return _drained(self._taken)

    def octets_for_exchange(self) -> bytes:
        """See ``Listener.octets_for_exchange``."""
        return _drained(self._answers)

    def secret_ranges(self, octets: bytes) -> Ranges:
        """See ``Listener.secret_ranges``; what stands in a forwarded frame nobody here can tell."""
        return terminal_secret_ranges(octets, all_of, wide=self._wide)

    def on_due(self, ring: Callable[[], None] | None) -> None:
        """See ``Listener.on_due``."""
        self._ring = ring

    # --- inside ------------------------------------------------------------------------------

    def _listening(self) -> TerminalListener:
        return TerminalListener(self._admits, wide=self._wide)

    def _admits(self, address: Address) -> bool:
        known = self._known.get(terminal_name(address))
        return known is not None and known.settings.address.same_terminal(address)

    def _take(self, octets: bytes) -> None:
        """One whole frame."""
        self.frames += 1
        if self._listener is None:
            self._listener = self._for_stranger(octets)
        listener = self._listener
        logins = listener.logins
        listener.feed(octets)
        answers = listener.octets_for_exchange()
        if answers:
            self._answers += answers
        else:
            self._taken += octets
        if listener.terminal is not None and listener.logins != logins:
            self._came(listener.terminal, octets)
        self._due += listener.octets_to_send()
        for report in listener.reports():
            if self._concerned is not None:
                self._concerned.told(report.message, partial(self._confirm, listener, report))
        self.ending = self.ending or listener.ending
        if self.ending and self.terminal is None:
            self.ending = f"{self.ending}: no line is configured for it"

    def _for_stranger(self, octets: bytes) -> TerminalListener:
        """The listener for addresses as this one writes them."""
        for wide in {known.settings.wide for known in self._known.values()}:
            frame = _frame(octets, wide=wide)
            if frame is not None and self._admits(frame.address):
                self._wide = wide
        return self._listening()

    def _came(self, address: Address, octets: bytes) -> None:
        name = terminal_name(address)
        self.terminal, self._concerned = name, self._known[name]
        frame = _frame(octets, wide=self._wide)
        self._concerned.came(link.ID_2009 if frame is None else frame.protocol_id)

    def _confirm(self, listener: TerminalListener, report: Report) -> None:
        if self._ring is not None:  # else the connection has gone, and the terminal tells it again
            listener.acknowledge(report)
            self._due += listener.octets_to_send()
            self._ring()


def _frame(octets: bytes, *, wide: bool) -> Frame | None:
    try:
        return link.decode(octets, wide=wide)
    except RemoteProtocolError:
        return None


def _drained(octets: bytearray) -> bytes:
    taken = bytes(octets)
    octets.clear()
    return taken
