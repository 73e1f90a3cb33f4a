"""``metersim new``: a commented plant file to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from metersim.cli.common import failed
from metersim.plant.starters import Kind, starter

SUFFIX: Final = ".yaml"

Name = Annotated[
    str, typer.Argument(metavar="[NAME]", help="Of the plant, or of its file; the file is NAME.yaml, here.")
]
Sort = Annotated[
    Kind,
    typer.Option(
        help="small: one line of household meters; mixed: both protocols, four kinds of load, a paced line; "
        "faulty: what gives trouble; dial: meters of DL/T 698.45 that log in; concentrator: one of "
        "DL/T 698.45 with meters behind its carrier; terminal: one of Q/GDW 1376.1; carrier: a carrier "
        "module of Q/GDW 1376.2 with meters."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite a file that stands there.")]


def new(name: Name = "plant", kind: Sort = "small", force: Force = False) -> None:
    """Write a plant file with comments, which ``metersim run`` takes as it is.

    \b
    Examples:
      metersim new
      metersim new substation-7 --kind mixed
      metersim run substation-7.yaml

    \b
    Exit codes: 0 written; 1 a file of that name stands there, or cannot be written; 2 wrong arguments.
    """
    name = name.removesuffix(SUFFIX)
    try:
        text = starter(kind, name)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    path = Path(f"{name}{SUFFIX}")
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        failed(f"{path} stands there already; choose another name, or --force")
    except OSError as error:
        failed(error)
    typer.echo(f"{path} written; run it with: metersim run {path}")
