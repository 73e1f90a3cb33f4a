"""The tables of a package: CSV files below its ``rows/``, a row a line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from importlib import resources


def lines(package: str, file_name: str) -> Iterator[dict[str, str]]:
    """The lines of a table, by the names of its columns.

    Args:
        package: in whose ``rows/`` it lies, e.g. ``meterwire.dlt645.items``.
        file_name: with its ending.

    """
    with resources.files(package).joinpath("rows", file_name).open(encoding="utf-8") as file:
        yield from csv.DictReader(file)
