"""The tables of what a plant file may say, out of its JSON Schema."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from metersim.plant.schema import schema


@cache
def _parts() -> dict[str, Any]:
    found = schema()
    return {"Plant": found, **found["$defs"]}


def keys(name: str) -> str:
    """The keys of one class with their defaults and what they are.

    Args:
        name: of the class, e.g. ``MeterRow``.

    """
    part = _parts()[name]
    required = part.get("required", ())
    rows = [
        f"| `{key}` | {_default(key, value, required)} | {value['description']} |\n"
        for key, value in part["properties"].items()
    ]
    return "".join(["| key | default | what it is |\n", "| --- | --- | --- |\n", *rows])


def _default(key: str, value: dict[str, Any], required: tuple[str, ...]) -> str:
    if key in required:
        return "required"
    default = value.get("default")
    if default is None or default == "" or isinstance(default, list | dict):
        return ""
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"
