"""A database in memory that keeps InfluxDB's rules: for simulated time, where there are no servers.

A point is known by measurement, tags and time; writing it again overwrites its fields. A field keeps the type
of its first value; a line that breaks this, or cannot be read, is refused with the server's kind of words
while the good lines around it are stored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from meterlink.errors import SinkAway, SinkRefused

Key = tuple[str, tuple[tuple[str, str], ...], int]
"""Measurement, tags in order, seconds."""
Value = float | int

_PIECE = r"(?:[^,= ]|(?<=\\)[,= ])"
_LINE = re.compile(
    rf"(?P<measurement>(?:[^, ]|(?<=\\)[, ])+)(?P<tags>(?:,{_PIECE}+={_PIECE}+)*)"
    rf" (?P<fields>{_PIECE}+=[^, ]+(?:,{_PIECE}+=[^, ]+)*) (?P<time>-?\d+)"
)
_ESCAPED = re.compile(r"\\([,= ])")


class MemorySink:
    """Points in a dictionary.

    Attributes:
        points: fields by key.
        writes: calls of ``write`` that stored something.
        away: why it takes nothing, while it does not; empty: it does.

    """

    def __init__(self) -> None:
        self.points: dict[Key, dict[str, Value]] = {}
        self.writes = 0
        self.away = ""
        self._types: dict[tuple[str, str], type] = {}

    async def write(self, lines: Sequence[str]) -> None:
        """See ``PointSink.write``."""
        if self.away:
            raise SinkAway(self.away)
        refusals = [words for line in lines if (words := self._store(line))]
        if len(refusals) < len(lines):
            self.writes += 1
        if refusals:
            words = f"partial write: {refusals[0]} dropped={len(refusals)}"
            raise SinkRefused(f"the database refuses points: {words}", words=words)

    async def aclose(self) -> None:
        """See ``PointSink.aclose``."""

    def _store(self, line: str) -> str:
        """Store one line; why not, if not."""
        found = _LINE.fullmatch(line)
        if not found:
            return f"unable to parse '{line}'"
        measurement = _plain(found["measurement"])
        tags = tuple(sorted(_pairs(found["tags"][1:])))
        fields = {}
        for name, text in _pairs(found["fields"]):
            try:
                fields[name] = int(text[:-1]) if text.endswith("i") else float(text)
            except ValueError:
                return f"unable to parse '{line}': invalid number"
            kept = self._types.setdefault((measurement, name), type(fields[name]))
            if kept is not type(fields[name]):
                return f'field type conflict: input field "{name}" on measurement "{measurement}"'
        self.points.setdefault((measurement, tags, int(found["time"])), {}).update(fields)
        return ""


def _pairs(text: str) -> list[tuple[str, str]]:
    """``a=b,c=d`` taken apart at what is not escaped."""
    pairs = [re.split(r"(?<!\\)=", piece, maxsplit=1) for piece in re.split(r"(?<!\\),", text) if piece]
    return [(_plain(key), _plain(value)) for key, value in pairs]


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)
