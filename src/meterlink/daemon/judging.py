"""Who judges the readings of a daemon: by the roster that holds, and the profiles of its meters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from functools import partial

import structlog

from meterlink.acquisition.looks import NUMBER_EVERY
from meterlink.acquisition.reported import Reported
from meterlink.acquisition.sights import Mixed, SettlesElse
from meterlink.alarms.rules import METER_MIXED, ORIGINS, SETTLE_DAY_MISMATCH
from meterlink.clock import Clock
from meterlink.config import MeterSettings, Settings
from meterlink.drivers.profiles import MeterProfiles
from meterlink.drivers.registers import capacities
from meterlink.errors import JournalError
from meterlink.journal.journal import Journal
from meterlink.model.look import Look
from meterlink.orders.attention.alarms import Alarms, Seen
from meterlink.validation.facts import MeterFacts
from meterlink.validation.judge import Judge
from meterlink.validation.validator import Validator

_log = structlog.get_logger(__name__)


class LiveFacts:
    """The facts of the meters that a daemon works with, as they are now.

    Args:
        settings: the configuration that holds, with its meters.
        profiles: of their models.

    """

    def __init__(self, settings: Callable[[], Settings], profiles: Callable[[], MeterProfiles]) -> None:
        self._settings = settings
        self._profiles = profiles
        self._of: Settings | None = None
        self._meters: Mapping[str, MeterSettings] = {}
        self._facts: dict[str, MeterFacts] = {}

    def get(self, meter: str, /) -> MeterFacts | None:
        """Of one meter; ``None``: it is not in service."""
        settings = self._settings()
        if settings is not self._of:
            self._of, self._facts = settings, {}
            self._meters = {one.id: one for one in settings.meters}
        if meter not in self._facts and (entry := self._meters.get(meter)) is not None:
            self._facts[meter] = _facts(entry, self._profiles(), settings)
        return self._facts.get(meter)


class Judging:
    """The judge of a daemon, and what meters were seen to show.

    Args:
        journal: of the daemon.
        settings: the configuration that holds.
        profiles: of its meters.
        clock: of the daemon.

    Attributes:
        judge: marks all that the journal keeps.
        shown: by our id, what a meter showed beside its values.
        reported: freezes that terminals told, whose meters are to be looked at.

    """

    def __init__(
        self,
        journal: Journal,
        settings: Callable[[], Settings],
        profiles: Callable[[], MeterProfiles],
        clock: Clock,
    ) -> None:
        self.shown: dict[str, Look] = {}
        self.reported = Reported()
        self.judge = Judge(Validator(LiveFacts(settings, profiles)), self.shown)
        self._settings = settings
        self._journal = journal
        self._clock = clock

    async def tell_mixed(self, mixed: Mixed) -> None:
        """Raise the alarm of a meter that is another one than in the roster; its readings are marked.

        A meter is looked at again after each start, and after a silence: what was found within the time
        between two regular looks, and nobody has closed, is the same finding and no second one.
        """
        await self._tell(METER_MIXED, mixed.meter, mixed.shown, mixed.expected)

    async def tell_settles_else(self, found: SettlesElse) -> None:
        """Raise the alarm of a meter that does not settle on its reading day; again as that of a number."""
        await self._tell(SETTLE_DAY_MISMATCH, found.meter, str(found.shown), str(found.expected))

    async def _tell(self, rule: str, meter: str, shown: str, expected: str) -> None:
        zone = self._settings().gateway.plant_time
        area = next((one.area for one in self._settings().meters if one.id == meter), "")
        seen = Seen(rule=rule, origin=ORIGINS[rule], meter=meter, area=area, value=shown, threshold=expected)
        alarms = Alarms(self._journal.acts, self._clock, zone=zone)
        try:
            if not await self._is_known(alarms, seen, self._clock.utc_now().astimezone(zone).date()):
                await alarms.raise_(seen)
        except JournalError as error:
            _log.error("alarm_not_kept", rule=rule, meter=meter, reason=str(error))

    async def _is_known(self, alarms: Alarms, seen: Seen, today: date) -> bool:
        """Whether an open alarm of the last days says the same of the same meter; ids end with their day."""
        begin = f"{seen.rule}:{seen.meter}:"
        after = f"{begin}{today - NUMBER_EVERY}"
        found = await alarms.list(after=after, limit=NUMBER_EVERY.days)
        same = (seen.value, seen.threshold)
        return any(one.id.startswith(begin) and (one.seen.value, one.seen.threshold) == same for one in found)


def _facts(meter: MeterSettings, profiles: MeterProfiles, settings: Settings) -> MeterFacts:
    profile = profiles.find(meter.protocol, meter.model)
    return MeterFacts.of(
        meter,
        profile,
        capacities=partial(capacities, meter.protocol),
        zone=settings.gateway.plant_time,
    )
