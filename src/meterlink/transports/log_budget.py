"""Lines of the log that a caller can cause: so many at once, then so many an hour, and the rest counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

CALLER_LINES_MAX: Final = 60
"""Lines at once on the comings and goings of one known terminal, or of the line that it is."""
CALLER_LINE_EACH_S: Final = 60.0
"""And one more in so many seconds."""


class LogBudget:
    """How much may still be logged of something.

    Args:
        lines_max: at once.
        each_s: seconds until there is one more.

    """

    def __init__(self, lines_max: int = CALLER_LINES_MAX, each_s: float = CALLER_LINE_EACH_S) -> None:
        self._lines_max, self._each_s = lines_max, each_s
        self._left, self._told_at, self._left_out = float(lines_max), 0.0, 0

    def tell(self, log: Callable[..., Any], event: str, **fields: Any) -> None:
        """Log a line, or leave it out; the next one says how many were.

        Args:
            log: method of a logger.
            event: what happened.
            fields: of the line.

        """
        now_s = asyncio.get_running_loop().time()
        self._left = min(self._left + (now_s - self._told_at) / self._each_s, self._lines_max)
        self._told_at = now_s
        if self._left < 1:
            self._left_out += 1
            return
        self._left -= 1
        left_out = {"left_out": self._left_out} if self._left_out else {}
        self._left_out = 0
        log(event, **fields, **left_out)
