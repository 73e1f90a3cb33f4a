"""What queries share: numbers as they are written, and that nothing is said twice."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator, Field

ROWS_MAX: Final = 5_000
"""Rows of a page."""
_DIGITS_MAX: Final = 6
_NAME_MAX: Final = 64
"""Longest name of a parameter that an answer repeats."""


def number_up_to(most: int) -> BeforeValidator:
    """Digits alone: ``1.0``, ``+1`` and ``1_0`` are numbers to some, and not to others."""

    def plain(value: object) -> object:
        if isinstance(value, str) and not (
            value.isascii() and value.isdecimal() and len(value) <= _DIGITS_MAX
        ):
            raise ValueError(f"write a whole number in digits, 1 to {most}")
        return value

    return BeforeValidator(plain)


Limit = Annotated[int, Field(ge=1, le=ROWS_MAX), number_up_to(ROWS_MAX)]


async def only_once(request: Request) -> None:
    """See that no parameter stands there twice: which one would count?

    Raises:
        RequestValidationError: one does.

    """
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name in seen:
            words = {"type": "repeated", "loc": ("query", name[:_NAME_MAX]), "msg": "stands there twice"}
            raise RequestValidationError([words])
        seen.add(name)
