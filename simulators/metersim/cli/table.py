"""The live table of ``metersim run``: what each line is doing, for whoever looks at the terminal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

from rich.console import Console
from rich.live import Live
from rich.table import Table

from metersim.plant.built import BuiltPlant

REFRESH_S = 0.5
HEADINGS = ("line", "url", "meters", "requests", "answers", "faults", "last meter")


def table_of(built: BuiltPlant, urls: Mapping[str, str]) -> Table:
    """The table as it is now.

    Args:
        built: the plant.
        urls: where its lines are reached, by name.

    """
    title = f"{built.plant.plant}: {len(built.meters)} meters, {built.clock.utc_now():%Y-%m-%d %H:%M:%S} UTC"
    table = Table(title=title, caption="Ctrl-C ends")
    for number, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if 2 <= number <= 5 else "left")
    for name, line in built.lines.items():
        counts = line.counts
        figures = (len(line.meters), line.traffic.requests, counts.answers, counts.faulty)
        table.add_row(name, urls.get(name, "-"), *map(str, figures), counts.last)
    return table


def is_wanted() -> bool:
    """Whether somebody looks: standard error is a terminal."""
    return sys.stderr.isatty()


async def show(built: BuiltPlant, urls: Mapping[str, str], stop: asyncio.Event) -> None:
    """Draw it on standard error, twice a second, until ``stop`` is set.

    Args:
        built: the plant.
        urls: where its lines are reached, by name.
        stop: the end.

    """
    console = Console(stderr=True)
    with Live(table_of(built, urls), console=console, auto_refresh=False) as live:
        while not stop.is_set():
            try:
                async with asyncio.timeout(REFRESH_S):
                    await stop.wait()
            except TimeoutError:
                live.update(table_of(built, urls), refresh=True)
