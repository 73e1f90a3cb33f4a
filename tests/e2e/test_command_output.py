"""What the commands do where their output cannot be written as it is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.gateway import METERLINK

_ENERGY = "6861010000000068910833333433593333338A16"


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "latin-1"])
@pytest.mark.parametrize(
    "words",
    [
        ["decode", "--lang=zh", _ENERGY],
        ["items", "--lang=zh", "--search=05060101"],
        ["probe", "--line=tcp://127.0.0.1:1", "--json"],
        ["config", "example"],
        ["--help"],
    ],
    ids=lambda words: words[0],
)
def test_a_terminal_without_the_letters_gets_the_rest(words: list[str], encoding: str) -> None:
    """One Chinese word would take the whole answer away, and show a page of Python in its place."""
    done = subprocess.run(
        [METERLINK, *words],
        capture_output=True,
        check=False,
        timeout=15,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    said = done.stdout.decode(encoding) + done.stderr.decode(encoding)
    assert "UnicodeEncodeError" not in said
    assert (5 if words[0] == "probe" else 0) == done.returncode


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("words", [["items"], ["decode", _ENERGY], ["config", "example"]])
def test_an_output_on_a_full_disk_is_told_in_one_line(words: list[str]) -> None:
    """A script would take half a list for a whole one, or a person would read a page of Python."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [METERLINK, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=15
        )
    assert 1 == done.returncode
    assert ["error: No space left on device: the output is not whole"] == done.stderr.splitlines()
