"""The ten minutes of the simulator's page, as a newcomer spends them: its files and commands as printed."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import announced
from tests.support.project import ROOT

_PAGE = (ROOT / "docs/simulator.md").read_text(encoding="utf-8")
_TUTORIAL = _PAGE.partition("## Ten minutes to a test\n")[2].partition("\n## ")[0]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BIN = Path(sys.executable).parent
_SET_UP = {"make dev", ". .venv/bin/activate"}  # have been run, or no test would run here
_RUN_TIMEOUT_S = 15
_BARE = " ".join(
    f"-pno:{name}"
    for name in ("anyio", "asyncio", "hypothesispytest", "platformdirs", "schemathesis", "xdist")
)
"""What a newcomer has not installed."""


def _pattern(shown: str) -> re.Pattern[str]:
    """What a page shows, where ``...`` stands for anything."""
    return re.compile(".*?".join(map(re.escape, shown.strip().split("..."))), re.DOTALL)


def _steps() -> list[tuple[str, str]]:
    """Files to write (name, text) and commands to run (``$ command``, what is shown), in their order."""
    found = []
    for language, body in _FENCE.findall(_TUTORIAL):
        if language == "python":
            found.append((body.partition("\n")[0].removeprefix("# "), body))
            continue
        assert "console" == language
        for step in re.split(r"^(?=\$ )", body, flags=re.MULTILINE)[1:]:
            command, _, shown = step.partition("\n")
            if command.removeprefix("$ ") not in _SET_UP:
                found.append((command, shown))
    return found


def _said(command: str, folder: Path, *, fails: bool) -> str:
    """What a command prints on standard output; one that stays is ended when it is ready."""
    program, *arguments = shlex.split(command)
    words = [str(_BIN / program), *arguments]
    if command.startswith("metersim run "):
        *words, file = words
        with announced([*words, str(folder / file)], folder / "run.log") as (_, ready):
            return json.dumps(ready, separators=(",", ":"))
    done = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "PYTEST_ADDOPTS": _BARE},
        capture_output=True,
        text=True,
        check=False,
        timeout=_RUN_TIMEOUT_S,
    )
    assert fails == (done.returncode != 0), done.stdout + done.stderr
    return done.stdout


def _parts() -> list[list[tuple[str, str]]]:
    """Steps that do not need what others print: the commands of the plant, and each command behind files."""
    steps = _steps()
    is_command = [name.startswith("$ ") for name, _ in steps]
    begin = is_command.index(False)
    tests = [number for number in range(begin, len(steps)) if is_command[number]]
    files = [step for step, command in zip(steps, is_command, strict=True) if not command]
    before = [sum(not command for command in is_command[:number]) for number in tests]
    return [steps[:begin], *([*files[:many], steps[at]] for many, at in zip(before, tests, strict=True))]


@pytest.mark.parametrize("steps", _parts(), ids=["the plant", "it fails", "it passes"])
def test_ten_minutes_end_with_a_test_that_passes(tmp_path: Path, steps: list[tuple[str, str]]) -> None:
    """The first thing that a newcomer does would end in an error that the page does not show."""
    for name, text in steps:
        if name.startswith("$ "):
            said = _said(name.removeprefix("$ "), tmp_path, fails="1 failed" in text)
            assert _pattern(text).match(said), said
        else:
            (tmp_path / name).write_text(text, encoding="utf-8")


def test_the_ten_minutes_have_all_their_steps() -> None:
    """A block that nobody writes or runs would grow wrong."""
    assert [
        "$ metersim new",
        "$ metersim check plant.yaml",
        "$ metersim run plant.yaml",
        "reader.py",
        "test_reader.py",
        "$ pytest -q",
        "reader.py",
        "$ pytest -q",
    ] == [name for name, _ in _steps()]


def test_no_command_stands_outside_the_ten_minutes() -> None:
    """It would be run by nobody."""
    assert "```console" not in _PAGE.replace(_TUTORIAL, "")
