"""Who reads the meters of a line: pollers for what is of the moment, one collector for what meters keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from functools import partial
from typing import TypeVar

import structlog

from meterlink.acquisition.collector import Collector, Entry
from meterlink.acquisition.event_poller import EventPoller
from meterlink.acquisition.instants import InstantPoller
from meterlink.acquisition.keeping import Patience
from meterlink.acquisition.looks import Looks
from meterlink.acquisition.plans import Plan, Point, StoredPlan
from meterlink.acquisition.poller import Poller
from meterlink.acquisition.sights import Sight
from meterlink.acquisition.unseen import Freeze
from meterlink.bus.line import Line
from meterlink.clock import Clock
from meterlink.config import MeterSettings, PlanSettings
from meterlink.daemon.judging import Judging
from meterlink.daemon.planned import plans_of
from meterlink.daemon.settings_check import has
from meterlink.drivers.base import Driver
from meterlink.drivers.looks import Looker
from meterlink.drivers.profiles import MeterProfiles
from meterlink.journal.journal import Journal
from meterlink.journal.series import Series
from meterlink.model.data_classes import EVENT
from meterprofiles import Profile

_log = structlog.get_logger(__name__)
_P = TypeVar("_P", Plan, StoredPlan)


class _Book:
    """What the looks of one line need of the journal, as soon as it can.

    Args:
        line: its name.
        journal: of the daemon.

    """

    def __init__(self, line: str, journal: Journal) -> None:
        self._journal = journal
        self._patience = Patience(line)

    async def judge_anew(self, meter: str, freezes: Sequence[Freeze]) -> None:
        await self._patience.until_done(partial(self._journal.judge_anew, meter, freezes))

    async def settle(self, meter: str, freezes: Sequence[Freeze]) -> None:
        await self._patience.until_done(partial(self._journal.unlooked.settle, meter, freezes))

    async def unlooked(self, meters: Sequence[str], since: datetime) -> dict[str, list[Freeze]]:
        return await self._patience.until_done(partial(self._journal.unlooked.of, meters, since=since))


class LineReaders:
    """The meters of a line by what they speak, and what is read of them.

    Args:
        line: its name.
        meters: who is on it.
        plans: what is read.
        profiles: which of them serves which meter.
        journal: keeps what comes, and what is due.
        judging: is told what the meters show beside their values.
        clock: wall time.
        zone: what the meters' clocks show.

    Attributes:
        served: the meters, by profile.
        profile_of: what each speaks, by its id.

    """

    def __init__(
        self,
        line: str,
        meters: Sequence[MeterSettings],
        plans: Sequence[PlanSettings],
        *,
        profiles: MeterProfiles,
        journal: Journal,
        judging: Judging,
        clock: Clock,
        zone: tzinfo,
    ) -> None:
        self.served: dict[Profile, list[Point]] = {}
        self.profile_of: dict[str, Profile] = {}
        self._name = line
        self._numbers = {meter.id: meter.meter_number for meter in meters}
        self._journal = journal
        self._judging = judging
        self._clock = clock
        self._zone = zone
        self._passing, self._stored = plans_of(plans, zone)
        for meter in meters:
            point = Point(
                meter=meter.id,
                address=meter.address,
                reading_day=meter.reading_day,
                in_service_since=meter.in_service_since,
                in_service_until=meter.in_service_until,
                succeeds=meter.replaces or "",
            )
            profile = profiles.find(meter.protocol, meter.model)
            self.served.setdefault(profile, []).append(point)
            self.profile_of[meter.id] = profile

    def made(self, line: Line, drivers: Mapping[Profile, Driver]) -> dict[str, Poller | Collector]:
        """By name, everybody who reads; of a plan that nobody can serve there is none.

        Args:
            line: the line itself.
            drivers: of each profile.

        """
        looks = self._looks(drivers, line)
        named: dict[str, Poller | Collector] = {}
        looked: dict[Series, tuple[str, ...]] = {}
        for profile, points in self.served.items():
            for plan in self._passing:
                if (some := self._part_of(plan, profile, drivers[profile])) is not None:
                    poller = self._poller(some, drivers[profile], points, line, looks)
                    named[f"{plan.name}.{profile.name}"] = poller
                    if plan.data_class == EVENT:
                        kinds = [drivers[profile].event_kinds(item) for item in some.items]
                        looked |= {some.series(point.meter): sum(kinds, ()) for point in points}
        if self.profile_of:  # also without an entry: what other plans have left is settled
            named["collector"] = Collector(
                line=line,
                entries=self._entries(drivers),
                keeper=self._journal,
                looks=looks,
                ledger=self._journal.ledger,
                clock=self._clock,
                meters=list(self.profile_of),
                looked=looked,
            )
        return named

    def _entries(self, drivers: Mapping[Profile, Driver]) -> list[Entry]:
        """What is fetched out of the memory of each meter; a plan passes by those that keep no such thing."""
        found = []
        for profile, points in self.served.items():
            driver = drivers[profile]
            for plan in self._stored:
                if (part := self._part_of(plan, profile, driver)) is not None:
                    found += [Entry(point=point, plan=part, driver=driver) for point in points]
        return found

    def _part_of(self, plan: _P, profile: Profile, driver: Driver) -> _P | None:
        """What of a plan the meters of a profile have; ``None``: nothing."""
        items = tuple(item for item in plan.items if has(driver, plan.data_class, item))
        if items != plan.items:
            lacking = ", ".join(item for item in plan.items if item not in items)
            _log.info("plan_passes_by", line=self._name, plan=plan.name, profile=profile.name, items=lacking)
            return replace(plan, items=items) if items else None
        return plan

    def _looks(self, drivers: Mapping[Profile, Driver], line: Line) -> Looks:
        """Who looks at the meters of the line beside their values."""
        sights = {}
        for profile, points in self.served.items():
            looker = Looker(driver=drivers[profile], line=line, clock=self._clock, zone=self._zone)
            for point in points:
                sights[point.meter] = Sight(
                    address=point.address,
                    looker=looker,
                    number=self._numbers[point.meter],
                    reading_day=point.reading_day,
                )
        return Looks(
            sights,
            shown=self._judging.shown,
            tell_mixed=self._judging.tell_mixed,
            tell_settles_else=self._judging.tell_settles_else,
            book=_Book(self._name, self._journal),
            clock=self._clock,
            zone=self._zone,
            reported=self._judging.reported,
        )

    def _poller(
        self, plan: Plan, driver: Driver, points: Sequence[Point], line: Line, looks: Looks
    ) -> Poller:
        """One plan of the moment, or of events, for the meters of one profile."""
        kind = (
            partial(EventPoller, events=self._journal.events) if plan.data_class == EVENT else InstantPoller
        )
        return kind(
            plan=plan,
            points=points,
            line=line,
            driver=driver,
            keeper=self._journal,
            looks=looks,
            ledger=self._journal.ledger,
            clock=self._clock,
            zone=self._zone,
        )
