"""Layouts as the dictionaries write them: loads ``records.csv`` and reads the ``format`` column.

- ``6.2`` or ``2.4|YYMMDDhhmm``: the fields of the row's ``name`` column, one format each;
- ``6.2[tariff]``: the same, repeated over the slot ``tariff`` as often as the length says;
- ``record:NAME``: the fields of a record; ``/`` separates what other makes send, told apart by length;
- ``open:NAME``: the fields of a record, and octets of unknown layout behind them; ``open``: only these;
- ``block:NAME``: the fields of a record, of which a meter may send the first ones only;
- ``freeze:NAME``, ``load:NAME``: the parts of a freeze block or a load record;
- ``security:DI``: the fields of a security frame, by ``security.csv``.

In ``records.csv`` a line is one or more fields of a record in order. A name ``+group.a`` takes in the
fields of another record with the dimension ``a`` added (``+group@start``: the period); ``*name``
repeats to the end of the data; ``name[tariff]`` is a part of a freeze block that repeats.
Source: spec sections 5 to 9.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import Final

from meterwire.dlt645.items import formats
from meterwire.dlt645.items.families import Field, Layout, Slot, Special, label
from meterwire.dlt645.items.freeze_block import FreezeBlock
from meterwire.dlt645.items.load_records import LoadRecords
from meterwire.dlt645.items.open_shapes import MixedBlock, OpenRecord
from meterwire.dlt645.items.overlays import signed_format
from meterwire.dlt645.items.security_shape import SecurityPayload
from meterwire.dlt645.items.shapes import Group
from meterwire.dlt645.items.tables import lines
from meterwire.dlt645.items.values import Shape
from meterwire.errors import LocalProtocolError

REPETITIONS_MAX = 256
"""Most repetitions of a group at the end of a record: points of a curve, holidays, periods."""
Quantities = frozenset[str]
"""Names without dimensions."""
_NONE: Quantities = frozenset()


@functools.cache
def slots() -> dict[str, Slot]:
    """The slots by name."""
    return {
        line["slot"]: Slot(
            name=line["slot"],
            digits=int(line["digits"]),
            low=int(line["low"], 16),
            high=int(line["high"], 16),
            block=line["block"] == "yes",
            writes=line["writes"],
        )
        for line in lines("slots.csv")
    }


def parse(names: str, text: str, signed: Quantities = _NONE) -> tuple[Layout | Special, ...]:
    """The layouts that a row's ``name`` and ``format`` columns write.

    Args:
        names: the ``name`` column.
        text: the ``format`` column.
        signed: quantities whose top bit is a sign wherever a record holds them.

    Raises:
        LocalProtocolError: an unknown format or record.

    """
    return tuple(_one(names, alternative, signed) for alternative in text.split("/"))


def record_fields(name: str, signed: Quantities = _NONE) -> tuple[Field, ...]:
    """The fields of a record that do not repeat.

    Args:
        name: of the record.
        signed: quantities whose top bit is a sign.

    Raises:
        LocalProtocolError: no such record.

    """
    return tuple(
        field
        for written, texts in _record(name, signed)
        if written[0] != "*"
        for field in _fields(written, texts, signed)
    )


def _one(names: str, text: str, signed: Quantities) -> Layout | Special:
    kind, _, name = text.partition(":")
    if kind == "record":
        unit = [_fields(written[1:], texts) for written, texts in _record(name, signed) if written[0] == "*"]
        repeated = tuple(field for fields in unit for field in fields)
        most = REPETITIONS_MAX if repeated else 0
        return Layout(head=record_fields(name, signed), unit=repeated, most=most)
    if kind in _SPECIAL:
        return functools.partial(_SPECIAL[kind], name, signed)
    inner, _, over = text.partition("[")
    fields = _fields(re.sub(r"@[^|]*", "", names), inner)  # the row itself adds its period
    if not over:
        return Layout(head=fields, own_names=True)
    slot = slots()[over.rstrip("]")]
    return Layout(unit=fields, over=slot, most=len(slot.range), own_names=True)


def _fields(names: str, texts: str, signed: Quantities = _NONE) -> tuple[Field, ...]:
    if names[0] == "+":
        return tuple(_included(names[1:], signed))
    written = names.split("|")
    found = [formats.parse(text) for text in texts.split("|")]
    if len(written) != len(found):
        raise LocalProtocolError(f"{names} has {len(written)} names and {len(found)} formats")
    return tuple(Field(name, format_) for name, format_ in zip(written, found, strict=True))


def _included(text: str, signed: Quantities) -> Iterator[Field]:
    name, _, period = text.partition("@")
    group, _, dimension = name.partition(".")
    for field in record_fields(group, signed):
        item, _, inner = field.name.partition("@")
        item = f"{item}.{dimension}" if dimension else item
        periods = "/".join(filter(None, [period, inner]))
        yield Field(f"{item}@{periods}" if periods else item, field.format)


def _record(name: str, signed: Quantities) -> list[tuple[str, str]]:
    try:
        found = _records()[name]
    except KeyError:
        raise LocalProtocolError(f"records.csv has no record {name!r}") from None
    return [(names, signed_format(names, texts, signed)) for names, texts in found] if signed else found


@functools.cache
def _records() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for line in lines("records.csv"):
        found.setdefault(line["record"], []).append((line["name"], line["format"]))
    return found


def _parts(name: str, signed: Quantities, period: str) -> Iterator[tuple[Group, ...]]:
    for written, texts in _record(name, signed):
        names, over = re.fullmatch(r"([^\[]+)(?:\[(\w+)\])?", written).groups()  # type: ignore[union-attr]
        fields = _fields(names, texts)
        slot = slots()[over] if over else None
        dimensions = [slot.written(one) for one in slot.range] if slot else [""]
        yield tuple(
            Group(
                tuple(label(field.name, dimension, period) for field in fields),
                tuple(field.format for field in fields),
            )
            for dimension in dimensions
        )


def _freeze_block(name: str, signed: Quantities, period: str) -> FreezeBlock:
    return FreezeBlock(tuple(_parts(name, signed, period)))


def _load_records(name: str, signed: Quantities, period: str) -> LoadRecords:
    time, *classes = (part[0] for part in _parts(name, signed, period))
    return LoadRecords(time, tuple(classes))


def _group(name: str, signed: Quantities, period: str) -> Group:
    fields = record_fields(name, signed) if name else ()
    labels = tuple(label(field.name, "", period) for field in fields)
    return Group(labels, tuple(field.format for field in fields))


def _open_record(name: str, signed: Quantities, period: str) -> OpenRecord:
    return OpenRecord(_group(name, signed, period), label("record_rest", "", period))


def _mixed_block(name: str, signed: Quantities, period: str) -> MixedBlock:
    return MixedBlock(_group(name, signed, period))


def _security_payload(di: str, _: Quantities, period: str) -> SecurityPayload:
    return SecurityPayload(int(di, 16), functools.partial(label, dimension="", period=period))


_SPECIAL: Final[dict[str, Callable[[str, Quantities, str], Shape]]] = {
    "freeze": _freeze_block,
    "load": _load_records,
    "open": _open_record,
    "block": _mixed_block,
    "security": _security_payload,
}
"""Layouts that are no row of fields.

Each takes the name behind the colon, the signed quantities, and the period of the identifier.
"""
