"""One request to one unit, without I/O: octets out, the answer in.

The machine begins in SENDING; once the request is taken it is WAITING, and the answer, or an exception in its
place, makes it DONE. FAILED: the deadline passed.

Which frame is the answer: from the unit asked, of its function, on TCP of its transaction, and of a read with
as many octets as were asked for. Other answers of that unit are counted in ``ignored``, and the rest (the
echo of the request, other units and transactions) is skipped. An answer says nothing of the address that was
asked, so on a serial line one that comes too late for a request of the same length would be taken for the
next one's: what the line brought before the request was taken is cut off.
Source: Modbus application protocol V1.1b3, 4.1; messaging on TCP/IP V1.0b, 4.3.
"""

from __future__ import annotations

import enum
from typing import Final

from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.modbus.link import rtu
from meterwire.modbus.link.framing import Framed, Framing, Receiver, encode
from meterwire.modbus.pdus import messages
from meterwire.modbus.pdus.messages import ExceptionReply, ReadReply, ReadRequest, Reply, Request
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
    ANSWER = "answer, or exception"
    EXPIRED = "deadline passed"


TRANSITIONS: Final[dict[State, dict[Signal, State]]] = {
    State.SENDING: {Signal.SENT: State.WAITING, Signal.EXPIRED: State.FAILED},
    State.WAITING: {Signal.ANSWER: State.DONE, Signal.EXPIRED: State.FAILED},
    State.DONE: {},
    State.FAILED: {},
}


class Exchange:
    """Requester's side of one request.

    Args:
        request: what to ask.
        unit: whom, 1 to 247; on TCP 0 to 255.
        framing: of the line.
        transaction: on TCP, 0 to 65,535: another one for each request of a connection.

    Attributes:
        reply: the answer or the exception; ``None`` while there is none.
        ignored: frames of the unit (and transaction) that were not the answer.

    """

    def __init__(self, request: Request, *, unit: int, framing: Framing, transaction: int = 0) -> None:
        """Prepare the request.

        Raises:
            LocalProtocolError: a field out of its range, or a request to everybody, which nobody answers.

        """
        self.reply: Reply | None = None
        self.ignored = 0
        if framing == "rtu" and unit == rtu.BROADCAST:
            raise LocalProtocolError("unit 0 is everybody, and nobody answers; name one unit")
        self._request = request
        self._asked = Framed(unit, messages.encode(request), transaction if framing == "tcp" else 0)
        self._octets = encode(self._asked, framing)
        self._receiver = Receiver(framing, "reply", self._asked)
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
        self._receiver.clear()  # what the line began to say before is no answer to it
        self._signal(Signal.SENT)
        return self._octets

    def feed(self, octets: bytes) -> None:
        """Take octets from the line, in any pieces; never raises."""
        for framed in self._receiver.feed(octets):
            reply = self._ours(framed)
            if reply is None:
                self.ignored += 1
            else:
                self.reply = reply
                self._signal(Signal.ANSWER)

    def expire(self) -> None:
        """The caller's deadline passed; without effect on a finished exchange."""
        self._signal(Signal.EXPIRED)

    def secret_ranges(self, octets: bytes) -> Ranges:
        """Which octets are secret: none, Modbus has no passwords and nothing here writes one."""
        del octets
        return ()

    def _signal(self, signal: Signal) -> None:
        self._state = TRANSITIONS[self._state].get(signal, self._state)

    def _ours(self, framed: Framed) -> Reply | None:
        if self._state is not State.WAITING:
            return None
        try:
            reply = messages.decode_reply(framed.pdu)
        except RemoteProtocolError:
            return None
        return reply if self._answers(reply) else None

    def _answers(self, reply: Reply) -> bool:
        request = self._request
        if isinstance(reply, ExceptionReply):
            return reply.refused == request.function
        if isinstance(request, ReadRequest):
            if not isinstance(reply, ReadReply) or reply.function != request.function:
                return False
            return len(reply.data) == request.reply_octets
        return reply.function == request.function
