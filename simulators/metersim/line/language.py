"""What a line has to know of a protocol: what its requests are, who is meant, and how an answer is said.

A line carries octets. Meters of several protocols may hang on it: each hears what its own protocol's
requests are and takes everything else for noise, as in a real pair of wires.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any, Protocol, runtime_checkable


class Wording(Protocol):
    """An answer as it goes onto the line, and the forms that faults give it."""

    def encode(self, preamble: int = 0) -> bytes:
        """The octets, behind ``preamble`` octets FEH."""

    def can_be(self, fault: str) -> bool:
        """Whether a fault (`metersim.line.faults.IN_PLACE`) makes sense for this answer."""

    def under_other_address(self, random: Random) -> bytes:
        """The same answer of another meter."""

    def with_other_identifier(self, random: Random) -> bytes:
        """An answer to another question."""

    def refused(self, random: Random, word: int | None = None) -> bytes:
        """A refusal in its place.

        Args:
            random: chooses the word where none is given.
            word: ERR of DL/T 645, DAR of DL/T 698.45.

        """

    def in_pieces(self, octets: int) -> Pieces | None:
        """The same answer in pieces that the client has to ask for; ``None`` where it is too short.

        Args:
            octets: in a piece, at most, 1 or more.

        """


class Pieces(Protocol):
    """An answer in pieces."""

    @property
    def first(self) -> Wording:
        """The piece that answers the question."""

    def next(self, request: Any) -> Wording | None:
        """The answer to a request for another piece; ``None`` when the request asks for something else."""

    @property
    def given(self) -> bool:
        """Whether the last piece was given."""


class Answer(Protocol):
    """What a meter says to one request."""

    @property
    def address(self) -> str:
        """The meter's own address."""

    @property
    def di(self) -> int | str | None:
        """What was asked for."""

    @property
    def values(self) -> Mapping[str, Decimal]:
        """Item to value, of what the octets carry."""

    @property
    def wording(self) -> Wording:
        """How it is said."""


class Ear(Protocol):
    """Finds requests in the octets of one connection."""

    def feed(self, octets: bytes) -> list[Any]:
        """Take octets in any pieces; whole frames come out. Never raises."""


class Language(Protocol):
    """One protocol on the line. Requests are its own frames, which nobody else looks into."""

    @property
    def has_end_octet(self) -> bool:
        """Whether each of its frames ends with `metersim.line.station.FRAME_END`."""

    def ear(self) -> Ear:
        """An ear for a new connection."""

    def echo(self, request: Any) -> bytes:
        """The octets of a request."""

    def asked(self, request: Any) -> str | None:
        """The address of the one meter that is asked; ``None`` where it may be several."""

    def names(self, request: Any) -> tuple[str, ...]:
        """What a request asks for, as rules name it: identifiers in hex digits, and item names.

        A block is ``x.*``. A request that cannot be read asks for nothing.
        """


class Speaker(Protocol):
    """A meter on the line."""

    @property
    def address(self) -> str:
        """12 digits."""

    @property
    def language(self) -> Language:
        """What it speaks; meters of one protocol have the same."""

    def value(self, item: str, at: datetime) -> Decimal | None:
        """What it shows for an item at a time; ``None`` when it has no such item."""

    def hears(self, request: Any) -> bool:
        """Whether a request of its language is for it."""

    def answer(self, request: Any, at: datetime) -> Answer | None:
        """What it says at ``at``; ``None`` when it is silent."""


@runtime_checkable
class Mortal(Protocol):
    """A meter with a memory that ends with its power."""

    @property
    def lives(self) -> int:
        """How often its memory began anew."""
