"""Spans of a 698.45 APDU -> the parts of an explanation, with names, units and times."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from meterlink.explain.dlt698_objects import item_words, measured
from meterlink.explain.dlt698_plain import ENVELOPES_MAX
from meterlink.explain.dlt698_values import choice_says, meant, says_of, typed_says
from meterlink.explain.dlt698_words import FIELDS, SERVICES
from meterlink.explain.parts import NOTHING, Part, Text, same
from meterwire.dlt645.messages.secrets import secret_ranges as secret_ranges_645
from meterwire.dlt698.apdus import parts as wire
from meterwire.dlt698.apdus.apdu import walk_apdu
from meterwire.dlt698.apdus.enumerations import bits_of
from meterwire.dlt698.apdus.link_management import LinkResult
from meterwire.dlt698.apdus.secrets import secret_spans
from meterwire.dlt698.apdus.security import PlainUnit
from meterwire.dlt698.axdr import selection, values
from meterwire.dlt698.axdr.coding import Span
from meterwire.dlt698.objects.item_values import ItemValue
from meterwire.errors import RemoteProtocolError

_Descriptor = selection.Oad | selection.Omd
_WHOLE: Final = (
    selection.Oad, selection.Omd, selection.Ti, selection.ScalerUnit, selection.Comdcb,
    values.DateTimeS, values.DateTime, values.Date, values.Time,
)  # fmt: skip
"""Values that are told in one line."""
_COLUMN: Final = re.compile("[0-9A-F]{8}").fullmatch
"""A cell of a record is named by its column."""
_ROAD_COLUMNS: Final = re.compile("[0-9A-F]{8}").findall
_CODES: Final = {
    ("ConnectResponse", "result"): "connect_result",
    ("LinkRequest", "type"): "link_type",
    ("LinkResponse", "result"): "link_result",
    ("ServerErrorResponse", "error"): "error_type",
    ("ClientErrorResponse", "error"): "error_type",
}
"""Members of a service that are codes, and of which enumeration."""
_LINES_MAX: Final = 5_000
"""Most lines of one APDU; what is behind them is not split up."""


def apdu_parts(octets: bytes, base: int, depth: int = 0) -> tuple[Part, ...]:
    """The fields of an APDU.

    Args:
        octets: one that ``decode_apdu`` takes.
        base: index of its first octet in the whole stream.
        depth: how many envelopes it stands in; what it holds itself is opened while they are fewer than 4.

    """
    return _Maker(octets, base, depth).parts()


class _Maker:
    """Makes the parts of one APDU."""

    def __init__(self, octets: bytes, base: int, depth: int) -> None:
        self._octets = octets
        self._base = base
        self._depth = depth
        self._secrets = secret_spans(octets, secret_ranges_645)
        self._service = ""
        self._lines = 0
        self._items: dict[int, ItemValue] = {}

    def parts(self) -> tuple[Part, ...]:
        """One part for each member."""
        span = walk_apdu(self._octets)
        self._service = span.name
        service = SERVICES.get(self._octets[: span.parts[0].end].hex(" ").upper(), NOTHING)
        head = self._part(span.parts[0], None, says=service)
        return (head, *(self._part(part, None) for part in span.parts[1:]))

    def _find_items(self, span: Span, of: _Descriptor) -> None:
        """Remember which items the scalars of a value are, by where they begin."""
        for scalar, item in zip(_scalars(span), measured(of, span.value), strict=True):
            if item is not None:
                self._items[scalar.start] = item

    def _part(self, span: Span, of: _Descriptor | None, *, says: Text | None = None) -> Part:
        self._lines += 1
        of = self._object_of(span, of)
        if isinstance(span.value, values.Data) and of is not None:
            self._find_items(span, of)
            of = None
        inner = () if self._lines > _LINES_MAX else tuple(self._inner(span, of))
        return Part(
            start=self._base + span.start,
            octets=self._octets[span.start : span.end],
            name=_name(span.name),
            says=self._says(span) if says is None else says,
            secret=self._is_secret(span, leaf=not inner),
            parts=inner,
        )

    def _is_secret(self, span: Span, *, leaf: bool) -> bool:
        """A part that lies in a secret, or one that is not split up and touches it."""
        if leaf:
            return any(start < span.end and span.start < end for start, end in self._secrets)
        return any(start <= span.start and span.end <= end for start, end in self._secrets)

    @staticmethod
    def _object_of(span: Span, of: _Descriptor | None) -> _Descriptor | None:
        """The attribute or method that a value belongs to: of the item around it, or of its column."""
        if isinstance(span.value, wire.AttributeResult | wire.SetItem | wire.SetThenGetItem):
            return span.value.oad
        if isinstance(span.value, wire.ActionItem | wire.ActionThenGetItem):
            return span.value.omd
        if isinstance(span.value, values.Data) and _COLUMN(span.name):
            return selection.Oad.of(span.name)
        return of

    def _inner(self, span: Span, of: _Descriptor | None) -> Iterator[Part]:
        if isinstance(span.value, PlainUnit):
            yield from self._envelope(span)
        elif isinstance(span.value, values.Data) and span.value.type not in {"array", "structure"}:
            return
        elif not isinstance(span.value, _WHOLE):
            for part in _named_by_columns(span):
                if part.end > part.start:
                    says = None if part.parts else choice_says(span.value, part.name, part.value)
                    yield self._part(part, of, says=says)

    def _envelope(self, span: Span) -> Iterator[Part]:
        """Choice, length, and the APDU within."""
        payload = span.value.octets
        first = span.end - len(payload)
        yield self._part(span.parts[0], None, says=choice_says(span.value, "choice", span.parts[0].value))
        inner: tuple[Part, ...] = ()
        if self._depth < ENVELOPES_MAX:
            with suppress(RemoteProtocolError):
                inner = apdu_parts(payload, self._base + first, self._depth + 1)
        yield Part(
            start=self._base + span.parts[0].end,
            octets=self._octets[span.parts[0].end : span.end],
            name=Text("APDU", "应用层协议数据单元"),
            says=Text(f"{len(payload)} octets", f"{len(payload)} 字节"),
            secret=not inner,
            parts=inner,
        )

    def _says(self, span: Span) -> Text:
        value, name = span.value, span.name
        code = _CODES.get((self._service, name))
        if code is not None and not span.parts:
            return _link_result_says(value) if isinstance(value, LinkResult) else meant(code, value)
        if name in _BY_NAME:
            return _BY_NAME[name](value)
        if isinstance(value, values.Data):
            return _data_says(value, self._items.get(span.start))
        if value is None:
            return Text("none", "无") if span.end - span.start == 1 else NOTHING
        return says_of(value, name) if isinstance(value, _WHOLE) or not span.parts else NOTHING


def _name(name: str) -> Text:
    if name in FIELDS:
        return FIELDS[name]
    columns = _ROAD_COLUMNS(name)
    if not columns:
        return same(name)
    first, *others = map(selection.Oad.of, columns)
    return says_of(first if _COLUMN(name) else selection.Road(first, tuple(others)))


def _named_by_columns(span: Span) -> Iterator[Span]:
    """The parts; the elements of a nested record's cell under the columns that they are."""
    columns = iter(_ROAD_COLUMNS(span.name.partition("(")[2]) if isinstance(span.value, values.Data) else ())
    for part in span.parts:
        column = next(columns, None) if isinstance(part.value, values.Data) else None
        yield part if column is None else replace(part, name=column)


