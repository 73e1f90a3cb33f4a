"""What a module (1376.2) begins by itself: reports (06), what to read (14), its run mode (03-F10).

Each comes as a message. Who keeps a report first and calls ``acknowledge`` then loses none, for the module
repeats one that is not confirmed; a request of AFN 14 is answered with ``answer``. A repeated report is told
again as it came: who keeps them drops doubles by sequence number, address and content. Whatever answers a
question of ours is handed on as whole frames. Source: spec sections A6, A8 and A13.
"""

from __future__ import annotations

from typing import Final

from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.gdw1376.functions import module
from meterwire.gdw1376.layouts.nodes import Values
from meterwire.gdw1376.link import module_frame as link
from meterwire.gdw1376.link.deframer import MODULE, Deframer
from meterwire.gdw1376.link.module_frame import Frame
from meterwire.gdw1376.messages.module import Message, answer, confirmation, from_frame
from meterwire.gdw1376.messages.secrets import SecretRanges, all_of, module_secret_ranges
from meterwire.primitives.ranges import Ranges

CALLS_MAX: Final = 64
"""Most calls that wait to be fetched; those beyond are dropped, and the module repeats its reports."""


class ModuleListener:
    """Concentrator's ear on the line to its module.

    Args:
        inner: which octets of a meter's frame are secret.

    Attributes:
        dropped: calls that came while ``CALLS_MAX`` others waited.
        frames: good frames so far, whatever became of them.

    """

    def __init__(self, *, inner: SecretRanges = all_of) -> None:
        self.dropped = self.frames = 0
        self._inner = inner
        self._deframer = Deframer(MODULE)
        self._due = bytearray()
        self._answers = bytearray()
        self._answered: list[Frame] = []
        self._calls: list[Message] = []

    def feed(self, octets: bytes) -> None:
        """Take octets from the line, in any pieces; never raises."""
        for span in self._deframer.feed(octets):
            try:
                frame = link.decode(span.octets)
            except RemoteProtocolError:
                continue
            self.frames += 1
            if not frame.from_module or not frame.started:
                self._answers += span.octets
                self._answered.append(frame)
            elif len(self._calls) < CALLS_MAX:
                self._calls.append(from_frame(frame))
            else:
                self.dropped += 1

    def calls(self) -> list[Message]:
        """What the module began since the last call."""
        calls, self._calls = self._calls, []
        return calls

    def acknowledge(self, call: Message) -> None:
        """A report has been kept: 00-F1 with its number comes due."""
        self._due += link.encode(confirmation(call.frame))

    def answer(self, call: Message, values: Values) -> None:
        """Answer a request of AFN 14 with the same function.

        Args:
            call: the request.
            values: by the field names of the function's layout.

        Raises:
            LocalProtocolError: the call is no request, or values do not fit.

        """
        if call.frame.afn != module.ROUTE_READ:
            raise LocalProtocolError(f"AFN {call.frame.afn:02X}H is confirmed, not answered")
        self._due += link.encode(answer(call.frame, call.frame.afn, call.frame.fn, values))

    def octets_to_send(self) -> bytes:
        """Confirmations and answers that have come due since the last call."""
        due, self._due = bytes(self._due), bytearray()
        return due

    def octets_for_exchange(self) -> bytes:
        """Whole frames, since the last call, that answer questions of ours."""
        answers, self._answers = bytes(self._answers), bytearray()
        self._answered.clear()
        return answers

    def frames_for_exchange(self) -> list[Frame]:
        """The same, taken apart: for who pairs several open requests himself; an echo may be among them."""
        answered, self._answered = self._answered, []
        self._answers.clear()
        return answered

    def secret_ranges(self, octets: bytes) -> Ranges:
        """Which octets, sent or taken, hold passwords, or may; never raises."""
        return module_secret_ranges(octets, self._inner)
