"""One read of one meter, without I/O: the request's octets out, the answer's octets in.

The machine speaks of the requester. It begins in SENDING: the octets of a request wait to be taken.
Once they are, it is WAITING for the answer. An answer with D5 asks for more: CONTINUING, the octets
of a following request (12H, SEQ 1, 2, ... 255, 1, ...) wait to be taken. DONE holds the whole answer, FAILED
a refusal, or nothing when the deadline passed or the pieces did not fit. What does not fit the table leaves
the state as it was: octets that come before the request was taken, or after the end, are ignored.

Which frame is the answer: sent by a meter, of the function asked, of the address asked (``asking``), of the
identifier asked. Everything else on the line, echo of the request included, is counted in ``ignored``, and so
is a piece that came before and comes again (serial servers repeat). In 1997, where pieces have no number, it
is known by being the same; so a record with two equal pieces in a row is read as nothing, never as wrong.
A piece without octets or with another number, a refused or missing following piece and
too many pieces fail the read: half a record is no data; the caller starts again.

Two cases do not fit that:

- Meters also raise D5 to call for a read of their report word. When the first piece is whole by its length
  (any length of a record, all values of a block, or those of total and 4 tariffs), and the following piece
  is refused or never comes, it is kept.
- Of load records asked with a selector, a make wants the selector again before SEQ. The short form goes
  first; where its first piece is refused, the long form is tried once.

Source: DL/T 645-2007, 7.1.3 and 7.1.4; spec section 2.6.
"""

from __future__ import annotations

import enum
from typing import Final

from meterwire.dlt645.items.dictionary import Dictionary, dictionary
from meterwire.dlt645.link import frame as link
from meterwire.dlt645.link.functions import Edition
from meterwire.dlt645.messages.messages import (
    AbnormalReply,
    ReadFollowingReply,
    ReadFollowingRequest,
    ReadReply,
    ReadRequest,
    next_sequence,
    to_frame,
)
from meterwire.dlt645.sessions.machine import Machine
from meterwire.errors import LocalProtocolError

PIECES_MAX: Final = 32
"""Most following pieces of one answer; the longest record of the standard needs 6."""


class State(enum.Enum):
    """Where a read stands."""

    SENDING = "sending"
    WAITING = "waiting"
    CONTINUING = "continuing"
    DONE = "done"
    FAILED = "failed"

    __hash__ = object.__hash__  # each member is there once; that of Enum is made of the name, each time


class Signal(enum.Enum):
    """What can happen to a read."""

    SENT = "sent"
    REPLY = "reply"
    REPLY_MORE = "reply with more to come"
    ABNORMAL = "abnormal reply"
    WHOLE_ANYWAY = "no following piece, but the first is a whole item"
    SHORT_FORM_REFUSED = "first following piece refused without the selector"
    OUT_OF_ORDER = "following piece out of order, or too many"
    EXPIRED = "deadline passed"

    __hash__ = object.__hash__


_SENDING, _WAITING, _CONTINUING = State.SENDING, State.WAITING, State.CONTINUING
_SENT, _REPLY = Signal.SENT, Signal.REPLY
"""Those that each read meets, by names of their own: up to Python 3.11 a member costs as much as a call."""

TRANSITIONS: Final[dict[State, dict[Signal, State]]] = {
    State.SENDING: {Signal.SENT: State.WAITING, Signal.EXPIRED: State.FAILED},
    State.WAITING: {
        Signal.REPLY: State.DONE,
        Signal.REPLY_MORE: State.CONTINUING,
        Signal.WHOLE_ANYWAY: State.DONE,
        Signal.SHORT_FORM_REFUSED: State.CONTINUING,
        Signal.ABNORMAL: State.FAILED,
        Signal.OUT_OF_ORDER: State.FAILED,
        Signal.EXPIRED: State.FAILED,
    },
    State.CONTINUING: {
        Signal.SENT: State.WAITING,
        Signal.WHOLE_ANYWAY: State.DONE,
        Signal.EXPIRED: State.FAILED,
    },
    State.DONE: {},
    State.FAILED: {},
}


