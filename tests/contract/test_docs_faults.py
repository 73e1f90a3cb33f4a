"""The page of fault scenarios names tests that there are, and every test that shows one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.project import ROOT

_PAGE = ROOT / "docs" / "faults.md"
_ROW = re.compile(r"^\| (F\d+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_REFERENCE = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
_COLLECTION = [
    *range(1, 15), *range(17, 23), *range(24, 32), *range(33, 41), 42, 43, *range(56, 60),
]  # fmt: skip


def _rows() -> dict[str, tuple[str, list[tuple[str, str]]]]:
    found = _ROW.findall(_PAGE.read_text(encoding="utf-8"))
    assert len(found) == len({number for number, *_ in found}), "a number stands there twice"
    return {number: (says, _REFERENCE.findall(tests)) for number, says, tests in found}


@cache
def _tests_of(path: Path) -> dict[str, str]:
    """Each test of a module, and where it may name a scenario: its name and its docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name: f"{node.name} {ast.get_docstring(node) or ''}"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def _named(text: str) -> set[str]:
    """The numbers that a test names."""
    return {
        f"F{number}" for number in re.findall(r"\bF(\d+)\b|_f(\d+)_", text) for number in number if number
    }


def _shown() -> Iterator[tuple[str, str, str]]:
    """Number, file and name of every test that names a scenario."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name, text in _tests_of(path).items():
            for number in _named(text):
                yield number, path.relative_to(ROOT).as_posix(), name


def test_every_scenario_of_collection_has_its_row() -> None:
    """A scenario that nobody shows would go unnoticed."""
    rows = _rows()
    assert [] == [number for number in _COLLECTION if f"F{number}" not in rows]
    assert [] == [number for number, (says, tests) in rows.items() if not tests or len(says) < 10]


@pytest.mark.parametrize("number", list(_rows()))
def test_the_tests_that_a_row_names_show_its_scenario(number: str) -> None:
    """The page would promise a test that was renamed, was taken out, or shows something else."""
    for path, name in _rows()[number][1]:
        assert name in _tests_of(ROOT / path), f"{path} has no {name}"
        assert number in _named(_tests_of(ROOT / path)[name]), f"{path}::{name} does not name {number}"


def test_every_test_of_a_scenario_stands_in_its_row() -> None:
    """Who looks for the tests of a scenario would be shown some of them."""
    rows = _rows()
    missing = [
        f"{number}: {path}::{name}"
        for number, path, name in _shown()
        if number in rows and (path, name) not in rows[number][1]
    ]
    assert [] == missing
