"""Letting the kernel notice a peer that vanished without a word."""

from __future__ import annotations

import asyncio
import contextlib
import socket

IDLE_S, INTERVAL_S, PROBES = 30, 15, 4
"""A silent connection is probed after ``IDLE_S``, given up after ``PROBES`` unanswered probes: in 90 s."""


def keep_alive(transport: asyncio.BaseTransport) -> None:
    """Switch on TCP keepalive; does nothing where there is no socket."""
    sock = transport.get_extra_info("socket")
    if sock is None:
        return
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, INTERVAL_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
