"""Faults of a configuration in both languages: how they read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from meterlink.config import load_settings
from meterlink.config.fault import Fault
from meterlink.config.load import FILE_MAX_OCTETS
from meterlink.config.watched_file import FILE_OCTETS_MAX
from meterlink.errors import ConfigError, NotAllowed
from meterlink.orders.limits.calendar import Holidays
from meterlink.orders.people_file import PeopleOfFile, read_people
from meterlink.orders.rules.queueing import posts_are_known
from tests.support.rule_cases.case import LIVE, trip

_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
_METER: Final = '[[meters]]\nid = "m1"\naddress = "161"\nline = "tcp://127.0.0.1:5000"\n'


def _refused(tmp_path: Path, text: str | bytes) -> ConfigError:
    path = tmp_path / "meterlink.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    return caught.value


_LISTED: Final = '[[lines]]\nname = "hall"\nurl = "{}"\n'


@pytest.mark.parametrize(
    ("text", "en", "zh"),
    [
        (
            _METER + "speed = 1\n",
            ":5: unknown key 'meters[1].speed'; known keys: ",
            ":5: 未知的键 'meters[1].speed';已知的键:",
        ),
        (
            "[gatway]\n" + _METER,
            ":1: unknown key 'gatway'; did you mean 'gateway'?",
            ":1: 未知的键 'gatway';是否为 'gateway'?",
        ),
        (
            _METER.replace('"161"', "161"),
            "write the digits in quotes",
            ":3: meters[1].address: 请将数字写在引号内",
        ),
        (
            _METER.replace("161", "1a1"),
            "12 decimal digits",
            ":3: meters[1].address: 通信地址 '1a1':电表的通信地址至多 12 位",
        ),
        (
            _METER.replace("161", "9" * 12),
            "the broadcast address",
            "'999999999999' 是广播地址,没有电表会应答",
        ),
        (_METER.replace("m1", "a/b"), "MQTT topic", ":2: meters[1].id: 名称不能含有 '/'"),
        (_METER.replace('id = "m1"\n', ""), "meters[1].id: is missing", ":1: meters[1].id: 缺少该项"),
        (_METER + "reading_day = 29\n", "less than or equal to 28", ":5: meters[1].reading_day: 不能大于 28"),
        (_METER + "reading_day = 0\n", "greater than or equal to 1", ":5: meters[1].reading_day: 不能小于 1"),
        (_METER + 'reading_day = "x"\n', "valid integer", ":5: meters[1].reading_day: 须为整数"),
        (_METER + "reading_day = 1.5\n", "fractional", ":5: meters[1].reading_day: 须为整数,不能带小数"),
        (_METER + "ct = 0\n", "greater than 0", ":5: meters[1].ct: 须大于 0"),
        (_METER + "pt = 1.1234567\n", "6 decimal places", ":5: meters[1].pt: 至多可有 6 位小数"),
        (_METER + 'important = "perhaps"\n', "valid boolean", ":5: meters[1].important: 须为 true 或 false"),
        (
            _METER + f'model = "{"x" * 65}"\n',
            "at most 64 characters",
            ":5: meters[1].model: 至多可有 64 个字符",
        ),
        (
            _METER + 'cost_control = "here"\n',
            "'none', 'remote' or 'local'",
            "须为以下之一:'none'、'remote'、'local'",
        ),
        (_METER + 'protected = "school"\n', "must be a list", ":5: meters[1].protected: 须为列表"),
        (
            _METER + "in_service_since = 2026-11-22\n",
            "a time needs a zone",
            ":5: meters[1].in_service_since: 时间须带时区",
        ),
        (_METER + "[[plans]]\nitems = []\n", "at least 1 entry", ":6: plans[1].items: 至少须有 1 项"),
        (_METER + '[[plans]]\nfrom = "soon"\n', "valid date", ":6: plans[1].from: 须为日期,例如 2026-11-22"),
        (_METER + "[[plans]]\n" * 21, "at most 20 items", ": plans: 至多可有 20 项"),
        ("[meters]\n", "write [[meters]]", ":1: meters: 请在每只电表的各键上方写 [[meters]]"),
        ("log = 5\n", "must be a table", ":1: log: 须为表"),
        ("[mqtt]\nurl = 5\n", "must be a text", ":2: mqtt.url: 须为文本"),
        ("[files]\ndir = 5\n", "must be a path", ":2: files.dir: 须为路径"),
        (
            '[mqtt]\nurl = "mqtt://h"\npassword = "x"\n',
            "by reference",
            ":3: mqtt.password: 密码或令牌须以引用方式给出",
        ),
        (
            _METER + _METER.replace("m1", "m2"),
            "two meters of one address",
            ": [[meters]] 第 2 项(m2):通信地址 000000000161 与同一线路上的[[meters]] 第 1 项(m1)相同",
        ),
        (_METER + _METER.replace("161", "162"), "the same id 'm1'", ": 两个 [[meters]] 的 id 相同:'m1'"),
        (
            _METER.replace("tcp://127.0.0.1:5000", "hall"),
            "no line is named 'hall'",
            "[[meters]] 第 1 项(m1):没有名为 'hall' 的线路(已有:无)",
        ),
        (
            _METER.replace("tcp://", "udp://"),
            "a line is tcp://",
            "[[meters]] 第 1 项(m1):线路 'udp://127.0.0.1:5000':应为 tcp://主机:端口",
        ),
        (
            _LISTED.format("serial:///dev/ttyS1?baud=1"),
            "baud must be one of",
            ":3: lines[1].url: 线路 'serial:///dev/ttyS1?baud=1':baud(波特率)须为以下之一",
        ),
        (_LISTED.format("listen://0.0.0.0:9000"), "who calls?", "未写由谁拨入"),
        (_LISTED.format("tcp://h:1?terminal=0171-0"), "a terminal's number", "终端地址须为 1 至 65535"),
        (
            _LISTED.format("tcp://h:1?terminal=0171-2082") + "carrier = {}\n",
            "take the table carrier away",
            "请去掉 carrier",
        ),
        ('[gateway]\nid = "a\\u0000"\n', "may not contain \\u0000", ":2: gateway.id: 文本中不能有 \\u0000"),
        ("x = = 1\n", "not TOML: ", ": 不是 TOML 格式:"),
        ("x = " + "[" * 5_000, "brackets stand too deep", ": 不是本程序的 TOML 文件:括号嵌套过深"),
        (b'[log]\nlevel = "\xff"\n', "octet FFH is no UTF-8", ":2: 字节 FFH 不是 UTF-8 编码"),
        (b"#" * (FILE_MAX_OCTETS + 1), "larger than 16 MiB", ": 大于 16 MiB"),
    ],
)
def test_a_wrong_file_is_told_in_both_languages(tmp_path: Path, text: str | bytes, en: str, zh: str) -> None:
    """The line that is shown to a Chinese operator would be about another fault, or another place."""
    error = _refused(tmp_path, text)
    assert en in str(error)
    assert zh in error.zh
    assert str(error).count("\n") == error.zh.count("\n"), "a line for each fault"
    assert all(line.startswith(str(tmp_path)) for line in error.zh.splitlines()), "each names its file"


@pytest.mark.parametrize(("name", "value"), [("GATEWAY__ID", "a/b"), ("LOG__LEVEL", "loud")])
def test_a_variable_is_named_in_chinese(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Somebody would look for the fault in the file, where there is none."""
    monkeypatch.setenv(f"METERLINK_{name}", value)
    error = _refused(tmp_path, _METER)
    assert f"environment variable METERLINK_{name}: " in str(error)
    assert f"环境变量 METERLINK_{name}: " in error.zh


