"""The module's side of its serial line (1376.2), without I/O: requests answered, reports out until confirmed.

Who answers a request gives the answer, now or later (``answer``): a module reads for seconds, and others ask
meanwhile. A report is open until its confirmation or, of AFN 14, its answer comes with its number; ``repeat``
sends the open ones again. Source: spec sections A2, A8 and A13.
"""

from __future__ import annotations

from typing import Final

from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.gdw1376.functions import module
from meterwire.gdw1376.layouts.nodes import Values
from meterwire.gdw1376.link import module_frame as link
from meterwire.gdw1376.link.deframer import MODULE, Deframer
from meterwire.gdw1376.link.module_frame import Frame, UpInfo
from meterwire.gdw1376.link.unit_ids import dt_of
from meterwire.gdw1376.messages.module import Message, content, from_frame
from meterwire.gdw1376.messages.secrets import SecretRanges, all_of, module_secret_ranges
from meterwire.primitives.ranges import Ranges

SEQUENCES: Final = 256
OPEN_MAX: Final = 64
"""Most reports that are open, and most requests that wait to be fetched."""


class ModuleServer:
    """Module's side of its line.

    Args:
        mode: what carries the frames behind it, e.g. 3 = broadband.
        inner: which octets of a meter's frame are secret.

    Attributes:
        dropped: requests that came while ``OPEN_MAX`` others waited.

    """

    def __init__(self, *, mode: int = link.MODE_BROADBAND, inner: SecretRanges = all_of) -> None:
        self.dropped = 0
        self._mode = mode
        self._inner = inner
        self._deframer = Deframer(MODULE)
        self._due = bytearray()
        self._requests: list[Message] = []
        self._open: dict[int, Frame] = {}
        self._answered: list[Message] = []
        self._next = 0

    def feed(self, octets: bytes) -> None:
        """Take octets from the line, in any pieces; never raises for what they hold."""
        for span in self._deframer.feed(octets):
            try:
                frame = link.decode(span.octets)
            except RemoteProtocolError:
                continue
            if not frame.from_module:
                self._take(frame)

    def requests(self) -> list[Message]:
        """What the concentrator asked since the last call."""
        requests, self._requests = self._requests, []
        return requests

    def answers(self) -> list[Message]:
        """What the concentrator answered to requests of AFN 14, since the last call."""
        answered, self._answered = self._answered, []
        return answered

    def answer(self, frame: Frame) -> None:
        """An answer comes due.

        Raises:
            LocalProtocolError: a field of it is out of range.

        """
        self._due += link.encode(frame)

    def report(self, afn: int, fn: int, values: Values | None = None) -> int:
        """Begin an exchange: 06, 14, or 03-F10 after power-up; its number.

        Args:
            afn: application function code.
            fn: 1..248.
            values: by the field names of the function's layout.

        Raises:
            LocalProtocolError: values that do not fit, or ``OPEN_MAX`` reports are open.

        """
        if len(self._open) >= OPEN_MAX:
            raise LocalProtocolError(f"{OPEN_MAX} reports are open; confirm them or give them up first")
        data = content(afn, fn, values or {}, "up")
        frame = Frame(UpInfo(self._next), afn, dt_of((fn,)), data, started=True, mode=self._mode)
        self._due += link.encode(frame)
        number = self._next
        self._open[number] = frame
        self._next = (number + 1) % SEQUENCES
        return number

    @property
    def open_reports(self) -> int:
        """How many reports nobody has confirmed."""
        return len(self._open)

    def is_open(self, number: int) -> bool:
        """Whether nobody has confirmed, or answered, what began with that number."""
        return number in self._open

    def withdraw(self, number: int) -> None:
        """Forget one open exchange; an answer to it is nobody's then."""
        self._open.pop(number, None)

    def repeat(self) -> None:
        """Send the open reports again."""
        for frame in self._open.values():
            self._due += link.encode(frame)

    def give_up(self) -> None:
        """Forget the open reports, as after a reset."""
        self._open.clear()

    def octets_to_send(self) -> bytes:
        """Answers and reports that have come due since the last call."""
        due, self._due = bytes(self._due), bytearray()
        return due

    def secret_ranges(self, octets: bytes) -> Ranges:
        """Which octets, sent or taken, hold passwords, or may; never raises."""
        return module_secret_ranges(octets, self._inner)

    def _take(self, frame: Frame) -> None:
        """Real concentrators answer with PRM set, so that it tells nothing."""
        report = self._open.get(frame.info.sequence)
        if frame.afn == module.CONFIRM:
            self._open.pop(frame.info.sequence, None)
        elif report is not None and report.afn == frame.afn == module.ROUTE_READ:
            del self._open[frame.info.sequence]
            self._answered.append(from_frame(frame))
        elif len(self._requests) < OPEN_MAX:
            self._requests.append(from_frame(frame))
        else:
            self.dropped += 1
