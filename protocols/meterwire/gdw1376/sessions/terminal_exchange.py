"""One request of a master to a terminal (1376.1), without I/O: octets out, the answer's frames in.

The machine speaks of the master. It begins in SENDING: the request waits to be taken. Once it is, it is
WAITING for the answer: one frame, or several (FIR ... FIN), each a message of its own. A frame that wants a
confirmation (CON) makes it CONFIRMING: AFN 00 F1 with the frame's number waits to be taken; behind the last
frame that is CLOSING, and then DONE. FAILED holds nothing: the deadline passed, or frames of the answer were
missing. A request that nobody answers (to a group, or "send, no answer") is DONE when it is taken.

Which frame is the answer: from the terminal asked, begun by it in no way of its own (C = C4H and C9H are
reports and logins), with the number of the request, of its AFN or AFN 00 (all confirmed, all denied). In an
answer of several frames the number stays, or grows by one a frame; a frame that comes twice counts once. A
single frame may carry FIR = 0 (one make sends so). Everything else is counted in ``ignored``.
Source: spec sections B1 to B3; field practice, section 4.
"""

from __future__ import annotations

import enum
from typing import Final

from meterwire.errors import RemoteProtocolError
from meterwire.gdw1376.functions import terminal
from meterwire.gdw1376.link import terminal_frame as link
from meterwire.gdw1376.link.deframer import TERMINAL, Deframer
from meterwire.gdw1376.link.terminal_frame import Frame
from meterwire.gdw1376.messages.secrets import SecretRanges, all_of, terminal_secret_ranges
from meterwire.gdw1376.messages.terminal import (
    LINK_TEST,
    SEND,
    Message,
    confirmation,
    encode,
    from_frame,
)
from meterwire.primitives.ranges import Ranges

FRAMES_MAX: Final = 64
"""Most frames of one answer; an archive of 2,000 meters needs about 40 of 1,400 octets."""
SEQUENCES: Final = 16


class State(enum.Enum):
    """Where an exchange stands."""

    SENDING = "sending"
    WAITING = "waiting"
    CONFIRMING = "confirming"
    CLOSING = "closing"
    DONE = "done"
    FAILED = "failed"


class Signal(enum.Enum):
    """What can happen to an exchange."""

    SENT = "sent"
    SENT_TO_NOBODY = "sent, and nobody answers"
    MORE = "a frame of the answer, and more to come"
    MORE_TO_CONFIRM = "a frame of the answer that wants a confirmation, and more to come"
    LAST = "last frame of the answer"
    LAST_TO_CONFIRM = "last frame of the answer, and it wants a confirmation"
    OUT_OF_ORDER = "frames of the answer are missing, or too many"
    EXPIRED = "deadline passed"


TRANSITIONS: Final[dict[State, dict[Signal, State]]] = {
    State.SENDING: {
        Signal.SENT: State.WAITING,
        Signal.SENT_TO_NOBODY: State.DONE,
        Signal.EXPIRED: State.FAILED,
    },
    State.WAITING: {
        Signal.MORE: State.WAITING,
        Signal.MORE_TO_CONFIRM: State.CONFIRMING,
        Signal.LAST: State.DONE,
        Signal.LAST_TO_CONFIRM: State.CLOSING,
        Signal.OUT_OF_ORDER: State.FAILED,
        Signal.EXPIRED: State.FAILED,
    },
    State.CONFIRMING: {
        Signal.SENT: State.WAITING,
        Signal.MORE: State.CONFIRMING,
        Signal.MORE_TO_CONFIRM: State.CONFIRMING,
        Signal.LAST: State.CLOSING,
        Signal.LAST_TO_CONFIRM: State.CLOSING,
        Signal.OUT_OF_ORDER: State.FAILED,
        Signal.EXPIRED: State.FAILED,
    },
    State.CLOSING: {Signal.SENT: State.DONE, Signal.EXPIRED: State.DONE},
    State.DONE: {},
    State.FAILED: {},
}


