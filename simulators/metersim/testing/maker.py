"""Makes the plants of one test, ends them, and says what there is to know when the test failed."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from metersim.plant.plant import Plant
from metersim.testing.plants import RunningPlant, SimulatedPlant
from metersim.testing.sources import Over, Source, placed, plant_from
from metersim.testing.thread import PlantEnded

PLANTS_MAX: Final = 64
"""Plants of one test."""


class PlantMaker:
    """Makes the plants of one test.

    Args:
        test: how pytest calls it.
        folder: where plant files stand that have no folder of their own: that of the test.
        scratch: makes the folder for captures.
        source: the plant of a test that names none, as its marker says.
        figures: the same.
        over: the same.
        seed: stands over the seed of every plant; ``None``: each has its own.

    """

    def __init__(
        self,
        test: str,
        *,
        folder: Path,
        scratch: Callable[[], Path],
        source: Source | None = None,
        figures: Mapping[str, Any] | None = None,
        over: Over | None = None,
        seed: int | None = None,
    ) -> None:
        self._test = test
        self._folder = folder
        self._scratch = scratch
        self._source = source
        self._figures = dict(figures or {})
        self._over = over
        self._seed = seed
        self._plants: list[RunningPlant | SimulatedPlant] = []

    def __call__(
        self,
        source: Source | None = None,
        /,
        *,
        over: Over | None = None,
        seed: int | None = None,
        **figures: Any,
    ) -> RunningPlant:
        """A plant whose lines are open until the test ends.

        Args:
            source: a file (`Path`, or its name), YAML text, a mapping of the same form, or a `Plant`; left
                out: figures, or else what the marker of the test says.
            over: every line at a free port (``"tcp"``) or on a pseudo-terminal (``"pty"``); left out: as
                the plant says, which is a free port where it says nothing.
            seed: in place of the plant's; ``--metersim-seed`` stands over both.
            figures: e.g. ``meters=8, lines=2, protocol="dlt698.45", profile=...``.

        Raises:
            OSError: a line cannot be opened.
            TypeError: an unknown figure, or figures beside a source.
            ValueError: the plant is wrong; the message has each fault.

        """
        plant = placed(self._plant(source, figures, seed), over or self._over)
        capture = self._scratch() / f"{len(self._plants) + 1}-{plant.plant}.jsonl"
        running = RunningPlant(plant, capture)
        self._plants.append(running)
        return running

    def simulated(
        self, source: Source | None = None, /, *, seed: int | None = None, **figures: Any
    ) -> SimulatedPlant:
        """A plant in simulated time, whose lines are reached by its ``connect``.

        Args:
            source: as of a plant whose lines are open.
            seed: the same.
            figures: the same.

        Raises:
            TypeError: an unknown figure, or figures beside a source.
            ValueError: the plant is wrong; the message has each fault.

        """
        simulated = SimulatedPlant(self._plant(source, figures, seed))
        self._plants.append(simulated)
        return simulated

    def close(self) -> None:
        """End every plant.

        Raises:
            PlantEnded: one had failed before.

        """
        with ExitStack() as stack:
            for plant in self._plants:
                if isinstance(plant, RunningPlant):
                    stack.callback(plant.stop)

    def report(self) -> str:
        """Seeds, digests and how to have it again, of each plant; empty: the test made none."""
        return "\n".join(line for plant in self._plants for line in self._lines_of(plant))

    def _plant(self, source: Source | None, figures: Mapping[str, Any], seed: int | None) -> Plant:
        if len(self._plants) >= PLANTS_MAX:
            raise ValueError(f"more than {PLANTS_MAX} plants in one test; put more lines or meters into one")
        if source is None and not figures:
            source, figures = self._source, self._figures
        if self._seed is not None:
            seed = self._seed
        plant = plant_from(source, figures, folder=self._folder)
        return plant if seed is None else replace(plant, seed=seed)

    def _again(self) -> str:
        """The option with which all plants are the same again; none where each has a seed of its own."""
        seeds = {plant.seed for plant in self._plants}
        return f" --metersim-seed={seeds.pop()}" if len(seeds) == 1 else ""

    def _lines_of(self, plant: RunningPlant | SimulatedPlant) -> list[str]:
        in_time = "simulated time" if isinstance(plant, SimulatedPlant) else "wall-clock time"
        lines = [f"plant {plant.plant.plant}: seed {plant.seed}, {in_time}"]
        try:
            digests, traffic = plant.digests(), plant.traffic()
        except PlantEnded as error:
            lines.append(f"  {error}: {error.__cause__!r}")
        else:
            lines += [
                f"  {name}: {traffic[name][0]} octets out, {traffic[name][1]} in, sha256 {digest}"
                for name, digest in digests.items()
            ]
        lines.append(f"  again: pytest {shlex.quote(self._test)}{self._again()}")
        if isinstance(plant, RunningPlant):
            lines.append(f"  its octets: metersim replay {shlex.quote(str(plant.capture))}")
        return lines
