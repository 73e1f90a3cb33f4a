"""How single values are coded: numbers, octets and texts, each a marker for a type hint.

A marker compiles to a ``Syntax``; what is made of several values is the affair of ``syntax``.
Source: spec section 2.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from meterwire.dlt698.axdr.lengths import read_length, write_length
from meterwire.errors import LocalProtocolError

Decode = Callable[[bytes, int, int], tuple[Any, int]]
"""(octets, at, depth) -> (value, index after it)."""
Encode = Callable[[Any, int], bytes]
"""(value, depth) -> octets."""
Walk = Callable[[bytes, int, str], "Span"]
"""(octets, at, name) -> span; only over octets that ``decode`` took."""


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """Some octets and what they say.

    Args:
        name: the field; ``count``, ``choice`` and ``present`` for what A-XDR adds.
        start: index of the first octet.
        end: index after the last.
        value: what they decode to.
        parts: the spans within, without gaps.
        secret: a password, key, MAC or cipher block.

    """

    name: str
    start: int
    end: int
    value: Any = dataclasses.field(repr=False)
    parts: tuple[Span, ...] = ()
    secret: bool = False


class Syntax(NamedTuple):
    """A compiled declaration; ``form`` is its struct format where the layout is fixed."""

    decode: Decode
    encode: Encode
    walk: Walk
    form: str = ""


class Secret:
    """Marks a member that is never shown."""


SECRET: Final = Secret()


class PassedOn:
    """Marks a frame for, or from, a port, or a digest: texts only tell how long it is."""


PASSED_ON: Final = PassedOn()


def leaf(decode: Decode, encode: Encode, form: str = "") -> Syntax:
    """A syntax without inner parts."""

    def walk(octets: bytes, at: int, name: str) -> Span:
        value, end = decode(octets, at, 0)
        return Span(name, at, end, value)

    return Syntax(decode, encode, walk, form)


@dataclasses.dataclass(frozen=True, slots=True)
class Number:
    """A big-endian number of a struct format, or an octet that becomes a value of the annotated class."""

    form: str

    def compile(self, base: Any) -> Syntax:
        """``int``, ``float`` and ``bool`` stay; any other class is made once for each octet value."""
        packer = struct.Struct(">" + self.form)
        unpack, size = packer.unpack_from, packer.size

        def decode(octets: bytes, at: int, _depth: int) -> tuple[Any, int]:
            return unpack(octets, at)[0], at + size

        def encode(value: Any, _depth: int) -> bytes:
            return packer.pack(value)

        if base in (int, float, bool):
            return leaf(decode, encode, self.form)
        every = tuple(map(base, range(256)))

        def decode_octet(octets: bytes, at: int, _depth: int) -> tuple[Any, int]:
            return every[octets[at]], at + 1

        return leaf(decode_octet, encode)


@dataclasses.dataclass(frozen=True, slots=True)
class Fixed:
    """So many octets, without a length."""

    size: int

    def compile(self, _base: Any) -> Syntax:
        """To and from ``bytes``."""
        size = self.size

        def decode(octets: bytes, at: int, _depth: int) -> tuple[bytes, int]:
            end = at + size
            if end > len(octets):
                raise IndexError
            return octets[at:end], end

        def encode(value: bytes, _depth: int) -> bytes:
            if len(value) != size:
                raise LocalProtocolError(f"{len(value)} octets where {size} stand")
            return bytes(value)

        return leaf(decode, encode)


@dataclasses.dataclass(frozen=True, slots=True)
class OctetString:
    """A length, then octets; a class other than ``bytes`` is made from them and gives them as ``raw``."""

    def compile(self, base: Any) -> Syntax:
        """To and from ``bytes`` or the class."""

        def decode(octets: bytes, at: int, _depth: int) -> tuple[Any, int]:
            length, start = read_length(octets, at)
            end = start + length
            if end > len(octets):
                raise IndexError
            return octets[start:end], end

        def encode(value: bytes, _depth: int) -> bytes:
            return write_length(len(value)) + value

        if base is bytes:
            return leaf(decode, encode)

        def decode_class(octets: bytes, at: int, depth: int) -> tuple[Any, int]:
            raw, end = decode(octets, at, depth)
            return base(raw), end

        def encode_class(value: Any, depth: int) -> bytes:
            return encode(value.raw, depth)

        return leaf(decode_class, encode_class)


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """A length, then characters; octets that are no such characters survive a round trip."""

    encoding: str

    def compile(self, _base: Any) -> Syntax:
        """To and from ``str``."""
        raw = OctetString().compile(bytes)
        encoding = self.encoding

        def decode(octets: bytes, at: int, depth: int) -> tuple[str, int]:
            value, end = raw.decode(octets, at, depth)
            return value.decode(encoding, "surrogateescape"), end

        def encode(value: str, depth: int) -> bytes:
            return raw.encode(value.encode(encoding, "surrogateescape"), depth)

        return leaf(decode, encode)


@dataclasses.dataclass(frozen=True, slots=True)
class Characters:
    """So many characters, without a length; octets that are no ASCII survive a round trip."""

    size: int

    def compile(self, _base: Any) -> Syntax:
        """To and from ``str``."""
        raw = Fixed(self.size).compile(bytes)

        def decode(octets: bytes, at: int, depth: int) -> tuple[str, int]:
            value, end = raw.decode(octets, at, depth)
            return value.decode("ascii", "surrogateescape"), end

        def encode(value: str, depth: int) -> bytes:
            return raw.encode(value.encode("ascii", "surrogateescape"), depth)

        return leaf(decode, encode)
