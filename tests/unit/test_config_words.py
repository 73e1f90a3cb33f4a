"""Faults of a configuration in Chinese: that there is none without."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import PydanticKnownError

from meterlink.config import Settings
from meterlink.config.fault import said_of
from meterlink.config.fault_words import in_chinese
from meterlink.orders import people_file
from meterlink.orders.limits import calendar

_ROOT: Final = Path(__file__).parents[2]
_SOURCES: Final = (_ROOT / "src" / "meterlink", _ROOT / "device_profiles" / "meterprofiles")
_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
_TOLD: Final = {"ConfigError", "Fault", "Said", "_wrong", "ProfileError", "UnknownItem", "fault", "error"}
"""What takes a sentence in English and behind it one in Chinese."""


# --- that there is none without --------------------------------------------------------------------


def _modules() -> Iterator[tuple[Path, ast.Module]]:
    for folder in _SOURCES:
        for path in sorted(folder.rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def _letters(node: ast.expr) -> str | None:
    """The letters of a text that stands there; ``None``: it is worked out elsewhere."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    plain = [one.value for one in parts if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return "".join(plain) if plain else None


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _is_said(told: list[ast.expr]) -> bool:
    """Whether the second sentence is Chinese, or worked out where others are."""
    if len(told) < 2:
        return False
    letters = _letters(told[1])
    return letters is None or bool(_CHINESE.search(letters)) or "zh" in ast.unparse(told[1])


def _calls() -> Iterator[tuple[str, list[ast.expr]]]:
    """Where a fault is told by a sentence that stands there, and what it is told by."""
    for path, module in _modules():
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and node.args and _name(node) in _TOLD:
                told = node.args[1:] if _name(node) == "_wrong" else node.args  # behind a line's URL
                if told and " " in (_letters(told[0]) or ""):
                    yield f"{path.name}:{node.lineno}", told


def test_each_fault_has_a_sentence_in_chinese() -> None:
    """An operator who reads no English would be told of a new fault in English alone."""
    found = dict(_calls())
    assert 150 < len(found), "else what was looked for is called otherwise now"
    assert [] == [where for where, told in found.items() if not _is_said(told)]


def test_no_validator_raises_what_has_one_language() -> None:
    """pydantic hands on a plain ``ValueError`` too, and nobody would notice that it is English."""
    found = []
    for path, module in _modules():
        nodes = list(ast.walk(module))
        names = {one.name for node in nodes if isinstance(node, ast.ImportFrom) for one in node.names}
        is_ours = path.parent.name == "config" or ("Table" in names and "evidence" not in path.parts)
        raised = [node.exc for node in nodes if isinstance(node, ast.Raise)] if is_ours else []
        calls = [one for one in raised if isinstance(one, ast.Call)]
        found += [f"{path.name}:{one.lineno}" for one in calls if _name(one) == "ValueError"]
    assert [] == found, "records of evidence, which are no configuration, have words of their own"


_GIVEN: Final = {
    "int": {"int_type", "int_parsing", "int_parsing_size", "int_from_float"},
    "float": {"float_type", "float_parsing", "finite_number"},
    "decimal": {"decimal_type", "decimal_parsing", "decimal_max_places", "finite_number"},
    "bool": {"bool_type", "bool_parsing"},
    "str": {"string_type", "string_unicode"},
    "literal": {"literal_error"},
    "enum": {"enum"},
    "date": {"date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"},
    "datetime": {
        *("datetime_type", "datetime_parsing", "datetime_object_invalid", "datetime_from_date_parsing")
    },
    "tuple": {"tuple_type"},
    "frozenset": {"frozen_set_type", "set_item_not_hashable"},
    "model": {"model_type", "extra_forbidden", "missing"},
    "tagged-union": {"union_tag_invalid", "union_tag_not_found"},
}
"""By kind of a pydantic schema, the faults that it finds."""
_LIMITS: Final = {
    "ge": "greater_than_equal",
    "gt": "greater_than",
    "le": "less_than_equal",
    "lt": "less_than",
    "pattern": "string_pattern_mismatch",
    "decimal_places": "decimal_max_places",
    "max_digits": "decimal_max_digits",
}
_FRAMES: Final = {
    *("definitions", "definition-ref", "default", "nullable", "model-fields", "model-field", "union"),
    *("function-after", "function-before", "function-wrap", "function-plain", "lax-or-strict", "is-instance"),
    *("chain", "json-or-python", "custom-error", "no-info", "with-info"),
}
"""Kinds that find nothing themselves: ours are ``Fault``, a path's is ``path_type``."""


_TOLD_OF: Final = {
    **dict.fromkeys(("ge", "gt", "le", "lt", "min_length", "max_length", "decimal_places"), 70),
    **dict.fromkeys(("field_type", "class_name", "error"), "Word"),
    **{"actual_length": 99, "pattern": "'[a-z]'", "expected": "'one', 'two' or 'three'"},
    **{"discriminator": "'kind'", "tag": "four", "expected_tags": "'one', 'two'", "object_type": "x"},
}
"""What pydantic may tell of a fault."""
_NAMED: Final = re.compile(r"70|'(?:one|two|three|kind|\[a-z\])'")
"""What of it people have to be told."""


def _schemas(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if isinstance(node.get("type"), str):
            yield node
        for key, value in node.items():
            if key not in {"metadata", "serialization", "default", "expected"}:
                yield from _schemas(value)
    elif isinstance(node, list | tuple):
        for one in node:
            yield from _schemas(one)


def _faults_of(model: type[BaseModel]) -> set[str]:
    found: set[str] = set()
    for node in _schemas(model.__pydantic_core_schema__):
        kind = node["type"]
        assert kind in _GIVEN or kind in _FRAMES, f"{kind}: say here which faults it finds"
        found |= _GIVEN.get(kind, set()) | {fault for limit, fault in _LIMITS.items() if limit in node}
        text = "string_" if kind == "str" else ""
        found |= {f"{text}too_short"} if "min_length" in node else set()
        found |= {f"{text}too_long"} if "max_length" in node else set()
    return found


def test_what_pydantic_finds_has_chinese_words_with_its_limits() -> None:
    """A number out of range is the fault that people make most, and none of our validators sees it."""
    models: tuple[type[BaseModel], ...] = (Settings, people_file._File, calendar._File)
    found = set[str]().union(*map(_faults_of, models))
    assert 30 < len(found), "else the schemas are built otherwise now"
    for kind in sorted(found):
        said = in_chinese(kind, _TOLD_OF)
        english = PydanticKnownError(kind, _TOLD_OF).message().partition(", not")[0]  # type: ignore[arg-type]
        assert _CHINESE.search(said), kind
        assert [] == [part for part in _NAMED.findall(english) if part not in said], kind
    assert _CHINESE.search(in_chinese("path_type", {}))


def test_a_fault_of_an_unknown_type_stays_english() -> None:
    """A version of pydantic with new faults would end in a ``KeyError`` in place of a line."""
    said = said_of({"type": "of_tomorrow", "loc": (), "msg": "Input should be good"})
    assert ("Input should be good", "Input should be good") == said
