"""The reference of the commands, made from what ``--help`` is made from."""

from __future__ import annotations

import re
from collections.abc import Iterator

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

import meterlink.cli
import metersim.cli

_PROGRAMS = {"meterlink": meterlink.cli.app, "metersim": metersim.cli.app}
_EVERYWHERE = {"--help", "--install-completion", "--show-completion", "--version"}


def commands() -> str:
    """Every command of every program with its options."""
    return "\n".join(
        _section(name, command)
        for program, app in _PROGRAMS.items()
        for name, command in _leaves(program, typer.main.get_command(app))
    )


def _leaves(name: str, command: object) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperGroup):
        for below, inner in command.commands.items():
            yield from _leaves(f"{name} {below}", inner)
    elif isinstance(command, TyperCommand):
        yield name, command


def _section(name: str, command: TyperCommand) -> str:
    options = [_row(option) for option in command.params if not set(option.opts) & _EVERYWHERE]
    table = ["", "| option | default | what it is |", "| --- | --- | --- |", *options] if options else []
    return "\n".join([f"## `{name}`", "", *_prose(command.help or ""), *table]) + "\n"


def _prose(text: str) -> Iterator[str]:
    """Paragraphs, one sentence a line; what is kept as it is (after a form feed) becomes a code block."""
    paragraphs = [part for part in re.split(r"\n\s*\n", text) if part.strip()]
    for number, paragraph in enumerate(paragraphs):
        if number:
            yield ""
        if paragraph.lstrip().startswith("\b"):
            yield from ("```text", *(line for line in paragraph.splitlines() if line.strip("\b ")), "```")
        else:
            yield re.sub(r"(?<=[.。]) +", "\n", " ".join(paragraph.split()))


def _row(option: object) -> str:
    assert isinstance(option, TyperOption | TyperArgument)
    name = ", ".join(f"`{word}`" for word in [*option.opts, *option.secondary_opts])
    if isinstance(option, TyperArgument):
        name = f"`{str(option.name).upper()}`"
    no_default = option.required or option.default in (None, False, "")
    default = "required" if option.required else "" if no_default else f"`{option.default}`"
    return f"| {name} | {default} | {option.help or ''} |"
