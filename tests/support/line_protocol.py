"""A reader of line protocol that shares nothing with the writer: one character after the other."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """One point as the text says it."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, str]
    time_s: int


def read_line(text: str) -> Line:
    """Take a line apart; the numbers of the fields stay text."""
    assert "\n" not in text
    head, fields, time = _split(text, " ")
    measurement, *tags = _split(head, ",")
    return Line(_plain(measurement), dict(map(_pair, tags)), dict(map(_pair, _split(fields, ","))), int(time))


def _pair(text: str) -> tuple[str, str]:
    key, value = _split(text, "=")
    return _plain(key), _plain(value)


def _split(text: str, separator: str) -> list[str]:
    """At each separator that has no backslash before it."""
    parts, escaped = [""], False
    for character in text:
        if character == separator and not escaped:
            parts.append("")
        else:
            parts[-1] += character
        escaped = character == "\\" and not escaped
    return parts


def _plain(text: str) -> str:
    plain, escaped = "", False
    for character in text:
        if escaped:
            assert character in ",= ", f"nothing to escape in {text!r}"
            plain, escaped = plain + character, False
        elif character == "\\":
            escaped = True
        else:
            assert character not in ",= ", f"unescaped {character!r} in {text!r}"
            plain += character
    assert not escaped
    return plain
