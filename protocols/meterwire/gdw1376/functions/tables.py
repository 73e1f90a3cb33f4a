"""Reads the CSV files of this room."""

from __future__ import annotations

import csv
import functools
from importlib import resources


@functools.cache
def lines(file: str) -> tuple[dict[str, str], ...]:
    """The lines of one file of ``rows``."""
    with (
        resources.files("meterwire.gdw1376.functions").joinpath("rows", file).open(encoding="utf-8") as opened
    ):
        return tuple(csv.DictReader(opened))


@functools.cache
def records() -> dict[str, str]:
    """Layouts that several functions share, by name."""
    return {line["record"]: line["layout"] for line in lines("records.csv")}
