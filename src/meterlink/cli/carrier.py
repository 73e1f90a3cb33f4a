"""``meterlink carrier``: a carrier module, whom it knows, and bringing its table in step with the roster."""

from __future__ import annotations

from typing import Annotated

import typer

from meterlink.cli.options import FIRST_CONFIG, AsJson, Config, Language

app = typer.Typer(no_args_is_help=True, help="Carrier modules and their nodes. 载波模块与档案。")

_LINE = Annotated[str, typer.Argument(help="Name of the line on which the module hangs.", show_default=False)]


@app.command()
def routes(
    line: _LINE,
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Show a carrier module and its table of nodes beside the roster. 查看载波模块档案与差异。

    The daemon answers from what it has read; `meterlink carrier sync LINE --dry-run` reads the table anew.

    \b
    Examples:
      meterlink carrier routes plc1
      meterlink carrier routes plc1 --json

    \b
    Exit codes: 0 they agree; 1 they differ, or the module is not ready; 2 no such line; 10 no daemon.
    """
    from meterlink.cli.carrier_look import CarrierAsking

    raise typer.Exit(CarrierAsking(config, as_json=as_json, lang=lang).routes(line))


@app.command()
def sync(
    line: _LINE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and compare, and change nothing.")] = False,
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Bring a module's table of nodes in step with the roster now. 同步载波模块档案。

    Meters that it lacks are added; strangers are removed only where the line says `strangers = "remove"`.

    \b
    Examples:
      meterlink carrier sync plc1 --dry-run
      meterlink carrier sync plc1

    \b
    Exit codes: 0 they agree; 1 they differ, or the module is not ready; 2 no such line; 8 your role forbids
    it; 10 no daemon.
    """
    from meterlink.cli.carrier_look import CarrierAsking

    asking = CarrierAsking(config, as_json=as_json, lang=lang)
    raise typer.Exit(asking.sync(line, dry_run=dry_run))
