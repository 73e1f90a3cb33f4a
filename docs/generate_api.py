"""The tables of the simulator's REST API, from its OpenAPI."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from metersim.api.app import bare_application
from metersim.api.problems import KINDS

_OF_SCENARIOS = ("", "FaultRule", "NewHappening")


def endpoints() -> str:
    """Every endpoint, what it is for, and how it refuses."""
    paths: dict[str, dict[str, Any]] = bare_application().openapi()["paths"]
    rows = [
        (f"`{method.upper()} {path}`", _line(endpoint["description"]), _query(endpoint), _refusals(endpoint))
        for path, methods in paths.items()
        for method, endpoint in methods.items()
    ]
    return _table(("endpoint", "what it does", "query", "problems"), rows)


def bodies() -> str:
    """Every key of a body that is not of scenario files."""
    found = bare_application().openapi()
    rows = [
        (f"`{method.upper()} {path}`", f"`{key}`", str(entry["description"]))
        for path, methods in found["paths"].items()
        for method, endpoint in methods.items()
        if (name := _body(endpoint)) not in _OF_SCENARIOS
        for key, entry in found["components"]["schemas"][name]["properties"].items()
    ]
    return _table(("endpoint", "key", "what it is"), rows)


def problems() -> str:
    """Every kind of problem."""
    return _table(
        ("kind", "status", "what it means"),
        ((f"`{kind}`", str(status), title) for kind, (status, title) in KINDS.items()),
    )


def _body(endpoint: dict[str, Any]) -> str:
    """Name of the schema of its body; empty: it has none."""
    if "requestBody" not in endpoint:
        return ""
    reference: str = endpoint["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    return reference.rpartition("/")[2]


def _line(text: str) -> str:
    return " ".join(text.split())


def _query(endpoint: dict[str, Any]) -> str:
    found = [f"`{one['name']}`" for one in endpoint.get("parameters", ()) if one["in"] == "query"]
    return ", ".join(found) or "-"


def _refusals(endpoint: dict[str, Any]) -> str:
    return ", ".join(_statuses(endpoint["responses"]))


def _statuses(responses: Iterable[str]) -> Iterator[str]:
    yield from (status for status in sorted(responses) if status >= "400")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
