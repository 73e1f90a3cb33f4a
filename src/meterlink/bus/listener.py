"""What a line needs to hear what nobody asked for: logins, heartbeats, reports between questions and answers.

A connection that a terminal made has *one* parser, and the listener owns it: every octet passes through it,
from the first one on. What the terminal began is the listener's own affair, and it says what to send back;
what answers a question of ours it hands on, as whole frames, to the session of the exchange. So a heartbeat
between the two halves of an answer harms neither, and the bus never looks into a frame.

A listener is a session like that of an exchange: octets in, octets out, no waiting, no clock that it was not
given. Reports go up through whatever bounded queue it was made with; when one has been kept, somebody tells
the listener, octets come due, and it rings the line's owner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from meterlink.trace import Ranges
from meterlink.transports.stream import ByteStream


class Listener(Protocol):
    """The session of a connection, besides that of the exchange in progress."""

    def feed(self, octets: bytes) -> None:
        """Take octets from the line; any octets, in any pieces. Never raises for what they hold."""

    def octets_to_send(self) -> bytes:
        """What has come due since the last call: answers to be sent at once; whole frames."""

    def octets_taken(self) -> bytes:
        """Whole frames, since the last call, that the listener kept to itself: for the trace."""

    def octets_for_exchange(self) -> bytes:
        """Whole frames, since the last call, that answer questions of ours. The caller drops what is late."""

    def secret_ranges(self, octets: bytes) -> Ranges:
        """As of a session: which octets of whole frames, sent or taken, hold passwords, keys or cipher."""

    @property
    def ending(self) -> str:
        """Why the connection is to end once ``octets_to_send`` has been sent; empty: it goes on."""

    def on_due(self, ring: Callable[[], None] | None) -> None:
        """Call ``ring`` when octets come due outside of ``feed``: something was kept and is acknowledged."""


class TerminalListener(Listener, Protocol):
    """That of a connection which one terminal has for itself."""

    @property
    def frames(self) -> int:
        """Whole frames that were heard so far, whatever they said."""

    @property
    def idle_limit_s(self) -> float:
        """A terminal that tells no frame for longer is gone; may change with what it says."""


Visit = tuple[ByteStream, TerminalListener]
"""A terminal that is connected: its stream, from here on the line owner's, and its session, which has heard
all octets before those that the stream still brings."""


class Door(Protocol):
    """Where the terminal of one line comes in. Each visit is given to one taker."""

    @property
    def absence(self) -> str:
        """One sentence for people who ask while nobody is there."""

    def visitor(self) -> Visit | None:
        """The terminal, if it is connected and nobody has taken the visit."""

    async def visit(self) -> Visit:
        """Wait for it. Cancelled, nothing is lost."""
