"""Options that many commands share, each with its help as it stands everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from meterlink.cli.language import Lang

FIRST_CONFIG: Final = Path("meterlink.toml")
"""The configuration of a command that is told of none."""

Config = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.", show_default=True)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
AsJsonLines = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Language = Annotated[Lang | None, typer.Option(help="Language; default from the locale.")]
Reason = Annotated[str, typer.Option(help="Why, for people.", show_default=False)]
Comment = Annotated[str, typer.Option(help="Comment.", show_default=False)]
