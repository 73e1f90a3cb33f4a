"""One command to one meter or to all, without I/O: its octets out, the meter's verdict in.

Everything but reads goes this way: write, freeze, baud rate, passwords, clears, time, control (1CH), security
(03H), read and write address, and in 1997 read again. The machine speaks of the requester. It begins in
SENDING: the octets wait to be taken. They are given once, and no second time whatever happens. Once they are,
it is WAITING for the verdict. A command that nobody answers (time; a freeze of all) ends as SENT at that
moment.

The other ends say what is known, which for a command is more than "it failed":

- ANSWERED: ``reply`` is the meter's answer. It means "received": what was done is read back.
- REFUSED: ``reply`` is the ``AbnormalReply``; the meter says that it did nothing.
- UNSENT: the deadline passed before the octets were taken; the meter knows nothing of it.
- UNCONFIRMED: the octets may have left and no verdict came. It may have been done. Nobody may send it again
  without proof that it was not.

What may answer: a frame sent by a meter, with the function and from the address that were asked, which began
after the octets had been taken (``asking``), and which repeats what an answer of its kind repeats: the baud
word, the new password and its level, the security identifier. What does not is counted in ``ignored``, as is
an answer that does not fit its layout. The bus adds that it empties the line before each request.

Beyond that a late answer cannot be told from the present one: 94H, 96H, 99H to 9CH and every refusal carry
nothing of their request. After UNCONFIRMED, a command of the same function to the same meter may get the
earlier one's verdict; whoever sends it waits until none can come any more, and reads back.

Baud rate: the answer still comes at the old rate; who drives the line changes it when this session has ended
as ANSWERED. Write address: the answer may bear the old address or the new one.
Security: an answer with D5 (A3H) is only the first part; ``reply.has_following`` says so, and no source tells
how the rest is asked for.
Source: DL/T 645-2007, 7.2 to 7.15; DL/T 645-1997, 6; spec sections 2.2, 9.1; control-and-prepayment, fact 7.
"""

from __future__ import annotations

import enum
from typing import Final

from meterwire.dlt645.link import frame as link
from meterwire.dlt645.link.functions import Edition
from meterwire.dlt645.messages.address_and_baud import (
    BaudReply,
    BaudRequest,
    ReadAddressReply,
    ReadAddressRequest,
    WriteAddressRequest,
)
from meterwire.dlt645.messages.clears_and_freezes import (
    ClearDemandRequest,
    ClearEventsRequest,
    ClearMeterRequest,
    FreezeRequest,
)
from meterwire.dlt645.messages.command import Acknowledgement, Command, ReadAgainRequest
from meterwire.dlt645.messages.command_codec import address_kind, command_to_frame
from meterwire.dlt645.messages.control import (
    ControlRequest,
    SealedControlRequest,
    SecurityReply,
    SecurityRequest,
)
from meterwire.dlt645.messages.messages import AbnormalReply, Message, ReadAgainReply
from meterwire.dlt645.messages.programming import ChangePasswordReply, ChangePasswordRequest, WriteRequest
from meterwire.dlt645.messages.time_and_terminals import TerminalOutputReply, TerminalOutputRequest
from meterwire.dlt645.sessions.machine import Machine
from meterwire.errors import LocalProtocolError

Reply = (
    Acknowledgement
    | BaudReply
    | ChangePasswordReply
    | ReadAddressReply
    | ReadAgainReply
    | SecurityReply
    | TerminalOutputReply
)

REPLIES: Final[dict[type[Command], tuple[type[Reply], tuple[str, ...]]]] = {
    ReadAddressRequest: (ReadAddressReply, ()),
    ReadAgainRequest: (ReadAgainReply, ()),
    WriteRequest: (Acknowledgement, ()),
    WriteAddressRequest: (Acknowledgement, ()),
    FreezeRequest: (Acknowledgement, ()),
    BaudRequest: (BaudReply, ("word",)),
    ChangePasswordRequest: (ChangePasswordReply, ("new_level", "new_password")),
    ClearDemandRequest: (Acknowledgement, ()),
    ClearMeterRequest: (Acknowledgement, ()),
    ClearEventsRequest: (Acknowledgement, ()),
    TerminalOutputRequest: (TerminalOutputReply, ()),
    ControlRequest: (Acknowledgement, ()),
    SealedControlRequest: (Acknowledgement, ()),
    SecurityRequest: (SecurityReply, ("di",)),
}
"""What answers a request, and the fields that it must repeat."""


