"""Whether the gateway knows what time it is: one without a clock battery starts in 1970."""

from __future__ import annotations

import structlog

from meterlink.clock import SET_FROM, Clock

_log = structlog.get_logger(__name__)


class Wall:
    """The wall clock of a gateway, asked whether it was set.

    Until it was, nothing is due: what is asked for would stand under days that never were.

    Args:
        line: its name, for the log.
        clock: wall time.

    """

    def __init__(self, line: str, clock: Clock) -> None:
        self._line = line
        self._clock = clock
        self._is_told = False

    def is_set(self) -> bool:
        """Whether the clock shows a time at which this program can run; says so once when it does not."""
        now = self._clock.utc_now()
        is_set = now >= SET_FROM
        if not is_set and not self._is_told:
            _log.warning("clock_not_set", line=self._line, shows=now.isoformat())
        self._is_told = not is_set
        return is_set
