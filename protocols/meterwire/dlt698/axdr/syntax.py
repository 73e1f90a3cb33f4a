"""Type declarations -> codecs: a class with annotated fields is its own A-XDR declaration.

``syntax_of`` compiles a type hint, once, into three closures that cannot disagree, because each walks
the same members: ``decode`` (octets to value), ``encode`` (back) and ``walk`` (octets to spans, for
explanations and for the masking of secrets). What a hint means:

==============================  =====================================================================
``Annotated[int, NUMBER]``      a marker of this module says how the value is coded
a NamedTuple, a dataclass       SEQUENCE: its fields in order, without tags
``tuple[T, ...]``               SEQUENCE OF: a count, then the elements
``T | None``                    OPTIONAL: 00, or 01 and the value
``Annotated[A | B, OneOf()]``   CHOICE: a selector octet, then the alternative
``Annotated[T, ..., SECRET]``   the octets of this member are never shown
==============================  =====================================================================

A decoder may run over the end of the octets (IndexError, struct.error); ``decoded`` turns that into
the one error that callers see. Source: DL/T 698.45-2017, 7.2 and annex A; spec section 2.
"""

from __future__ import annotations

import dataclasses
import struct
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from operator import attrgetter, methodcaller
from typing import Annotated, Any, Final

from meterwire.dlt698.axdr.coding import SECRET, Decode, Encode, Span, Syntax, Walk
from meterwire.dlt698.axdr.lengths import APDU_OCTETS_MAX, broken, read_count, write_count
from meterwire.errors import Evidence, LocalProtocolError, RemoteProtocolError


class OneOf:
    """CHOICE: the alternatives by selector, in the order of the annotated union or as given.

    Args:
        alternatives: selector to type hint. When encoding, the class of the value tells the alternative.

    """

    def __init__(self, alternatives: dict[int, Any], name: str = "choice") -> None:
        self.alternatives = alternatives
        self.name = name

    def compile(self, _base: Any) -> Syntax:
        """A selector octet before the alternative."""
        name = self.name
        syntaxes = {selector: syntax_of(hint) for selector, hint in self.alternatives.items()}
        decoders = {selector: syntax.decode for selector, syntax in syntaxes.items()}
        encoders = {
            _class_of(hint): (bytes((selector,)), syntaxes[selector].encode)
            for selector, hint in self.alternatives.items()
        }

        def decode(octets: bytes, at: int, depth: int) -> tuple[Any, int]:
            decoder = decoders.get(octets[at])
            if decoder is None:
                raise broken(f"{octets[at]} is no {name}", "choice", at)
            return decoder(octets, at + 1, depth)

        def encode(value: Any, depth: int) -> bytes:
            selector, encoder = encoders[type(value)]
            return selector + encoder(value, depth)

        def walk(octets: bytes, at: int, name: str) -> Span:
            inner = syntaxes[octets[at]].walk(octets, at + 1, name)
            selector = Span("choice", at, at + 1, octets[at])
            parts = (selector, *(inner.parts or (inner,)))
            return Span(name, at, inner.end, inner.value, parts, inner.secret)

        return Syntax(decode, encode, walk)


def _class_of(hint: Any) -> Any:
    origin = typing.get_origin(hint)
    return _class_of(typing.get_args(hint)[0]) if origin is Annotated else origin or hint


# --- compiling -------------------------------------------------------------------------------------

_BY_HAND: Final[dict[Any, Syntax]] = {}


def declare(cls: type, syntax: Syntax) -> None:
    """Give a class whose octets no hint can describe (``Data``, the rows of a record) its syntax."""
    _BY_HAND[cls] = syntax


