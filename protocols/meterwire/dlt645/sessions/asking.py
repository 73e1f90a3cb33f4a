"""The requester's end of the wire, which all sessions share: a request out once, frames that may answer in.

What can be told of an answer from its header alone is told here: a meter sent it, with the function and from
the address that were asked, and it began after the request had been taken. An answer to an earlier request
that is on its way at that moment is cut off with it. Source: DL/T 645-2007, 5.2; spec section 1.4.
"""

from __future__ import annotations

from meterwire.dlt645.link import frame as link
from meterwire.dlt645.link.deframer import Deframer
from meterwire.dlt645.link.functions import READS, Edition
from meterwire.dlt645.messages.secrets import secret_ranges
from meterwire.primitives.ranges import Ranges


class Asking:
    """One request after the other, and what the line brings meanwhile.

    Args:
        request: the first one.
        preamble: FEH octets before each, 0 to 16.
        edition: whose function codes.

    Attributes:
        request: the one whose turn it is.

    """

    __slots__ = ("_deframer", "_edition", "_octets", "_preamble", "request")

    def __init__(self, request: link.Frame, preamble: int, edition: Edition) -> None:
        """Build the first request.

        Raises:
            LocalProtocolError: it cannot be built.

        """
        self._preamble = preamble
        self._edition: Edition = edition
        self._deframer = Deframer()
        self.request = request
        self._octets = link.encode(request, preamble=preamble)

    def ask(self, request: link.Frame) -> None:
        """Make this the request whose turn it is.

        Raises:
            LocalProtocolError: it cannot be built.

        """
        self._octets = link.encode(request, preamble=self._preamble)
        self.request = request

    def take(self) -> bytes:
        """The request's octets, once; what the line began to say before is no answer to it."""
        octets, self._octets = self._octets, b""
        if octets:
            self._deframer.clear()
        return octets

    def frames(self, octets: bytes) -> list[link.Frame]:
        """The frames that are now complete, whoever sent them."""
        return self._deframer.feed(octets)

    def may_answer(self, frame: link.Frame) -> bool:
        """Whether sender, function and address are those that were asked.

        Each A of the address stands for any digit; in 1997 meters also answer the broadcast. A meter may
        answer with the address as it was asked, A and all.
        """
        asked = self.request
        if not frame.from_meter or frame.function != asked.function:
            return False
        if frame.address == asked.address or (
            self._edition == "dlt645-1997" and asked.address == link.BROADCAST
        ):
            return True
        return "A" in asked.address and all(
            mine in {"A", its} for mine, its in zip(asked.address, frame.address, strict=True)
        )

    def secret_ranges(self, octets: bytes) -> Ranges:
        """Which octets of one turn hold passwords, keys or cipher, or may; never raises.

        Args:
            octets: a request, or all that was received before the next one.

        """
        reading = self.request if self.request.function in READS else None
        return secret_ranges(octets, self._edition, reading=reading)
