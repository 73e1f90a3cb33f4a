"""``meterlink terminal``: what concentrators know of the meters behind them."""

from __future__ import annotations

from typing import Annotated

import typer

from meterlink.cli.options import FIRST_CONFIG, AsJson, Config, Language

app = typer.Typer(
    help="Concentrators: which meters they know, where the roster says otherwise, and their clocks. "
    "集中器档案与时钟。",
    no_args_is_help=True,
)

Line = Annotated[str, typer.Argument(help="Name of the line, or the terminal's address.")]


@app.command()
def archive(
    line: Line,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Read the archive of a concentrator and compare it with the roster; nothing is changed. 读取并比对档案。

    The running daemon asks the terminal.

    \b
    Examples:
      meterlink terminal archive area-12
      meterlink terminal archive 020000000001 --json

    \b
    Exit codes: 0 archive and roster agree; 1 they differ, or the terminal does not say; 2 no such line;
    8 you may not; 10 no daemon.
    """
    from meterlink.cli.terminal_ask import TerminalAsking

    raise typer.Exit(TerminalAsking(config, as_json=as_json, lang=lang).archive(line))


@app.command()
def download(
    line: Line,
    dry_run: Annotated[
        bool, typer.Option("--dry-run/--do", help="Show what would be entered, or enter it.")
    ] = True,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Enter the meters of the roster that a concentrator does not know into its archive. 下发档案。

    Meters that it knows and the roster does not are left alone. Without --do nothing is changed.

    \b
    Examples:
      meterlink terminal download area-12
      meterlink terminal download area-12 --do

    \b
    Exit codes: 0 archive and roster agree now; 1 they differ; 2 no such line; 8 you may not; 10 no daemon.
    """
    from meterlink.cli.terminal_ask import TerminalAsking

    raise typer.Exit(TerminalAsking(config, as_json=as_json, lang=lang).download(line, is_dry=dry_run))


@app.command()
def clock(
    line: Line,
    setting: Annotated[
        bool, typer.Option("--set", help="Set it by this machine's clock; without --do only show it.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run/--do", help="Show what would be done, or do it.")
    ] = True,
    far: Annotated[
        bool, typer.Option("--far", help="Also where it is more than 15 minutes off, or shows no time.")
    ] = False,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Read the clock of a terminal of Q/GDW 1376.1, or set it by this machine's. 读取或设置终端时钟。

    By that clock the terminal files its nights, so nothing sets it by itself. It is not set near midnight or
    a full hour, and only where `clock_trusted` says that this machine's clock is right.

    \b
    Examples:
      meterlink terminal clock area-7
      meterlink terminal clock area-7 --set
      meterlink terminal clock area-7 --set --do

    \b
    Exit codes: 0 it is right; 1 it is off, or was not set; 2 no such line; 8 you may not; 10 no daemon.
    """
    from meterlink.cli.terminal_ask import TerminalAsking

    asking = TerminalAsking(config, as_json=as_json, lang=lang)
    raise typer.Exit(asking.set_clock(line, is_dry=dry_run, far=far) if setting else asking.clock(line))
