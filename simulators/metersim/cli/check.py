"""``metersim check`` and ``metersim schema``: what a plant file says, and what it may say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from metersim.cli.common import WRONG, failed
from metersim.plant.checked import PlantError
from metersim.plant.plant import Plant, load_plant
from metersim.plant.rows import MeterRow
from metersim.plant.schema import schema as schema_of_plants

PlantFile = Annotated[Path, typer.Argument(metavar="PLANT.yaml", help="The plant file.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object in place of text.")]


def check(plant_file: PlantFile, as_json: AsJson = False) -> None:
    """Check a plant file without running it, and say what stands where.

    \b
    Examples:
      metersim check plant.yaml
      metersim check plant.yaml --json

    \b
    Exit codes: 0 it can be run; 2 it cannot: each fault with its line on standard error.
    """
    try:
        plant = load_plant(plant_file)
    except PlantError as error:
        failed(error, WRONG)
    if as_json:
        typer.echo(json.dumps(_document(plant), separators=(",", ":"), ensure_ascii=False))
    else:
        _tell(plant)


def schema() -> None:
    """Print the JSON Schema of plant files, for editors.

    \b
    Example:
      metersim schema > plant.schema.json

    \b
    Exit codes: 0 always.
    """
    typer.echo(json.dumps(schema_of_plants(), indent=2, ensure_ascii=False))


def _document(plant: Plant) -> dict[str, object]:
    lines: dict[str, list[str]] = {name: [] for name in plant.line_names}
    for meter in plant.meters():
        lines[meter.line].append(meter.address)
    return {
        "plant": plant.plant,
        "seed": plant.seed,
        "speed": plant.time,
        "lines": [
            {"name": name, "at": str(row.at), "meters": addresses}
            for (name, addresses), row in zip(lines.items(), plant.all_lines, strict=True)
        ],
        "concentrators": [
            {"address": row.address, "at": str(row.at), "line": row.line.name} for row in plant.concentrators
        ],
        "terminals": [
            {"address": row.address, "at": str(row.at), "line": row.line.name} for row in plant.terminals
        ],
    }


def _tell(plant: Plant) -> None:
    meters = sum(line.count for line in plant.all_lines)
    speed = "wall clock" if plant.time == 1 else f"{plant.time} times as fast"
    concentrators = f"{len(plant.concentrators)} concentrators, " if plant.concentrators else ""
    concentrators += f"{len(plant.terminals)} terminals, " if plant.terminals else ""
    typer.echo(
        f"{plant.plant}: {len(plant.lines)} lines, {concentrators}{meters} meters, seed {plant.seed}, {speed}"
    )
    for name, line in zip(plant.line_names, plant.lines, strict=False):  # behind them those of concentrators
        through = ", through a carrier module" if line.carrier is not None else ""
        typer.echo(f"  {name} at {line.at}{', paced' if line.paced else ''}{through}")
        _tell_meters(line.meters)
    for kind, rows in (("concentrator", plant.concentrators), ("terminal", plant.terminals)):
        for row in rows:
            archive = "" if row.archive else ", not in its archive"
            typer.echo(f"  {kind} {row.address} at {row.at}, meters on its {row.port}{archive}")
            _tell_meters(row.meters)


def _tell_meters(rows: tuple[MeterRow, ...]) -> None:
    for row in rows:
        behind = f"{row.load} {row.mean_kw} kW{', garbage' if row.is_garbage else ''}"
        typer.echo(f"    {row.count} x {row.profile.name}, {behind}")
