"""Hypothesis strategies for 698.45 values and APDUs, read from their declarations."""

from __future__ import annotations

import dataclasses
import functools
import struct
import types
import typing
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from hypothesis import strategies as st

from meterwire.dlt698.apdus.apdu import SERVICES
from meterwire.dlt698.apdus.link_management import LinkResult
from meterwire.dlt698.apdus.parts import Dar, Piid, RecordResult
from meterwire.dlt698.axdr.coding import Characters, Fixed, Number, OctetString, Text
from meterwire.dlt698.axdr.data import _HINTS
from meterwire.dlt698.axdr.selection import Oad, Rcsd, SidMac, Tsa
from meterwire.dlt698.axdr.syntax import OneOf, members
from meterwire.dlt698.axdr.values import NULL, BitString, Data

_SHORT = 4
_MORE_THAN_A_COUNT_OCTET = 130


def _number(form: str) -> st.SearchStrategy[Any]:
    if form == "?":
        return st.booleans()
    if form in "fd":
        return st.floats(width=32 if form == "f" else 64, allow_nan=False)
    bits = 8 * struct.calcsize(">" + form)
    least = 0 if form.isupper() else -(2 ** (bits - 1))
    return st.integers(least, least + 2**bits - 1)


_octets = st.binary(max_size=12) | st.binary(min_size=120, max_size=_MORE_THAN_A_COUNT_OCTET)
_ascii = st.text(st.characters(codec="ascii"), max_size=12)
_any_text = _ascii | st.binary(max_size=6).map(lambda raw: raw.decode("ascii", "surrogateescape"))


def _characters(size: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(codec="ascii"), min_size=size, max_size=size)


_MARKED: dict[type, Callable[[Any, Any], st.SearchStrategy[Any]]] = {
    Number: lambda mark, base: _number(mark.form).map(base),
    Fixed: lambda mark, _: st.binary(min_size=mark.size, max_size=mark.size),
    Characters: lambda mark, _: _characters(mark.size),
    OctetString: lambda _mark, _: _octets,
    Text: lambda mark, _: _any_text if mark.encoding == "ascii" else st.text(max_size=8),
    OneOf: lambda mark, _: st.one_of(*(of(hint) for hint in mark.alternatives.values())),
}


def of(hint: Any) -> st.SearchStrategy[Any]:
    """Values that a type hint declares; the same strategy for the same hint."""
    return _of(hint)


