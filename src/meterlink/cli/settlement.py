"""``meterlink settle`` and ``meterlink settlement``: days that are sealed for whoever bills."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meterlink.cli.options import FIRST_CONFIG, AsJson, Config, Language

app = typer.Typer(
    no_args_is_help=True, help="Sealed days: which there are, and whether one is as it was sealed. 日结封存。"
)

_DAY = Annotated[str, typer.Option("--day", help="Day of the data, in the plant: 2026-11-21.")]
_AREA = Annotated[
    str | None, typer.Option(help="Only this transformer area; without it all.", show_default=False)
]


def settle(
    day: _DAY,
    area: _AREA = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be sealed.")] = False,
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Seal a day for whoever bills: its freezes, a signed manifest, and an act in the chain. 日结封存。

    A day that is sealed stays as it is. What has come since, from backfill or as a correction, is sealed in a
    numbered supplement; where nothing has, nothing is written. While the daemon runs it does it; without it
    the journal is opened directly.

    \b
    Examples:
      meterlink settle --day 2026-11-21
      meterlink settle --day 2026-11-21 --area east --dry-run
      meterlink settle --day 2026-11-21 --json

    \b
    Exit codes: 0 sealed, or nothing was new; 1 the files cannot be written, or are not as they were sealed;
    2 wrong arguments, no such area, or the day is not over; 7 journal; 8 you may not.
    """
    from meterlink.cli.settlement_do import Settling

    settling = Settling(config, as_json=as_json, lang=lang)
    raise typer.Exit(settling.settle(day, area, dry_run=dry_run))


@app.command("list")
def list_all(
    day: Annotated[str, typer.Option("--day", help="Only this day.", show_default=False)] = "",
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """List what is sealed. Works while the daemon runs, and without it. 列出已封存的日结。

    \b
    Examples:
      meterlink settlement list
      meterlink settlement list --day 2026-11-21 --json

    \b
    Exit codes: 0 listed; 1 a manifest cannot be read; 2 wrong arguments.
    """
    from meterlink.cli.settlement_look import SettlementLook

    raise typer.Exit(SettlementLook(as_json=as_json, lang=lang).list(config, day))


@app.command()
def show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a seal or supplement.")],
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Show a manifest: counts, shares, files, and each missing meter with its reason. 查看封存清单。

    \b
    Example:
      meterlink settlement show settlements/2026-11-21/east/0001

    \b
    Exit codes: 0 shown; 1 the manifest cannot be read.
    """
    from meterlink.cli.settlement_look import SettlementLook

    raise typer.Exit(SettlementLook(as_json=as_json, lang=lang).show(folder))


@app.command()
def verify(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A seal or supplement, or a folder that holds some.")
    ],
    key: Annotated[
        list[str] | None,
        typer.Option(
            help="Public key that may have signed: 64 hex digits, or a file with them. May be repeated.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Look whether sealed days are as they were sealed, and name each file that is not. 校验日结封存。

    Works without a configuration, on a copy, on another machine. Whose the signatures are shows only with the
    key that `meterlink audit key` printed at the gateway.

    \b
    Examples:
      meterlink settlement verify settlements --key gateway-7.key
      meterlink settlement verify 2026-11-21/east --json

    \b
    Exit codes: 0 all is as it was sealed; 2 wrong arguments; 11 something is not.
    """
    from meterlink.cli.settlement_look import SettlementLook

    raise typer.Exit(SettlementLook(as_json=as_json, lang=lang).verify(folder, key or []))
