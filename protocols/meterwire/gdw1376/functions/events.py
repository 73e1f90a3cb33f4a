"""Events (ERC) of 1376.1: ``ERC, Le, content`` one after the other, each content by ``rows/events.csv``.

Le counts the octets behind it. What a content holds beyond its layout, and all of one without a layout (36
and up are makers' own) or cut short, stays ``raw``. Source: spec section B3, 0E.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from meterwire.errors import LocalProtocolError
from meterwire.gdw1376.functions.tables import lines, records
from meterwire.gdw1376.layouts.nodes import CutShort, Field, Node, Values, wanted
from meterwire.gdw1376.layouts.notation import Layout, parse

_HEAD_OCTETS: Final = 2
_CONTENT_OCTETS_MAX: Final = 255


class EventKind(NamedTuple):
    """One ERC.

    Args:
        layout: of its content.
        told: every field has a name in the conformance vectors.
        en: English words.
        zh: Chinese words.

    """

    layout: Layout
    told: bool
    en: str
    zh: str


@functools.cache
def event_kinds() -> dict[int, EventKind]:
    """Every known kind of event by its ERC."""
    return {
        int(line["erc"]): EventKind(
            parse(line["layout"], records()), line["keys"] == "yes", line["en"], line["zh"]
        )
        for line in lines("events.csv")
    }


@dataclass(frozen=True, slots=True)
class EventList(Node):
    """The events between two pointers, ``pn_ptr - pm`` modulo 256."""

    def read(self, octets: bytes, at: int, scope: dict[str, Any]) -> list[Field]:
        """One field that holds the events."""
        begin, found = at, []
        for _ in range((scope["pn_ptr"] - scope["pm"]) % 256):
            if len(octets) < at + _HEAD_OCTETS:
                raise CutShort
            end = at + _HEAD_OCTETS + octets[at + 1]
            if len(octets) < end:
                raise CutShort
            found.append(_event(octets, at, end))
            at = end
        value = [event.value for event in found]
        return [Field("events", begin, at, value, [event.shown for event in found], tuple(found))]

    def build(self, values: Values, scope: dict[str, Any]) -> bytes:
        """Octets of the events; their number is that between the pointers."""
        events = wanted(values, "events")
        if not isinstance(events, list | tuple) or len(events) != (scope["pn_ptr"] - scope["pm"]) % 256:
            raise LocalProtocolError("events: as many are wanted as pn_ptr - pm says, modulo 256")
        return b"".join(_built(event) for event in events)

    @property
    def least(self) -> int:
        """There may be none."""
        return 0

    @property
    def names(self) -> tuple[str, ...]:
        """The list."""
        return ("events",)


def _event(octets: bytes, at: int, end: int) -> Field:
    erc, content = octets[at], octets[at + _HEAD_OCTETS : end]
    kind = event_kinds().get(erc)
    fields = kind.layout.read(content) if kind else None
    fields = [] if fields is None else fields
    read = fields[-1].end if fields else 0
    moved = [_moved(field, at + _HEAD_OCTETS) for field in fields]
    parts = [Field("erc", at, at + 1, erc, erc), *moved]
    if read < len(content):
        rest = content[read:]
        parts.append(Field("raw", end - len(rest), end, rest, rest.hex()))
    value = {part.name: part.value for part in parts}
    shown = {part.name: part.shown for part in parts}
    if kind is not None and not kind.told:
        shown.setdefault("raw", content.hex())
    return Field("", at, end, value, shown, tuple(parts))


def _moved(field: Field, by: int) -> Field:
    parts = tuple(_moved(part, by) for part in field.parts)
    return field._replace(start=field.start + by, end=field.end + by, parts=parts)


def _built(event: Any) -> bytes:
    if not isinstance(event, Mapping):
        raise LocalProtocolError("events: an event with its erc is wanted")
    erc = wanted(event, "erc")
    if not isinstance(erc, int) or not 0 <= erc <= 0xFF:
        raise LocalProtocolError(f"erc: {erc!r} is not a number from 0 to 255")
    values = {name: value for name, value in event.items() if name != "erc"}
    kind = event_kinds().get(erc)
    own_raw = kind is not None and any("raw" in node.names for node in kind.layout.alternatives[0])
    rest = b"" if own_raw else values.pop("raw", b"")
    if not isinstance(rest, bytes):
        raise LocalProtocolError("raw: octets are wanted")
    content = kind.layout.build(values) + rest if kind and values else rest
    if len(content) > _CONTENT_OCTETS_MAX:
        raise LocalProtocolError(f"an event has {len(content)} octets, the limit is {_CONTENT_OCTETS_MAX}")
    return bytes((erc, len(content))) + content
