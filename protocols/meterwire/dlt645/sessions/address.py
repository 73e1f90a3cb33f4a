"""Who is there? One question to a line of which little is known, without I/O.

Any normal or abnormal answer to the question shows a meter: its header carries the address, or the data does
where a meter repeats the wildcard in the header (some of 1997 do). Octets that make no such frame are
counted: they tell a wrong rate, wrong parity or several meters from silence.
Source: spec sections 1.4, 2.2 (13H) and 9.1.
"""

from __future__ import annotations

from collections.abc import Iterator

from meterwire.dlt645.link import frame as link
from meterwire.dlt645.link.functions import DI_OCTETS, READS, Edition
from meterwire.dlt645.messages.address_and_baud import ReadAddressRequest
from meterwire.dlt645.messages.messages import ReadRequest, to_frame
from meterwire.dlt645.sessions.asking import Asking
from meterwire.primitives import bcd
from meterwire.primitives.ranges import Ranges

_ADDRESS_DI = {"dlt645-2007": 0x04000401, "dlt645-1997": 0xC032}
_ENERGY_DI = {"dlt645-2007": 0x00010000, "dlt645-1997": 0x9010}

Question = ReadAddressRequest | ReadRequest


def questions(edition: Edition, address: str = "") -> Iterator[Question]:
    """What to ask, the likeliest first.

    Args:
        edition: of the meter that may be there.
        address: 12 digits where it is known; else the only meter of the line is asked.

    """
    if address:
        yield ReadRequest(address=address, di=_ENERGY_DI[edition])
    elif edition == "dlt645-2007":
        yield ReadAddressRequest()
        yield ReadRequest(address=link.WILDCARD, di=_ADDRESS_DI[edition])
    else:
        yield ReadRequest(address=link.BROADCAST, di=_ADDRESS_DI[edition])
        yield ReadRequest(address=link.WILDCARD, di=_ADDRESS_DI[edition])


class AddressSession:
    """Requester's side of one question.

    Args:
        question: from ``questions``.
        edition: whose function codes.
        preamble: FEH octets before the request, 0 to 16.

    Attributes:
        address: of the meter that answered; empty while none has.
        heard: octets that came, whatever they were.

    """

    def __init__(self, question: Question, *, edition: Edition, preamble: int = 4) -> None:
        self.address = ""
        self.heard = 0
        self._edition: Edition = edition
        self._asking = Asking(to_frame(question, edition), preamble, edition)
        self._finished = False

    @property
    def finished(self) -> bool:
        """Whether nothing more will be sent or taken."""
        return self._finished

    def octets_to_send(self) -> bytes:
        """The request, once."""
        return self._asking.take()

    def feed(self, octets: bytes) -> None:
        """Take octets from the line, in any pieces; never raises."""
        self.heard += len(octets)
        for frame in self._asking.frames(octets):
            if not self._finished and self._asking.may_answer(frame):
                self._take(frame)

    def expire(self) -> None:
        """The caller's deadline passed."""
        self._finished = True

    def secret_ranges(self, octets: bytes) -> Ranges:
        """See ``Asking.secret_ranges``."""
        return self._asking.secret_ranges(octets)

    def _take(self, frame: link.Frame) -> None:
        own = frame.address.isdecimal() and frame.address != link.BROADCAST
        address = frame.address if own else self._address_in(frame)
        if address.isdecimal():
            self.address = address
            self._finished = True

    def _address_in(self, frame: link.Frame) -> str:
        """The address that the data names; empty when it names none."""
        skipped = DI_OCTETS[self._edition] if frame.function in READS else 0
        data = frame.data[skipped:]
        return bcd.digits(data) if len(data) == 6 and not frame.abnormal else ""
