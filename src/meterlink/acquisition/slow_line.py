"""Slots of a line that became backfill before anybody came to them: the line is too slow, says the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from meterlink.acquisition.keeping import Patience
from meterlink.acquisition.planner import LONG_AGO, BlameLedger
from meterlink.acquisition.streams import Stream
from meterlink.clock import Clock
from meterlink.model.slot import Reason

LOOK_S: Final = 900.0
"""How often it is looked for such slots."""
NOTHING_BEHIND_S: Final = 5.0
"""How soon it is looked again whether there is any backfill at all."""


class SlowLine:
    """The slots that one line is too slow for.

    Args:
        line: its name.
        streams: all of the line.
        ledger: is told.
        clock: wall and monotonic time.

    """

    def __init__(self, line: str, streams: Sequence[Stream], ledger: BlameLedger, clock: Clock) -> None:
        self._streams = streams
        self._ledger = ledger
        self._clock = clock
        self._patience = Patience(line)
        self._look_at = 0.0

    async def blame(self) -> None:
        """Say of slots that nobody came to while they were current why that is, where no better is known."""
        monotonic_s, now = self._clock.monotonic_s(), self._clock.utc_now()
        if monotonic_s < self._look_at:
            return
        self._look_at = monotonic_s + NOTHING_BEHIND_S
        if not any(stream.front.newest is not None for stream in self._streams):
            return
        self._look_at = monotonic_s + LOOK_S
        for current_for in {stream.plan.current_for for stream in self._streams}:
            series = [one.series for one in self._streams if one.plan.current_for == current_for]
            work = partial(
                self._ledger.blame, series, Reason.LINE_SLOW, since=LONG_AGO, until=now - current_for
            )
            await self._patience.until_done(work)
