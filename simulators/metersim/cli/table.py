"""The live table of ``metersim run``: what each line is doing, for whoever looks at the terminal.

It always fits: where a URL has no room its end is shown, which has the port, and lines that have no row are
counted together in the last one.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from metersim.plant.built import BuiltPlant
from metersim.plant.built_line import BuiltLine

REFRESH_S = 0.5
HEADINGS: Final = ("line", "url", "meters", "requests", "answers", "faults", "last meter")
NAME_CHARACTERS: Final = 14
"""Of a line's name, at most."""
URL_CHARACTERS_MIN: Final = 12
_URL: Final = HEADINGS.index("url")
_FIGURES: Final = range(2, 6)
_AROUND_ROWS: Final = 5
"""Terminal rows of title, headings, two captions and the cursor."""


class Room(NamedTuple):
    """What a terminal has, in characters and rows."""

    width: int
    height: int


def table_of(built: BuiltPlant, urls: Mapping[str, str], room: Room) -> Group:
    """The table as it is now.

    Args:
        built: the plant.
        urls: where its lines are reached, by name.
        room: it takes no more.

    """
    title = f"{built.plant.plant}: {len(built.meters)} meters, {built.clock.utc_now():%Y-%m-%d %H:%M:%S} UTC"
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for number, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if number in _FIGURES else "left", no_wrap=True)
    rows = _rows(built, urls, most=max(room.height - _AROUND_ROWS, 1))
    widths = [max(len(cell) for cell in column) for column in zip(HEADINGS, *rows, strict=True)]
    others = sum(widths) - widths[_URL] + len(widths) - 1  # and one blank between two
    url_room = max(room.width - others, URL_CHARACTERS_MIN)
    for name, url, *rest in rows:
        table.add_row(name, url if len(url) <= url_room else f"…{url[1 - url_room :]}", *rest)
    return Group(_short(title), table, _short(_caption(built)))


def _rows(built: BuiltPlant, urls: Mapping[str, str], *, most: int) -> list[list[str]]:
    """A row for each line, or for the first ones and for all the others together."""
    lines = list(built.lines.values())
    shown = lines if len(lines) <= most else lines[: most - 1]
    rows = [
        [_cut(line.name), urls.get(line.name, "-"), *_figures([line]), line.counts.last] for line in shown
    ]
    if others := lines[len(shown) :]:
        rows.append([f"and {len(others)} more", "", *_figures(others), ""])
    return rows


def _figures(lines: Sequence[BuiltLine]) -> list[str]:
    figures = (
        (len(line.meters), line.traffic.requests, line.counts.answers, line.counts.faulty) for line in lines
    )
    return [str(sum(column)) for column in zip(*figures, strict=True)]


def _caption(built: BuiltPlant) -> str:
    failed = [report for report in built.happenings.reports() if report.failed]
    if not failed:
        return "Ctrl-C ends"
    return f"Ctrl-C ends\n{len(failed)} cannot happen; {failed[-1].name}: {failed[-1].last_error}"


def _short(text: str) -> Text:
    """Text whose rows end with the terminal's width."""
    return Text(text, no_wrap=True, overflow="ellipsis")


def _cut(name: str) -> str:
    return name if len(name) <= NAME_CHARACTERS else f"{name[: NAME_CHARACTERS - 1]}…"


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
    with Live(table_of(built, urls, Room(*console.size)), console=console, auto_refresh=False) as live:
        while not stop.is_set():
            try:
                async with asyncio.timeout(REFRESH_S):
                    await stop.wait()
            except TimeoutError:
                live.update(table_of(built, urls, Room(*console.size)), refresh=True)
