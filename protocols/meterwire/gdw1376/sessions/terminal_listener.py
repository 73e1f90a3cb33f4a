"""What terminals (1376.1) begin by themselves on a connection: logins, heartbeats, logouts, reports.

The listener owns the one parser of a connection. A call (AFN 02) of a terminal that is admitted is confirmed
with its number; a heartbeat before any login is denied, so that the terminal logs in. A report comes as
``Report``; who keeps it first and calls ``acknowledge`` then loses none, for a terminal repeats one that is
not confirmed. Whatever answers a question of ours is handed on as whole frames.

The state is that of one connection: DIALLED until a terminal logs in, ONLINE with that terminal, CLOSED after
its logout, after a call of an unknown or another terminal, and when reports are not fetched: then the caller
closes the connection. Source: spec sections B1 to B3; field practice, section 4.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final, NamedTuple

from meterwire.errors import RemoteProtocolError
from meterwire.gdw1376.functions import terminal
from meterwire.gdw1376.link import terminal_frame as link
from meterwire.gdw1376.link.deframer import TERMINAL, Deframer
from meterwire.gdw1376.link.terminal_frame import Address
from meterwire.gdw1376.messages.secrets import SecretRanges, all_of, terminal_secret_ranges
from meterwire.gdw1376.messages.terminal import Message, confirmation, encode, from_frame
from meterwire.gdw1376.sessions.terminal_exchange import begins
from meterwire.primitives.ranges import Ranges

LOGIN, LOGOUT, HEARTBEAT = 1, 2, 3
"""Functions of AFN 02."""
REPORTS_MAX: Final = 64
"""Most reports that wait to be fetched; one more closes the connection, and the terminal sends them again."""


class CallState(enum.Enum):
    """Where a connection with a terminal stands."""

    DIALLED = "dialled"
    ONLINE = "online"
    CLOSED = "closed"


class CallSignal(enum.Enum):
    """What can happen to a connection with a terminal."""

    LOGGED_IN = "login of an admitted terminal"
    BEAT = "heartbeat"
    LOGGED_OUT = "logout"
    TURNED_AWAY = "call of an unknown or another terminal"
    FLOODED = "more reports than are fetched"


CALL_TRANSITIONS: Final[dict[CallState, dict[CallSignal, CallState]]] = {
    CallState.DIALLED: {
        CallSignal.LOGGED_IN: CallState.ONLINE,
        CallSignal.BEAT: CallState.DIALLED,
        CallSignal.LOGGED_OUT: CallState.CLOSED,
        CallSignal.TURNED_AWAY: CallState.CLOSED,
        CallSignal.FLOODED: CallState.CLOSED,
    },
    CallState.ONLINE: {
        CallSignal.LOGGED_IN: CallState.ONLINE,
        CallSignal.BEAT: CallState.ONLINE,
        CallSignal.LOGGED_OUT: CallState.CLOSED,
        CallSignal.TURNED_AWAY: CallState.CLOSED,
        CallSignal.FLOODED: CallState.CLOSED,
    },
    CallState.CLOSED: {},
}


class Report(NamedTuple):
    """What a terminal reported.

    Args:
        message: the report.
        wants_confirmation: it is sent again until it is confirmed.

    """

    message: Message
    wants_confirmation: bool


class TerminalListener:
    """Master's ear on one connection.

    Args:
        admits: whether a terminal is known.
        wide: addresses have seven octets.
        inner: which octets of a forwarded frame are secret.

    Attributes:
        terminal: who is connected; ``None`` before its login.
        logins: that were confirmed; a terminal that restarts behind its modem logs in again on the same
            connection.
        ending: why the connection is to end once ``octets_to_send`` has been sent; empty: it goes on.
        unreadable: good frames that could not be taken apart.

    """

    def __init__(
        self, admits: Callable[[Address], bool], *, wide: bool = False, inner: SecretRanges = all_of
    ) -> None:
        self.terminal: Address | None = None
        self.logins = 0
        self.ending = ""
        self.unreadable = 0
        self._admits = admits
        self._wide = wide
        self._inner = inner
        self._deframer = Deframer(TERMINAL)
        self._state = CallState.DIALLED
        self._due = bytearray()
        self._answers = bytearray()
        self._reports: list[Report] = []

    @property
    def state(self) -> CallState:
        """Where the connection stands."""
        return self._state

    def feed(self, octets: bytes) -> None:
        """Take octets from the connection, in any pieces; never raises."""
        for span in self._deframer.feed(octets):
            if self._state is not CallState.CLOSED:
                self._take(span.octets)

    def octets_to_send(self) -> bytes:
        """Confirmations and denials that have come due since the last call."""
        due, self._due = bytes(self._due), bytearray()
        return due

    def octets_for_exchange(self) -> bytes:
        """Whole frames, since the last call, that answer questions of ours."""
        answers, self._answers = bytes(self._answers), bytearray()
        return answers

    def reports(self) -> list[Report]:
        """The reports since the last call."""
        reports, self._reports = self._reports, []
        return reports

    def acknowledge(self, report: Report) -> None:
        """A report has been kept: its confirmation comes due, where it wants one."""
        if report.wants_confirmation:
            self._due += encode(confirmation(report.message.head))

    def secret_ranges(self, octets: bytes) -> Ranges:
        """Which octets, sent or taken, hold passwords, or may; never raises."""
        return terminal_secret_ranges(octets, self._inner, wide=self._wide)

    def _signal(self, signal: CallSignal, ending: str = "") -> None:
        self._state = CALL_TRANSITIONS[self._state].get(signal, self._state)
        self.ending = self.ending or ending

    def _take(self, octets: bytes) -> None:
        try:
            message = from_frame(link.decode(octets, wide=self._wide))
        except RemoteProtocolError:
            self.unreadable += 1
            return
        head = message.head
        if not head.from_terminal or not begins(head):
            self._answers += octets
        elif head.afn == terminal.LINK:
            self._called(message)
        elif self.terminal is not None and head.address.same_terminal(self.terminal):
            self._reported(message)
        else:
            self._signal(CallSignal.TURNED_AWAY, "a report came from a terminal that is not logged in")

    def _called(self, message: Message) -> None:
        """A login, heartbeat or logout."""
        address = message.address
        other = self.terminal is not None and not address.same_terminal(self.terminal)
        if other or not self._admits(address):
            why = "another terminal called" if other else f"{address.area}-{address.terminal} is unknown"
            self._signal(CallSignal.TURNED_AWAY, why)
            return
        kinds = {unit.fn for unit in message.units}
        if LOGOUT in kinds:
            self._signal(CallSignal.LOGGED_OUT, "the terminal logged out")
        elif LOGIN in kinds:
            self.terminal = address
            self.logins += 1
            self._signal(CallSignal.LOGGED_IN)
        elif HEARTBEAT in kinds:
            self._signal(CallSignal.BEAT)
        before_login = self.terminal is None and LOGOUT not in kinds
        self._due += encode(confirmation(message.head, denied=before_login))

    def _reported(self, message: Message) -> None:
        if len(self._reports) >= REPORTS_MAX:
            self._signal(CallSignal.FLOODED, f"{REPORTS_MAX} reports wait and were not fetched")
            return
        self._reports.append(Report(message, message.head.confirm))
