"""``meterlink export``: freezes as files."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from meterlink.cli.options import FIRST_CONFIG, AsJson, Config

app = typer.Typer(no_args_is_help=True, help="Write what was kept into files for other programs. 导出。")


class FileFormat(enum.StrEnum):
    """Formats of a file of freezes."""

    CSV = "csv"
    JSON = "json"
    XLSX = "xlsx"
    PARQUET = "parquet"


@app.command()
def daily(
    day: Annotated[str, typer.Option("--day", help="Day of the data, in the plant: 2026-11-21.")],
    area: Annotated[
        str | None, typer.Option(help="Only this transformer area; without it all.", show_default=False)
    ] = None,
    file_format: Annotated[
        FileFormat, typer.Option("--format", help="csv; json: one freeze a line; xlsx; parquet.")
    ] = FileFormat.CSV,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The file; without it standard output.", show_default=False),
    ] = None,
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Write the daily freezes of a day as they are now, late and corrected ones included. 导出日冻结。

    The newest row of a register holds; `supersedes` names the row whose place it takes. What the register
    showed, the multiplier, and both multiplied stand apart, exact. xlsx and parquet need meterlink[export].
    With --out and --json it is told what was written: freezes, rows, octets and SHA-256.

    \b
    Examples:
      meterlink export daily --day 2026-11-21
      meterlink export daily --day 2026-11-21 --area east --format parquet -o east.parquet --json

    \b
    Exit codes: 0 written; 1 the file cannot be written; 2 wrong arguments or configuration; 7 journal.
    """
    from meterlink.cli.export_do import export_daily

    raise typer.Exit(export_daily(config, day, area, file_format.value, out, as_json=as_json))
