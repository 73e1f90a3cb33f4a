"""How many octets or elements there are: fixed, told by a field before, right in front, or to the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

from meterwire.errors import LocalProtocolError

MINUTES: Final = {1: 15, 2: 30, 3: 60, 254: 5, 255: 1}
"""What a density code of a curve means; 0 is "no data"."""


class Count(Protocol):
    """A number of octets or elements."""

    def read(self, octets: bytes, at: int, scope: dict[str, Any]) -> tuple[int, int]:
        """Octets that the count itself takes, and the number."""

    def build(self, given: int | None, scope: dict[str, Any], name: str) -> tuple[bytes, int]:
        """Octets of the count itself, and the number.

        Args:
            given: how many there are; ``None`` when the value does not tell.
            scope: what stands before.
            name: of the field, for errors.

        Raises:
            LocalProtocolError: there are others than the count can say.

        """

    @property
    def least(self) -> int:
        """The least number."""

    @property
    def to_the_end(self) -> bool:
        """As many as there are."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the same."""

    number: int
    to_the_end: bool = False

    def read(self, octets: bytes, at: int, scope: dict[str, Any]) -> tuple[int, int]:
        """The number."""
        del octets, at, scope
        return 0, self.number

    def build(self, given: int | None, scope: dict[str, Any], name: str) -> tuple[bytes, int]:
        """The number."""
        del given, scope, name
        return b"", self.number

    @property
    def least(self) -> int:
        """The number."""
        return self.number


@dataclass(frozen=True, slots=True)
class Told:
    """Told by a field before.

    Args:
        name: of that field.
        more: added to it: total and M tariffs are M + 1.
        minus: a field that is taken away, modulo 256: pointers of events.
        per_hour: the field is a density code, and the number that of its intervals in an hour.
        if_any: 1 when the field is not 0.

    """

    name: str
    more: int = 0
    minus: str = ""
    per_hour: bool = False
    if_any: bool = False
    to_the_end: bool = False
    least: int = 0

    def read(self, octets: bytes, at: int, scope: dict[str, Any]) -> tuple[int, int]:
        """The number, by what was read before."""
        del octets, at
        return 0, self._number(scope)

    def build(self, given: int | None, scope: dict[str, Any], name: str) -> tuple[bytes, int]:
        """The number, by what was built before."""
        number = self._number(scope)
        if given is not None and given != number:
            raise LocalProtocolError(f"{name}: {self.name} says {number}, there are {given}")
        return b"", number

    def _number(self, scope: dict[str, Any]) -> int:
        number: int = scope[self.name]
        if self.per_hour:
            return 60 // MINUTES[number] if number in MINUTES else 0
        if self.if_any:
            return int(number != 0)
        return (number - scope[self.minus]) % 256 if self.minus else number + self.more


@dataclass(frozen=True, slots=True)
class InFront:
    """Told by octets right in front, which are no field of their own."""

    octets: int = 1
    to_the_end: bool = False
    least: int = 0

    def read(self, octets: bytes, at: int, scope: dict[str, Any]) -> tuple[int, int]:
        """The number behind its octets; where they are missing, more than there can be."""
        del scope
        raw = octets[at : at + self.octets]
        return self.octets, int.from_bytes(raw, "little") if len(raw) == self.octets else len(octets) + 1

    def build(self, given: int | None, scope: dict[str, Any], name: str) -> tuple[bytes, int]:
        """The number and its octets."""
        del scope
        if given is None or given >= 1 << 8 * self.octets:
            raise LocalProtocolError(f"{name}: more than {(1 << 8 * self.octets) - 1}")
        return given.to_bytes(self.octets, "little"), given


@dataclass(frozen=True, slots=True)
class ToTheEnd:
    """All that is left."""

    to_the_end: bool = True
    least: int = 0

    def read(self, octets: bytes, at: int, scope: dict[str, Any]) -> tuple[int, int]:
        """What is left; of elements, as many as there can be."""
        del scope
        return 0, len(octets) - at

    def build(self, given: int | None, scope: dict[str, Any], name: str) -> tuple[bytes, int]:
        """As many as are given."""
        del scope
        if given is None:
            raise LocalProtocolError(f"{name}: octets are wanted")
        return b"", given