def _scalars(span: Span) -> Iterator[Span]:
    """The spans of the scalars in a Data, in order."""
    if isinstance(span.value, values.Data) and span.value.type not in {"array", "structure"}:
        yield span
        return
    for part in span.parts:
        if isinstance(part.value, values.Data) and part.name not in {"type", "count"}:
            yield from _scalars(part)


def _data_says(data: values.Data, item: ItemValue | None) -> Text:
    told = typed_says(data)
    if data.type in {"array", "structure"}:
        return told
    words = NOTHING if item is None else item_words(item)
    return Text(f"{data.type} {told.en}".rstrip() + words.en, f"{data.type} {told.zh}".rstrip() + words.zh)


def _link_result_says(result: LinkResult) -> Text:
    told = meant("link_result", result.code)
    trusted = (
        Text("clock trusted", "时钟可信") if result.clock_trusted else Text("clock not trusted", "时钟不可信")
    )
    return Text(f"{told.en}, {trusted.en}", f"{told.zh}，{trusted.zh}")


def _bits(name: str, octets: bytes) -> Text:
    found = bits_of(name, octets)
    return Text(", ".join(bit.en for bit in found), "，".join(bit.zh for bit in found))


_BY_NAME: Final[dict[str, Callable[[Any], Text]]] = {
    "present": lambda value: Text("yes", "有") if value else Text("no", "无"),
    "protocol_conformance": partial(_bits, "protocol_conformance"),
    "function_conformance": partial(_bits, "function_conformance"),
}
