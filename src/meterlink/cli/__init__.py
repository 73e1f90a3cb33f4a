"""The ``meterlink`` command. Adding a command is one line here and one module beside this one.

Commands import what they need inside their functions, so that ``--help`` and completion stay quick.
"""

from __future__ import annotations

from typing import Annotated

import typer

from meterlink.cli.decode import decode
from meterlink.cli.items import items

app = typer.Typer(
    name="meterlink",
    help="Read China's electricity meters (DL/T 645), keep every reading, publish it.",
    epilog="Exit codes: 0 done, 1 the data or the meter said no, 2 the command line is wrong.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(decode)
app.command()(items)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"meterlink {version('meterlink')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Read China's electricity meters (DL/T 645), keep every reading, publish it."""


def main() -> None:
    """Run the command line."""
    app()
