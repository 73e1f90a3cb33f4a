"""Decimal numbers as people write them: with the digits 0 to 9 alone."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator

_NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?").fullmatch


def number_of(text: str) -> Decimal:
    """The number that a text says.

    Args:
        text: digits 0 to 9, with a sign, a point and an exponent where there are, of three digits at most:
            with longer ones sums overflow. ``Decimal`` alone would take the digits of every script.

    Raises:
        ValueError: it is none.

    """
    if not _NUMBER(text.strip(" ")):
        raise ValueError(f"{text[:40]!r}: write a number in the digits 0 to 9, as 0.5")
    return Decimal(text.strip(" "))


def _read(value: object) -> object:
    return number_of(value) if isinstance(value, str) else value


Number = Annotated[Decimal, BeforeValidator(_read)]
"""A decimal field of a file or a body."""
