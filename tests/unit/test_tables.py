"""Tables for people: every cell can be read to its end, on a narrow terminal and in a file."""

from __future__ import annotations

import pytest
from rich.table import Table

from meterlink.cli.tables import print_table

_NAME = "voltage_distortion_of_the_first_order_of_phase_a"


def _table() -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    table.add_column("name", no_wrap=True)
    table.add_row("4885956a", _NAME)
    return table


def test_on_a_narrow_terminal_nothing_is_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that ends in three dots cannot be asked for, and an id not be revoked."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # for rich it is a terminal then
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "30")
    print_table(_table())
    shown = capsys.readouterr().out
    assert "…" not in shown
    name = "".join(line[10:].strip() for line in shown.splitlines()[1:])
    assert _NAME == name
    assert all(len(line) <= 30 for line in shown.splitlines()[1:])


def test_elsewhere_a_row_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`grep` would find half of a row."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "30")
    print_table(_table())
    assert ["4885956a", _NAME] == capsys.readouterr().out.splitlines()[1].split()