@pytest.mark.parametrize("name", ["PLANS", "GATEWAY", "CONTROL__SEASONS"])
def test_a_variable_that_is_no_json_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The daemon would end in a traceback that says nothing of the environment, and shows what is in it."""
    monkeypatch.setenv(f"METERLINK_{name}", "secret")
    error = _refused(tmp_path, _METER)
    assert f"environment variable METERLINK_{name}: must be JSON" in str(error)
    assert f"环境变量 METERLINK_{name}: 代表整个表或列表,须为 JSON" in error.zh
    assert "secret" not in str(error) + error.zh


def test_secrets_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sets a gateway up in China would not know which of its secrets is missing."""
    path = tmp_path / "meterlink.toml"
    path.write_text(f'{_METER}[mqtt]\nurl = "mqtt://h"\npassword = "env:NOT_THERE"\n')
    monkeypatch.delenv("NOT_THERE", raising=False)
    with pytest.raises(ConfigError) as caught:
        load_settings(path).check_secrets()
    assert "mqtt.password: the environment variable NOT_THERE is not set" == str(caught.value)
    assert "mqtt.password: 未设置环境变量 NOT_THERE" == caught.value.zh


_PEOPLE: Final = '[[people]]\nname = "li.lei"\nroles = {}\n'


@pytest.mark.parametrize(
    ("text", "zh"),
    [
        ("", ": people: 缺少该项"),
        (_PEOPLE.format('["clark"]'), ": people.1.roles.1: 须为以下之一:'viewer'、"),
        (_PEOPLE.format('"clerk"'), ": people.1.roles: 须为列表"),
        (_PEOPLE.format("[]"), ": people.1.roles: 至少须有 1 项"),
        (
            _PEOPLE.format('["auditor", "clerk"]'),
            ": people.1.roles: 角色 auditor 与 clerk 须由两个人分别担任",
        ),
        (_PEOPLE.format('["clerk"]') * 2, ": 两个 [[people]] 的 name 相同:'li.lei'"),
        (_PEOPLE.format('["clerk"]').replace("li.lei", "meterlink"), "是守护进程自己的名称"),
        (_PEOPLE.format('["clerk"]') + "rolls = 1\n", ": people.1.rolls: 未知的键"),
        (_PEOPLE.format('["clerk"]') + 'senders = ["-"]\n', ": people.1.senders.1: 请写 1 至 32 个字符"),
        ("x = = 1\n", ": 不是 TOML 格式:"),
        ("#" * (FILE_OCTETS_MAX + 1), f": 大于 {FILE_OCTETS_MAX} 字节"),
    ],
)
def test_a_wrong_file_of_people(tmp_path: Path, text: str, zh: str) -> None:
    """While it is wrong nobody may do anything, and who could mend it would not read why."""
    path = tmp_path / "people.toml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        read_people(path)
    assert caught.value.zh.startswith(f"{path}: ")
    assert zh in caught.value.zh


