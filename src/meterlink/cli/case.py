"""``meterlink case``: its options. The daemon does what they ask for, see ``desk``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meterlink.cli.language import Lang
from meterlink.cli.options import FIRST_CONFIG, AsJson, Comment, Config, Language, Reason

app = typer.Typer(
    no_args_is_help=True,
    help="What goes before a disconnection: begin cases, approve, reject, withdraw them. 停电流程。",
)

_ID = Annotated[str, typer.Argument(help="The case's id, made by who begins it.", show_default=False)]


@app.command()
def create(
    case_id: _ID,
    meter: Annotated[str, typer.Option(help="Our id of the meter.", show_default=False)],
    reason: Reason,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Begin a case; the same id, meter and reason are the same case, however often it is sent. 发起。

    \b
    Example:
      meterlink case create c12 --meter m7 --reason "arrears since May"

    \b
    Exit codes: 0 begun; 2 wrong arguments; 7 journal; 8 a rule or your role forbids it, the meter has a
    case, or the id is taken; 10 no daemon.
    """
    _do("create", config, as_json, lang, id=case_id, meter=meter, reason=reason)


@app.command()
def approve(
    case_id: _ID,
    reason: Comment = "",
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Approve somebody else's case; the last notice may go out then. 审批通过。

    \b
    Example:
      meterlink case approve c12 --reason "seen the file"

    \b
    Exit codes: 0 approved; 2 no such case; 7 journal; 8 a rule, your role or its state forbids it;
    10 no daemon.
    """
    _do("approve", config, as_json, lang, id=case_id, reason=reason)


@app.command()
def reject(
    case_id: _ID,
    reason: Reason,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Say no to somebody else's case; it ends. 审批驳回。

    \b
    Example:
      meterlink case reject c12 --reason "the notice went to the wrong address"

    \b
    Exit codes: 0 rejected; 2 no such case; 7 journal; 8 your role or its state forbids it; 10 no daemon.
    """
    _do("reject", config, as_json, lang, id=case_id, reason=reason)


@app.command()
def cancel(
    case_id: _ID,
    reason: Reason,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Withdraw a case that has not ended; a case that has become an order is cancelled as an order. 撤销。

    \b
    Example:
      meterlink case cancel c12 --reason "pays by instalments"

    \b
    Exit codes: 0 withdrawn; 2 no such case; 7 journal; 8 it has ended, or your role forbids it;
    10 no daemon.
    """
    _do("cancel", config, as_json, lang, id=case_id, reason=reason)


@app.command()
def show(case_id: _ID, as_json: AsJson = False, lang: Language = None, config: Config = FIRST_CONFIG) -> None:
    """Show a case, everything that happened to it, and what it waits for. 查看。

    \b
    Examples:
      meterlink case show c12
      meterlink case show c12 --lang zh
      meterlink case show c12 --json

    \b
    Exit codes: 0 shown; 2 no such case; 7 journal; 10 no daemon.
    """
    _do("show", config, as_json, lang, id=case_id)


@app.command("list")
def list_cases(
    meter: Annotated[str, typer.Option(help="Cases of one meter only.", show_default=False)] = "",
    everything: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """List the open cases, or all. 列表。

    \b
    Examples:
      meterlink case list
      meterlink case list --meter m7 --all --json

    \b
    Exit codes: 0 listed; 7 journal; 10 no daemon.
    """
    from meterlink.cli.case_ask import CaseAsking

    asking = CaseAsking(config, as_json=as_json, lang=lang)
    raise typer.Exit(asking.listed(meter=meter, everything=everything))


def _do(op: str, config: Path, as_json: bool, lang: Lang | None, **args: str) -> None:
    from meterlink.cli.case_ask import CaseAsking

    raise typer.Exit(CaseAsking(config, as_json=as_json, lang=lang).done(f"case.{op}", **args))
