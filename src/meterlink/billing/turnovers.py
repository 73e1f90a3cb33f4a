"""The alarm of a register that was told when a meter came or went, and that what was read does not bear out.

A last register is held against the freezes before it when it is told. A first one has nothing beside it then,
and a last one may not either, where the freezes before it come late: so both are looked at again with what
has come since. Each register that was told raises its alarm once; told again otherwise, it is another one.

Source: VEE-12.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Final

import structlog

from meterlink.billing.between import BESIDE_DAYS
from meterlink.billing.settling import OpenFreezes
from meterlink.billing.told_end import ToldEnd
from meterlink.clock import Clock
from meterlink.errors import BadRequest, JournalError, StepTaken
from meterlink.journal.acts import ActLog
from meterlink.journal.roster_log import RosterLog
from meterlink.model.act import Topic
from meterlink.orders.attention.alarms import Alarms, Seen

RULE: Final = "METER_CHANGE"
ORIGIN: Final = "VEE-12"
CHECK_S: Final = 600.0
"""From one look at what was told to the next."""
LOOK_BACK: Final = timedelta(days=BESIDE_DAYS)
"""So long a telling waits for the freeze next to it."""
AT_ONCE: Final = 200
"""Meters that one look asks the journal for; the others are asked for the next time."""
ALARMS_MAX: Final = 100
"""Alarms of one meter that are looked through for one that says the same."""

_log = structlog.get_logger(__name__)


def value_of(item: str, told: str, side: str) -> str:
    """What an alarm says that was seen: a register that was told is known by it."""
    return f"{item} {told}" if side == "last" else f"{item} {told} (first)"


class TurnoverWatch:
    """Looks at what was told of the meters of one gateway.

    Args:
        open_freezes: of the journal.
        roster: of the same journal.
        acts: of the same journal.
        clock: wall time.
        zone: of the plant.

    """

    def __init__(
        self, open_freezes: OpenFreezes, roster: RosterLog, acts: ActLog, clock: Clock, zone: timezone
    ) -> None:
        self._open = open_freezes
        self._roster = roster
        self._acts = acts
        self._clock = clock
        self._zone = zone
        self._looked = 0
        self._waiting: dict[str, None] = {}

    async def run(self) -> None:
        """Look again and again; what cannot be looked at now is the next time."""
        while True:
            await asyncio.sleep(CHECK_S)
            try:
                await self.step()
            except (JournalError, StepTaken) as error:
                _log.warning("turnovers.wait", reason=str(error))

    async def step(self) -> int:
        """Look once; how many alarms were raised.

        Raises:
            JournalError: the journal cannot be read, or an alarm not be kept.
            StepTaken: others took each step of an alarm that was tried.

        """
        since = self._clock.utc_now() - LOOK_BACK
        self._looked, told = await self._roster.told_since(self._looked, since)
        self._waiting |= dict.fromkeys(sorted(told))
        asked = list(islice(self._waiting, AT_ONCE))
        if not asked:
            return 0
        raised = 0
        for meter, ends in (await asyncio.to_thread(self._ends, asked)).items():
            for one in ends:
                if one.is_doubtful:
                    raised += await self._raised(one)
            del self._waiting[meter]
            if not all(one.is_settled or one.end.at < since for one in ends):
                self._waiting[meter] = None  # behind the others
        return raised

    def _ends(self, meters: Iterable[str]) -> dict[str, list[ToldEnd]]:
        with self._open() as freezes:
            return {meter: freezes.told_ends(meter) for meter in meters}

    async def _raised(self, one: ToldEnd) -> bool:
        """Raise the alarm of a register, unless it was raised before, be it closed by now or not."""
        value = value_of(one.item, f"{one.end.value:f}", one.side)
        if await self._is_known(one.meter, value):
            return False
        seen = Seen(
            rule=RULE,
            origin=ORIGIN,
            meter=one.meter,
            value=value,
            threshold=one.threshold,
            estimate_kwh=format(one.counted_kwh, "f") if one.counted_kwh else "",
        )
        try:
            await Alarms(self._acts, self._clock, zone=self._zone).raise_(seen)
        except BadRequest as error:
            _log.error("alarm_not_kept", rule=RULE, meter=one.meter, reason=str(error))
            return False
        return True

    async def _is_known(self, meter: str, value: str) -> bool:
        begin = f"{RULE}:{meter}:"
        after = f"{begin}{self._day(self._clock.utc_now() - LOOK_BACK)}"
        found = await self._acts.subjects(Topic.ALARM, only_open=False, after=after, limit=ALARMS_MAX)
        for subject in found:
            if subject.startswith(begin):
                acts = await self._acts.of_subject(Topic.ALARM, subject)
                if any(kept.act.body.get("value") == value for kept in acts):
                    return True
        return False

    def _day(self, at: datetime) -> str:
        return at.astimezone(self._zone).date().isoformat()
