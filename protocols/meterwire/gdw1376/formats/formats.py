"""The data formats by name: ``rows/formats.csv`` -> what decodes, encodes and writes a value.

A form ``sxx.xxxx`` shows sign, digits and point; that of a time its parts, lowest octet first.
Source: spec section B4.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from meterwire.errors import LocalProtocolError
from meterwire.gdw1376.formats.numbers import Group, Number, Power
from meterwire.gdw1376.formats.times import TimeFormat
from meterwire.primitives import bcd, tables


@dataclass(frozen=True, slots=True)
class Digits:
    """A.12: an address; letters A..F are kept, for broadcast and wildcards."""

    octets: int

    @property
    def form(self) -> str:
        """As ``formats.csv`` writes it."""
        return "x" * (2 * self.octets)

    def decode(self, octets: bytes) -> str:
        """The digits, highest first."""
        return bcd.digits(octets)

    def encode(self, value: str) -> bytes:
        """Octets of the digits.

        Raises:
            LocalProtocolError: another number of digits, or a character that is no digit.

        """
        raw = bcd.octets(value)
        if len(raw) != self.octets:
            raise LocalProtocolError(f"{value!r} has not {2 * self.octets} digits; pad it with leading 0")
        return raw

    def text(self, value: str) -> str:
        """The digits."""
        return value


Format = Number | Power | Group | TimeFormat | Digits


@functools.cache
def formats() -> Mapping[str, Format]:
    """Every format by its name: ``A1`` to ``A27``."""
    return {row["name"]: _format(row["kind"], row["form"]) for row in rows()}


@functools.cache
def rows() -> tuple[dict[str, str], ...]:
    """The lines of ``formats.csv``: name, kind, form, and the octets of a sample."""
    return tuple(tables.lines("meterwire.gdw1376.formats", "formats.csv"))


def _format(kind: str, form: str) -> Format:
    match kind:
        case "number":
            whole, _, decimals = form.removeprefix("s").partition(".")
            return Number(len(whole), len(decimals), form.startswith("s"))
        case "power":
            return Power()
        case "group":
            return Group()
        case "digits":
            return Digits(len(form) // 2)
        case "time":
            return TimeFormat(tuple(form.split()))
    raise LocalProtocolError(f"formats.csv: unknown kind {kind!r}")