def test_a_file_of_people_that_others_may_write(tmp_path: Path) -> None:
    """Its remedy is a command; the sentence around it has to be read to dare it."""
    path = tmp_path / "people.toml"
    path.write_text(_PEOPLE.format('["clerk"]'))
    path.chmod(0o666)
    with pytest.raises(ConfigError) as caught:
        read_people(path)
    assert f"请运行 `chmod go-w {path}`" in caught.value.zh


def test_whoever_may_do_nothing_reads_why(tmp_path: Path) -> None:
    """The clerk who is refused would be told in English which line of which file is wrong."""
    path = tmp_path / "people.toml"
    path.write_text(_PEOPLE.format('["clark"]'))
    path.chmod(0o600)
    known = PeopleOfFile(path)
    with pytest.raises(NotAllowed) as caught:
        known.actor("li.lei")
    assert f"人员文件有误,更正之前任何人不得操作:{path}: people.1.roles.1: 须为" in caught.value.zh
    assert not _CHINESE.search(str(caught.value))
    assert (True, True) == (known.fault != "", "须为以下之一" in known.fault_zh)
    path.write_text(_PEOPLE.format('["clerk"]'))
    assert ("", "") == (known.fault, known.fault_zh)


def test_a_verdict_tells_the_fault_in_its_own_language() -> None:
    """The approver who sees why nothing goes would find an English line in the middle of the sentence."""
    made = trip(LIVE, people_fault="p.toml: not TOML", people_fault_zh="p.toml: 不是 TOML 格式")
    found = posts_are_known(made())
    assert found.en.endswith("who has which role: p.toml: not TOML")
    assert found.zh.endswith("期间不停电:p.toml: 不是 TOML 格式")


@pytest.mark.parametrize(
    ("text", "zh"),
    [
        ("first_day = 2026-12-31\nlast_day = 2026-01-01\n", ": last_day 早于 first_day"),
        ("first_day = 2026-01-01\n", ": last_day: 缺少该项"),
        ('first_day = "soon"\nlast_day = 2026-01-01\n', ": first_day: 须为日期"),
        (None, ": 无法读取:没有该文件"),
    ],
)
def test_a_wrong_file_of_holidays(tmp_path: Path, text: str | None, zh: str) -> None:
    """While it is wrong nobody is cut off, for a reason that nobody reads."""
    path = tmp_path / "holidays.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        Holidays.read(path)
    assert f"{path}{zh}" in caught.value.zh


def test_a_fault_keeps_both_sentences_behind_a_place() -> None:
    """What names the meter would be told in one language, and its fault in the other."""
    fault = Fault("is wrong", "有误").behind("[[meters]] number 1: ", "[[meters]] 第 1 项:")
    assert ("[[meters]] number 1: is wrong", "[[meters]] 第 1 项:有误") == (str(fault), fault.zh)
    error = ConfigError("is wrong", "有误").behind("mqtt.password: ")
    assert ("mqtt.password: is wrong", "mqtt.password: 有误") == (str(error), error.zh)
