"""``meterlink work``: what waits for a person; looking reads the journal, writing goes through the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.journal_file import looking_into
from meterlink.cli.language import Lang, chosen
from meterlink.cli.options import FIRST_CONFIG, AsJsonLines, Config, Language
from meterlink.cli.saying import say

app = typer.Typer(no_args_is_help=True, help="What waits for a person: work items and alarms. 待办与告警。")

_ITEM = Annotated[str, typer.Argument(help="Its id, as `meterlink work list` shows it.")]
_JOURNAL = Annotated[
    Path | None,
    typer.Option("--journal", help="A journal's file in place of the configuration's.", show_default=False),
]


@app.command("list")
def list_open(
    everything: Annotated[bool, typer.Option("--all", help="Those that are closed as well.")] = False,
    meter: Annotated[str, typer.Option(help="Of one meter only.", show_default=False)] = "",
    config: Config = FIRST_CONFIG,
    journal: _JOURNAL = None,
    as_json: AsJsonLines = False,
    lang: Language = None,
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
    item: _ITEM,
    config: Config = FIRST_CONFIG,
    journal: _JOURNAL = None,
    as_json: AsJsonLines = False,
    lang: Language = None,
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
        say(f"there is no work item and no alarm {item!r}", err=True)
        raise typer.Exit(ExitCode.FAILURE)


@app.command()
def note(
    item: _ITEM,
    text: Annotated[str, typer.Argument(help="What was found or done.")],
    config: Config = FIRST_CONFIG,
    as_json: AsJsonLines = False,
    lang: Language = None,
) -> None:
    """Write a note on a work item, through the daemon. 备注。

    \b
    Example:
      meterlink work note field_order:o-7 "door locked, back at 18:00"

    \b
    Exit codes: 0 written; 2 no such item; 7 journal; 8 your role or its state forbids it; 10 no daemon.
    """
    _ask("work.note", config, as_json, lang, item=item, text=text)


@app.command()
def assign(
    item: _ITEM,
    to: Annotated[str, typer.Option(help="Whose it is from now on.", show_default=False)],
    config: Config = FIRST_CONFIG,
    as_json: AsJsonLines = False,
    lang: Language = None,
) -> None:
    """Say whose a work item is. 派单。

    \b
    Example:
      meterlink work assign field_order:o-7 --to wang

    \b
    Exit codes: 0 written; 2 no such item; 7 journal; 8 your role or its state forbids it; 10 no daemon.
    """
    _ask("work.assign", config, as_json, lang, item=item, assignee=to)


@app.command()
def acknowledge(
    alarm: Annotated[str, typer.Argument(help="Its id, as `meterlink work list` shows it.")],
    config: Config = FIRST_CONFIG,
    as_json: AsJsonLines = False,
    lang: Language = None,
) -> None:
    """Say that an alarm has been seen. 确认告警。

    \b
    Example:
      meterlink work acknowledge RELAY_FAULT:kitchen:2026-11-22

    \b
    Exit codes: 0 written; 2 no such alarm; 7 journal; 8 your role or its state forbids it; 10 no daemon.
    """
    _ask("alarm.acknowledge", config, as_json, lang, alarm=alarm)


@app.command()
def close(
    item: _ITEM,
    why: Annotated[
        str, typer.Option(help="What was found and done; of an alarm its cause.", show_default=False)
    ],
    owner: Annotated[str, typer.Option(help="Of an alarm: who answers for it.", show_default=False)] = "",
    prevention: Annotated[
        str, typer.Option(help="Of an alarm: what keeps it from coming back.", show_default=False)
    ] = "",
    config: Config = FIRST_CONFIG,
    as_json: AsJsonLines = False,
    lang: Language = None,
) -> None:
    """Close a work item, or an alarm with its cause, owner and prevention. 关闭。

    A work item about money is closed when a second person says so too.

    \b
    Examples:
      meterlink work close field_order:o-7 --why "closed by hand, contact seen"
      meterlink work close RELAY_FAULT:kitchen:2026-11-22 --why "welded contact" --owner li \\
          --prevention "the batch was replaced"

    \b
    Exit codes: 0 written; 2 no such item; 7 journal; 8 your role or its state forbids it; 10 no daemon.
    """
    if owner or prevention:
        told = {"cause": why, "owner": owner, "prevention": prevention}
        _ask("alarm.close", config, as_json, lang, alarm=item, **told)
    else:
        _ask("work.close", config, as_json, lang, item=item, why=why)


def _ask(op: str, config: Path, as_json: bool, lang: Lang | None, **args: str) -> None:
    from meterlink.cli.work_ask import WorkAsking

    raise typer.Exit(WorkAsking(config, as_json=as_json, lang=lang).done(op, **args))