class ReadSession(Machine[State, Signal]):
    """Requester's side of one read.

    Args:
        request: what to read.
        preamble: FEH octets before each request, 0 to 16.
        edition: whose function codes; a 1997 meter numbers no following pieces.
        items: what the meter's identifiers mean; the dictionary of the edition by default.
        repeat_selector: a following request to this meter carries the selector of the first one again.
        pieces_max: following pieces that are taken; one more fails the read.

    Attributes:
        reply: the whole answer, or the refusal; ``None`` while unfinished and when the read failed
            without one.
        ignored: frames seen that were not the answer.

    """

    def __init__(
        self,
        request: ReadRequest,
        preamble: int = 4,
        edition: Edition = "dlt645-2007",
        items: Dictionary | None = None,
        repeat_selector: bool = False,
        *,
        pieces_max: int = PIECES_MAX,
    ) -> None:
        """Prepare the request.

        Raises:
            LocalProtocolError: the request cannot be built.

        """
        frame = to_frame(request, edition)
        super().__init__(frame, TRANSITIONS, _SENDING, preamble, edition)
        self.reply: ReadReply | AbnormalReply | None = None
        self._request = request
        self._items = items or dictionary(edition)
        self._pieces_max = pieces_max
        self._address = request.address
        self._pieces: list[bytes] = []
        self._last: link.Frame | None = None
        self._sequence = 0
        self._selector = request.selector if repeat_selector else b""

    def octets_to_send(self) -> bytes:
        """The request whose turn it is, once; ``b""`` when there is nothing to send now."""
        if self._state is not _SENDING and self._state is not _CONTINUING:
            return b""
        self._signal(_SENT)
        return self._asking.take()

    def expire(self) -> None:
        """The caller's deadline passed; without effect on a finished read."""
        if not self.finished and not self._whole_anyway():
            self._signal(Signal.EXPIRED)

    def _take(self, frame: link.Frame) -> None:
        if frame == self._last:  # once more, and not the next one: that has another number, or function
            self.ignored += 1
            return
        match self._message_of(frame) if self._state is _WAITING else None:
            case ReadReply(di=self._request.di) as answer:
                self._last = frame
                self._answered(answer)
            case ReadFollowingReply(di=self._request.di, sequence=sequence) as piece:
                if self._edition == "dlt645-1997" or sequence == next_sequence(self._sequence):
                    self._last = frame
                    self._sequence = sequence
                    self._keep(piece.address, piece.data, piece.has_following)
                else:
                    self._signal(Signal.OUT_OF_ORDER)
            case AbnormalReply() as refusal:
                self._refused(refusal)
            case _:
                self.ignored += 1

    def _answered(self, answer: ReadReply) -> None:
        if answer.has_following:
            self._keep(answer.address, answer.data, more=True)
        else:
            self.reply = answer
            self._signal(_REPLY)

    def _refused(self, refusal: AbnormalReply) -> None:
        if self._whole_anyway():
            return
        if len(self._pieces) == 1 and self._selector != self._request.selector:
            self._selector = self._request.selector
            self._ask_for_more()
            self._signal(Signal.SHORT_FORM_REFUSED)
            return
        self.reply = refusal
        self._signal(Signal.ABNORMAL)

    def _keep(self, address: str, data: bytes, more: bool) -> None:
        if not data:  # a piece of nothing: what should it be a part of?
            self._signal(Signal.OUT_OF_ORDER)
            return
        self._pieces.append(data)
        self._address = address  # the rest is this meter's, also when a wildcard was asked
        if not more:
            whole = b"".join(self._pieces)
            self.reply = ReadReply(address=address, di=self._request.di, data=whole)
            self._signal(Signal.REPLY)
        elif len(self._pieces) > self._pieces_max:
            self._signal(Signal.OUT_OF_ORDER)
        else:
            self._ask_for_more()
            self._signal(Signal.REPLY_MORE)

    def _ask_for_more(self) -> None:
        request = ReadFollowingRequest(
            address=self._address,
            di=self._request.di,
            sequence=next_sequence(self._sequence),
            selector=self._selector,
        )
        try:
            self._asking.ask(to_frame(request, self._edition))
        except LocalProtocolError:  # it never said who it is, so the rest cannot be asked of it
            self._signal(Signal.OUT_OF_ORDER)

    def _whole_anyway(self) -> bool:
        """Keep a first piece that is whole by its length; whether it was."""
        entry = self._items.by_di(self._request.di)
        if len(self._pieces) != 1 or entry is None:
            return False
        if not any(shape.is_whole(self._pieces[0]) for shape in entry.shapes):
            return False
        self.reply = ReadReply(
            address=self._address, di=self._request.di, data=self._pieces[0], has_following=True
        )
        self._signal(Signal.WHOLE_ANYWAY)
        return True
