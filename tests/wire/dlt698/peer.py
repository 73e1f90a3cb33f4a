"""PyPI ``dlt698`` (another implementation, C++) as a witness: its APDUs and ours, flattened to numbers.

A message becomes the row of its values in the order of the wire, without names, lengths and selectors:
octets and texts one number each octet, dates as their octets, Data as its tag and its value. The same row
on both sides says that both read the same values; that both write the same octets is tested besides.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from dlt698 import codec
from dlt698.errors import Dlt698Error

from meterwire.dlt698.apdus.security import CipherUnit, PlainUnit, SecurityRequest, SecurityResponse
from meterwire.dlt698.axdr.data import TAGS
from meterwire.dlt698.axdr.syntax import syntax_of
from meterwire.dlt698.axdr.values import BitString, Data, Date, DateTime, DateTimeS, Time

Refusal = (Dlt698Error, ValueError)
_NOT_ON_THE_WIRE = {
    "list", "choice", "ErrorResponse.server", "encrypted",
}  # fmt: skip
_SECURITY = {0x10, 0x90}


def decode(octets: bytes) -> Any:
    """Its message."""
    return (codec.decode_security if octets[0] in _SECURITY else codec.decode_apdu)(octets)


def encode(message: Any, octets: bytes) -> bytes:
    """Its octets of a message that it decoded from ``octets``."""
    return bytes((codec.encode_security if octets[0] in _SECURITY else codec.encode_apdu)(message))


def its_row(value: Any) -> list[Any]:
    """The values of its message."""
    return list(_its(value))


def _its(value: Any) -> Iterator[Any]:
    if value is None or isinstance(value, int | float):
        yield value
    elif isinstance(value, bytes | str):
        yield from value.encode() if isinstance(value, str) else value
    elif isinstance(value, list):
        for one in value:
            yield from _its(one)
    elif type(value).__name__ == "Data":
        yield int(value.type)
        yield from () if value.value is None else _its(value.value)
    elif hasattr(value, "__members__"):
        yield int(value)
    else:
        for name in _members(type(value)):
            if not _absent(value, name):
                yield from _its(getattr(value, name))


def _absent(message: Any, name: str) -> bool:
    """Members of a class that serves two kinds of APDU, in the kind that has none."""
    kind = type(message).__name__
    if kind == "ProxyRequest":
        return name == "timeout_seconds" and type(message.payload).__name__ == "ProxyTransRequest"
    return kind == "ErrorResponse" and name == "follow_report" and not message.server


def _members(cls: type) -> list[str]:
    names = [name for name, member in vars(cls).items() if isinstance(member, property)]
    if "follow_report" in names:  # it stands before the time tag
        names = [name for name in names if name != "time_tag"] + ["time_tag"]
    dropped = set(_NOT_ON_THE_WIRE)
    if cls.__name__.endswith("ResultTarget"):
        dropped.add("timeout_seconds")
    return [name for name in names if not {name, f"{cls.__name__}.{name}"} & dropped]


def our_row(value: Any) -> list[Any]:
    """The values of our message."""
    return list(_ours(value))


def _ours(value: Any) -> Iterator[Any]:
    if value is None or isinstance(value, int | float):
        yield value if value is None or isinstance(value, bool | float) else int(value)
    elif isinstance(value, str):
        yield from value.encode("ascii", "surrogateescape") if value.isascii() else value.encode()
    elif isinstance(value, bytes):
        yield from value
    elif isinstance(value, DateTime | DateTimeS | Date | Time):
        yield from syntax_of(type(value)).encode(value, 0)  # type: ignore[arg-type]
    elif isinstance(value, Data):
        yield TAGS[value.type]
        yield from () if value.value is None else _ours(value.value)
    elif isinstance(value, BitString):
        yield value.bits
        yield from value.octets
    elif isinstance(value, SecurityRequest | SecurityResponse):
        unit = value.unit
        yield from unit.octets if isinstance(unit, PlainUnit | CipherUnit) else (int(unit),)
        yield from _ours(value.verify)
    elif isinstance(value, tuple):
        for one in value:
            yield from _ours(one)
    else:
        for field in dataclasses.fields(value):
            yield from _ours(getattr(value, field.name))
