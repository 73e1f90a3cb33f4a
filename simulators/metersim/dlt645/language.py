"""DL/T 645 on a line: its frames, its addresses, and what faults make of an answer."""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple

from meterwire.dlt645 import BROADCAST, AbnormalReply, Deframer, Frame, encode, to_frame

_NEIGHBOUR_DI = (0x00030000, 0x00000300)  # forward <-> reverse energy, voltage a <-> b, and the like
_ERROR_WORDS = (b"\x01", b"\x02", b"\x04")


class Wording645(NamedTuple):
    """An answer.

    Args:
        frame: as the meter says it.

    """

    frame: Frame

    def encode(self, preamble: int = 0) -> bytes:
        """The octets."""
        return encode(self.frame, preamble=preamble)

    def can_be(self, fault: str) -> bool:
        """An address answer carries no identifier and has no refusal; a refusal carries no identifier."""
        is_read = self.frame.function == 0x11
        if fault == "other_identifier":
            return is_read and not self.frame.abnormal
        return is_read or fault != "abnormal"

    def under_other_address(self, random: Random) -> bytes:
        """The same answer of another meter."""
        other = (int(self.frame.address) + random.randint(1, 10**6)) % 10**12
        return encode(self.frame._replace(address=f"{other:012d}"))

    def with_other_identifier(self, random: Random) -> bytes:
        """An answer to another question."""
        data = self.frame.data
        di = int.from_bytes(data[:4], "little") ^ random.choice(_NEIGHBOUR_DI)
        return encode(self.frame._replace(data=di.to_bytes(4, "little") + data[4:]))

    def refused(self, random: Random) -> bytes:
        """A refusal in its place, D1."""
        word = random.choice(_ERROR_WORDS)
        address, function = self.frame.address, self.frame.function
        return encode(to_frame(AbnormalReply(address=address, function=function, error_word=word)))


class Language645:
    """DL/T 645, both editions; a request is a `Frame`."""

    def ear(self) -> Deframer:
        """An ear for a new connection."""
        return Deframer()

    def echo(self, request: Frame) -> bytes:
        """The octets of a request."""
        return encode(request)

    def asked(self, request: Frame) -> str | None:
        """The meter that is asked; none by itself with a wildcard or the broadcast address."""
        several = "A" in request.address or request.address == BROADCAST
        return None if several else request.address


DLT645: Final = Language645()