@cache
def syntax_of(hint: Any) -> Syntax:
    """The codec of a type hint, compiled at the first call.

    Raises:
        TypeError: the hint declares nothing; a fault of the declaration.

    """
    if hint in _BY_HAND:
        return _BY_HAND[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:])
    if origin is tuple and arguments[1:] == (...,):
        return sequence_of(syntax_of(arguments[0]))
    if origin in (typing.Union, types.UnionType) and len(arguments) == 2 and type(None) in arguments:
        return optional(syntax_of(next(one for one in arguments if one is not type(None))))
    if isinstance(hint, type) and (dataclasses.is_dataclass(hint) or hasattr(hint, "_fields")):
        return sequence(hint)
    raise TypeError(f"{hint!r} declares no syntax")


def _annotated(base: Any, marks: tuple[Any, ...]) -> Syntax:
    coded = next((mark for mark in marks if hasattr(mark, "compile")), None)
    syntax = coded.compile(base) if coded is not None else syntax_of(base)
    return _hidden(syntax) if SECRET in marks else syntax


def _hidden(syntax: Syntax) -> Syntax:
    def walk(octets: bytes, at: int, name: str) -> Span:
        return dataclasses.replace(syntax.walk(octets, at, name), secret=True)

    return syntax._replace(walk=walk, form="")


@cache
def members(cls: Any) -> Mapping[str, Any]:
    """The declared members of a class and their hints, in order; hints are slow to work out."""
    names = cls._fields if hasattr(cls, "_fields") else tuple(one.name for one in dataclasses.fields(cls))
    hints = typing.get_type_hints(cls, include_extras=True)
    return types.MappingProxyType({name: hints[name] for name in names})


def sequence(cls: Any) -> Syntax:
    """SEQUENCE: the members of a class one after the other, without tags."""
    syntaxes = {name: syntax_of(hint) for name, hint in members(cls).items()}
    make, values_of = _maker(cls, tuple(syntaxes)), _values_of(cls, tuple(syntaxes))
    decoders = tuple(syntax.decode for syntax in syntaxes.values())
    encoders = tuple(syntax.encode for syntax in syntaxes.values())

    def decode(octets: bytes, at: int, depth: int) -> tuple[Any, int]:
        values = []
        for decoder in decoders:
            value, at = decoder(octets, at, depth)
            values.append(value)
        return make(values), at

    def encode(value: Any, depth: int) -> bytes:
        pairs = zip(encoders, values_of(value), strict=True)
        return b"".join([encoder(one, depth) for encoder, one in pairs])

    def walk(octets: bytes, at: int, name: str) -> Span:
        parts: list[Span] = []
        for member, syntax in syntaxes.items():
            parts.append(syntax.walk(octets, parts[-1].end if parts else at, member))
        end = parts[-1].end if parts else at
        return Span(name, at, end, make([part.value for part in parts]), tuple(parts))

    if syntaxes and all(syntax.form for syntax in syntaxes.values()):
        return _packed(make, values_of, "".join(syntax.form for syntax in syntaxes.values()), walk)
    return Syntax(decode, encode, walk)


def _packed(make: Any, values_of: Any, form: str, walk: Walk) -> Syntax:
    """A sequence of numbers in one stroke."""
    packer = struct.Struct(">" + form)
    unpack, pack, size = packer.unpack_from, packer.pack, packer.size

    def decode(octets: bytes, at: int, _depth: int) -> tuple[Any, int]:
        return make(unpack(octets, at)), at + size

    def encode(value: Any, _depth: int) -> bytes:
        return pack(*values_of(value))

    return Syntax(decode, encode, walk)


def _maker(cls: Any, names: tuple[str, ...]) -> Callable[[Sequence[Any]], Any]:
    if issubclass(cls, tuple):
        return partial(tuple.__new__, cls)
    # A frozen dataclass guards assignment, not its slots: this takes half the time of its __init__.
    setters = tuple(getattr(cls, name).__set__ for name in names)

    def make(values: Sequence[Any]) -> Any:
        made = object.__new__(cls)
        for setter, value in zip(setters, values, strict=True):
            setter(made, value)
        return made

    return make


def _values_of(cls: Any, names: tuple[str, ...]) -> Callable[[Any], Sequence[Any]]:
    if issubclass(cls, tuple):
        return methodcaller("__getitem__", slice(None))
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: [getattr(value, name) for name in names]


