"""Why a place to serve at cannot be had, and what to do about it."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping
from typing import Final

_REMEDIES: Final[Mapping[int, str]] = {
    errno.EADDRINUSE: "end the program that has it, or write another port (0 takes a free one)",
    errno.EADDRNOTAVAIL: "write an address of this machine, as 127.0.0.1",
    errno.EACCES: "write a port over 1023",
}
_ELSE: Final = "write another place"


def refused(error: OSError, place: str) -> OSError:
    """The same error, with the place and what to do.

    Args:
        error: as the operating system gave it.
        place: that cannot be had, as it was written.

    """
    if isinstance(error, socket.gaierror):
        number, why = errno.EADDRNOTAVAIL, "There is no such host"
    else:
        number = error.errno or 0
        why = os.strerror(number) if number else str(error)
    return OSError(number, f"{place}: {why}; {_REMEDIES.get(number, _ELSE)}")
