"""``meterlink evidence``: what other systems tell, taken in by the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meterlink.cli.options import FIRST_CONFIG, AsJson, Config, Language, Reason

app = typer.Typer(
    no_args_is_help=True,
    help="Balances, warnings, notices, payments, consents: what the rules of orders read. 证据记录。",
)

_ID = Annotated[str, typer.Argument(help="Full id of the record, SENDER:ID.", show_default=False)]


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="One JSON record a line; - is standard input.")],
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Take records in. The same record again changes nothing; a wrong line stops no other. 导入证据。

    A payment is acted upon at once: it cancels a disconnection that has not been sent, reverses one that has,
    or tops the meter up.

    \b
    Examples:
      meterlink evidence import today.jsonl
      billing-export | meterlink evidence import - --json

    \b
    Exit codes: 0 all taken in; 1 some were refused, and the others taken in; 2 wrong arguments; 7 journal;
    10 no daemon.
    """
    from meterlink.cli.evidence_ask import EvidenceAsking

    raise typer.Exit(EvidenceAsking(config, as_json=as_json, lang=lang).imported(file))


@app.command()
def confirm(
    record: _ID, as_json: AsJson = False, lang: Language = None, config: Config = FIRST_CONFIG
) -> None:
    """Say as a second person that a policy is meant. 确认策略。

    \b
    Example:
      meterlink evidence confirm head-office:policy-7

    \b
    Exit codes: 0 confirmed; 2 it cannot be; 7 journal; 8 you may not; 10 no daemon.
    """
    from meterlink.cli.asking import Asking

    raise typer.Exit(Asking(config, as_json=as_json, lang=lang).done("evidence.confirm", id=record))


@app.command()
def withdraw(
    record: _ID,
    reason: Reason,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Take a record back that only allows something: a notice, a consent, a policy. 撤回记录。

    \b
    Example:
      meterlink evidence withdraw billing:n-12 --reason "wrong address"

    \b
    Exit codes: 0 taken back; 2 it cannot be; 7 journal; 8 you may not; 10 no daemon.
    """
    from meterlink.cli.asking import Asking

    asking = Asking(config, as_json=as_json, lang=lang)
    raise typer.Exit(asking.done("evidence.withdraw", id=record, reason=reason))
