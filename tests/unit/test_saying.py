"""What meters, terminals and other people sent stands on the screen and is not obeyed by it."""

from __future__ import annotations

import ast
import io
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

import meterlink.cli
from meterlink.cli.console import SeenConsole
from meterlink.cli.order_ask import OrderAsking
from meterlink.cli.saying import seen

HOSTILE = "三相\u3000表\x1b[2J\x1b]0;owned\x07\r\x9b31m\u202egnp\x7f\u2028\udcff é"
SHOWN = "三相\u3000表\\u001b[2J\\u001b]0;owned\\u0007\\r\\u009b31m\\u202egnp\\u007f\\u2028\\udcff é"
_WRITERS = frozenset({"saying.py", "console.py"})


def test_what_would_be_obeyed_is_written_out() -> None:
    """A meter's nameplate could clear the screen, or turn a line around that says which meter it is."""
    assert SHOWN == seen(HOSTILE)
    assert SHOWN == seen(SHOWN), "once"
    assert "a\tb\n" == seen("a\tb\n")


@given(st.text())
def test_nothing_gets_through_and_documents_stay_what_they_are(text: str) -> None:
    """Some character of the thousands that steer a screen would be forgotten, or a program misled."""
    shown = seen(text)
    assert not {unicodedata.category(c) for c in shown if c not in "\n\t"} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    document = json.dumps({"told": text}, ensure_ascii=False)
    assert {"told": text} == json.loads(seen(document))


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_table_shows_it_and_keeps_its_own_colours(is_terminal: bool) -> None:
    """An event of a terminal would be obeyed in a table, or the table lose its colours for it."""
    out = io.StringIO()
    console = SeenConsole(
        file=out,
        force_terminal=is_terminal,
        color_system="standard" if is_terminal else None,
        width=200,
        highlight=False,
    )
    table = Table("one", "two")
    table.add_row(HOSTILE.replace("\r", ""), Text("\x1b[2Jx", style="red"))
    console.print(table)
    console.print("\x1b]0;owned\x07", markup=False)
    printed = out.getvalue()
    assert "\\u001b[2J" in printed
    assert "三相\u3000表" in printed
    assert "\\u001b]0;owned\\u0007\n" in printed
    own = printed.replace("\x1b[31m", "").replace("\x1b[0m", "").replace("\x1b[1m", "")
    assert ("\x1b[31m" in printed) is is_terminal
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(own), "what is left are the console's own colours"


def test_an_order_is_shown_with_what_others_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A reason that somebody typed, or a meter's words, would write over the state of the order."""
    step = {"at": "2026-11-24T02:00:00Z", "verb": "reject", "actor": "da\x1b[1mvid", "told": HOSTILE}
    order = {"id": "o-1", "kind": "trip", "meter": "m\x1b7", "state": "rejected", "reason": HOSTILE}
    OrderAsking(tmp_path, as_json=False, lang=None)._tell({**order, "steps": [{**step, "rules": []}]})
    told = capsys.readouterr().out
    assert 2 == told.count(SHOWN)
    assert not {"\x1b", "\r", "\x9b", "\x07"} & set(told)


def test_nothing_else_in_the_command_line_writes() -> None:
    """A new command would write past the one place, and nobody see it until a meter makes use of it."""
    folder = Path(meterlink.cli.__file__).parent
    found = [
        f"{file.relative_to(folder)}:{node.lineno}"
        for file in sorted(folder.rglob("*.py"))
        if file.name not in _WRITERS
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func)
        in {
            "typer.echo",
            "typer.secho",
            "click.echo",
            "print",
            "Console",
            "sys.stdout.write",
            "sys.stderr.write",
        }
    ]
    assert [] == found
