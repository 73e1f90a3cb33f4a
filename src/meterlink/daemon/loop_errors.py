"""What the event loop says went wrong: where there are no descriptors left, once a minute and in a line."""

from __future__ import annotations

import asyncio
import errno
from typing import Any, Final

import structlog

TOLD_EVERY_S: Final = 60.0
"""How often it is said at most that there are no descriptors left; then, how often that was since."""
_USED_UP: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Errors of a server that cannot take a caller in; asyncio tries again a second later."""

_log = structlog.get_logger(__name__)


class LoopErrors:
    """Tells what no task was there to be told of.

    Args:
        loop: whose; it tells this from now on.

    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._untold = 0
        self._waits = False
        loop.set_exception_handler(self._note)

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in _USED_UP:
            loop.default_exception_handler(context)
            return
        self._untold += 1
        if not self._waits:
            self._tell(str(error.strerror))

    def _tell(self, words: str) -> None:
        """Say how often it was since it was said last; nothing, when it is over."""
        self._waits = self._untold > 0
        if self._waits:
            _log.error(
                "callers_not_taken",
                reason=words,
                times=self._untold,
                told="nobody can connect: raise LimitNOFILE of the service, or look who holds so many",
            )
            self._untold = 0
            self._loop.call_later(TOLD_EVERY_S, self._tell, words)
