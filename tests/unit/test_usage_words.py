"""Wrong arguments, in the language of whoever typed them."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from meterlink.cli import app
from meterlink.cli.order_kinds import NOT_ORDERED_ZH
from meterlink.model.order import NOT_ORDERED

_CREATE = ["order", "create", "t-1", "--kind", "trip", "--meter", "m7", "--reason", "x"]


def _said(*words: str, lang: str | None = "zh", **env: str) -> tuple[int, str]:
    """The exit code and what is told of wrong arguments."""
    more = [] if lang is None else ["--lang", lang]
    ended = CliRunner().invoke(app, [*words, *more], env={"COLUMNS": "400", "LC_ALL": "", **env})
    assert "" == ended.stdout
    return ended.exit_code, ended.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["order", "create", "t-1", "--kind", "trip"], "缺少选项'--meter'"),
        (["order", "show"], "缺少参数"),
        ([*_CREATE, "--withn", "5"], "没有选项--withn,是否为 --kind, --wait, --within"),
        ([*_CREATE, "--within", "0"], "'--within'的值无效:至少为1"),
        ([*_CREATE, "--within", "1441"], "'--within'的值无效:至多为1440"),
        ([*_CREATE, "--within", "x"], "'--within'的值无效:应为整数"),
        ([*_CREATE, "--deadline", "x"], "'--deadline'的值无效:'x'不符合格式"),
        ([*_CREATE, "more"], "多余的参数:more"),
        ([*_CREATE], "--deadline 与 --within 须给出且只给出一个"),
        ([*_CREATE, "--within", "5", "--amount", "1"], "工单内容有误:"),
        (["order", "crate"], "没有命令'crate',是否为 'create'"),
        (["frobnicate"], "没有命令'frobnicate'"),
        (["order", "find", "t-1", "--evidence", "x"], "缺少选项'--finding':可选:done, not_done"),
        (["order", "find", "t-1", "--evidence", "x", "--finding", "y"], "'y'不是可选值:'done', 'not_done'"),
        (["qualify"], "请给出您所在现场的电表"),
    ],
)
def test_wrong_arguments_are_told_in_chinese(words: list[str], told: str) -> None:
    """Who asked for Chinese would read the parser's English, and only where something is wrong."""
    code, text = _said(*words)
    assert (2, True, True) == (code, told in text, text.startswith("用法:")), text
    line = text.splitlines()[-1]
    assert line.startswith("错误:")
    code, text = _said(*words, lang="en")
    assert (2, False) == (code, "错误" in text)


def test_without_an_option_the_locale_decides() -> None:
    """A Chinese desktop would answer in English until somebody finds an option."""
    assert "缺少选项" in _said("order", "create", "t-1", lang=None, LANG="zh_CN.UTF-8")[1]
    assert "Missing option" in _said("order", "create", "t-1", lang=None, LANG="en_GB.UTF-8")[1]
    assert "没有选项--foo" in _said("--foo", lang=None, LANG="zh_CN.UTF-8")[1]
    assert "选项'--meter'需要一个值" in _said("order", "list", "--meter", lang=None, LANG="zh_CN.UTF-8")[1]
    assert "选项'--all'不带值" in _said("order", "list", "--all=1", lang=None, LANG="zh_CN.UTF-8")[1]


@pytest.mark.parametrize("kind", sorted(NOT_ORDERED))
def test_what_is_not_ordered_says_why(kind: str) -> None:
    """Who looks for a refund would believe that it is spelled otherwise, and try on."""
    words = ["order", "create", "t-1", "--kind", kind, "--meter", "m7", "--reason", "x", "--within", "5"]
    code, text = _said(*words, lang="en")
    assert 2 == code
    assert "".join(NOT_ORDERED[kind].split()) in "".join(text.replace("│", "").split())
    code, text = _said(*words)
    assert (2, True) == (code, text.endswith(f"本系统不下达 {kind}:{NOT_ORDERED_ZH[kind]}\n"))


def test_an_unknown_kind_names_those_that_there_are() -> None:
    """Who mistypes a kind would have to look it up in the documents."""
    code, text = _said("order", "create", "t-1", "--kind", "tripp")
    assert 2 == code
    assert "没有 'tripp',可选:trip, permit_close" in text
