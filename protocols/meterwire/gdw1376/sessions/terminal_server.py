"""The terminal's side of a connection (1376.1), without I/O: calls and reports out, requests answered.

What it begins carries its own number, 0 to 15 in turn, and wants a confirmation; the last one is open until
``confirmed`` says how it ended. Who answers a request gives the units of each frame of the answer; the
numbers of several frames grow by one, FIR and FIN say which is which. An answer that takes its time comes
through ``reply``. Nobody answers a group, nor what says that no answer is wanted. A request that cannot be
taken apart is denied.
Source: spec sections B1 to B3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.gdw1376.functions import terminal
from meterwire.gdw1376.link import terminal_frame as link
from meterwire.gdw1376.link.auxiliary import NO_AUXILIARY, Auxiliary
from meterwire.gdw1376.link.deframer import TERMINAL, Deframer
from meterwire.gdw1376.link.terminal_frame import BROADCAST, Address, Frame
from meterwire.gdw1376.messages.secrets import SecretRanges, all_of, terminal_secret_ranges
from meterwire.gdw1376.messages.terminal import (
    LINK_TEST,
    SEND,
    Group,
    Message,
    answer,
    confirmation,
    encode,
    from_frame,
    unit,
)
from meterwire.gdw1376.sessions.terminal_exchange import FRAMES_MAX, SEQUENCES
from meterwire.gdw1376.sessions.terminal_listener import HEARTBEAT, LOGIN, LOGOUT
from meterwire.primitives.ranges import Ranges

Answers = Sequence[Sequence[Group]]
"""The units of each frame of an answer; no frame: all is denied."""


class Manners(NamedTuple):
    """What one make does otherwise than most.

    Args:
        call_function: function code of its calls: 9, or 4 of one make.
        keeps_master: its calls carry the number of the master that spoke last, and not 0.
        single_first: an answer of one frame has FIR; one make leaves it out.

    """

    call_function: int = LINK_TEST
    keeps_master: bool = False
    single_first: bool = True


USUAL: Final = Manners()
_CALLS: Final = frozenset({LOGIN, LOGOUT, HEARTBEAT})


class TerminalServer:
    """Terminal's side of one connection.

    Args:
        address: its own.
        answers: the units of the answer to a request, frame by frame; of AFN 00 to confirm a command.
            ``None``: the answer will come through ``reply``.
        inner: which octets of a forwarded frame are secret.
        protocol_id: generation of what it begins, 1 or 2.
        manners: what it does otherwise than most.

    Attributes:
        event_counts: EC1 and EC2 that answers carry, with ACD; ``None``: no event waits.
        confirmed: how the last call or report ended; ``None`` while it is open.

    """

    def __init__(
        self,
        address: Address,
        answers: Callable[[Message], Answers | None],
        *,
        inner: SecretRanges = all_of,
        protocol_id: int = link.ID_2009,
        manners: Manners = USUAL,
    ) -> None:
        self.event_counts: tuple[int, int] | None = None
        self.confirmed: bool | None = None
        self._address = address
        self._answers = answers
        self._inner = inner
        self._protocol_id = protocol_id
        self._manners = manners
        self._master = 0
        self._deframer = Deframer(TERMINAL)
        self._due = bytearray()
        self._next = 0
        self._open: int | None = None

    def call(self, fn: int) -> None:
        """Log in, beat or log out.

        Args:
            fn: ``LOGIN``, ``HEARTBEAT`` or ``LOGOUT``.

        Raises:
            LocalProtocolError: none of these.

        """
        if fn not in _CALLS:
            raise LocalProtocolError(f"F{fn} of AFN 02 is neither login, logout nor heartbeat")
        master = self._master if self._manners.keeps_master else 0
        calling = [unit(terminal.LINK, fn, way="up")]
        self._begin(terminal.LINK, self._manners.call_function, calling, master=master)

    def report(self, afn: int, groups: Iterable[Group]) -> None:
        """Report events or data.

        Args:
            afn: 0C, 0D or 0E.
            groups: what is reported.

        Raises:
            LocalProtocolError: more than fits into one frame.

        """
        self._begin(afn, SEND, groups)

    def reply(self, message: Message, frames: Answers) -> None:
        """Answer a request.

        Args:
            message: the request.
            frames: the units of each frame of the answer; none: all is denied.

        Raises:
            LocalProtocolError: more units than fit into one frame.

        """
        if _wants_no_answer(message.head):
            return
        if not 0 < len(frames) <= FRAMES_MAX:
            self._deny(message.head)
            return
        auxiliary = self._auxiliary(message.auxiliary)
        for number, groups in enumerate(frames):
            afn = message.head.afn if _is_data(groups) else terminal.CONFIRM
            final = number == len(frames) - 1
            first = number == 0 and (self._manners.single_first or not final)
            one = answer(message.head, groups, afn=afn, auxiliary=auxiliary, first=first, final=final)
            sequence = (message.head.sequence + number) % SEQUENCES
            self._due += encode(one._replace(head=one.head._replace(sequence=sequence)))

    def feed(self, octets: bytes) -> None:
        """Take octets from the connection, in any pieces; never raises for what they hold."""
        for span in self._deframer.feed(octets):
            try:
                frame = link.decode(span.octets, wide=self._address.is_wide)
            except RemoteProtocolError:
                continue
            if not frame.from_terminal and self._is_ours(frame.address):
                self._take(frame)

    def octets_to_send(self) -> bytes:
        """Calls, reports and answers that have come due since the last call."""
        due, self._due = bytes(self._due), bytearray()
        return due

    def secret_ranges(self, octets: bytes) -> Ranges:
        """Which octets, sent or taken, hold passwords, or may; never raises."""
        return terminal_secret_ranges(octets, self._inner, wide=self._address.is_wide)

    def _begin(self, afn: int, function: int, groups: Iterable[Group], *, master: int = 0) -> None:
        head = Frame(
            address=self._address._replace(master=master),
            afn=afn,
            from_terminal=True,
            started=True,
            function=function,
            confirm=True,
            sequence=self._next,
            protocol_id=self._protocol_id,
        )
        self._due += encode(Message(head, tuple(groups)))
        self._open, self.confirmed = self._next, None
        self._next = (self._next + 1) % SEQUENCES

    def _is_ours(self, address: Address) -> bool:
        everybody = address.group and address.terminal == BROADCAST
        return everybody or address.same_terminal(self._address)

    def _take(self, frame: Frame) -> None:
        try:
            message = from_frame(frame)
        except RemoteProtocolError:
            self._deny(frame)
            return
        if frame.afn == terminal.CONFIRM:
            if frame.sequence == self._open:
                self._open, self.confirmed = None, message.is_confirmation
        else:
            self._answer(message)

    def _answer(self, message: Message) -> None:
        self._master = message.address.master
        frames = self._answers(message)
        if frames is not None:
            self.reply(message, frames)

    def _auxiliary(self, asked: Auxiliary) -> Auxiliary:
        """Tp is copied, EC is ours."""
        return NO_AUXILIARY._replace(event_counts=self.event_counts, time_tag=asked.time_tag)

    def _deny(self, frame: Frame) -> None:
        if not _wants_no_answer(frame):
            self._due += encode(confirmation(frame, denied=True))


def _is_data(groups: Sequence[Group]) -> bool:
    """Whether the units are of the AFN asked, and not of AFN 00."""
    known = [one.function for group in groups for one in group.units]
    return not any(function is not None and function.afn == terminal.CONFIRM for function in known)


def _wants_no_answer(frame: Frame) -> bool:
    return frame.address.group or (frame.started and frame.function == SEND)
