"""Runs every benchmark in its own process and prints one table: ``python -m bench [NAME ...]``.

A benchmark is a module ``bench_*.py`` that prints one JSON object with ``bench``, ``unit``, ``medians``,
``ratios`` and ``goals``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def _run(module: str) -> dict[str, Any]:
    run = subprocess.run([sys.executable, "-m", module], stdout=subprocess.PIPE, text=True, check=True)
    document = json.loads(run.stdout)
    assert isinstance(document, dict)
    return document


def main() -> None:
    """Run what was asked for, or everything."""
    wanted = sys.argv[1:]
    table = Table(title="meterlink benchmarks: medians and ratios of one run", show_lines=True)
    for heading in ("benchmark", "medians", "ratios", "goals"):
        table.add_column(heading)
    for path in sorted(Path(__file__).parent.glob("bench_*.py")):
        if wanted and path.stem.removeprefix("bench_") not in wanted:
            continue
        print(f"{path.stem} ...", file=sys.stderr, flush=True)
        document = _run(f"bench.{path.stem}")
        table.add_row(
            f"{document['bench']}\n({document['unit']})",
            *(
                "\n".join(f"{k}: {v}" for k, v in document[part].items())
                for part in ("medians", "ratios", "goals")
            ),
        )
    Console(width=None if sys.stdout.isatty() else 150).print(table)


if __name__ == "__main__":
    main()
