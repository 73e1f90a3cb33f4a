"""Wrong arguments, told in the language that the person wants, whoever finds them: the parser or a command.

The parser's own words are English and few: what it says is recognised by its form, and said again in Chinese.
A sentence of an unknown form stands as it came behind a Chinese word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Final, Literal

import typer
from typer.core import TyperGroup

from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.language import Lang, chosen, speaking
from meterlink.cli.saying import say

_ARGS: Final = "meterlink.args"
_KINDS: Final = {"option": "选项", "argument": "参数"}
_WHOLE: Final = tuple(
    (re.compile(pattern, re.DOTALL), words)
    for pattern, words in (
        (r"Missing (?P<kind>option|argument) (?P<name>.+?)\. *(?P<more>.*)", "缺少{kind}{name}{more}"),
        (r"Invalid value for (?P<name>.+?): (?P<more>.*)", "{name}的值无效{more}"),
        (r"No such option: (?P<name>\S+)(?: \(Possible options: (?P<near>.*)\))?", "没有选项{name}{near}"),
        (r"No such command (?P<name>'.*?')\.(?: Did you mean (?P<near>.*)\?)?", "没有命令{name}{near}"),
        (r"Got unexpected extra argument\(s\) \((?P<name>.*)\)", "多余的参数:{name}"),
        (r"Option (?P<name>'.*') requires an argument\.", "选项{name}需要一个值"),
        (r"Option (?P<name>'.*') does not take a value\.", "选项{name}不带值"),
    )
)
"""What the parser says."""
_INNER: Final = tuple(
    (re.compile(pattern, re.DOTALL), words)
    for pattern, words in (
        (r"Value error, (?P<a>'.*') is not one of (?P<b>.*)\.", "{a}不是可选值:{b}"),
        (r"Value error, (?P<a>'.*') does not match the formats (?P<b>.*)\.", "{a}不符合格式{b}"),
        (r"Input should be greater than or equal to (?P<a>\S+)", "至少为{a}"),
        (r"Input should be less than or equal to (?P<a>\S+)", "至多为{a}"),
        (r"Input should be a valid integer.*", "应为整数"),
        (r"Choose from: (?P<a>.*)", "可选:{a}"),
    )
)
"""What it says of a value."""


class Wrong(typer.BadParameter):
    """Arguments that make no sense together, or are none that a command can use.

    Args:
        en: why, one sentence.
        zh: the same in Chinese.
        param_hint: which option; ``None``: it concerns several.

    """

    def __init__(self, en: str, zh: str, *, param_hint: str | None = None) -> None:
        super().__init__(en, param_hint=param_hint)
        self.zh = zh


class Speaking(TyperGroup):
    """The whole command line: its usage errors are told in the language asked for."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """See the parser."""
        ctx.meta[_ARGS] = list(args)
        with _spoken(args):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """See the parser."""
        args = ctx.meta[_ARGS]
        with speaking(_language(args)), _spoken(args):
            return super().invoke(ctx)


@contextmanager
def _spoken(args: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except typer.TyperException as error:
        is_usage = hasattr(error, "ctx") and type(error).__name__ != "NoArgsIsHelpError"
        if not is_usage or _language(args) == "en":
            raise
        _tell(error)
        raise typer.Exit(ExitCode.USAGE) from None


def _tell(error: Any) -> None:
    """Say it in Chinese, below how the command is used."""
    if error.ctx is not None:
        say(error.ctx.get_usage().replace("Usage:", "用法:", 1), err=True)
        say(f"帮助:{error.ctx.command_path} --help", err=True)
    say(f"错误:{in_chinese(error)}", err=True)


def in_chinese(error: Any) -> str:
    """A usage error in Chinese.

    Args:
        error: of the parser, or ``Wrong``.

    """
    told = getattr(error, "zh", "")
    if told:
        hint = error.param_hint or (error.param.get_error_hint() if error.param else "")
        return f"{hint}:{told}" if hint else str(told)
    return _said(error.format_message())


def _said(text: str) -> str:
    for pattern, words in _WHOLE:
        if (found := pattern.fullmatch(text)) is not None:
            return words.format(
                **{name: _part(name, value or "") for name, value in found.groupdict().items()}
            )
    return f"参数有误:{text}"


def _part(name: str, value: str) -> str:
    """One part of a sentence of the parser's."""
    if name == "kind":
        return _KINDS[value]
    if not value or name == "name":
        return value
    if name == "near":
        return f",是否为 {value}"
    line = " ".join(value.split())
    for pattern, words in _INNER:
        if (found := pattern.fullmatch(line)) is not None:
            return ":" + words.format(**found.groupdict())
    return f":{line}"


def _language(args: Sequence[str]) -> Literal["en", "zh"]:
    """What was asked for, as far as it can be made out of wrong arguments; else what the locale says."""
    asked = [after for one, after in pairwise(args) if one == "--lang"]
    asked += [one.removeprefix("--lang=") for one in args if one.startswith("--lang=")]
    return chosen(Lang(asked[-1]) if asked and asked[-1] in tuple(Lang) else None)
