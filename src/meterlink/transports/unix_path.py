"""A way to a unix socket that is short enough for the kernel, however deep its folder is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PATH_OCTETS_MAX: Final = 107
"""Longest path of a unix socket, without its final zero. Source: unix(7)."""


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """The path itself, or one that goes by a descriptor of its folder and is good until left.

    Raises:
        OSError: the folder cannot be opened.

    """
    if len(os.fsencode(path)) <= PATH_OCTETS_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
