"""docs/security-providers.md says what `metersim hsm` does: tables, limits, every line of its examples."""

from __future__ import annotations

import json
import random
import re

from metersim.security.hsm import ID_CHARACTERS_MAX, LINE_OCTETS_MAX, OPERATIONS, Hsm
from metersim.security.provider import OPEN_MAX, LabProvider
from tests.support.markdown import blocks
from tests.support.project import ROOT

_PAGE = (ROOT / "docs" / "security-providers.md").read_text(encoding="utf-8")
_NAME = re.compile("`([a-z0-9_]+)`")
_LINES = [line for block in blocks(_PAGE, "jsonl") for line in block.splitlines()]
_PAIRS = [(asked[2:], said[2:]) for asked, said in zip(_LINES[::2], _LINES[1::2], strict=True)]


def _rows(heading: str) -> list[list[str]]:
    """Cells of the first table behind a heading, without its two head lines."""
    table = _PAGE.split(f"\n{heading}\n", 1)[1]
    rows = [line for line in table.split("\n#", 1)[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_the_examples_are_what_it_answers() -> None:
    """Whoever writes an adapter from the page would write one that the daemon does not understand."""
    assert all(line.startswith(mark) for line, mark in zip(_LINES, "><" * len(_PAIRS), strict=True))
    hsm = Hsm(LabProvider(random.Random(1).randbytes))
    answered = [(asked, hsm.answer(asked.encode()).decode().rstrip("\n")) for asked, _ in _PAIRS]
    assert answered == _PAIRS


def test_the_table_lists_operations_arguments_and_results() -> None:
    """An operation that is missing from the page is one that no adapter has."""
    rows = _rows("## Operations")
    listed = {_NAME.findall(row[0])[0]: (_NAME.findall(row[1]), _NAME.findall(row[2])) for row in rows}
    assert {name: list(operation.args) for name, operation in OPERATIONS.items()} == {
        name: args for name, (args, _) in listed.items()
    }
    answers = [(asked, json.loads(answer)) for asked, answer in _PAIRS]
    good = {json.loads(asked)["op"]: list(answer["result"]) for asked, answer in answers if answer["ok"]}
    assert {name: result for name, (_, result) in listed.items()} == good


def test_every_code_of_the_examples_is_explained() -> None:
    """A code without an explanation leaves its reader alone."""
    explained = {_NAME.findall(row[0])[0] for row in _rows("### What goes wrong")}
    answers = [json.loads(answer) for _, answer in _PAIRS]
    shown = {answer["error"]["code"] for answer in answers if not answer["ok"]}
    assert shown == explained - {"line_too_long", "bad_request"}


def test_limits_are_the_program_s() -> None:
    """A limit that was changed in one place would be found by a site, in the night."""
    for limit in (f"{LINE_OCTETS_MAX:,} octets", f"{OPEN_MAX:,} are kept", f"{ID_CHARACTERS_MAX} characters"):
        assert limit in _PAGE
