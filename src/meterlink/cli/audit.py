"""``meterlink audit``: is what people and rules did still what the log says? Offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.journal_file import JOURNAL_ARGUMENT, folder_of, looking_into
from meterlink.cli.language import chosen
from meterlink.cli.options import FIRST_CONFIG, AsJson, Config, Language
from meterlink.cli.saying import say

app = typer.Typer(
    no_args_is_help=True, help="Look whether the log of orders and decisions was changed. 审计。"
)

_JOURNAL = Annotated[Path | None, JOURNAL_ARGUMENT]


@app.command()
def verify(
    journal: _JOURNAL = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            help="Public key that may have signed: 64 hex digits, or a file with them. May be repeated.",
            show_default=False,
        ),
    ] = None,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint that was kept elsewhere. May be repeated.", show_default=False),
    ] = None,
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Follow the chain of acts from the first to the last, and name the first that is not as it was. 校验。

    Works on the journal of a running daemon, and on a copy (`meterlink journal backup`)
    on another machine. What was cut off at the end shows only with a checkpoint that was kept elsewhere, and
    whose the signatures are only with the key that the gateway's own `meterlink audit key` printed.

    \b
    Examples:
      meterlink audit verify
      meterlink audit verify copy.sqlite3 --key gateway-7.key --checkpoint last-month.json
      meterlink audit verify copy.sqlite3 --json

    \b
    Exit codes: 0 whole; 2 wrong arguments; 7 the journal cannot be read; 11 changed, cut off, or not signed.
    """
    from meterlink.cli.audit_look import keys_of, look, saved_of

    keys, saved = keys_of(key or []), saved_of(checkpoint or [])
    with looking_into(journal, config) as reader:
        is_whole = look(reader, keys, saved, as_json=as_json, lang=chosen(lang))
    raise typer.Exit(ExitCode.OK if is_whole else ExitCode.TAMPERED)


@app.command("key")
def show_key(config: Config = FIRST_CONFIG) -> None:
    """Print the public key of the gateway, to be kept elsewhere; `verify` takes it. 公钥。

    The daemon makes the key at its first start; it never leaves the machine, and only its user can read it.

    \b
    Example:
      meterlink audit key > gateway-7.key

    \b
    Exit codes: 0 printed; 1 there is no key, or it cannot be read; 2 wrong configuration.
    """
    from meterlink.audit.keys import GatewayKey
    from meterlink.errors import KeyUnusable

    try:
        say(GatewayKey.find(folder_of(config)).public_hex)
    except KeyUnusable as error:
        say(str(error), err=True)
        raise typer.Exit(ExitCode.FAILURE) from None


@app.command("checkpoint")
def show_checkpoint(journal: _JOURNAL = None, config: Config = FIRST_CONFIG) -> None:
    """Print the newest signed checkpoint as JSON, to be kept elsewhere; `verify` takes it. 检查点。

    Who has it can tell later whether anything before it was changed or cut off.

    \b
    Example:
      meterlink audit checkpoint > checkpoint-2026-11-22.json

    \b
    Exit codes: 0 printed; 1 nothing is signed yet; 2 wrong configuration; 7 the journal cannot be read.
    """
    with looking_into(journal, config) as reader:
        newest = reader.last_checkpoint()
    if newest is None:
        say("nothing is signed yet: that is done at the end of each day, and at a stop", err=True)
        raise typer.Exit(ExitCode.FAILURE)
    say(json.dumps(newest.as_json()))
