"""One request of a concentrator to its module (1376.2), without I/O: octets out, the answer in.

The machine begins in SENDING; once the request is taken it is WAITING, and the answer, or the module's
refusal (00-F2), makes it DONE. FAILED: the deadline passed. Several may be open at once where a module reads
concurrently: each takes its own answer and counts the rest in ``ignored``.

Which frame is the answer: from the module, not begun by it, with the number of the request, of its AFN or
AFN 00, and from the slave asked where both name one. A late answer to an earlier request has another number.
Source: spec section A2; field practice, section 5.
"""

from __future__ import annotations

import enum
from typing import Final

from meterwire.errors import RemoteProtocolError
from meterwire.gdw1376.functions import module
from meterwire.gdw1376.link import module_frame as link
from meterwire.gdw1376.link.deframer import MODULE, Deframer
from meterwire.gdw1376.link.module_frame import Frame
from meterwire.gdw1376.messages.module import Message, from_frame
from meterwire.gdw1376.messages.secrets import SecretRanges, all_of, module_secret_ranges
from meterwire.primitives.ranges import Ranges


class State(enum.Enum):
    """Where an exchange stands."""

    SENDING = "sending"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


class Signal(enum.Enum):
    """What can happen to an exchange."""

    SENT = "sent"
    ANSWER = "answer, or refusal"
    EXPIRED = "deadline passed"


TRANSITIONS: Final[dict[State, dict[Signal, State]]] = {
    State.SENDING: {Signal.SENT: State.WAITING, Signal.EXPIRED: State.FAILED},
    State.WAITING: {Signal.ANSWER: State.DONE, Signal.EXPIRED: State.FAILED},
    State.DONE: {},
    State.FAILED: {},
}


class ModuleExchange:
    """Concentrator's side of one request.

    Args:
        request: what to send.
        inner: which octets of a meter's frame are secret.

    Attributes:
        answer: the answer or the refusal; ``None`` while there is none.
        ignored: frames seen that were not the answer.

    """

    def __init__(self, request: Frame, *, inner: SecretRanges = all_of) -> None:
        """Prepare the request.

        Raises:
            LocalProtocolError: the request cannot be built.

        """
        self.answer: Message | None = None
        self.ignored = 0
        self._request = request
        self._octets = link.encode(request)
        self._inner = inner
        self._deframer = Deframer(MODULE)
        self._state = State.SENDING

    @property
    def state(self) -> State:
        """Where it stands."""
        return self._state

    @property
    def finished(self) -> bool:
        """Whether nothing more will be sent or taken."""
        return not TRANSITIONS[self._state]

    def octets_to_send(self) -> bytes:
        """The request, once; ``b""`` after that."""
        if self._state is not State.SENDING:
            return b""
        self._signal(Signal.SENT)
        return self._octets

    def feed(self, octets: bytes) -> None:
        """Take octets from the line, in any pieces; never raises."""
        for span in self._deframer.feed(octets):
            message = self._ours(span.octets)
            if message is None:
                self.ignored += 1
            else:
                self.answer = message
                self._signal(Signal.ANSWER)

    def expire(self) -> None:
        """The caller's deadline passed; without effect on a finished exchange."""
        self._signal(Signal.EXPIRED)

    def secret_ranges(self, octets: bytes) -> Ranges:
        """Which octets of one turn hold passwords, or may; never raises."""
        return module_secret_ranges(octets, self._inner)

    def _signal(self, signal: Signal) -> None:
        self._state = TRANSITIONS[self._state].get(signal, self._state)

    def _ours(self, octets: bytes) -> Message | None:
        if self._state is not State.WAITING:
            return None
        try:
            frame = link.decode(octets)
        except RemoteProtocolError:
            return None
        return from_frame(frame) if self._answers(frame) else None

    def _answers(self, frame: Frame) -> bool:
        asked = self._request
        if asked.addresses is not None and frame.addresses is not None:
            slave = frame.addresses.source
            if frame.afn != module.CONFIRM and slave != asked.addresses.destination:
                return False
        same_function = (frame.afn, frame.fn) == (asked.afn, asked.fn)
        return (
            frame.from_module
            and not frame.started
            and frame.info.sequence == asked.info.sequence
            and (same_function or frame.afn == module.CONFIRM)
        )