class TerminalExchange:
    """Master's side of one request.

    Args:
        request: what to send; the frames of its answer carry its number.
        inner: which octets of a forwarded frame are secret.
        frames_max: frames of the answer that are taken; one more fails the exchange.

    Attributes:
        answer: the frames of the answer, in order; whole when the state is DONE.
        ignored: frames seen that were not of the answer.

    """

    def __init__(
        self, request: Message, *, inner: SecretRanges = all_of, frames_max: int = FRAMES_MAX
    ) -> None:
        """Prepare the request.

        Raises:
            LocalProtocolError: the request cannot be built.

        """
        self.answer: tuple[Message, ...] = ()
        self.ignored = 0
        self._request = request
        self._due = encode(request)
        self._inner = inner
        self._frames_max = frames_max
        self._deframer = Deframer(TERMINAL)
        self._state = State.SENDING
        self._last: bytes = b""

    @property
    def state(self) -> State:
        """Where it stands."""
        return self._state

    @property
    def finished(self) -> bool:
        """Whether nothing more will be sent or taken."""
        return not TRANSITIONS[self._state]

    @property
    def is_denied(self) -> bool:
        """Whether the terminal refused: often that is "no data for that day"."""
        return any(message.is_denial for message in self.answer)

    def octets_to_send(self) -> bytes:
        """The request, once, and then each confirmation that is due; ``b""`` when nothing is."""
        due, self._due = self._due, b""
        if due:
            self._signal(Signal.SENT_TO_NOBODY if self._goes_to_nobody() else Signal.SENT)
        return due

    def feed(self, octets: bytes) -> None:
        """Take octets from the line, in any pieces; never raises."""
        for span in self._deframer.feed(octets):
            self._take(span.octets)

    def expire(self) -> None:
        """The caller's deadline passed; without effect on a finished exchange."""
        if not self.finished:
            self._due = b""
            self._signal(Signal.EXPIRED)

    def secret_ranges(self, octets: bytes) -> Ranges:
        """Which octets of one turn hold passwords, or may; never raises.

        Args:
            octets: what was sent, or what came before the next request.

        """
        return terminal_secret_ranges(octets, self._inner, wide=self._request.address.is_wide)

    def _signal(self, signal: Signal) -> None:
        self._state = TRANSITIONS[self._state].get(signal, self._state)

    def _goes_to_nobody(self) -> bool:
        head = self._request.head
        return head.address.group or (head.started and head.function == SEND)

    def _take(self, octets: bytes) -> None:
        message = self._ours(octets)
        if message is None or octets == self._last:
            self.ignored += 1
            return
        head = message.head
        opened = bool(self.answer)
        misplaced = head.first == opened and not (head.final and not opened)
        if misplaced or len(self.answer) >= self._frames_max:
            self._due = b""
            self._signal(Signal.OUT_OF_ORDER)
            return
        self._last = octets
        self.answer += (message,)
        if head.confirm:
            self._due += encode(confirmation(head))
            self._signal(Signal.LAST_TO_CONFIRM if head.final else Signal.MORE_TO_CONFIRM)
        else:
            self._signal(Signal.LAST if head.final else Signal.MORE)

    def _ours(self, octets: bytes) -> Message | None:
        """The message, if it belongs to the answer."""
        if self._state not in {State.WAITING, State.CONFIRMING}:
            return None
        try:
            frame = link.decode(octets, wide=self._request.address.is_wide)
            return from_frame(frame) if self._answers(frame) else None
        except RemoteProtocolError:
            return None

    def _answers(self, frame: Frame) -> bool:
        asked = self._request.head
        numbers = {asked.sequence}
        if self.answer:
            before = self.answer[-1].head.sequence
            numbers = {before, (before + 1) % SEQUENCES}
        return (
            frame.from_terminal
            and not begins(frame)
            and frame.address.same_terminal(asked.address)
            and frame.sequence in numbers
            and frame.afn in {asked.afn, terminal.CONFIRM}
        )


def begins(frame: Frame) -> bool:
    """Whether a terminal sends it of its own accord: a login, a heartbeat or a report."""
    return frame.started and (frame.afn == terminal.LINK or frame.function in {SEND, LINK_TEST})
