"""Numbers of a daemon at one moment, as whoever has them hands them in.

A line is a label, because people look for the bad one; those beyond ``LINES_MAX`` are one together, since a
roster may name any number of them by URL. A meter never is: twenty thousand meters would be twenty thousand
series of each number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

LINES_MAX: Final = 1_000
"""Lines with numbers of their own: as many as the configuration can name."""
OTHER_LINES: Final = "_other"
"""Label of all lines beyond them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineNumbers:
    """Of one line since the start.

    Args:
        exchanges: that ended, by outcome.
        seconds: that they took.

    """

    exchanges: Mapping[str, int]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkNumbers:
    """Of one sink of the log.

    Args:
        lag_s: age of the oldest row that waits for it; 0: it has everything.
        waiting: rows that wait.

    """

    lag_s: float
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Of a daemon, at one moment.

    Args:
        version: of the program.
        uptime_s: since its start.
        loop_lag_s: by which the event loop was late at its last look.
        lines: by name.
        commits: of the journal.
        changes: in them.
        refused: changes that were not kept.
        journal_octets: of its file.
        unused_octets: in it.
        free_octets: of its disk.
        rows: id of the newest row of the log.
        sinks: by name.
        published: messages that the broker acknowledged.
        poisoned: rows that it can never take.
        reloads: of the configuration, by result.

    """

    version: str
    uptime_s: float
    loop_lag_s: float
    lines: Mapping[str, LineNumbers] = field(default_factory=dict)
    commits: int = 0
    changes: int = 0
    refused: int = 0
    journal_octets: int = 0
    unused_octets: int = 0
    free_octets: int = 0
    rows: int = 0
    sinks: Mapping[str, SinkNumbers] = field(default_factory=dict)
    published: int = 0
    poisoned: int = 0
    reloads: Mapping[str, int] = field(default_factory=dict)
