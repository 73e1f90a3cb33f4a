"""Whether the gateway's clock can be right: one that is behind lets every deadline seem far away.

A gateway without a clock battery starts in 1970, or where its clock stood when the power went. An order
whose deadline passed meanwhile would still go. So the clock must show 2020, and at least once in this life
what it showed when the newest act of the lives before was written. From there on the timeline knows how it
was set.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

from meterlink.clock import SET_FROM, Clock
from meterlink.journal.acts import ActLog
from meterlink.model.act import Topic
from meterlink.model.payload import time_out
from meterlink.orders.attention.alarms import Alarms, Seen

CLOCK_NOT_SET: Final = "CLOCK_NOT_SET"
TRUST_SUBJECT: Final = "restored"
"""Subject of the acts of ``policy`` that say whether log and clock are trusted: doubt, ask, trust."""
TRUST: Final = "trust"
"""The verb of what two people have said; a clock that was ahead before it does not count."""
LOOK_EVERY_S: Final = 60.0
"""How often it is looked whether there is something to tell."""


class LeastTime:
    """What the gateway's clock must show at least.

    Args:
        acts: the log.
        clock: wall time.

    """

    def __init__(self, acts: ActLog, clock: Clock) -> None:
        self._acts = acts
        self._clock = clock
        self._least = SET_FROM

    def least(self) -> datetime:
        """What the clock must show at this moment for anything to go."""
        if self._clock.utc_now() >= self._least:
            self._least = SET_FROM
        return self._least

    async def load(self) -> None:
        """Look what the lives before have written; before this one writes.

        Raises:
            JournalError: the log cannot be read.

        """
        said = await self._acts.of_subject(Topic.POLICY, TRUST_SUBJECT)
        trusted = max((kept.number for kept in said if kept.act.verb == TRUST), default=0)
        self._least = max(SET_FROM, await self._acts.newest_at(trusted) or SET_FROM)

    @property
    def is_behind(self) -> bool:
        """Whether something speaks against what the clock shows."""
        return self._clock.utc_now() < self.least()

    def trust(self) -> None:
        """Take what the clock shows for right, because two people have said so; 2020 it must show."""
        self._least = SET_FROM

    async def run(self, alarms: Alarms) -> None:
        """Raise an alarm as often as the clock comes to be behind, until cancelled.

        Raises:
            JournalError: it was not kept.

        """
        was_right = True
        while True:
            least, now = self.least(), self._clock.utc_now()
            if was_right and now < least:
                shows, must = time_out(now), time_out(least)
                await alarms.raise_(Seen(rule=CLOCK_NOT_SET, origin="TIME-01", value=shows, threshold=must))
            was_right = now >= least
            await asyncio.sleep(LOOK_EVERY_S)