@functools.cache
def _of(hint: Any) -> st.SearchStrategy[Any]:
    by_hand = {
        Data: datas,
        Piid: st.integers(0, 255).map(Piid),
        Dar: st.integers(0, 255).map(Dar),
        Tsa: st.binary(max_size=17).map(Tsa),
        RecordResult: records(),
    }
    if hint in by_hand:
        return by_hand[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        mark = next(one for one in arguments[1:] if hasattr(one, "compile"))
        return _MARKED[type(mark)](mark, arguments[0])
    if origin is tuple:
        return st.lists(of(arguments[0]), max_size=_SHORT).map(tuple)
    if origin in (typing.Union, types.UnionType):
        return st.none() | of(next(one for one in arguments if one is not type(None)))
    assert isinstance(hint, type)
    assert dataclasses.is_dataclass(hint) or hasattr(hint, "_fields"), hint
    return st.builds(hint, **{name: of(member) for name, member in members(hint).items()})


def _bits(count: int) -> st.SearchStrategy[BitString]:
    size = (count + 7) // 8
    return st.binary(min_size=size, max_size=size).map(lambda octets: BitString(octets, count))


def _scalars() -> st.SearchStrategy[Data]:
    simple = {name: hint for name, hint in _HINTS.values() if name not in {"Region", "RSD", "MS"}}
    bits = st.integers(0, 40).flatmap(_bits).map(lambda value: Data("bit-string", value))
    sid_mac = (
        of(SidMac).filter(lambda value: value.id >> 16 != 0x5D06).map(lambda value: Data("SID_MAC", value))
    )
    typed = [of(hint).map(partial(Data, name)) for name, hint in simple.items()]
    return st.one_of(st.just(NULL), bits, sid_mac, *typed)


def _holders(inner: st.SearchStrategy[Data]) -> st.SearchStrategy[Data]:
    """Arrays and structures, uniform ones too: these are decoded in one stroke."""
    several = st.lists(inner, max_size=_SHORT).map(tuple)
    registers = st.lists(st.integers(0, 2**32 - 1), max_size=_MORE_THAN_A_COUNT_OCTET).map(
        lambda values: tuple(Data("double-long-unsigned", value) for value in values)
    )
    return st.one_of(
        several.map(lambda elements: Data("array", elements)),
        several.map(lambda elements: Data("structure", elements)),
        registers.map(lambda elements: Data("array", elements)),
    )


scalars: st.SearchStrategy[Data] = st.deferred(_scalars)
datas: st.SearchStrategy[Data] = st.recursive(scalars, _holders, max_leaves=8)


def _descriptors() -> st.SearchStrategy[Data]:
    hints = {name: hint for name, hint in _HINTS.values() if name in {"Region", "RSD", "MS"}}
    typed = [of(hint).map(partial(Data, name)) for name, hint in hints.items()]
    return st.one_of(*typed)


descriptors: st.SearchStrategy[Data] = st.deferred(_descriptors)
"""Types of Data that hold Data without being arrays or structures."""


@st.composite
def records(draw: st.DrawFn) -> RecordResult:
    """A record whose rows are as wide as its columns."""
    oad, rcsd = draw(of(Oad)), draw(of(Rcsd))
    if draw(st.booleans()) or not rcsd:
        return RecordResult(oad, rcsd, draw(st.just(()) if draw(st.booleans()) else of(Dar)))
    cells = st.lists(scalars, min_size=len(rcsd), max_size=len(rcsd)).map(tuple)
    return RecordResult(oad, rcsd, tuple(draw(st.lists(cells, max_size=3))))


BY_SERVICE: dict[str, st.SearchStrategy[Any]] = {cls.__name__: of(cls) for cls in SERVICES.values()}
"""Strategy of each service by the name of its class."""
apdus = st.sampled_from(sorted(BY_SERVICE)).flatmap(BY_SERVICE.__getitem__)


# --- values as devices send them: what the standard lists, nothing beyond --------------------------------

_bits_with_clean_end = st.text("01", max_size=40).map(BitString.of)
_single = st.binary(min_size=1, max_size=16).map(lambda raw: Tsa.of(raw.hex()))


def _careful_scalars() -> st.SearchStrategy[Data]:
    simple = {name: hint for name, hint in _HINTS.values() if name not in {"Region", "RSD", "MS"}}
    bits = _bits_with_clean_end.map(partial(Data, "bit-string"))
    typed = [careful(hint).map(partial(Data, name)) for name, hint in simple.items()]
    return st.one_of(st.just(NULL), bits, *typed)


@st.composite
def _careful_records(draw: st.DrawFn) -> RecordResult:
    oad, rcsd = draw(careful(Oad)), draw(careful(Rcsd))
    if draw(st.booleans()):
        return RecordResult(oad, rcsd, draw(careful(Dar)))
    cells = st.lists(careful_datas, min_size=len(rcsd), max_size=len(rcsd)).map(tuple)
    return RecordResult(oad, rcsd, tuple(draw(st.lists(cells, max_size=2))))


careful_datas: st.SearchStrategy[Data] = st.recursive(st.deferred(_careful_scalars), _holders, max_leaves=6)
_LISTED: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("Ti", "unit"): st.integers(0, 5),
    ("Comdcb", "baud"): st.integers(0, 10) | st.just(255),
    ("Comdcb", "parity"): st.integers(0, 2),
    ("Comdcb", "databits"): st.integers(5, 8),
    ("Comdcb", "stopbits"): st.integers(1, 2),
    ("Comdcb", "flow"): st.integers(0, 2),
    ("LinkRequest", "type"): st.integers(0, 2),
    ("LinkResponse", "result"): st.sampled_from([0, 1, 2, 3, 0x80, 0x83]).map(LinkResult),
    ("ConnectResponse", "result"): st.sampled_from([0, 1, 2, 3, 4, 5, 255]),
    ("ReleaseResponse", "result"): st.just(0),
    ("ClientErrorResponse", "error"): st.sampled_from([1, 2, 255]),
    ("ServerErrorResponse", "error"): st.sampled_from([1, 2, 255]),
    ("GetResponseMD5", "result"): st.binary(min_size=16, max_size=16) | st.integers(0, 255).map(Dar),
}


LIBERTIES = ("Data", "Piid", "Tsa", "RecordResult", "lists", "texts", "numbers")
"""Where a message can go beyond what the standard lists."""


@functools.cache
def careful(hint: Any, liberty: str = "") -> st.SearchStrategy[Any]:
    """As ``of``, of what the standard lists only; with one of ``LIBERTIES``, of anything there."""
    by_hand = {
        Data: careful_datas,
        Dar: of(Dar),
        Piid: st.integers(0, 63).map(Piid),
        Tsa: _single,
        RecordResult: _careful_records(),
    }
    if hint in by_hand:
        return of(hint) if hint.__name__ == liberty else by_hand[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        mark = next(one for one in arguments[1:] if hasattr(one, "compile"))
        return _careful_marked(hint, mark, liberty)
    if origin is tuple:
        least = 0 if liberty == "lists" else 1
        return st.lists(careful(arguments[0], liberty), min_size=least, max_size=_SHORT).map(tuple)
    if origin in (typing.Union, types.UnionType):
        return st.none() | careful(next(one for one in arguments if one is not type(None)), liberty)
    return _careful_members(hint, liberty)


def _careful_marked(hint: Any, mark: Any, liberty: str) -> st.SearchStrategy[Any]:
    if isinstance(mark, OneOf):
        return st.one_of(*(careful(one, liberty) for one in mark.alternatives.values()))
    return _ascii if mark == Text("ascii") and liberty != "texts" else of(hint)


def _careful_members(cls: Any, liberty: str) -> st.SearchStrategy[Any]:
    made = {}
    for name, hint in members(cls).items():
        key = (cls.__name__, name)
        listed = key in _LISTED and liberty != "numbers"
        made[name] = _LISTED[key] if listed else careful(hint, liberty)
    return st.builds(cls, **made)


CAREFUL: dict[str, st.SearchStrategy[Any]] = {cls.__name__: careful(cls) for cls in SERVICES.values()}
"""Strategy of each service, of what the standard lists."""


WITH_LIBERTY: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    cls.__name__: {liberty: careful(cls, liberty) for liberty in LIBERTIES} for cls in SERVICES.values()
}
"""Strategies of each service by the liberty that they take."""
