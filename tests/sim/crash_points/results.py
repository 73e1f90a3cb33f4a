"""The results of a soak: a line of JSON for each seed, so that what was stopped goes on and adds up.

A file belongs to one make of the worlds (``plan.WORLDS``): another make has another file. What was played in
either way is told apart: worlds that die once, or now and then again (``once``), and those that die again and
again (``often``).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

from tests.sim.crash_points.fates import Tally
from tests.sim.crash_points.plan import OFTEN_FROM, WORLDS

Way = Literal["once", "often"]
WAYS: Final[tuple[Way, ...]] = get_args(Way)


def way_of(seed: int) -> Way:
    """How a seed is played."""
    return "often" if seed >= OFTEN_FROM else "once"


@dataclass
class Share:
    """What was played in one way.

    Args:
        seeds: so many.
        tally: of all of them.
        cpu_s: that they took.
        code: kills, by the state of the program that was killed.

    """

    seeds: int = 0
    tally: Tally = field(default_factory=Tally)
    cpu_s: float = 0.0
    code: Counter[str] = field(default_factory=Counter)


@dataclass
class Results:
    """All that was played so far.

    Args:
        file: where it stands; its folder is made.

    Attributes:
        seeds: that were played.
        ways: what was played in each way.
        wrong: seed, points and complaint.

    """

    file: Path
    seeds: set[int] = field(default_factory=set)
    ways: dict[Way, Share] = field(default_factory=lambda: {way: Share() for way in WAYS})
    wrong: list[tuple[int, tuple[int, ...], str]] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """Of both ways."""
        return sum(share.tally.kills for share in self.ways.values())

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
            "way": way_of(seed),
            "kills": tally.kills,
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
        share = self.ways[line["way"]]
        share.seeds += 1
        share.cpu_s += line["cpu_s"]
        share.code[line["code"]] += line["kills"]
        self.wrong += [(line["seed"], tuple(kills), told) for kills, told in line["wrong"]]
        share.tally.add(
            Tally(
                kills=line["kills"],
                played=line["played"],
                alike=line["alike"],
                again=line["again"],
                ends=Counter(line["ends"]),
                deaths=Counter(line["deaths"]),
            )
        )
