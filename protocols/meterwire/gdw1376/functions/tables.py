"""Reads the CSV files of this room."""

from __future__ import annotations

import functools

from meterwire.gdw1376.functions.function import Way
from meterwire.primitives import tables


@functools.cache
def lines(file: str) -> tuple[dict[str, str], ...]:
    """The lines of one file of ``rows``."""
    return tuple(tables.lines("meterwire.gdw1376.functions", file))


@functools.cache
def by_function(file: str) -> dict[tuple[int, int, Way], dict[str, str]]:
    """The lines of a file of functions, by AFN, Fn and direction."""
    ways: dict[str, Way] = {"down": "down", "up": "up"}
    return {(int(line["afn"], 16), int(line["fn"]), ways[line["way"]]): line for line in lines(file)}


@functools.cache
def records() -> dict[str, str]:
    """Layouts that several functions share, by name."""
    return {line["record"]: line["layout"] for line in lines("records.csv")}
