"""The roster: what the rules read of a meter, and what cannot be true of one."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from meterlink.config import load_settings
from meterlink.errors import ConfigError
from meterlink.roster.roster import Roster
from tests.support.rules import PROFILES

_METER = '[[meters]]\nid = "m1"\naddress = "161"\nline = "tcp://127.0.0.1:5000"\n'
_OTHER = '[[meters]]\nid = "m2"\naddress = "162"\nline = "listen://0.0.0.0:9000?terminal=111111111111"\n'
_REMOTE = 'model = "generic-remote-cost-control"\n'
_LOCAL = 'model = "generic-local-prepayment"\n'
_CONTROL = '[control]\npeople = "people.toml"\noperator_code = "20261122"\n'


def _roster(tmp_path: Path, text: str) -> Roster:
    path = tmp_path / "meterlink.toml"
    path.write_text(text, encoding="utf-8")
    return Roster.of(load_settings(path), PROFILES)


def test_a_meter_that_says_nothing_gets_the_careful_values(tmp_path: Path) -> None:
    """A meter without a word about it would be one that may be switched."""
    meter = _roster(tmp_path, _METER).meter("m1")
    assert meter is not None
    assert ("", "", None, "none") == (
        meter.meter_number,
        meter.customer_number,
        meter.is_motor_load,
        meter.world,
    )
    assert meter.is_residential and not meter.is_lab and meter.line_is_ours


def test_all_that_the_rules_read_comes_from_the_file(tmp_path: Path) -> None:
    """A protected customer would be none for the rules."""
    told = (
        'firmware = "1.2"\nmeter_number = "202611220001"\ncustomer_number = "000012345678"\narea = "east"\n'
        'customer = "李雷"\npoint_of_supply = "文一路1号"\nagreement = "billing:a1"\nprotected = ["water"]\n'
        "important = true\nresidential = false\nmotor_load = false\nopening_limit_a = 40\n"
        "pending_replacement = true\nlab = true\n"
    )
    roster = _roster(tmp_path, _METER + _REMOTE + told + _OTHER)
    meter, other = roster.meter("m1"), roster.meter("m2")
    assert meter is not None and other is not None
    assert ("202611220001", "000012345678", "李雷") == (
        meter.meter_number,
        meter.customer_number,
        meter.customer,
    )
    assert ("east", "billing:a1", "remote", "1.2") == (
        meter.area,
        meter.agreement,
        meter.world,
        meter.firmware,
    )
    assert (("water",), Decimal(40), False) == (meter.protected, meter.opening_limit_a, meter.is_motor_load)
    assert meter.is_important and not meter.is_residential and meter.pending_replacement and meter.is_lab
    assert (False, "文一路1号") == (other.line_is_ours, meter.point_of_supply)
    assert (meter,) == roster.of_customer("000012345678")
    assert ((), None) == (roster.of_customer(""), roster.meter("m3"))
    assert (1, 1, 0) == (roster.area_size("east"), roster.area_size(""), roster.area_size("west"))
    assert ["m1", "m2"] == [one.id for one in roster]


@pytest.mark.parametrize(
    ("text", "world"),
    [
        ("", "none"),
        ('cost_control = "none"\n', "none"),
        ('cost_control = "remote"\n', "remote"),
        (_REMOTE, "remote"),
        (_REMOTE + 'cost_control = "remote"\n', "remote"),
        (_LOCAL, "local"),
        (_LOCAL + 'cost_control = "local"\n', "local"),
    ],
)
def test_where_the_money_is_comes_from_the_profile(tmp_path: Path, text: str, world: str) -> None:
    """Money would be sent into a meter that has no wallet."""
    meter = _roster(tmp_path, _METER + text).meter("m1")
    assert meter is not None and world == meter.world


@pytest.mark.parametrize(
    "text",
    [
        'cost_control = "local"\n',
        _REMOTE + 'cost_control = "local"\n',
        _REMOTE + 'cost_control = "none"\n',
        _LOCAL + 'cost_control = "remote"\n',
        _LOCAL + 'cost_control = "none"\n',
    ],
)
def test_the_two_worlds_are_never_mixed_in_one_meter(tmp_path: Path, text: str) -> None:
    """The wallet and the account would both be charged, or neither."""
    with pytest.raises(ConfigError, match=r"cost_control = .* but its profile"):
        _roster(tmp_path, _METER + text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (_METER + 'customer_number = "12345678"\n', "line 5: meters\\[1\\].customer_number: write 12 digits"),
        (_METER + "meter_number = 202611220001\n", "line 5: .* in quotes"),
        (_METER + 'protected = ["hotel"]\n', "line 5: .*hospital"),
        (_METER + 'cost_control = "prepaid"\n', "line 5: .*remote"),
        (_METER + "opening_limit_a = 0\n", "line 5: "),
        (_METER + _CONTROL.replace("20261122", "00000000"), "operator_code.*8 digits"),
        (_METER + _CONTROL.replace("20261122", "2026112"), "operator_code.*8 digits"),
        (_METER + "[control]\n", "control.people: is missing"),
        (_METER + _CONTROL + "trips_per_line_10_min = 21\n", "line 8: .*less than or equal to 20"),
        (_METER + _CONTROL + "calm_from_hour = 9\ncalm_until_hour = 9\n", "no hour is left"),
        (
            _METER + _CONTROL + "notice_age_max_days = 7\nnotice_days_residential = 8\n",
            "shorter than a notice",
        ),
        (_METER + _CONTROL + "arm_s = 5\n", "unknown key 'control.arm_s'"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    """A number of a customer mistyped would be somebody else's."""
    path = tmp_path / "meterlink.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as wrong:
        load_settings(path)

    assert re.search(words, str(wrong.value).replace(f"{path}:", "line ")), str(wrong.value)
