"""The ``metersim`` command."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from metersim.cli.check import check, schema
from metersim.cli.common import words_of
from metersim.cli.hsm import hsm
from metersim.cli.new import new
from metersim.cli.replay import replay
from metersim.cli.run import run

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="A plant of electricity meters without hardware.",
)
for command in (run, check, new, schema, replay, hsm):
    app.command()(command)


def main() -> None:
    """Run the command line."""
    try:
        app(prog_name="metersim")
    except ExceptionGroup as group:
        known, others = group.split(OSError)
        if known is None or others is not None:
            raise
        sys.exit(f"metersim: {words_of(_first(known))}")  # exit code 1


def _first(group: BaseExceptionGroup[OSError]) -> OSError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"metersim {version('meterlink')}")
        raise typer.Exit


@app.callback()
def _metersim(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass
