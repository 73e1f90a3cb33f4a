"""What the control socket can be asked about collection: why a slot is not there, how complete a day is.

Whoever may open the socket may ask: nothing is changed, and no meter is asked anything.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from meterlink.acquisition.explaining import WAYS, Place, check_area, completeness, slot_of, spans_of, why
from meterlink.acquisition.plans import Plan, StoredPlan
from meterlink.acquisition.undue import Scene, undue
from meterlink.billing.settling import OpenFreezes
from meterlink.billing.standing import FreezeValid, freeze_valid, places_on
from meterlink.clock import Clock
from meterlink.config import MeterSettings, Settings
from meterlink.config.line_finder import LineFinder
from meterlink.daemon.control_socket import Handler
from meterlink.daemon.meter_finder import MeterNames
from meterlink.daemon.planned import plans_of
from meterlink.daemon.settings_check import lacking
from meterlink.errors import BadRequest, ConfigError
from meterlink.journal.ledger import Ledger
from meterlink.journal.series import Series
from meterlink.model.days import day_in
from meterlink.model.marks import Marks
from meterlink.model.slot import Tally
from meterlink.roster.entries import Meters

WHY: Final = "collection.why"
COMPLETENESS: Final = "collection.completeness"


@dataclass(frozen=True, slots=True)
class Around:
    """What people's questions are about, beside the ledger.

    Args:
        settings: with the meters that are in service.
        meters: the roster, by id, with those out of service.

    """

    settings: Settings
    meters: Meters = field(repr=False)


def places_of(settings: Settings, meters: Collection[MeterSettings]) -> dict[str, Place]:
    """Where meters stand, or stood: a day that is over keeps its rows when a meter has left its place.

    Args:
        settings: knows the lines; one that it has not keeps the name that the meters call it.
        meters: of the roster, with those out of service.

    """
    lines, names = LineFinder(settings.lines), dict[str, str]()
    for meter in meters:
        if meter.line not in names:
            names[meter.line] = meter.line
            with contextlib.suppress(ValueError):
                names[meter.line] = lines.find(meter.line).name
    return {meter.id: Place(line=names[meter.line], area=meter.area) for meter in meters}


def names_of(meters: Meters) -> MeterNames:
    """Ids, numbers and addresses of a roster with those out of service."""
    return MeterNames(meters.values(), where="in the roster", shows="meterlink roster list --all")


def scene_of(
    settings: Settings,
    meter: MeterSettings,
    began: Mapping[Series, datetime],
    forgotten: Mapping[str, datetime],
    clock: Clock,
) -> Scene:
    """What is known of a meter beside its slots.

    Args:
        settings: checked.
        meter: which.
        began: see ``Scene``.
        forgotten: see ``Scene``.
        clock: wall time.

    Raises:
        ConfigError: plans of one class and interval have different calendars.

    """
    zone = settings.gateway.plant_time
    passing, stored = plans_of(settings.plans, zone)
    plans: list[Plan | StoredPlan] = [*stored, *passing]
    lacked: list[Plan | StoredPlan] = []
    with contextlib.suppress(ConfigError):  # of one that has left its place, with its profile
        lacked = lacking(settings, meter, plans, clock)
    return Scene(
        plans=plans,
        lacked=lacked,
        began=began,
        forgotten=forgotten,
        reading_day=meter.reading_day,
        in_service_since=meter.in_service_since,
        in_service_until=meter.in_service_until,
        now=clock.utc_now(),
        zone=zone,
    )


class CollectionRequests:
    """The requests, in front of all others.

    Args:
        ledger: of the journal.
        marks: tells of a meter and a slot what is doubtful, by class of data.
        open_freezes: of the journal.
        around: what holds now.
        clock: wall time.
        others: answers everything else.

    """

    def __init__(
        self,
        ledger: Ledger,
        marks: Callable[[str, datetime], Awaitable[Mapping[str, Marks]]],
        open_freezes: OpenFreezes,
        around: Callable[[], Around],
        clock: Clock,
        others: Handler,
    ) -> None:
        self._ledger = ledger
        self._marks = marks
        self._open = open_freezes
        self._around = around
        self._clock = clock
        self._others = others
        self._named: tuple[Meters, MeterNames] | None = None
        self._table: dict[str, Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]] = {
            WHY: self._why,
            COMPLETENESS: self._completeness,
        }

    async def answer(self, user: str, op: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a local user asks; see ``control_socket.Handler``.

        Raises:
            BadRequest: the arguments are wrong.
            Unknown: there is no such meter or area.
            JournalError: the journal cannot be read.
            MeterlinkError: whatever the others say.

        """
        if op in self._table:
            return await self._table[op](args)
        return await self._others(user, op, args)

    async def _why(self, args: Mapping[str, Any]) -> Mapping[str, Any]:
        settings, now = self._around().settings, self._clock.utc_now()
        zone = settings.gateway.plant_time
        match args:
            case {"meter": str(named), "slot": str(written), **rest} if not rest:
                slot = slot_of(written, zone)
            case _:
                raise BadRequest("meter and slot must be texts, and nothing else is taken")
        meter = self._names().find(named, at=now)
        standings = await self._ledger.standings(meter.id, slot)
        told = why(standings, await self._marks(meter.id, slot), meter.id, slot, zone, now)
        if not standings:
            began, forgotten = await self._ledger.began(meter.id), await self._ledger.forgotten()
            scene = scene_of(settings, meter, began, forgotten, self._clock)
            told |= undue(meter.id, slot, scene)
        return told

    def _names(self) -> MeterNames:
        meters = self._around().meters
        if self._named is None or self._named[0] is not meters:
            self._named = meters, names_of(meters)
        return self._named[1]

    async def _completeness(self, args: Mapping[str, Any]) -> Mapping[str, Any]:
        match {"area": None, **args}:
            case {"day": str(written), "by": str(by), "area": None | str() as area, **rest} if (
                not rest and by in WAYS
            ):
                pass
            case _:
                raise BadRequest(f"day and area must be texts, and by one of {', '.join(WAYS)}")
        day = day_in(written)
        around = self._around()
        settings, places = around.settings, places_of(around.settings, around.meters.values())
        tallies: list[Tally] = []
        for classes, since, until in spans_of(day, settings.gateway.plant_time):
            tallies += await self._ledger.tallies(classes, since=since, until=until)
        way = next(one for one in WAYS if one == by)
        meters = {tally.meter for tally in tallies}
        valid, then = await asyncio.to_thread(self._of_roster, day, area, places, meters)
        told = completeness(tallies, then, day=day, by=way, area=area)
        return {**told, "freeze_valid": valid}

    def _of_roster(
        self, day: date, area: str | None, places: Mapping[str, Place], meters: Collection[str]
    ) -> tuple[FreezeValid, dict[str, Place]]:
        """What the roster of a day says of it: how many freezes are valid, and where each meter stood."""
        with self._open() as freezes:
            then = places_on(freezes, day, places, meters)
            check_area([*places.values(), *then.values()], area or "")
            return freeze_valid(freezes, day, area), then
