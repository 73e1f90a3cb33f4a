"""Scenario files: a seed, faults and happenings in YAML, checked whole and with file and line in every error.

::

    scenario: evening-trouble
    says: Noise from six to eight, and the power is down once.
    seed: 7
    faults:
      - {what: noise, probability: 0.2, between: [+18h, +20h]}
      - {what: silence, meter: "0000000000*", item: forward_active_energy, nth: 3, times: 1}
    happenings:
      - {what: power_outage, line: line0, at: +19h, lasts: 10m}

`FaultRule` and `Happening` say what each may hold; ``Scenario.schema`` gives editors the same as JSON Schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from meterprofiles import ProfileError
from meterprofiles.places import TEXT_MAX, Place, compose
from metersim.line.fault_rules import RULES_MAX, FaultRule, FaultRules
from metersim.line.item_patterns import near
from metersim.line.line import Clock, Line
from metersim.plant.checked import read_text
from metersim.plant.happening_runner import HAPPENINGS_MAX, Happenings
from metersim.plant.happenings import Happening

SEED_MAX: Final = 2**31 - 1
SAYS_MAX: Final = 1_000
"""Longest description, in characters."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}").fullmatch
_UNKNOWN: Final = ("unexpected_keyword_argument", "extra_forbidden")
_Path = tuple[int | str, ...]


class ScenarioError(ValueError):
    """A scenario that cannot be used; the message says file, line and remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What goes wrong in a plant, and when.

    Args:
        scenario: its name: small letters, digits and ``-``.
        says: what it is about, for people.
        seed: of everything that is left to chance, 0 to 2,147,483,647.
        faults: rules, 256 at most.
        happenings: 1,024 at most.

    Raises:
        ValueError: a name that is none, too much of something, or a seed out of its range.

    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}  # of one in a file

    scenario: str
    says: str = ""
    seed: Annotated[int, Field(ge=0, le=SEED_MAX)] = 0
    faults: Annotated[tuple[FaultRule, ...], Field(max_length=RULES_MAX)] = ()
    happenings: Annotated[tuple[Happening, ...], Field(max_length=HAPPENINGS_MAX)] = ()

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not _NAME(self.scenario):
            raise ValueError(f"scenario {self.scenario!r}: write small letters, digits and -, 64 at most")
        if len(self.says) > SAYS_MAX:
            raise ValueError(f"says: more than {SAYS_MAX} characters")
        if not 0 <= self.seed <= SEED_MAX:
            raise ValueError(f"seed {self.seed}: write a whole number of 0 to {SEED_MAX}")
        for what, rows, most in (
            ("faults", self.faults, RULES_MAX),
            ("happenings", self.happenings, HAPPENINGS_MAX),
        ):
            if len(rows) > most:
                raise ValueError(f"{what}: {len(rows)} of them, at most {most} are taken")

    def rules(self, *, start: datetime) -> FaultRules:
        """Its faults, for the lines of a plant.

        Args:
            start: true time from which its times count, aware.

        Raises:
            ValueError: a window that ends before it begins.

        """
        return FaultRules(self.faults, seed=self.seed, start=start)

    def running(self, lines: Sequence[Line], *, clock: Clock) -> Happenings:
        """Its happenings, for the meters of these lines; `Happenings.run` lets them happen.

        Args:
            lines: of a plant.
            clock: of the plant; the scenario starts now.

        """
        return Happenings(self.happenings, lines, clock=clock, seed=self.seed)

    @staticmethod
    def schema() -> dict[str, Any]:
        """JSON Schema, 2020-12, of a scenario file."""
        return {**_ADAPTER.json_schema(), "title": "metersim scenario"}


_ADAPTER: Final[TypeAdapter[Scenario]] = TypeAdapter(Scenario)


def load_scenario(text: str, file: str) -> Scenario:
    """Read a scenario.

    Args:
        text: YAML, 65,536 characters at most.
        file: how errors call it.

    Raises:
        ScenarioError: a fault; the message has file, line and remedy.

    """
    lines: dict[_Path, int] = {}
    try:
        found = _plain(compose(text, file), (), lines)
    except ProfileError as error:
        raise ScenarioError(str(error)) from None
    try:
        return _ADAPTER.validate_python(found)
    except ValidationError as error:
        raise ScenarioError(_sentence(error, file, lines)) from None


def load_scenario_file(path: Path) -> Scenario:
    """Read a scenario from a file.

    Raises:
        ScenarioError: it cannot be read, or is wrong.

    """
    return load_scenario(read_text(path, text_max=TEXT_MAX, fault=ScenarioError), str(path))


def packaged_scenarios() -> dict[str, Scenario]:
    """The scenarios that come with the program, by name."""
    folder = resources.files("metersim.plant") / "scenarios"
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name
    )
    found = (load_scenario(file.read_text(encoding="utf-8"), file.name) for file in files)
    return {scenario.scenario: scenario for scenario in found}


def chosen_scenario(text: str) -> Scenario:
    """The scenario that a person names.

    Args:
        text: name of one that comes with the program, or the path of a ``.yaml`` file.

    Raises:
        ScenarioError: there is none, or it is wrong.

    """
    if text.endswith((".yaml", ".yml")):
        return load_scenario_file(Path(text))
    known = packaged_scenarios()
    if text not in known:
        raise ScenarioError(
            f"no scenario is called {text!r}{near(text, known)}; there is {', '.join(known)}, "
            "or the path of a .yaml file"
        )
    return known[text]


# --- from YAML to plain values, and back to a line of the file --------------------------------------


def _plain(place: Place, path: _Path, lines: dict[_Path, int]) -> object:
    """Mappings, lists and texts; every scalar is a text, so that an address keeps its zeros."""
    lines[path] = place.line
    node = place.node
    if isinstance(node, yaml.MappingNode):
        keys = [str(key.value) for key, _ in node.value]
        return {key: _plain(at, (*path, key), lines) for key, at in place.table((), keys).items()}
    if isinstance(node, yaml.SequenceNode):
        rows = place.rows(max(RULES_MAX, HAPPENINGS_MAX))
        return [_plain(row, (*path, number), lines) for number, row in enumerate(rows)]
    assert isinstance(node, yaml.ScalarNode), "aliases are refused before"
    return None if node.tag.endswith(":null") else node.value


def _sentence(error: ValidationError, file: str, lines: dict[_Path, int]) -> str:
    """The first fault, as one sentence that says where and what to do; a key that is unknown goes first."""
    found = error.errors(include_url=False)
    first = next((each for each in found if each["type"] in _UNKNOWN), found[0])
    path: _Path = tuple(first["loc"])
    known = path
    while known not in lines:
        known = known[:-1]
    where = f"{file}:{lines[known]}: "
    if first["type"] in _UNKNOWN:
        keys = list(_keys(path[:-1]))
        return f"{where}unknown key {path[-1]!r}{near(str(path[-1]), keys)}; there are: {', '.join(keys)}"
    if first["type"] == "missing":
        return f"{where}{_written(path[:-1])}the key {path[-1]!r} is missing"
    said = str(first["msg"]).removeprefix("Value error, ")
    return f"{where}{_written(known)}{said[:1].lower() + said[1:]}"


def _keys(path: _Path) -> Iterator[str]:
    kinds: dict[int | str, type] = {"faults": FaultRule, "happenings": Happening}
    for each in fields(kinds[path[0]] if path else Scenario):
        yield each.name


def _written(path: _Path) -> str:
    """``faults[2].nth: `` as people count, or nothing for the whole."""
    steps = "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in path)
    return f"{steps.removeprefix('.')}: " if steps else ""
