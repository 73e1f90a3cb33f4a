"""The tables below ``dictionary/``: their lines as they stand."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from importlib import resources

Line = dict[str, str]
"""The cells of a line by their column."""


def lines(file_name: str) -> Iterator[Line]:
    """The lines of a table of the dictionary."""
    with resources.files("meterwire.dlt645.items").joinpath("rows", file_name).open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            yield {column: cell or "" for column, cell in line.items()}
