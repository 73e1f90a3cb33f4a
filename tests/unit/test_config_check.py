"""``meterlink config check`` of plans: what is said before a port opens."""

from __future__ import annotations

import importlib.util
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


def _check(tmp_path: Path, text: str, *words: str) -> tuple[int, str]:
    path = tmp_path / "meterlink.toml"
    path.write_text(text)
    result = CliRunner().invoke(app, ["config", "check", "--config", str(path), *words])
    return result.exit_code, result.output


def test_who_is_left_out_is_told(tmp_path: Path) -> None:
    """A meter whose protocol has no freezes would be missed in silence, night after night."""
    code, said = _check(tmp_path, f'{_METERS}\n[[plans]]\nclass = "daily_freeze"\n')
    assert 0 == code
    assert "daily_freeze every 900 s" in said
    assert "Asia/Shanghai" in said
    assert "passes by 1 of 2 meters" in said


def test_an_event_loop_that_is_not_installed_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is called good would keep the daemon from its next start."""
    text = f'[gateway]\nevent_loop = "uvloop"\n{_METERS}'
    there = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "uvloop" else there(name))
    code, said = _check(tmp_path, text)
    assert 2 == code
    assert "pip install 'meterlink[uvloop]'" in said
    assert 0 == _check(tmp_path, text.replace("uvloop", "asyncio"))[0]


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


@pytest.mark.parametrize("content", [None, "", "no certificate\n"])
def test_a_certificate_authority_that_cannot_be_read_is_told(tmp_path: Path, content: str | None) -> None:
    """A configuration that was called good would not start."""
    authority = tmp_path / "ca.pem"
    if content is not None:
        authority.write_text(content)
    mqtt = f'[mqtt]\nurl = "mqtts://localhost"\nca_file = "{authority}"\n'
    code, said = _check(tmp_path, f"{_METERS}\n{mqtt}")
    assert 2 == code
    assert f"[mqtt] ca_file {authority}" in said


def test_where_the_api_listens_is_told(tmp_path: Path) -> None:
    """Whoever opens a port would not see which."""
    assert "api: none" in _check(tmp_path, _METERS)[1]
    web = '[web]\nlisten = "127.0.0.1:0"\nsocket = "/run/api.sock"'
    assert "api: 127.0.0.1:0, /run/api.sock\n" in _check(tmp_path, f"{_METERS}\n{web}\n")[1]


def test_an_api_whose_programs_are_absent_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration that was called good would not start."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    code, said = _check(tmp_path, f"{_METERS}\n[web]\n")
    assert 2 == code
    assert "fastapi" in said and "make dev" in said


# --- DL/T 698.45 -----------------------------------------------------------------------------------

_MIXED = (
    _METERS
    + """
