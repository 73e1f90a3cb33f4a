"""Faults of a configuration in Chinese: that there is none without, and how they read."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticKnownError
from typer.testing import CliRunner

from meterlink.cli import app
from meterlink.config import Settings, load_settings
from meterlink.config.fault import Fault, said_of
from meterlink.config.fault_words import in_chinese
from meterlink.config.load import FILE_MAX_OCTETS
from meterlink.config.watched_file import FILE_OCTETS_MAX
from meterlink.errors import ConfigError
from meterlink.orders import people
from meterlink.orders.limits import calendar
from meterlink.orders.limits.calendar import Holidays
from meterlink.orders.people import People

_ROOT: Final = Path(__file__).parents[2]
_SOURCES: Final = (_ROOT / "src" / "meterlink", _ROOT / "device_profiles" / "meterprofiles")
_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
_TOLD: Final = {"ConfigError", "Fault", "Said", "_wrong", "ProfileError", "fault", "error"}
"""What takes a sentence in English and behind it one in Chinese."""
_METER: Final = '[[meters]]\nid = "m1"\naddress = "161"\nline = "tcp://127.0.0.1:5000"\n'


# --- that there is none without --------------------------------------------------------------------


def _modules() -> Iterator[tuple[Path, ast.Module]]:
    for folder in _SOURCES:
        for path in sorted(folder.rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def _letters(node: ast.expr) -> str | None:
    """The letters of a text that stands there; ``None``: it is worked out elsewhere."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    plain = [one.value for one in parts if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return "".join(plain) if plain else None


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _is_said(told: list[ast.expr]) -> bool:
    """Whether the second sentence is Chinese, or worked out where others are."""
    if len(told) < 2:
        return False
    letters = _letters(told[1])
    return letters is None or bool(_CHINESE.search(letters)) or "zh" in ast.unparse(told[1])


def _calls() -> Iterator[tuple[str, list[ast.expr]]]:
    """Where a fault is told by a sentence that stands there, and what it is told by."""
    for path, module in _modules():
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and node.args and _name(node) in _TOLD:
                told = node.args[1:] if _name(node) == "_wrong" else node.args  # behind a line's URL
                if told and " " in (_letters(told[0]) or ""):
                    yield f"{path.name}:{node.lineno}", told


def test_each_fault_has_a_sentence_in_chinese() -> None:
    """An operator who reads no English would be told of a new fault in English alone."""
    found = dict(_calls())
    assert 150 < len(found), "else what was looked for is called otherwise now"
    assert [] == [where for where, told in found.items() if not _is_said(told)]


def test_no_validator_raises_what_has_one_language() -> None:
    """pydantic hands on a plain ``ValueError`` too, and nobody would notice that it is English."""
    found = []
    for path, module in _modules():
        nodes = list(ast.walk(module))
        names = {one.name for node in nodes if isinstance(node, ast.ImportFrom) for one in node.names}
        is_ours = path.parent.name == "config" or ("Table" in names and "evidence" not in path.parts)
        raised = [node.exc for node in nodes if isinstance(node, ast.Raise)] if is_ours else []
        calls = [one for one in raised if isinstance(one, ast.Call)]
        found += [f"{path.name}:{one.lineno}" for one in calls if _name(one) == "ValueError"]
    assert [] == found, "records of evidence, which are no configuration, have words of their own"


_GIVEN: Final = {
    "int": {"int_type", "int_parsing", "int_parsing_size", "int_from_float"},
    "float": {"float_type", "float_parsing", "finite_number"},
    "decimal": {"decimal_type", "decimal_parsing", "decimal_max_places", "finite_number"},
    "bool": {"bool_type", "bool_parsing"},
    "str": {"string_type", "string_unicode"},
    "literal": {"literal_error"},
    "enum": {"enum"},
    "date": {"date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"},
    "datetime": {
        *("datetime_type", "datetime_parsing", "datetime_object_invalid", "datetime_from_date_parsing")
    },
    "tuple": {"tuple_type"},
    "frozenset": {"frozen_set_type", "set_item_not_hashable"},
    "model": {"model_type", "extra_forbidden", "missing"},
    "tagged-union": {"union_tag_invalid", "union_tag_not_found"},
}
"""By kind of a pydantic schema, the faults that it finds."""
_LIMITS: Final = {
    "ge": "greater_than_equal",
    "gt": "greater_than",
    "le": "less_than_equal",
    "lt": "less_than",
    "pattern": "string_pattern_mismatch",
    "decimal_places": "decimal_max_places",
    "max_digits": "decimal_max_digits",
}
_FRAMES: Final = {
    *("definitions", "definition-ref", "default", "nullable", "model-fields", "model-field", "union"),
    *("function-after", "function-before", "function-wrap", "function-plain", "lax-or-strict", "is-instance"),
    *("chain", "json-or-python", "custom-error", "no-info", "with-info"),
}
"""Kinds that find nothing themselves: ours are ``Fault``, a path's is ``path_type``."""


