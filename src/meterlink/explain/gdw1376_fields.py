"""Fields of Q/GDW 1376 -> the parts of an explanation, and the terms of the conformance vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

from meterlink.explain.inner import inner_frames
from meterlink.explain.parts import NOTHING, Part, Text, same
from meterwire.gdw1376.functions.words import FieldWords, field_words
from meterwire.gdw1376.layouts.nodes import Field

PAYLOAD: Final = "payload"
_NO_VALUE: Final = Text("no value", "无数据")


def field_parts(fields: Iterable[Field], content: bytes, start: int) -> tuple[Part, ...]:
    """One part for each field.

    Args:
        fields: of one content.
        content: its octets.
        start: index of the first of them in the whole stream.

    """
    return tuple(_parts(fields, content, start))


def raw_part(octets: bytes, start: int, *, secret: bool) -> Part:
    """Octets that no layout tells."""
    return Part(start=start, octets=octets, name=Text("not decoded", "未解析"), secret=secret)


def inner_decoded(fields: Iterable[Field]) -> dict[str, Any]:
    """The meters' frames in a content, for machines; empty where there are none."""
    for field in fields:
        if field.name == PAYLOAD and (frames := inner_frames(field.value, 0).decoded):
            return {"inner": list(frames)}
    return {}


def _parts(fields: Iterable[Field], content: bytes, start: int) -> Iterator[Part]:
    """Fields of bits share their octets: they stand under one part."""
    for (first, end), sharing in groupby(fields, lambda field: (field.start, field.end)):
        parts = [_part(field, content, start, FieldWords(field.name, field.name)) for field in sharing]
        if len(parts) > 1 and end > first:
            octets = content[first:end]
            yield Part(start=start + first, octets=octets, name=Text("bits", "位"), parts=tuple(parts))
        else:
            yield from parts


def _part(field: Field, content: bytes, start: int, otherwise: FieldWords) -> Part:
    words = field_words().get(field.name, otherwise)
    octets = content[field.start : field.end]
    parts: tuple[Part, ...] = ()
    if field.name == PAYLOAD:
        parts = inner_frames(octets, start + field.start).parts
    elif field.parts and isinstance(field.value, dict):
        parts = tuple(_parts(field.parts, content, start))
    elif field.parts:
        parts = tuple(
            _part(one, content, start, FieldWords(f"[{number}]", f"[{number}]", words.unit))
            for number, one in enumerate(field.parts, 1)
        )
    unknown = field.name in {PAYLOAD, "raw"} and bool(octets) and not parts
    return Part(
        start=start + field.start,
        octets=octets,
        name=Text(words.en, words.zh),
        says=NOTHING if parts or unknown else _says(field, words.unit),
        secret=words.secret or unknown,
        parts=parts,
    )


def _says(field: Field, unit: str) -> Text:
    if field.shown is None:
        return _NO_VALUE
    if isinstance(field.shown, list):
        return same(", ".join(str(one) for one in field.shown))
    text = str(field.shown)
    return same(f"{text} {unit}" if unit else text)
