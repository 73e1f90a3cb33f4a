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
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, TypeAdapter

from meterprofiles.yaml_text import FileFault, text_of
from metersim.line.fault_rules import RULES_MAX, FaultRule, FaultRules
from metersim.line.item_patterns import near
from metersim.line.line import Clock, Line
from metersim.plant.checked import checked
from metersim.plant.happening_runner import HAPPENINGS_MAX, Happenings
from metersim.plant.happenings import Happening

FILE_SUFFIXES: Final = (".yaml", ".yml")
"""How names end that are no names of scenarios but of their files."""
SEED_MAX: Final = 2**31 - 1
TEXT_MAX: Final = 65_536
"""Most characters of a scenario."""
SAYS_MAX: Final = 1_000
"""Longest description, in characters."""

_SCENARIO_FILE: Final = (
    "a scenario file has keys and values, as 'scenario: my-own' and 'faults: [{what: loss, nth: 3}]'"
)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}").fullmatch


class ScenarioError(FileFault, ValueError):
    """A scenario that cannot be used; each line of the message says file, line and remedy."""


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
        ScenarioError: a fault; the message has file, line and remedy of each.

    """
    return checked(text, file, Scenario, whole=_SCENARIO_FILE, text_max=TEXT_MAX, fault=ScenarioError)


def load_scenario_file(path: Path) -> Scenario:
    """Read a scenario from a file.

    Raises:
        ScenarioError: it cannot be read, or is wrong.

    """
    return load_scenario(text_of(path, text_max=TEXT_MAX, fault=ScenarioError), str(path))


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
    if text.endswith(FILE_SUFFIXES):
        return load_scenario_file(Path(text))
    known = packaged_scenarios()
    if text not in known:
        raise ScenarioError(
            f"no scenario is called {text!r}{near(text, known)}; there is {', '.join(known)}, "
            "or the path of a .yaml file"
        )
    return known[text]
