"""What is served over connections, and the wall clock that it lives by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from metersim.line.line import Duplex


class Served(Protocol):
    """What answers over a connection: a line, a serial server before one, or a terminal on one."""

    async def serve(self, duplex: Duplex) -> None:
        """Answer what comes over ``duplex`` until the other side ends it, or this one has enough."""


class SystemClock:
    """The machine's wall clock."""

    def utc_now(self) -> datetime:
        """Wall time, aware, UTC."""
        return datetime.now(UTC)
