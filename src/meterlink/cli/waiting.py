"""A bar for somebody who waits at a terminal, and nothing for a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from meterlink.cli.console import stderr


@contextmanager
def waiting_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how much is done; give ``(0, 0)`` where nobody knows of how much.

    Args:
        what: stands before the bar.

    """
    with waiting_bars() as tell:
        yield lambda done, of: tell(what, done, of)


@contextmanager
def waiting_bars() -> Iterator[Callable[[str, int, int], None]]:
    """The same for several things, one after the other: a bar each."""
    console = stderr(soft_wrap=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=None)
            bars.update(tasks[what], completed=done, total=of or None)

        yield tell
