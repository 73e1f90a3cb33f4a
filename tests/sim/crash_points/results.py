"""The results of a soak: a line of JSON for each seed, so that what was stopped goes on and adds up.

A file belongs to one make of the worlds (``plan.WORLDS``): another make has another file.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.sim.crash_points.fates import Tally
from tests.sim.crash_points.plan import WORLDS


@dataclass
class Results:
    """All that was played so far.

    Args:
        file: where it stands; its folder is made.

    Attributes:
        seeds: that were played.
        tally: of all of them.
        cpu_s: that they took.
        code: worlds played, by the state of the program that they were played with.

    """

    file: Path
    seeds: set[int] = field(default_factory=set)
    tally: Tally = field(default_factory=Tally)
    cpu_s: float = 0.0
    code: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[int, tuple[int, ...], str]] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path) -> Results:
        """What stands in the file of these worlds; a last line that was cut off does not count."""
        folder.mkdir(parents=True, exist_ok=True)
        results = cls(folder / f"worlds-{WORLDS}.jsonl")
        if results.file.exists():
            whole, _, cut = results.file.read_text(encoding="utf-8").rpartition("\n")
            if cut:
                results.file.write_text(whole + "\n" if whole else "", encoding="utf-8")
            for line in whole.splitlines():
                results._take(json.loads(line))
        return results

    def keep(self, seed: int, tally: Tally, cpu_s: float, code: str) -> None:
        """Add what became of a seed."""
        line = {
            "seed": seed,
            "played": tally.played,
            "alike": tally.alike,
            "again": tally.again,
            "ends": tally.ends,
            "deaths": tally.deaths,
            "wrong": tally.wrong,
            "cpu_s": round(cpu_s, 3),
            "code": code,
        }
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self._take(json.loads(json.dumps(line)))

    def _take(self, line: dict[str, Any]) -> None:
        self.seeds.add(line["seed"])
        self.cpu_s += line["cpu_s"]
        self.code[line["code"]] += line["played"]
        self.wrong += [(line["seed"], tuple(kills), told) for kills, told in line["wrong"]]
        self.tally.add(
            Tally(
                played=line["played"],
                alike=line["alike"],
                again=line["again"],
                ends=Counter(line["ends"]),
                deaths=Counter(line["deaths"]),
            )
        )
