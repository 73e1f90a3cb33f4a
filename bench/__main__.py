"""Runs every benchmark in its own process and prints one table: ``python -m bench [--readme] [NAME ...]``.

A benchmark is a module ``bench_*.py`` that prints one JSON object with ``bench``, ``unit``, ``medians``,
``ratios`` and ``goals``, and may have ``notes`` in both languages: what stands on either side, and where the
time goes. With ``--readme`` the table and the notes are also written into the READMEs.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

_HERE = Path(__file__).resolve().parent
_READMES = {"README.md": "en", "README.zh-CN.md": "zh"}
_PLACE = re.compile(r"(<!-- bench:begin -->\n).*?(<!-- bench:end -->)", re.DOTALL)
_HEADINGS = ("benchmark", "medians", "ratios", "goals")


def _run(module: str) -> dict[str, Any]:
    run = subprocess.run([sys.executable, "-m", module], stdout=subprocess.PIPE, text=True, check=True)
    document = json.loads(run.stdout)
    assert isinstance(document, dict)
    return document


def _cells(document: dict[str, Any], newline: str) -> list[str]:
    first = f"{document['bench']}{newline}({document['unit']})"
    parts = (document[part] for part in _HEADINGS[1:])
    return [first, *(newline.join(f"{key}: {value}" for key, value in part.items()) for part in parts)]


def as_markdown(documents: list[dict[str, Any]], language: str = "en") -> str:
    """The table and the notes as the READMEs hold them."""
    rows = [_HEADINGS, ("---",) * len(_HEADINGS), *(_cells(document, "<br>") for document in documents)]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    notes = "".join(f"{note}\n" for document in documents for note in _notes(document, language))
    return f"{table}\n{notes}" if notes else table


def _notes(document: dict[str, Any], language: str) -> list[str]:
    notes: list[str] = document.get("notes", {}).get(language, [])
    return notes


def with_table(text: str, table: str) -> str:
    """A README's text with the table in its place."""
    return _PLACE.sub(lambda found: f"{found[1]}{table}{found[2]}", text)


def main() -> None:
    """Run what was asked for, or everything."""
    wanted = [word for word in sys.argv[1:] if word != "--readme"]
    documents = []
    for path in sorted(_HERE.glob("bench_*.py")):
        if wanted and path.stem.removeprefix("bench_") not in wanted:
            continue
        print(f"{path.stem} ...", file=sys.stderr, flush=True)
        documents.append(_run(f"bench.{path.stem}"))
    table = Table(*_HEADINGS, title="meterlink benchmarks: medians and ratios of one run", show_lines=True)
    for document in documents:
        table.add_row(*_cells(document, "\n"))
    Console(width=None if sys.stdout.isatty() else 150).print(table)
    for document in documents:
        for note in _notes(document, "en"):
            print(f"- {note}")
    if "--readme" in sys.argv:
        for name, language in _READMES.items():
            readme = _HERE.parent / name
            text = readme.read_text(encoding="utf-8")
            readme.write_text(with_table(text, as_markdown(documents, language)), encoding="utf-8")


if __name__ == "__main__":
    main()
