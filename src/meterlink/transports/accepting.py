"""Listening with a pause where there is no descriptor for a caller.

asyncio takes as many callers at once as may queue, and where it has no descriptor for one it says so for each
of that number, though none is there, and has each try again a second later. So it is told to take one at a
time: then it says so once a second. How many may queue is the kernel's affair, and told it separately.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import Final, Protocol

AT_ONCE: Final = 1
"""``backlog`` of every server of asyncio here; ``queue`` says how many may wait."""

QUEUED: Final = 128
"""Callers that wait while we are busy, where nothing else is said."""


class Listening(Protocol):
    """A socket, or what asyncio shows of one."""

    def fileno(self) -> int:
        """Its descriptor."""


def queue(sockets: Iterable[Listening], callers: int) -> None:
    """Let so many callers wait at each socket while we are busy.

    Args:
        sockets: that listen.
        callers: 1 or more.

    """
    for one in sockets:
        with socket.socket(fileno=os.dup(one.fileno())) as same:
            same.listen(callers)