_TOLD_OF: Final = {
    **dict.fromkeys(("ge", "gt", "le", "lt", "min_length", "max_length", "decimal_places"), 70),
    **dict.fromkeys(("field_type", "class_name", "error"), "Word"),
    **{"actual_length": 99, "pattern": "'[a-z]'", "expected": "'one', 'two' or 'three'"},
    **{"discriminator": "'kind'", "tag": "four", "expected_tags": "'one', 'two'", "object_type": "x"},
}
"""What pydantic may tell of a fault."""
_NAMED: Final = re.compile(r"70|'(?:one|two|three|kind|\[a-z\])'")
"""What of it people have to be told."""


def _schemas(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if isinstance(node.get("type"), str):
            yield node
        for key, value in node.items():
            if key not in {"metadata", "serialization", "default", "expected"}:
                yield from _schemas(value)
    elif isinstance(node, list | tuple):
        for one in node:
            yield from _schemas(one)


def _faults_of(model: type[BaseModel]) -> set[str]:
    found: set[str] = set()
    for node in _schemas(model.__pydantic_core_schema__):
        kind = node["type"]
        assert kind in _GIVEN or kind in _FRAMES, f"{kind}: say here which faults it finds"
        found |= _GIVEN.get(kind, set()) | {fault for limit, fault in _LIMITS.items() if limit in node}
        text = "string_" if kind == "str" else ""
        found |= {f"{text}too_short"} if "min_length" in node else set()
        found |= {f"{text}too_long"} if "max_length" in node else set()
    return found


def test_what_pydantic_finds_has_chinese_words_with_its_limits() -> None:
    """A number out of range is the fault that people make most, and none of our validators sees it."""
    models: tuple[type[BaseModel], ...] = (Settings, people._File, calendar._File)
    found = set[str]().union(*map(_faults_of, models))
    assert 30 < len(found), "else the schemas are built otherwise now"
    for kind in sorted(found):
        said = in_chinese(kind, _TOLD_OF)
        english = PydanticKnownError(kind, _TOLD_OF).message().partition(", not")[0]  # type: ignore[arg-type]
        assert _CHINESE.search(said), kind
        assert [] == [part for part in _NAMED.findall(english) if part not in said], kind
    assert _CHINESE.search(in_chinese("path_type", {}))


def test_a_fault_of_an_unknown_type_stays_english() -> None:
    """A version of pydantic with new faults would end in a ``KeyError`` in place of a line."""
    said = said_of({"type": "of_tomorrow", "loc": (), "msg": "Input should be good"})
    assert ("Input should be good", "Input should be good") == said


# --- how they read ---------------------------------------------------------------------------------


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
        People.read(path)
    assert caught.value.zh.startswith(f"{path}: ")
    assert zh in caught.value.zh


def test_a_file_of_people_that_others_may_write(tmp_path: Path) -> None:
    """Its remedy is a command; the sentence around it has to be read to dare it."""
    path = tmp_path / "people.toml"
    path.write_text(_PEOPLE.format('["clerk"]'))
    path.chmod(0o666)
    with pytest.raises(ConfigError) as caught:
        People.read(path)
    assert f"请运行 `chmod go-w {path}`" in caught.value.zh


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


# --- where they are shown --------------------------------------------------------------------------


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
            "[[plans]] 'instant': 没有电表能按 instant 类抄读数据项 'voltage.q'",
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
