"""Where tables are printed: as wide as the terminal, and whole where a program reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from meterlink.cli.saying import seen

_WIDTH_OF_A_FILE: Final = 10_000


class SeenConsole(Console):
    """A console that shows what others sent and does not obey it; its own colours and cursor stay."""

    def print(self, *objects: Any, **how: Any) -> None:
        """See ``Console.print``; what is written out counts for the width of its column."""
        super().print(*(_seen(one) for one in objects), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See ``Console.render``; this finds what stands in other things than texts and tables."""
        for segment in super().render(renderable, options):
            shown = segment.text if segment.control else seen(segment.text)
            yield segment if shown == segment.text else Segment(shown, segment.style, segment.control)


def _seen(one: Any) -> Any:
    if isinstance(one, str):
        return seen(one)
    if isinstance(one, Text):
        return _text_seen(one)
    if isinstance(one, Table):
        for column in one.columns:
            column.header = _seen(column.header)
            column._cells = [_seen(cell) for cell in column.cells]
    return one


def _text_seen(text: Text) -> Text:
    """Letter by letter from behind, so that styles stay where they are."""
    if seen(text.plain) == text.plain:
        return text
    for place in range(len(text.plain) - 1, -1, -1):
        if (shown := seen(text.plain[place])) != text.plain[place]:
            text = text[:place] + Text(shown) + text[place + 1 :]
    return text


def output() -> Console:
    """Standard output; nothing is cut or wrapped, and nothing coloured, where that is no terminal."""
    console = SeenConsole(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE
    return console


def lines() -> Console:
    """Standard output; a long line goes on in the next."""
    return SeenConsole(soft_wrap=True, highlight=False)


def stderr(*, soft_wrap: bool = True, quiet: bool = False) -> Console:
    """Standard error.

    Args:
        soft_wrap: a long line goes on in the next; without it, it is folded to the terminal's width.
        quiet: write nothing.

    """
    return SeenConsole(stderr=True, soft_wrap=soft_wrap, highlight=False, quiet=quiet)