def sequence_of(item: Syntax) -> Syntax:
    """SEQUENCE OF: a count, then as many elements."""
    decode_item, encode_item = item.decode, item.encode

    def decode(octets: bytes, at: int, depth: int) -> tuple[tuple[Any, ...], int]:
        count, at = read_count(octets, at)
        values = []
        for _ in range(count):
            value, at = decode_item(octets, at, depth)
            values.append(value)
        return tuple(values), at

    def encode(values: Sequence[Any], depth: int) -> bytes:
        return write_count(values) + b"".join([encode_item(value, depth) for value in values])

    def walk(octets: bytes, at: int, name: str) -> Span:
        count, end = read_count(octets, at)
        parts = [Span("count", at, end, count)]
        for number in range(1, count + 1):
            parts.append(item.walk(octets, parts[-1].end, f"{number}"))
        return Span(name, at, parts[-1].end, tuple(part.value for part in parts[1:]), tuple(parts))

    return Syntax(decode, encode, walk)


def optional(item: Syntax) -> Syntax:
    """OPTIONAL: 00, or 01 and the value."""
    decode_item, encode_item = item.decode, item.encode

    def decode(octets: bytes, at: int, depth: int) -> tuple[Any, int]:
        flag = octets[at]
        if flag == 0:
            return None, at + 1
        if flag != 1:
            raise broken(f"{flag:02X}H says neither absent (00H) nor present (01H)", "optional", at)
        return decode_item(octets, at + 1, depth)

    def encode(value: Any, depth: int) -> bytes:
        return b"\x00" if value is None else b"\x01" + encode_item(value, depth)

    def walk(octets: bytes, at: int, name: str) -> Span:
        present = Span("present", at, at + 1, octets[at])
        if octets[at] == 0:
            return Span(name, at, at + 1, None)
        inner = item.walk(octets, at + 1, name)
        parts = (present, *(inner.parts or (inner,)))
        return Span(name, at, inner.end, inner.value, parts, inner.secret)

    return Syntax(decode, encode, walk)


# --- the two doors -----------------------------------------------------------------------------------


def decoded(decode: Decode, octets: bytes, at: int = 0) -> Any:
    """Decode octets that hold one value and nothing behind it.

    Raises:
        RemoteProtocolError: they do not; its ``offset`` says where.

    """
    if len(octets) > APDU_OCTETS_MAX:
        sentence = f"{len(octets)} octets are more than an APDU can have"
        raise RemoteProtocolError(sentence, kind="limit", octets=octets, offset=APDU_OCTETS_MAX)
    try:
        value, end = decode(octets, at, 0)
    except (IndexError, struct.error):
        sentence = "the octets end inside a value"
        raise RemoteProtocolError(sentence, kind="truncated", octets=octets, offset=len(octets)) from None
    except RemoteProtocolError as error:
        error.octets = Evidence(octets)
        raise
    if end != len(octets):
        sentence = f"{len(octets) - end} octets follow the end"
        raise RemoteProtocolError(sentence, kind="trailing", octets=octets, offset=end)
    return value


def encoded(encode: Encode, value: Any) -> bytes:
    """Encode a value.

    Raises:
        LocalProtocolError: it does not fit its declaration. The text names its class only, since it may
            hold secrets.

    """
    try:
        octets = encode(value, 0)
    except (struct.error, TypeError, ValueError, KeyError, AttributeError, IndexError, OverflowError):
        name = type(value).__name__
        raise LocalProtocolError(f"{name} holds a value that does not fit its declaration") from None
    if len(octets) > APDU_OCTETS_MAX:
        raise LocalProtocolError(f"{len(octets)} octets are more than an APDU can have")
    return octets


def leaves(span: Span) -> Iterator[Span]:
    """The spans without parts, in order."""
    if not span.parts:
        yield span
    for part in span.parts:
        yield from leaves(part)
