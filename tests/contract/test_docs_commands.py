"""Every command of the READMEs is one that a reader can type."""

from __future__ import annotations

import re
import shlex

import pytest
from bench.__main__ import as_markdown, with_table

from tests.support.markdown import blocks, commands
from tests.support.project import ROOT

_ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
_CHINESE = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
_CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_both_languages_carry_the_same_commands() -> None:
    """Whoever reads the other language would be left with commands of an older version."""
    assert commands(_ENGLISH) == commands(_CHINESE)
    assert blocks(_ENGLISH, "toml") == blocks(_CHINESE, "toml")
    assert len(commands(_ENGLISH)) > 8


@pytest.mark.parametrize("text", [_ENGLISH, _CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_every_make_target_exists(text: str) -> None:
    """The first command that a reader types must not end in "No rule to make target"."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {command.split()[1] for command in commands(text) if command.startswith("make ")}
    named |= set(re.findall(r"`make ([a-z-]+)", text))
    assert named
    assert set() == named - targets


def test_every_command_is_of_a_kind_that_a_test_runs() -> None:
    """A new kind of command would be printed in the README and run by nobody."""
    programs = {shlex.split(command)[0] for command in commands(_ENGLISH)}
    assert programs == {"make", ".", "meterlink", "metersim"}


@pytest.mark.parametrize("text", [_ENGLISH, _CHINESE], ids=["English", "中文"])
def test_the_table_of_a_measurement_finds_its_place(text: str) -> None:
    """`make bench README=1` would measure for minutes and write nothing."""
    part = {"ours": 2.5}
    measured = {"bench": "codec", "unit": "us", "medians": part, "ratios": part, "goals": part}
    table = as_markdown([measured])
    assert table.endswith("| codec<br>(us) | ours: 2.5 | ours: 2.5 | ours: 2.5 |\n")
    noted = as_markdown([measured | {"notes": {"zh": ["为什么"], "en": ["why"]}}], "zh")
    assert f"{table}\n为什么\n" == noted
    assert table in with_table(text, table)
    assert with_table(with_table(text, "old"), table) == with_table(text, table)
