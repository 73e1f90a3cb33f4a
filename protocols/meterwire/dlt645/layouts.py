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

from meterwire.dlt645 import formats
from meterwire.dlt645.families import Field, Layout, Slot, Special, label
from meterwire.dlt645.open_shapes import MixedBlock, OpenRecord
from meterwire.dlt645.security_shape import SecurityPayload
from meterwire.dlt645.shapes import Group
from meterwire.dlt645.special import FreezeBlock, LoadRecords
from meterwire.dlt645.tables import lines
from meterwire.dlt645.values import Shape
from meterwire.errors import LocalProtocolError

REPETITIONS_MAX = 256
"""Most repetitions of a group at the end of a record: points of a curve, holidays, periods."""


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


def parse(names: str, text: str) -> tuple[Layout | Special, ...]:
    """The layouts that a row's ``name`` and ``format`` columns write.

    Raises:
        LocalProtocolError: an unknown format or record.

    """
    return tuple(_one(names, alternative) for alternative in text.split("/"))


def record_fields(name: str) -> tuple[Field, ...]:
    """The fields of a record that do not repeat.

    Raises:
        LocalProtocolError: no such record.

    """
    return tuple(
        field for written, texts in _record(name) if written[0] != "*" for field in _fields(written, texts)
    )


def _one(names: str, text: str) -> Layout | Special:
    kind, _, name = text.partition(":")
    if kind == "record":
        unit = [_fields(written[1:], texts) for written, texts in _record(name) if written[0] == "*"]
        repeated = tuple(field for fields in unit for field in fields)
        return Layout(head=record_fields(name), unit=repeated, most=REPETITIONS_MAX if repeated else 0)
    if kind in _SPECIAL:
        return functools.partial(_SPECIAL[kind], name)
    inner, _, over = text.partition("[")
    fields = _fields(names, inner)
    if not over:
        return Layout(head=fields, own_names=True)
    slot = slots()[over.rstrip("]")]
    return Layout(unit=fields, over=slot, most=len(slot.range), own_names=True)


def _fields(names: str, texts: str) -> tuple[Field, ...]:
    if names[0] == "+":
        return tuple(_included(names[1:]))
    written = [
        name.partition("@")[0] if "|" not in names and name == names else name for name in names.split("|")
    ]
    found = [formats.parse(text) for text in texts.split("|")]
    if len(written) != len(found):
        raise LocalProtocolError(f"{names} has {len(written)} names and {len(found)} formats")
    return tuple(Field(name, format_) for name, format_ in zip(written, found, strict=True))


def _included(text: str) -> Iterator[Field]:
    name, _, period = text.partition("@")
    group, _, dimension = name.partition(".")
    for field in record_fields(group):
        item, _, inner = field.name.partition("@")
        item = f"{item}.{dimension}" if dimension else item
        periods = "/".join(filter(None, [period, inner]))
        yield Field(f"{item}@{periods}" if periods else item, field.format)


def _record(name: str) -> list[tuple[str, str]]:
    try:
        return _records()[name]
    except KeyError:
        raise LocalProtocolError(f"records.csv has no record {name!r}") from None


@functools.cache
def _records() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for line in lines("records.csv"):
        found.setdefault(line["record"], []).append((line["name"], line["format"]))
    return found


def _parts(name: str, period: str) -> Iterator[tuple[Group, ...]]:
    for written, texts in _record(name):
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


def _freeze_block(name: str, period: str) -> FreezeBlock:
    return FreezeBlock(tuple(_parts(name, period)))


def _load_records(name: str, period: str) -> LoadRecords:
    time, *classes = (part[0] for part in _parts(name, period))
    return LoadRecords(time, tuple(classes))


def _group(name: str, period: str) -> Group:
    fields = record_fields(name) if name else ()
    labels = tuple(label(field.name, "", period) for field in fields)
    return Group(labels, tuple(field.format for field in fields))


def _open_record(name: str, period: str) -> OpenRecord:
    return OpenRecord(_group(name, period), label("record_rest", "", period))


def _mixed_block(name: str, period: str) -> MixedBlock:
    return MixedBlock(_group(name, period))


def _security_payload(di: str, period: str) -> SecurityPayload:
    return SecurityPayload(int(di, 16), functools.partial(label, dimension="", period=period))


_SPECIAL: Final[dict[str, Callable[[str, str], Shape]]] = {
    "freeze": _freeze_block,
    "load": _load_records,
    "open": _open_record,
    "block": _mixed_block,
    "security": _security_payload,
}
"""Layouts that are no row of fields; each takes the name behind the colon and the identifier's period."""
