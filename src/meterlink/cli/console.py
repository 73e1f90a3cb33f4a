"""Where tables are printed: as wide as the terminal, and whole where a program reads."""

from __future__ import annotations

from typing import Final

from rich.console import Console

_WIDTH_OF_A_FILE: Final = 10_000


def output() -> Console:
    """Standard output; nothing is cut or wrapped, and nothing coloured, where that is no terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE
    return console
