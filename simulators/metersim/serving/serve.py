"""Lines for other processes: a TCP port, a call to somebody's port, or a pseudo-terminal."""

from __future__ import annotations

from metersim.serving.pty import open_pty
from metersim.serving.served import Served, SystemClock
from metersim.serving.tcp import CLIENTS_MAX, SEND_TIMEOUT_S, open_dial, open_tcp

__all__ = ["CLIENTS_MAX", "SEND_TIMEOUT_S", "Served", "SystemClock", "open_dial", "open_pty", "open_tcp"]
