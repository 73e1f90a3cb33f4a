"""Asks the API whatever its OpenAPI allows, and what it does not: schemathesis with all its checks.

``python -m tests.support.check_api --examples 2000``: so many examples an operation. All of them
together may take an hour, and can be cut by operation (``--operation consumption``) and by phase.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.support.processes import announced

SEED: Final = 20261122
ROOT: Final = Path(__file__).resolve().parents[2]
PHASES: Final = "examples,coverage,fuzzing,stateful"
_CONFIG: Final = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 406, 413, 414, 422, 429, 431]
"""
"""How the API says no. What cannot be may also be too long, which is said first; 5xx is never a no."""


def check(
    folder: Path, examples: int, operations: Sequence[str] = (), phases: str = PHASES
) -> tuple[int, str]:
    """Serve a small plant and ask it; the exit code of schemathesis, and what it said.

    Args:
        folder: empty.
        examples: of each operation, in each phase.
        operations: their ids; none: all.
        phases: with commas between them.

    """
    plant = folder / "plant"
    plant.mkdir()
    (folder / "schemathesis.toml").write_text(_CONFIG, encoding="utf-8")
    command = [sys.executable, "-m", "tests.support.api_server", str(plant)]
    with announced(command, folder / "log") as (_, ready):
        asked = subprocess.run(
            [
                str(Path(sys.executable).with_name("st")),
                "run",
                f"{ready['url']}/v1/openapi.json",
                f"--header=Authorization: Bearer {ready['token']}",
                "--checks=all",
                f"--phases={phases}",
                "--mode=all",
                f"--max-examples={examples}",
                f"--seed={SEED}",
                "--generation-deterministic",
                "--no-color",
                *(f"--include-operation-id={one}" for one in operations),
            ],
            cwd=folder,  # it leaves files where it runs
            capture_output=True,
            text=True,
            check=False,
        )
    return asked.returncode, asked.stdout + asked.stderr


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, default=2_000)
    parser.add_argument("--operation", action="append", default=[], help="only this one; may be repeated")
    parser.add_argument("--phases", default=PHASES)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        code, said = check(Path(made), given.examples, given.operation, given.phases)
    print(said)
    sys.exit(code)
