"""``meterlink config check`` of plans: what is said before a port opens."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from meterlink.cli import app

_METERS = """
[[meters]]
id = "new"
address = "161"
line = "tcp://127.0.0.1:5000"
[[meters]]
id = "old"
address = "162"
line = "tcp://127.0.0.1:5000"
protocol = "dlt645-1997"
"""


def _check(tmp_path: Path, text: str) -> tuple[int, str]:
    path = tmp_path / "meterlink.toml"
    path.write_text(text)
    result = CliRunner().invoke(app, ["config", "check", "--config", str(path)])
    return result.exit_code, result.output


def test_who_is_left_out_is_told(tmp_path: Path) -> None:
    """A meter whose protocol has no freezes would be missed in silence, night after night."""
    code, said = _check(tmp_path, f'{_METERS}\n[[plans]]\nclass = "daily_freeze"\n')
    assert 0 == code
    assert "daily_freeze every 900 s" in said
    assert "Asia/Shanghai" in said
    assert "passes by 1 of 2 meters" in said


@pytest.mark.parametrize(
    ("items", "meters", "what"),
    [
        ("voltage.*", _METERS, "no 'voltage.*' in a daily_freeze"),
        ("frozen_at", _METERS, "no 'frozen_at' in a daily_freeze"),
        ("forward_active_max_demand_at", _METERS, "no 'forward_active_max_demand_at'"),
        ("forward_active_energy@daily_freeze/last.1", _METERS, "there are forward_active_energy"),
        ("forward_active_energy.t64", _METERS, "no 'forward_active_energy.t64'"),
        ("forward_active_energy", _METERS.replace('"161"', '"161"\nprotocol = "dlt645-1997"'), "none of the"),
    ],
)
def test_a_freeze_that_nobody_has_is_refused(tmp_path: Path, items: str, meters: str, what: str) -> None:
    """The daemon would start, and each night log what nobody reads."""
    code, said = _check(tmp_path, f'{meters}\n[[plans]]\nclass = "daily_freeze"\nitems = ["{items}"]\n')
    assert 0 != code
    assert "[[plans]] 'daily_freeze'" in said
    assert what in said
