"""Where faults of a configuration are shown, and in which language."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from meterlink.cli import app

_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
_METER: Final = '[[meters]]\nid = "m1"\naddress = "161"\nline = "tcp://127.0.0.1:5000"\n'


def _said(*words: str, locale: str = "C") -> tuple[int, str]:
    result = CliRunner().invoke(app, words, env={"LC_ALL": locale})
    return result.exit_code, result.output


_WRONG: Final = _METER.replace("161", "1a1")
_EN, _ZH = "12 decimal digits", "电表的通信地址至多 12 位"


@pytest.mark.parametrize(
    "command",
    [
        ("run",),
        ("ingest",),
        ("config", "check"),
        ("events",),
        ("completeness", "--day", "2026-11-22"),
        ("roster", "apply", "roster.csv"),
        ("roster", "list"),
        ("settle", "--day", "2026-11-22"),
        ("settlement", "list"),
        ("token", "list"),
        ("order", "list"),
        ("journal", "status"),
        ("export", "daily", "--day", "2026-11-22", "--format", "csv"),
        ("audit", "key"),
    ],
)
def test_every_command_tells_a_wrong_configuration_in_the_language_of_the_locale(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    """One of the commands would answer in English to who works in Chinese."""
    path = tmp_path / "meterlink.toml"
    path.write_text(_WRONG)
    code, text = _said(*command, "-c", str(path), locale="zh_CN.UTF-8")
    assert (2, True, False) == (code, _ZH in text, _EN in text), text
    code, text = _said(*command, "-c", str(path))
    assert (2, False, True) == (code, _ZH in text, _EN in text), text


@pytest.mark.parametrize("command", [("config", "check"), ("events",), ("roster", "list"), ("token", "list")])
def test_the_language_asked_for_wins(tmp_path: Path, command: tuple[str, ...]) -> None:
    """``--lang`` would hold for what is good, and not for what is wrong."""
    path = tmp_path / "meterlink.toml"
    path.write_text(_WRONG)
    assert _ZH in _said(*command, "-c", str(path), "--lang", "zh")[1]
    assert _EN in _said(*command, "-c", str(path), "--lang=en", locale="zh_CN.UTF-8")[1]


def test_a_program_gets_each_fault_in_both_languages(tmp_path: Path) -> None:
    """A page that shows faults would have to know the language of its reader before it asks."""
    path = tmp_path / "meterlink.toml"
    path.write_text(f'[log]\nlevel = "loud"\n{_WRONG}')
    code, text = _said("config", "check", "-c", str(path), "--json")
    told = json.loads(text)
    assert (2, False, 2) == (code, told["ok"], len(told["faults"]))
    assert [True, True] == [_EN in told["faults"][0]["en"], _ZH in told["faults"][0]["zh"]]
    assert "须为以下之一:'debug'" in told["faults"][1]["zh"]


@pytest.mark.parametrize(
    ("more", "zh"),
    [
        (
            '[[plans]]\nitems = ["voltage.q"]\n',
            "[[plans]] 'instant': dlt645-2007 没有数据项 'voltage.q';相近的有:voltage.a",
        ),
        (
            '[[plans]]\nitems = ["voltage.a"]\n[[plans]]\nname = "b"\ndays = ["mon"]\n',
            "类别和间隔相同,共用时点",
        ),
        ('[gateway]\nprofiles = "/nowhere/at/all"\n', "/nowhere/at/all: 不是目录"),
        (
            '[mqtt]\nurl = "mqtts://h"\nca_file = "/nowhere/at/all"\n',
            "[mqtt] ca_file /nowhere/at/all:无法作为证书",
        ),
        (
            '[control]\npeople = "/nowhere/at/all"\noperator_code = "20261122"\n',
            "/nowhere/at/all: 无法读取:没有该文件",
        ),
    ],
)
def test_what_is_found_behind_the_file_is_chinese_too(tmp_path: Path, more: str, zh: str) -> None:
    """The file would be checked in Chinese, and what it names in English."""
    path = tmp_path / "meterlink.toml"
    path.write_text(_METER + more)
    code, text = _said("config", "check", "-c", str(path), "--lang", "zh")
    assert 2 == code
    assert zh in text.replace("\n", " ")


def test_a_meter_that_no_profile_serves_is_named(tmp_path: Path) -> None:
    """Its number and its model are what somebody looks for in the file."""
    path = tmp_path / "meterlink.toml"
    path.write_text(_METER.replace("161", "17") + 'protocol = "modbus-rtu"\n')
    code, text = _said("config", "check", "-c", str(path), "--lang", "zh")
    assert 2 == code
    assert "[[meters]] 第 1 项(m1):没有适用于规约 modbus-rtu、型号 (未填) 的规约档案" in text


def test_a_wrong_profile_of_ones_own_is_told_with_its_line(tmp_path: Path) -> None:
    """Whoever writes a profile would have to guess what is meant."""
    (tmp_path / "own.yaml").write_text("profile: own\nmatches: {protocol: dlt645}\nline: {}\ntiming: {}\n")
    path = tmp_path / "meterlink.toml"
    path.write_text(f'[gateway]\nprofiles = "{tmp_path}"\n{_METER}')
    code, text = _said("config", "check", "-c", str(path), "--lang", "zh")
    assert 2 == code
    assert f"{tmp_path / 'own.yaml'}:2: matches.protocol: 'dlt645' 须为以下之一:" in text


def test_a_good_configuration_is_shown_in_chinese(tmp_path: Path) -> None:
    """Its faults would be Chinese, and that there are none English."""
    path = tmp_path / "meterlink.toml"
    path.write_text(_METER)
    code, text = _said("config", "check", "-c", str(path), "--lang", "zh")
    assert 0 == code
    assert f"{path}: 配置正确\n  电表: 1\n" in text
    assert "控制: 无:不下达任何命令" in text
    code, text = _said("config", "check", "-c", str(path))
    assert f"{path}: good\n  meters: 1\n" in text
    assert not _CHINESE.search(text)