[[meters]]
id = "third"
address = "163"
line = "tcp://127.0.0.1:5000"
protocol = "dlt698.45"
"""
)
_WITH_PASSWORD = """
profile: wants-password
matches: {protocol: dlt698.45, model: DTZ9}
line: {baud: 9600, parity: even, preamble: 4}
timing: {reply_timeout_ms: 2000, octet_gap_ms: 500, turnaround_ms: 20}
association: {connect: password}
"""


def test_meters_of_all_protocols_share_a_line(tmp_path: Path) -> None:
    """A line that is changed over meter by meter could not be configured."""
    code, said = _check(tmp_path, f'{_MIXED}\n[[plans]]\n[[plans]]\nclass = "daily_freeze"\n')
    assert 0 == code, said
    assert "passes by 1 of 3 meters" in said


def test_a_plan_that_no_protocol_can_read_is_refused(tmp_path: Path) -> None:
    """It would be asked for in vain, at each interval."""
    code, said = _check(tmp_path, f'{_MIXED}\n[[plans]]\nitems = ["voltage.q"]\n')
    assert 0 != code
    assert "no item 'voltage.q'" in said


@pytest.mark.parametrize("plan", ['class = "status"', 'items = ["frequency", "voltage.a"]'])
def test_a_meter_that_lacks_an_item_is_passed_by(tmp_path: Path, plan: str) -> None:
    """One old meter in the roster would stop the whole gateway."""
    code, said = _check(tmp_path, f"{_MIXED}\n[[plans]]\n{plan}\n")
    assert 0 == code, said
    assert ("passes by 1 of 3 meters" in said) == ("status" in plan), "each meter has a voltage"


def _with_password(tmp_path: Path, more: str) -> tuple[int, str]:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "own.yaml").write_text(_WITH_PASSWORD)
    meter = '[[meters]]\nid = "m"\naddress = "161"\nline = "tcp://127.0.0.1:5000"\nprotocol = "dlt698.45"\n'
    return _check(tmp_path, f'[gateway]\nprofiles = "{tmp_path / "profiles"}"\n{meter}{more}\n')


def test_a_password_by_reference(tmp_path: Path) -> None:
    """The way it is meant."""
    (tmp_path / "secret").write_text("12345678")
    code, said = _with_password(tmp_path, f'model = "DTZ9"\npassword = "file:{tmp_path / "secret"}"')
    assert 0 == code, said
    assert "12345678" not in said


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ('model = "DTZ9"', "'m': its profile wants-password wants a password"),
        ('model = "DTZ9"\npassword = "12345678"', "a secret is given by reference"),
        ('model = "DTZ9"\npassword = "file:/nowhere/at/all"', "[[meters]] 'm' password"),
        ('password = "env:HOME"', "sends no password"),
    ],
)
def test_a_password_that_is_missing_or_in_the_wrong_place(tmp_path: Path, more: str, what: str) -> None:
    """The daemon would be refused by the meter, night after night, or show the secret."""
    code, said = _with_password(tmp_path, more)
    assert 0 != code
    assert what in said
    assert "12345678" not in said


_BEHIND = """
[[lines]]
name = "area"
url = "listen://127.0.0.1:0?terminal=0171-2082"
terminal = {fresh_min = %d}
[[meters]]
id = "behind"
address = "163"
line = "area"
protocol = "dlt645-1997"
"""


@pytest.mark.parametrize(
    ("plan", "fresh_min"),
    [
        ('class = "daily_freeze"', 15),
        ('class = "daily_freeze"', 0),
        ('class = "daily_freeze"\nitems = ["combined_reactive_max_demand_1"]', 15),
        ('items = ["apparent_power"]', 15),
        ('items = ["neutral_current"]', 15),
    ],
)
def test_what_only_a_terminal_keeps_is_read_of_meters_behind_it(
    tmp_path: Path, plan: str, fresh_min: int
) -> None:
    """Old meters freeze nothing; their terminal does, and the nights in its store could not be asked for."""
    code, said = _check(tmp_path, f"{_BEHIND % fresh_min}\n[[plans]]\n{plan}\n")
    assert 0 == code, said
    assert "passes by" not in said
    straight = _BEHIND.partition("[[meters]]")[2].replace("area", "tcp://127.0.0.1:5000")
    code, said = _check(tmp_path, f"[[meters]]{straight}\n[[plans]]\n{plan}\n")
    assert 2 == code, "a meter on a wire has it not"


@pytest.mark.parametrize(
    ("item", "fresh_min"), [("apparent_power", 0), ("forward_active_max_demand_at", 15), ("sunshine", 15)]
)
def test_what_a_terminal_does_not_tell_is_refused(tmp_path: Path, item: str, fresh_min: int) -> None:
    """It would be asked for in vain, at each interval."""
    code, said = _check(tmp_path, f'{_BEHIND % fresh_min}\n[[plans]]\nitems = ["{item}"]\n')
    assert 2 == code
    assert item in said


def test_a_terminal_adds_nothing_to_meters_beside_it(tmp_path: Path) -> None:
    """How many are passed by would be told wrongly."""
    beside = _BEHIND % 15 + _METERS
    code, said = _check(tmp_path, f'{beside}\n[[plans]]\nclass = "daily_freeze"\n')
    assert 0 == code, said
    assert "passes by 1 of 3 meters" in said


MODBUS = 'model = "SDM230"\n'


@pytest.mark.parametrize("terminal", ["111111111111", "0171-2082"])
def test_a_meter_behind_a_terminal_that_does_not_pass_it_on_is_refused(tmp_path: Path, terminal: str) -> None:
    """Terminals forward no Modbus; the meter would stay silent for ever."""
    meter = '[[meters]]\nid = "m"\naddress = "161"\nprotocol = "{}"\n'
    line = f'line = "listen://127.0.0.1:0?terminal={terminal}"\n'
    code, said = _check(tmp_path, meter.format("modbus-rtu").replace("161", "17") + MODBUS + line)
    assert 0 != code
    assert f"terminal {terminal}" in said
    assert 0 == _check(tmp_path, meter.format("dlt645-2007") + line)[0]


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ("frame_timeout_s = 111", "frame_timeout_s"),
        ('password = "00112233445566778899aabbccddeeff"', "given by reference"),
        ('password = "file:/nowhere/at/all"', "[[lines]] 'area' terminal.password"),
        ('ways = ["store"]', "ways"),
    ],
)
def test_what_is_wrong_with_a_terminal_is_said(tmp_path: Path, more: str, what: str) -> None:
    """A terminal would refuse every command, or a secret stand in a file that all may read."""
    line = f'[[lines]]\nname = "area"\nurl = "tcp://h:1?terminal=0171-2082"\nterminal = {{ {more} }}\n'
    meter = '[[meters]]\nid = "m"\naddress = "161"\nline = "area"\n'
    code, said = _check(tmp_path, line + meter)
    assert 0 != code
    assert what in said
    assert "00112233" not in said


@pytest.mark.parametrize("terminal", ["440106-2082", "0171-65536", "440106-16777215", "0171-2082"])
@pytest.mark.parametrize("is_told", [True, False])
def test_an_address_of_seven_octets_is_told_as_one(tmp_path: Path, terminal: str, is_told: bool) -> None:
    """A terminal would dial again and again and never get in: no frame says how long its address is."""
    more = "terminal = { wide = true }\n" if is_told else ""
    line = f'[[lines]]\nname = "area"\nurl = "tcp://h:1?terminal={terminal}"\n{more}'
    meter = '[[meters]]\nid = "m"\naddress = "161"\nline = "area"\n'
    code, said = _check(tmp_path, line + meter)
    is_good = is_told or terminal == "0171-2082"
    assert is_good == (code == 0), said
    assert is_good or "terminal = {wide = true}" in said.replace("\n", " ")


def test_people_and_holidays_are_read_before_the_daemon_is(tmp_path: Path) -> None:
    """A role misspelt would be found by the daemon at night, and no order would go until it is mended."""
    people, holidays = tmp_path / "people.toml", tmp_path / "holidays.toml"
    text = _METERS + f'[control]\npeople = "{people}"\nholidays = "{holidays}"\noperator_code = "20261122"\n'
    assert (2, True) == _found(tmp_path, text, "people.toml: cannot be read")
    told = "nobody is cut off until this is right"
    assert (0, True) == _found(tmp_path, text, told, "--before-start"), "else systemd would not start it"
    people.write_text('[[people]]\nname = "li.lei"\nroles = ["clerk"]\n')
    people.chmod(0o600)
    assert (2, True) == _found(tmp_path, text, "holidays.toml: cannot be read")
    assert (0, True) == _found(tmp_path, text, "holidays.toml: cannot be read", "--before-start")
    holidays.write_text("first_day = 2026-01-01\nlast_day = 2026-12-31\n")
    assert (0, True) == _found(tmp_path, text, "control: as [control] allows")
    assert (0, True) == _found(tmp_path, _METERS, "control: none: no order leaves")
    assert (2, True) == _found(tmp_path, _METERS + 'cost_control = "local"\n', "its profile")


def _found(tmp_path: Path, text: str, words: str, *options: str) -> tuple[int, bool]:
    code, said = _check(tmp_path, text, *options)
    return code, words in said.replace("\n", " ")
