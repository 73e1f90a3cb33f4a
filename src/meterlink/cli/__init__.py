"""The ``meterlink`` command. Adding a command is one line here and one module beside this one.

Commands import what they need inside their functions, so that ``--help`` and completion stay quick.
"""

from __future__ import annotations

import errno
import io
import sys
from typing import Annotated

import typer

from meterlink.cli import (
    audit,
    carrier,
    case,
    config,
    control,
    evidence,
    export,
    journal,
    order,
    roster,
    settlement,
    terminal,
    token,
    work,
)
from meterlink.cli.consumption import consumption
from meterlink.cli.decode import decode
from meterlink.cli.demo import demo
from meterlink.cli.events import events
from meterlink.cli.items import items
from meterlink.cli.probe import probe
from meterlink.cli.qualify import qualify
from meterlink.cli.read import read
from meterlink.cli.reconcile import reconcile
from meterlink.cli.run import ingest, run
from meterlink.cli.saying import say
from meterlink.cli.settlement import settle
from meterlink.cli.usage import Speaking
from meterlink.cli.why import completeness, why

app = typer.Typer(
    name="meterlink",
    help="Read China's electricity meters (DL/T 645 and DL/T 698.45), keep every reading, publish it.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong arguments or configuration, 3 no answer, 4 refused by the "
    "meter, 5 line, 6 no value, 7 journal, 8 forbidden by a rule, 9 outcome unknown, 10 no daemon, "
    "11 tampered with.",
    no_args_is_help=True,
    cls=Speaking,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo)
app.command()(read)
app.command()(probe)
app.command()(run)
app.command()(ingest)
app.command()(decode)
app.command()(items)
app.command()(reconcile)
app.command()(qualify)
app.command()(why)
app.command()(completeness)
app.command()(consumption)
app.command()(settle)
app.command()(events)
app.add_typer(config.app, name="config")
app.add_typer(roster.app, name="roster")
app.add_typer(carrier.app, name="carrier")
app.add_typer(journal.app, name="journal")
app.add_typer(export.app, name="export")
app.add_typer(settlement.app, name="settlement")
app.add_typer(audit.app, name="audit")
app.add_typer(order.app, name="order")
app.add_typer(case.app, name="case")
app.add_typer(evidence.app, name="evidence")
app.add_typer(control.app, name="control")
app.add_typer(terminal.app, name="terminal")
app.add_typer(work.app, name="work")
app.add_typer(token.app, name="token")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(f"meterlink {version('meterlink')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Read China's electricity meters (DL/T 645 and DL/T 698.45), keep every reading, publish it."""


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without 中文 still gets the rest
    try:
        app()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.exit(f"error: {error.strerror}: the output is not whole")  # exit code 1