class State(enum.Enum):
    """Where a command stands."""

    SENDING = "sending"
    WAITING = "waiting"
    ANSWERED = "answered"
    REFUSED = "refused"
    SENT = "sent"
    UNSENT = "unsent"
    UNCONFIRMED = "unconfirmed"


class Signal(enum.Enum):
    """What can happen to a command."""

    TAKEN = "octets taken"
    TAKEN_UNANSWERED = "octets taken, nobody answers"
    REPLY = "reply"
    ABNORMAL = "abnormal reply"
    EXPIRED = "deadline passed, or line lost"


TRANSITIONS: Final[dict[State, dict[Signal, State]]] = {
    State.SENDING: {
        Signal.TAKEN: State.WAITING,
        Signal.TAKEN_UNANSWERED: State.SENT,
        Signal.EXPIRED: State.UNSENT,
    },
    State.WAITING: {
        Signal.REPLY: State.ANSWERED,
        Signal.ABNORMAL: State.REFUSED,
        Signal.EXPIRED: State.UNCONFIRMED,
    },
    State.ANSWERED: {},
    State.REFUSED: {},
    State.SENT: {},
    State.UNSENT: {},
    State.UNCONFIRMED: {},
}


class CommandSession(Machine[State, Signal]):
    """Requester's side of one command.

    Args:
        request: one of the keys of ``REPLIES``, or ``BroadcastTime``.
        preamble: FEH octets before it, 0 to 16.
        edition: whose function codes.
        di: 1997 read again only: the identifier that the repeated answer must carry.

    Attributes:
        reply: the answer or the refusal; ``None`` while there is none.
        ignored: frames seen that were not the answer.

    """

    def __init__(
        self,
        request: Command,
        *,
        preamble: int = 4,
        edition: Edition = "dlt645-2007",
        di: int | None = None,
    ) -> None:
        """Prepare the request.

        Raises:
            LocalProtocolError: it cannot be built, must not go to that address, or is no request.

        """
        if request.FROM_METER:
            raise LocalProtocolError(f"{type(request).__name__} is an answer, not a command")
        frame = command_to_frame(request, edition)
        super().__init__(frame, TRANSITIONS, State.SENDING, preamble, edition)
        self.reply: Reply | AbnormalReply | None = None
        self._request = request
        self._di = di

    def octets_to_send(self) -> bytes:
        """The command, once; ``b""`` from then on."""
        if self._state is not State.SENDING:
            return b""
        unanswered = address_kind(self._request.address) in self._request.UNANSWERED
        self._signal(Signal.TAKEN_UNANSWERED if unanswered else Signal.TAKEN)
        return self._asking.take()

    def expire(self) -> None:
        """The caller's deadline passed, or the line is gone; without effect on a finished command."""
        self._signal(Signal.EXPIRED)

    def _take(self, frame: link.Frame) -> None:
        message = self._ours(frame) if self._state is State.WAITING else None
        if message is None:
            self.ignored += 1
            return
        self.reply = message
        self._signal(Signal.ABNORMAL if isinstance(message, AbnormalReply) else Signal.REPLY)

    def _ours(self, frame: link.Frame) -> Reply | AbnormalReply | None:
        """The answer to the command, if the frame is one."""
        message = self._message_of(frame)
        if message is None or isinstance(message, AbnormalReply):
            return message
        return self._repeating(message)

    def _repeating(self, message: Message) -> Reply | None:
        kind, repeated = REPLIES[type(self._request)]
        if not isinstance(message, kind):
            return None
        if any(getattr(message, name) != getattr(self._request, name) for name in repeated):
            return None
        if isinstance(message, ReadAgainReply) and self._di not in {None, message.di}:
            return None
        return message
