"""A cancellation is lost nowhere: by the sources of the daemon."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import meterlink

SOURCES = sorted(Path(meterlink.__file__).parent.rglob("*.py"))


def _is_apart(body: list[ast.stmt]) -> bool:
    """Whether there is nothing but a wait for a task of its own."""
    return (
        len(body) == 1 and isinstance(body[0], ast.Expr) and ast.unparse(body[0]).startswith("await apart(")
    )


def unsafe(source: str) -> list[int]:
    """Lines of each ``except*`` whose errors come out of a group of the same task."""
    tries = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.TryStar)]
    return [node.lineno for node in tries if not _is_apart(node.body)]


def test_a_group_whose_failure_is_survived_has_a_task_of_its_own() -> None:
    """A stop that falls into the moment at which the group fails would wait for ever (Python 3.11)."""
    texts = {path: path.read_text(encoding="utf-8") for path in SOURCES}
    assert {} == {str(path): lines for path, text in texts.items() if (lines := unsafe(text))}
    users = {path.name for path, text in texts.items() if "await apart(" in text}
    assert {"owner.py", "relay.py", "supervise.py"} <= users


@pytest.mark.parametrize(("body", "lines"), [("await a()", [2]), ("await apart(a(), 'x')", [])])
def test_the_look_at_the_sources_sees_it(body: str, lines: list[int]) -> None:
    """The test above could not fail."""
    assert lines == unsafe(f"async def f():\n  try:\n    {body}\n  except* ValueError:\n    pass\n")
