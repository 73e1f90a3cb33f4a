"""What a line has done and what it is at: numbers that its owner notes and others only read."""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from meterlink.bus.exchange import EXCHANGE_MAX_S
from meterlink.bus.hold import HOLD_MAX_S

STUCK_S: Final = EXCHANGE_MAX_S + HOLD_MAX_S + 60.0
"""No request is in hand for longer: a hold ends by itself, its last exchange is given up, and then some."""


class Outcome(enum.StrEnum):
    """How an exchange ended."""

    ANSWERED = "answered"
    SILENT = "silent"
    """No whole answer in time."""
    BROKEN = "broken"
    """What came was against the protocol."""
    LOST = "lost"
    """The line could not be opened, broke, or somebody else has it."""


@dataclass(slots=True)
class LineWork:
    """Of one line since the start.

    Attributes:
        exchanges: that ended, by outcome.
        seconds: that they took, together.
        since_s: monotonic time at which the request in hand was taken up; ``None``: there is none.
        trouble: why the line cannot be used now; empty: it can, or nobody has tried.

    """

    exchanges: Counter[Outcome] = field(default_factory=Counter)
    seconds: float = 0.0
    since_s: float | None = None
    trouble: str = ""

    def in_hand(self, now_s: float) -> Self:
        """A request is taken up, and is done with at the end of the block.

        Args:
            now_s: monotonic.

        """
        self.since_s = now_s
        return self

    def __enter__(self) -> None:
        """It is in hand."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """It is done with."""
        self.since_s = None

    def note(self, outcome: Outcome, seconds: float) -> None:
        """An exchange has ended."""
        self.exchanges[outcome] += 1
        self.seconds += seconds

    def is_stuck(self, now_s: float) -> bool:
        """Whether the request in hand should have ended by now, whatever the line does.

        Args:
            now_s: monotonic.

        """
        return self.since_s is not None and now_s - self.since_s > STUCK_S
