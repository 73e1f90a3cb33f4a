"""The tables of the daemon's API, from its OpenAPI."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from meterlink.accounts.tokens import Scope
from meterlink.web.app import bare_application
from meterlink.web.problems import KINDS

_SCOPES = {
    "daily_freeze": Scope.FREEZE,
    "consumption": Scope.CONSUMPTION,
    "settlements": Scope.SETTLEMENT,
    "settlements_of_day": Scope.SETTLEMENT,
    "settlement_file": Scope.SETTLEMENT,
    "completeness": Scope.COMPLETENESS,
}


def endpoints() -> str:
    """Every endpoint, its scope, and what it is for."""
    rows = [
        (f"`GET {path}`", f"`{_SCOPES[one['operationId']].value}`", " ".join(one["description"].split()))
        for path, one in _operations()
    ]
    return _table(("endpoint", "scope", "what it gives"), rows)


def parameters() -> str:
    """Every parameter of every endpoint."""
    rows = [
        (f"`{path}`", f"`{told['name']}`", "yes" if told["required"] else "", told.get("description", ""))
        for path, one in _operations()
        for told in one.get("parameters", ())
    ]
    return _table(("endpoint", "parameter", "required", "what it is"), rows)


def problems() -> str:
    """Every kind of problem."""
    rows = ((f"`{kind}`", str(status), title) for kind, (status, title) in KINDS.items())
    return _table(("kind", "status", "what it means"), rows)


def _operations() -> list[tuple[str, dict[str, Any]]]:
    return [(path, methods["get"]) for path, methods in bare_application().openapi()["paths"].items()]


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"
