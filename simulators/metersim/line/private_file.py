"""Files for their owner alone: what passes on lines has passwords in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal, TextIO

PRIVATE_MODE: Final = 0o600
"""Of a file that is made: its owner reads and writes, nobody else does."""


def open_private(path: Path, mode: Literal["a", "a+"]) -> TextIO:
    """A text file to append lines to, which nobody but its owner reads when it is made here.

    Args:
        path: the file; one that stands there keeps its mode.
        mode: as of `open`.

    Raises:
        OSError: it cannot be opened.

    """
    return open(path, mode, buffering=1, encoding="utf-8", opener=_private)  # Path.open has no opener


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE_MODE)
