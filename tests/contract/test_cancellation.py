"""A cancellation is lost nowhere: by the sources of the daemon."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import meterlink

SOURCES = sorted(Path(meterlink.__file__).parent.rglob("*.py"))
CHECK = "unless_cancelled"


def _blocks(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody", "handlers"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield block


def _is_check(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and ast.unparse(statement) == f"{CHECK}()"


def unchecked(source: str) -> list[int]:
    """Lines of each ``except*`` that is not followed by the check."""
    return [
        statement.lineno
        for block in _blocks(ast.parse(source))
        for statement, after in zip(block, [*block[1:], ast.Pass()], strict=True)
        if isinstance(statement, ast.TryStar) and not _is_check(after)
    ]


def test_an_except_star_is_followed_by_a_look_at_the_cancellation() -> None:
    """A stop that falls into the moment at which a task group fails would wait for ever (Python 3.11)."""
    found = {str(path): lines for path in SOURCES if (lines := unchecked(path.read_text(encoding="utf-8")))}
    assert {} == found
    users = [path.name for path in SOURCES if f"{CHECK}()" in path.read_text(encoding="utf-8")]
    assert {"owner.py", "relay.py", "supervise.py"} <= set(users)


@pytest.mark.parametrize(("after", "lines"), [("pass", [1]), (f"{CHECK}()", []), ("", [1])])
def test_the_look_at_the_sources_sees_it(after: str, lines: list[int]) -> None:
    """The test above could not fail."""
    assert lines == unchecked(f"try:\n  a()\nexcept* ValueError:\n  pass\n{after}\n")
