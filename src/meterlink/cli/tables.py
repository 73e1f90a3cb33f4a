"""How tables are printed: nothing is cut, on a terminal a long cell goes on in the next line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def print_table(table: Table) -> None:
    """Print a table to standard output.

    On a terminal it is as wide as that, and cells are folded, but for numbers at the right of their column.
    Elsewhere a row is one line, however long: a program or `grep` reads there.

    Args:
        table: what to print; how its columns wrap is set here.

    """
    from meterlink.cli.console import output

    for column in table.columns:
        column.no_wrap, column.overflow = column.justify == "right", "fold"
    output().print(table)
