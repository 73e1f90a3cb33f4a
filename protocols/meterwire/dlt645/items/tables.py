"""The tables below ``dictionary/``: their lines as they stand."""

from __future__ import annotations

from collections.abc import Iterator

from meterwire.primitives import tables

Line = dict[str, str]
"""The cells of a line by their column."""


def lines(file_name: str) -> Iterator[Line]:
    """The lines of a table of the dictionary."""
    for line in tables.lines("meterwire.dlt645.items", file_name):
        yield {column: cell or "" for column, cell in line.items()}
