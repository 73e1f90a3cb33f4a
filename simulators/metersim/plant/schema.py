"""The JSON Schema of plant files: keys and ranges from the classes, descriptions from their docstrings."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any, Final

from pydantic import TypeAdapter

from metersim.carrier.ways import CarrierWays
from metersim.line.faults import Faults
from metersim.line.medium import Medium
from metersim.plant.concentrator_row import ConcentratorRow
from metersim.plant.plant import Plant
from metersim.plant.rows import LineRow, MeterRow
from metersim.plant.tariffs import Tariffs
from metersim.plant.terminal_row import TerminalRow
from metersim.serving.serial_server import ServerHabits
from metersim.works.cost_control import CostControl

_DESCRIBED: Final = (
    Plant,
    LineRow,
    MeterRow,
    ConcentratorRow,
    TerminalRow,
    ServerHabits,
    CarrierWays,
    CostControl,
    Tariffs,
    Medium,
    Faults,
)
_ARGUMENT: Final = re.compile(r"^    (\w+): (.*(?:\n {8,}.*)*)", re.MULTILINE)


def schema() -> dict[str, Any]:
    """The JSON Schema of a plant file, draft 2020-12."""
    found = TypeAdapter(Plant).json_schema()
    described: dict[str, Any] = {"Plant": found, **found["$defs"]}
    for one in _DESCRIBED:
        _describe(described[one.__name__], one)
    return {**found, "title": "metersim plant"}


def _describe(part: dict[str, Any], one: type) -> None:
    text = inspect.getdoc(one) or ""
    part["description"] = text.partition("\n")[0]
    arguments = {name: " ".join(words.split()) for name, words in _ARGUMENT.findall(text)}
    for field in dataclasses.fields(one):
        part["properties"][field.name]["description"] = arguments[field.name].replace("``", "`")
