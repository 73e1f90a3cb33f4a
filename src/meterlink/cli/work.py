"""``meterlink work``: what waits for a person: work items and alarms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meterlink.cli.config import CONFIG_OPTION
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.journal_file import FIRST_CONFIG, looking_into
from meterlink.cli.language import Lang, chosen

app = typer.Typer(no_args_is_help=True, help="What waits for a person: work items and alarms. 待办与告警。")

_CONFIG = Annotated[Path, CONFIG_OPTION]
_JSON = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
_LANG = Annotated[Lang | None, typer.Option(help="Language; default from the locale.")]
_JOURNAL = Annotated[
    Path | None,
    typer.Option("--journal", help="A journal's file in place of the configuration's.", show_default=False),
]


@app.command("list")
def list_open(
    everything: Annotated[bool, typer.Option("--all", help="Those that are closed as well.")] = False,
    meter: Annotated[str, typer.Option(help="Of one meter only.", show_default=False)] = "",
    config: _CONFIG = FIRST_CONFIG,
    journal: _JOURNAL = None,
    as_json: _JSON = False,
    lang: _LANG = None,
) -> None:
    """List what waits for a person. Works while the daemon runs, and without it. 列出待办。

    \b
    Examples:
      meterlink work list
      meterlink work list --meter kitchen --all --json

    \b
    Exit codes: 0 listed; 2 wrong configuration; 7 the journal cannot be read.
    """
    from meterlink.cli.work_look import show_all

    with looking_into(journal, config) as reader:
        show_all(reader, everything=everything, meter=meter, as_json=as_json, lang=chosen(lang))


@app.command("show")
def show_one(
    item: Annotated[str, typer.Argument(help="Its id, as `meterlink work list` shows it.")],
    config: _CONFIG = FIRST_CONFIG,
    journal: _JOURNAL = None,
    as_json: _JSON = False,
    lang: _LANG = None,
) -> None:
    """Show one work item or alarm with its whole story. 查看待办。

    \b
    Examples:
      meterlink work show field_order:o-2026-11-22-1
      meterlink work show RELAY_FAULT:kitchen:2026-11-22 --json

    \b
    Exit codes: 0 shown; 1 there is none; 2 wrong configuration; 7 the journal cannot be read.
    """
    from meterlink.cli.work_look import show

    with looking_into(journal, config) as reader:
        is_there = show(reader, item, as_json=as_json, lang=chosen(lang))
    if not is_there:
        typer.echo(f"there is no work item and no alarm {item!r}", err=True)
        raise typer.Exit(ExitCode.FAILURE)
