"""Asks the API whatever its OpenAPI allows, and what it does not: schemathesis with all its checks.

``python -m tests.support.check_api --examples 2000``: so many examples of each operation, and so many walks
along the links from one operation to the next. A walk is seven requests, each of which some checks repeat: in
all some 27,000 cases, ten minutes of a core, and an hour where others want it too. So it is cut into slices,
each with a seed of its own.
What was played stands in ``build/check-api``, and a run that was stopped, by a person or by ``--minutes``,
goes on there, as long as the code is the same. ``--only SLICE`` plays one again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from meterlink.web.app import bare_application
from tests.support.processes import announced

SEED: Final = 20261122
ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "build" / "check-api"
PHASES: Final = "examples,coverage,fuzzing,stateful"
SLICE: Final = 1_000
"""Examples of a slice: a minute, and three where they are walks."""
_PLAYED: Final = "played.jsonl"
_CASES: Final = re.compile(r"(\d+) generated, (\d+) passed")
_CONFIG: Final = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 406, 413, 414, 422, 429, 431]
"""
"""How the API says no. What cannot be may also be too long, which is said first; 5xx is never a no."""


class Served(NamedTuple):
    """A small plant that is served."""

    url: str
    token: str
    folder: Path


class Said(NamedTuple):
    """The exit code of schemathesis, and what it said."""

    code: int
    text: str

    @property
    def cases(self) -> int:
        """Requests that were made and found right."""
        found = _CASES.search(self.text)
        return int(found[2]) if found else 0


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of what is asked.

    Args:
        phase: of schemathesis; several with commas.
        operation: its id; empty: all.
        number: from 1; each has another seed.
        examples: of each operation, or walks.

    """

    phase: str
    operation: str
    number: int
    examples: int

    @property
    def name(self) -> str:
        """Of it alone."""
        return "/".join((self.phase, self.operation or "all", str(self.number), str(self.examples)))

    @property
    def arguments(self) -> list[str]:
        """For schemathesis."""
        seed = f"--seed={SEED + self.number - 1}"
        only = [f"--include-operation-id={self.operation}"] if self.operation else []
        kept = "--generation-database=none"  # a slice begins as it did the last time
        return [f"--phases={self.phase}", f"--max-examples={self.examples}", seed, kept, *only]


def slices(examples: int, *, of: int, operations: Sequence[str], phases: Sequence[str]) -> Iterator[Slice]:
    """What is asked in all, cut into slices.

    Args:
        examples: of each operation, and walks.
        of: examples of one slice at most.
        operations: ids.
        phases: of schemathesis. Those that come out of the OpenAPI alone are not cut.

    """
    for phase in phases:
        asked = {"fuzzing": operations, "stateful": ("",)}.get(phase)
        if asked is None:
            yield Slice(phase, "", 1, examples)
            continue
        for number, first in enumerate(range(0, examples, of), start=1):
            for operation in asked:
                yield Slice(phase, operation, number, min(of, examples - first))


class Played:
    """What was played and found right, in a file.

    Args:
        folder: of the file; is made.
        code: of what it holds.

    """

    def __init__(self, folder: Path, code: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / _PLAYED
        self._code = code
        told = self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else []
        found = [json.loads(line) for line in told]
        self.cases: dict[str, int] = {one["slice"]: one["cases"] for one in found if one["code"] == code}

    def add(self, one: Slice, cases: int) -> None:
        """One more."""
        self.cases[one.name] = cases
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"code": self._code, "slice": one.name, "cases": cases}) + "\n")


def play(
    asked: Sequence[Slice], played: Played, ask: Callable[[Slice], Said], *, until: Callable[[], bool]
) -> Slice | None:
    """Play what was not played yet; the first slice in which something is wrong, or ``None``.

    Args:
        asked: in their order.
        played: grows.
        ask: runs schemathesis.
        until: whether it is time to stop, asked before each.

    """
    for one in asked:
        if one.name in played.cases:
            continue
        if until():
            break
        began = time.monotonic()
        said = ask(one)
        if said.code:
            print(said.text)
            return one
        played.add(one, said.cases)
        print(f"{one.name}: {said.cases} cases, {time.monotonic() - began:.0f} s", flush=True)
    return None


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """A small plant that is served until the end of the block.

    Args:
        folder: empty.

    """
    plant = folder / "plant"
    plant.mkdir()
    (folder / "schemathesis.toml").write_text(_CONFIG, encoding="utf-8")
    command = [sys.executable, "-m", "tests.support.api_server", str(plant)]
    with announced(command, folder / "log") as (_, ready):
        yield Served(ready["url"], ready["token"], folder)


def asked_of(served: Served, arguments: Sequence[str]) -> Said:
    """Run schemathesis against what is served."""
    found = subprocess.run(
        [
            str(Path(sys.executable).with_name("st")),
            "run",
            f"{served.url}/v1/openapi.json",
            f"--header=Authorization: Bearer {served.token}",
            "--checks=all",
            "--mode=all",
            "--no-color",
            *arguments,
        ],
        cwd=served.folder,  # it leaves files where it runs
        # Which characters there are is worked out once, for seconds, and kept there.
        env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(ROOT / ".hypothesis")},
        capture_output=True,
        text=True,
        check=False,
    )
    return Said(found.returncode, found.stdout + found.stderr)


def check(folder: Path, examples: int) -> Said:
    """Serve a small plant and ask it everything in one run.

    Args:
        folder: empty.
        examples: of each operation, in each phase.

    """
    with serving(folder) as served:
        whole = [f"--phases={PHASES}", f"--max-examples={examples}", f"--seed={SEED}"]
        return asked_of(served, [*whole, "--generation-deterministic"])


def operation_ids() -> list[str]:
    """Of all operations of the API."""
    paths = bare_application().openapi()["paths"].values()
    return sorted(operation["operationId"] for path in paths for operation in path.values())


def _code() -> str:
    """Of the program that answers, and of what it is asked with."""
    digest = hashlib.sha256()
    for file in sorted([*(ROOT / "src").rglob("*.py"), Path(__file__)]):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="the API asked whatever its OpenAPI allows")
    parser.add_argument("--examples", type=int, default=2_000)
    parser.add_argument("--slice", type=int, default=SLICE, help="examples of one slice at most")
    parser.add_argument("--operation", action="append", default=[], help="only this one; may be repeated")
    parser.add_argument("--phases", default=PHASES)
    parser.add_argument("--minutes", type=float, help="stop behind the slice in which they are over")
    parser.add_argument("--only", help="one slice again, by its name: fuzzing/completeness/3/200")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of what was played")
    return parser.parse_args()


def main() -> None:
    """Play what the command line says."""
    given = _given()
    operations = given.operation or operation_ids()
    asked = list(
        slices(given.examples, of=given.slice, operations=operations, phases=given.phases.split(","))
    )
    played = Played(given.folder, _code())
    if given.only:
        phase, operation, number, examples = given.only.split("/")
        asked = [Slice(phase, "" if operation == "all" else operation, int(number), int(examples))]
        played.cases.pop(given.only, None)
    ends = None if given.minutes is None else time.monotonic() + given.minutes * 60
    with tempfile.TemporaryDirectory() as made, serving(Path(made)) as served:
        wrong = play(
            asked,
            played,
            lambda one: asked_of(served, one.arguments),
            until=lambda: ends is not None and time.monotonic() > ends,
        )
    done = [one for one in asked if one.name in played.cases]
    cases = sum(played.cases[one.name] for one in done)
    rest = "" if len(done) == len(asked) else "; the same command plays the rest"
    print(f"{len(done)} of {len(asked)} slices were played, {cases} cases{rest}")
    if wrong is not None:
        sys.exit(f"something is wrong in {wrong.name}: --only {wrong.name} plays it again")
    sys.exit(0 if len(done) == len(asked) else 2)


if __name__ == "__main__":
    main()
