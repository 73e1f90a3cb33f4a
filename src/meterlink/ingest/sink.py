"""Where points go: one interface for a database over HTTP, for files, and for memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class PointSink(Protocol):
    """Takes lines of line protocol, timestamps in seconds."""

    async def write(self, lines: Sequence[str]) -> None:
        """Store the lines, durable as far as the store can say when this returns.

        The same line may come again: it overwrites the same point with the same values.

        Raises:
            SinkAway: nothing is known to be stored; try the same lines again later.
            SinkRefused: at least one line is refused for good; others among them may have been stored.

        """

    async def aclose(self) -> None:
        """Let go of the store; harmless when already closed."""
