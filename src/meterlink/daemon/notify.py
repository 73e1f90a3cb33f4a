"""What systemd is told of us, a datagram each. Source: sd_notify(3), systemd.service(5) (notify-reload)."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
ALIVE: Final = "WATCHDOG=1"
STOP_MAX_S: Final = 45
"""A stop takes at most this much longer, whatever the unit says: thousands of lines may all be going down."""
STATUS_MAX: Final = 400
"""Characters of a status; the rest stands in the log."""


class Notifier:
    """Tells the manager that started us, if one did.

    Args:
        environment: in which NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID may stand.

    Attributes:
        watchdog_s: within which it wants to hear ``ALIVE``; ``None``: it does not watch us.

    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        wanted = environment.get("WATCHDOG_USEC", "")
        is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(wanted) / 1e6 if wanted.isdecimal() and is_ours else None

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._address)

    def tell(self, *lines: str) -> None:
        """Send lines in one datagram; a manager that does not hear them is no reason to stop.

        Args:
            lines: ``NAME=value`` each.

        """
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            to.setblocking(False)
            to.sendto("\n".join(lines).encode(), address)


def status(words: str) -> str:
    """A line for people, as ``systemctl status`` shows it."""
    return "STATUS=" + " ".join(words.split())[:STATUS_MAX]


def stopping() -> tuple[str, str]:
    """The stop has begun; the manager is to wait for its end, see ``STOP_MAX_S``."""
    return STOPPING, f"EXTEND_TIMEOUT_USEC={STOP_MAX_S * 1_000_000}"


def reloading(monotonic_s: float) -> str:
    """A reload begins: the manager waits for the next ``READY``.

    Args:
        monotonic_s: of CLOCK_MONOTONIC, now.

    """
    return f"RELOADING=1\nMONOTONIC_USEC={round(monotonic_s * 1e6)}"
