"""A plant: which meters hang on which lines, and how they are reached; and its file.

The same plant gives the same meters and, to the same questions at the same times, the same octets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import ArgsKwargs

from meterprofiles.yaml_text import text_of
from metersim.plant.at import endpoint
from metersim.plant.checked import STRICT, TEXT_MAX, Loc, Misplaced, PlantError, checked, refuse, scalar_at
from metersim.plant.concentrator_row import ConcentratorRow
from metersim.plant.foreseen import foreseen
from metersim.plant.making import Named
from metersim.plant.rows import (
    ADDRESS_MAX,
    METERS_MAX,
    NAME_MAX,
    LineRow,
    MeterRow,
    aware,
)
from metersim.plant.scenario import FILE_SUFFIXES, Scenario, chosen_scenario
from metersim.plant.terminal_row import TerminalRow

LINES_MAX: Final = 256
CONCENTRATORS_MAX: Final = 64
TERMINALS_MAX: Final = 256
SPEED_MAX: Final = 3600
SEED_MAX: Final = 2**63 - 1

_PLANT_FILE: Final = (
    "a plant file has keys and values, as 'lines: [{at: pty, meters: [{count: 8}]}]'; "
    "'metersim new' writes one with comments"
)
_SPEED: Final = re.compile("x([1-9][0-9]{0,3})").fullmatch


def _speed(value: object) -> object:
    """How many times faster than the wall clock."""
    if value == "wall":
        return 1
    if isinstance(value, str):
        found = _SPEED(value)
        if not found or int(found[1]) > SPEED_MAX:
            raise ValueError(f"{value!r}: write wall, or x2 to x{SPEED_MAX}")
        return int(found[1])
    return value


def _scenario(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    if value.endswith(FILE_SUFFIXES) and isinstance(info.context, Path):
        return chosen_scenario(str(info.context / value))
    return chosen_scenario(value)


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class Plant:
    """What stands where.

    Args:
        plant: its name.
        seed: of everything that looks random; the same plant and seed give identical octets.
        time: how fast its clock runs: ``wall``, or ``x2`` to ``x3600`` times as fast. Delays on the lines
            are not sped up.
        start: true time at which it begins, with its zone; left out: now.
        scenario: what goes wrong, and when: a packaged scenario's name, or a .yaml file beside the plant
            file. A seed of 0 is the plant's.
        api: HOST:PORT of its REST API, port 0 takes a free one; left out: none.
        lines: 1 to 256, with 10,000 meters in all; none beside concentrators and terminals.
        concentrators: of DL/T 698.45, 64 at most; their meters count.
        terminals: concentrators of Q/GDW 1376.1, 256 at most; their meters count.

    """

    plant: Annotated[str, Field(min_length=1, max_length=NAME_MAX)] = "plant"
    seed: Annotated[int, Field(ge=0, le=SEED_MAX)] = 1
    time: Annotated[
        int,
        BeforeValidator(_speed),
        Field(ge=1, le=SPEED_MAX),
        WithJsonSchema({"type": "string", "pattern": "^(wall|x[1-9][0-9]{0,3})$", "default": "wall"}),
    ] = 1
    start: datetime | None = None
    scenario: Annotated[
        Scenario | None,
        BeforeValidator(_scenario),
        WithJsonSchema({"type": ["string", "null"], "examples": ["noisy-line", "my-scenario.yaml"]}),
    ] = None
    api: str = ""
    lines: Annotated[tuple[LineRow, ...], Field(max_length=LINES_MAX)] = (LineRow(),)
    concentrators: Annotated[tuple[ConcentratorRow, ...], Field(max_length=CONCENTRATORS_MAX)] = ()
    terminals: Annotated[tuple[TerminalRow, ...], Field(max_length=TERMINALS_MAX)] = ()

    @model_validator(mode="before")
    @classmethod
    def _no_line_beside_concentrators(cls, said: Any) -> Any:
        """Where nobody wrote a line, concentrators and terminals need none."""
        keys = said.kwargs if isinstance(said, ArgsKwargs) else said
        behind = isinstance(keys, dict) and (keys.get("concentrators") or keys.get("terminals"))
        if isinstance(keys, dict) and behind and "lines" not in keys:
            keys = {**keys, "lines": ()}
            return ArgsKwargs(said.args, keys) if isinstance(said, ArgsKwargs) else keys
        return said

    def __post_init__(self) -> None:
        """Check what only the whole shows."""
        aware(self.start, "start")
        if not self.lines and not self.concentrators and not self.terminals:
            raise Misplaced("a plant has one line or more; leave the key out for one", "lines")
        if self.api:
            try:
                endpoint(self.api)
            except ValueError as error:
                raise Misplaced(str(error), "api") from None
        if (meters := sum(line.count for line in self.all_lines)) > METERS_MAX:
            raise Misplaced(f"{meters} meters in all, at most {METERS_MAX} are taken", "lines")
        self._check_names()
        self._check_ports()
        self._check_addresses()

    @property
    def all_lines(self) -> tuple[LineRow, ...]:
        """The lines, and behind them those that are reached through concentrators and terminals."""
        behind = (*(row.line for row in self.concentrators), *(row.line for row in self.terminals))
        return (*self.lines, *behind)

    @property
    def line_names(self) -> tuple[str, ...]:
        """What `all_lines` are called, in their order."""
        return tuple(line.name or f"line-{number}" for number, line in enumerate(self.all_lines, start=1))

    def meters(self) -> Iterator[Named]:
        """Every meter with its address, line by line."""
        names = self.line_names
        for number, _, row, addresses in self._rows():
            for address in addresses:
                yield Named(f"{address:012d}", names[number], row)

    def _rows(self) -> Iterator[tuple[int, int, MeterRow, range]]:
        """Number of the line, number of the row, the row, and the addresses of its meters."""
        following = 1
        for number, line in enumerate(self.all_lines):
            for place, row in enumerate(line.meters):
                first = following if row.address is None else int(row.address)
                following = first + row.count
                yield number, place, row, range(first, following)

    def _where(self, number: int) -> tuple[str, int]:
        """Where in the file the line of that number stands."""
        for key, rows in (("lines", self.lines), ("concentrators", self.concentrators)):
            if number < len(rows):
                return key, number
            number -= len(rows)
        return "terminals", number

    def _check_names(self) -> None:
        seen: set[str] = set()
        for number, name in enumerate(self.line_names):
            if name in seen:
                key = "name" if number < len(self.lines) else "address"
                raise Misplaced(f"two lines are called {name}; rename one", *self._where(number), key)
            seen.add(name)

    def _check_ports(self) -> None:
        seen: set[tuple[str, int]] = set()
        places = [row.at for row in self.lines]
        places += [row.at for row in self.concentrators] + [row.at for row in self.terminals]
        for number, at in enumerate(places):
            place = (at.host, at.port)
            if at.kind == "tcp" and at.port:
                if place in seen:
                    sentence = f"{at} is taken by another line; port 0 takes a free one"
                    raise Misplaced(sentence, *self._where(number), "at")
                seen.add(place)

    def _check_addresses(self) -> None:
        seen: set[int] = set()
        for number, place, _, addresses in self._rows():
            where = (*self._where(number), "meters", place)
            if addresses[-1] > ADDRESS_MAX:
                raise Misplaced(f"the last address would be {addresses[-1]}, at most {ADDRESS_MAX}", *where)
            taken = seen.intersection(addresses)
            if taken:
                sentence = f"another meter has the address {min(taken):012d}; addresses are one a plant"
                raise Misplaced(sentence, *where)
            seen.update(addresses)


def read_plant(text: str, file: str, *, folder: Path = Path()) -> Plant:
    """A plant out of the text of its file.

    Args:
        text: YAML.
        file: how errors call it.
        folder: where the files that it names stand.

    Raises:
        PlantError: a fault, also what can never come true of a scenario; the message has file, line and
            remedy of each.

    """
    plant = checked(text, file, Plant, whole=_PLANT_FILE, context=folder)
    if plant.scenario is not None:
        _check_scenario(plant, plant.scenario, text, file, folder)
    return plant


def _check_scenario(plant: Plant, scenario: Scenario, text: str, file: str, folder: Path) -> None:
    """Refuse what cannot come true of a scenario of one's own; those of the program are for any plant."""
    inside: Loc = ("scenario",)
    said = scalar_at(text, file, "scenario")
    if said is not None:
        if not said.endswith(FILE_SUFFIXES):
            return
        file, inside = str(folder / said), ()
        text = text_of(folder / said, text_max=TEXT_MAX, fault=PlantError)
    found = foreseen(scenario, [*plant.meters()], start=plant.start)
    refuse((Misplaced(str(one), *inside, *one.loc) for one in found), text, file)


def load_plant(path: Path) -> Plant:
    """A plant out of its file.

    Raises:
        PlantError: it cannot be read, or is wrong.

    """
    with suppress(OSError):  # of a file that nobody may look at, reading says what is wrong
        if not path.exists():
            raise PlantError(
                f"{path}: there is no such file; name another one, or let `metersim new` write one"
            )
    return read_plant(text_of(path, text_max=TEXT_MAX, fault=PlantError), str(path), folder=path.parent)
