"""One heap for all threads: the C library sets 64 MB of addresses aside for each thread that asks for memory.

None of it is used, but where the addresses of a program are limited (``ulimit -v``), four threads take the
256 MB of a small gateway and the fifth cannot be started. Our threads take turns anyway.
"""

from __future__ import annotations

import ctypes
from typing import Final

_M_ARENA_MAX: Final = -8
"""Parameter of ``mallopt``. Source: mallopt(3) of glibc."""


def share_heap() -> None:
    """Let all threads share one heap, where the C library can; called before there are any."""
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(_M_ARENA_MAX, 1)
