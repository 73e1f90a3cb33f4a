"""Routes that refuse what they would pass over: unknown query parameters, and truth values for numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Iterator
from decimal import Decimal
from math import isfinite
from typing import Annotated, Any, Final

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BeforeValidator, Field

from metersim.api.problems import is_json
from metersim.api.served import near_words

Place = tuple[str | int, ...]
_NAME_MAX: Final = 64
"""Longest name of a parameter that an answer repeats."""


def _as_text(value: object) -> object:
    """A number as people write it, with every digit that it came with and no exponent."""
    if isinstance(value, str):
        return value
    if not isinstance(value, int | float):
        raise ValueError("write a number or a text")
    if not isfinite(value):  # JSON of other people has 1e999, and Infinity
        raise ValueError("a number without end; write one in digits, as 1234.56")
    if len(text := format(Decimal(str(value)), "f")) > NUMBER_OR_TEXT_MAX:
        raise ValueError(f"a number of {len(text)} characters; at most {NUMBER_OR_TEXT_MAX} are taken")
    return text


NUMBER_OR_TEXT_MAX: Final = 128
"""Longest number or text, in characters."""
_Text = Annotated[str, Field(max_length=NUMBER_OR_TEXT_MAX)]
NumberOrText = Annotated[_Text, BeforeValidator(_as_text, json_schema_input_type=_Text | float)]
"""What an item shows: a number, also as a text that keeps its zeros, or another text."""


class StrictRoute(APIRoute):
    """A route that takes only what it names.

    A query parameter that is misspelt would be a filter that does not filter. Of a body no key takes a truth
    value, but to pydantic true is the number 1.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of FastAPI behind our checks."""
        handle = super().get_route_handler()
        known = tuple(_query_names(self.dependant))
        has_body = self.body_field is not None

        async def strict(request: Request) -> Response:
            faults = [*_query_faults(request, known)]
            if has_body and is_json(request.headers.get("content-type", "")):
                faults += _truth_values(_json(await request.body()))
            if faults:
                raise RequestValidationError(faults)
            return await handle(request)

        return strict


def _query_names(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        yield field.alias
    for part in dependant.dependencies:
        yield from _query_names(part)


def _query_faults(request: Request, known: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        loc = ("query", name[:_NAME_MAX])
        if name not in known:
            meant = "".join(f"; did you mean {near!r}?" for near in near_words(name, [*known])[:1])
            there = f"there are: {', '.join(known)}" if known else "this path takes none"
            yield {"type": "unknown_parameter", "loc": loc, "msg": f"unknown parameter{meant}; {there}"}
        elif name in seen:
            yield {"type": "repeated_parameter", "loc": loc, "msg": "stands there twice; write it once"}
        seen.add(name)


def _json(body: bytes) -> object:
    """A body as far as it is JSON; FastAPI says what is wrong with another one."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _truth_values(body: object) -> Iterator[dict[str, Any]]:
    left: list[tuple[Place, object]] = [(("body",), body)]
    while left:
        loc, value = left.pop()
        if isinstance(value, bool):
            yield {"type": "truth_value", "loc": loc, "msg": "a truth value is no number; no key takes one"}
        elif isinstance(value, dict):
            left += [((*loc, str(key)), each) for key, each in value.items()]
        elif isinstance(value, list):
            left += [((*loc, number), each) for number, each in enumerate(value)]
