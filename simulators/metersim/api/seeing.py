"""Endpoints that look: the plant, its lines, its meters, their items, events and controls, and exchanges."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Annotated, Final

from fastapi import APIRouter, Query
from fastapi import Path as PathPart

from metersim.api.exchanges import CallView
from metersim.api.items import item_of, items_of
from metersim.api.problems import Problem, told
from metersim.api.served import Meter, Plant, near_words
from metersim.api.strict import StrictRoute
from metersim.api.views import (
    ControlsView,
    ControlView,
    EventView,
    HappeningView,
    ItemView,
    LineView,
    MeterRow,
    MeterView,
    events_of,
)
from metersim.works.events import KINDS
from metersim.works.orders import OBEYED

LIMIT_MAX: Final = 1_000
"""Rows of one answer."""
CALLS_LIMIT_MAX: Final = 200
PATTERN_MAX: Final = 64

router = APIRouter(route_class=StrictRoute)

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="rows at most")]
Pattern = Annotated[str, Query(max_length=PATTERN_MAX, description="pattern with `*`, `?` and `[...]`")]
ItemName = Annotated[str, PathPart(max_length=128, description="e.g. `forward_active_energy.t1`")]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantView:
    """The plant.

    Args:
        plant: its name.
        seed: of everything that looks random.
        now: its true time.
        started_at: true time at which it began.
        speed: how many times as fast as the wall clock it runs.
        lines: how many.
        meters: how many.
        answers: that were given.

    """

    plant: str
    seed: int
    now: datetime
    started_at: datetime
    speed: int
    lines: int
    meters: int
    answers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterPage:
    """Meters in the order of the plant.

    Args:
        meters: of this page.
        next_after: what to ask for in ``after`` for the next page; ``None``: this is the last one.

    """

    meters: list[MeterRow]
    next_after: str | None


@router.get("/v1/plant", tags=["plant"], responses=told())
async def plant(plant: Plant) -> PlantView:
    """The plant: its name, its time, and how much there is of it."""
    built = plant.built
    return PlantView(
        plant=built.plant.plant,
        seed=built.plant.seed,
        now=plant.now(),
        started_at=built.started_at,
        speed=getattr(built.clock, "speed", 1),
        lines=len(built.lines),
        meters=len(built.meters),
        answers=sum(line.counts.answers for line in built.lines.values()),
    )


@router.get("/v1/lines", tags=["plant"], responses=told())
async def lines(plant: Plant) -> list[LineView]:
    """Every line, where it is reached, and what it has seen."""
    return [LineView.of(line, plant.urls.get(name)) for name, line in plant.built.lines.items()]


@router.get("/v1/meters", tags=["meters"], responses=told("no-such-meter"))
async def meters(
    plant: Plant,
    address: Pattern = "*",
    line: Pattern = "*",
    profile: Pattern = "*",
    tripped: Annotated[bool | None, Query(description="only with an open contact, or a closed one")] = None,
    after: Annotated[str, Query(max_length=40, description="address behind which the page begins")] = "",
    limit: Limit = 100,
) -> MeterPage:
    """Meters, page by page; filters are patterns."""
    if after:
        plant.meter(after)
    at, fits = plant.now(), fnmatch.fnmatchcase
    every = iter(plant.built.meters.values())
    for one in every if after else ():
        if one.address == after:
            break
    found = []
    for one in every:
        if not (fits(one.address, address) and fits(one.line.name, line)):
            continue
        if not fits(one.row.profile.name, profile):
            continue
        one.works.advance(at)
        if tripped is None or one.works.switch.contact_open == tripped:
            found.append(MeterRow.of(one))
        if len(found) > limit:
            break
    page = found[:limit]
    return MeterPage(meters=page, next_after=page[-1].address if len(found) > limit else None)


@router.get("/v1/meters/{address}", tags=["meters"], responses=told("no-such-meter"))
async def meter(plant: Plant, meter: Meter) -> MeterView:
    """One meter: clock, contact, command, alarm, guarantee, account, what it obeyed and noted."""
    return MeterView.of(meter, meter.works.advance(plant.now()))


@router.get("/v1/meters/{address}/items", tags=["meters"], responses=told("no-such-meter"))
async def items(plant: Plant, meter: Meter, item: Pattern = "*", limit: Limit = 1_000) -> list[ItemView]:
    """What the meter shows, item by item."""
    at = meter.works.advance(plant.now())
    named = (name for name in items_of(meter, at) if fnmatch.fnmatchcase(name, item))
    return [item_of(meter, name, at) for name in islice(named, limit)]


@router.get(
    "/v1/meters/{address}/items/{item}", tags=["meters"], responses=told("no-such-meter", "no-such-item")
)
async def item(plant: Plant, meter: Meter, item: ItemName) -> ItemView:
    """What the meter shows for one item."""
    return item_of(meter, item, meter.works.advance(plant.now()))


@router.get("/v1/meters/{address}/events", tags=["meters"], responses=told("no-such-meter"))
async def events(
    plant: Plant,
    meter: Meter,
    kind: Annotated[str | None, Query(max_length=PATTERN_MAX, description="e.g. `power_down`")] = None,
    limit: Limit = 100,
) -> list[EventView]:
    """What the meter noted, newest first; of each kind it keeps the last ten."""
    if kind is not None and kind.partition(".")[0] not in KINDS:
        raise _no_such_kind(kind, "no event of a meter", KINDS)
    return events_of(meter.works, meter.works.advance(plant.now()), kind)[:limit]


@router.get("/v1/meters/{address}/controls", tags=["controls"], responses=told("no-such-meter"))
async def controls(
    meter: Meter,
    kind: Annotated[str | None, Query(max_length=PATTERN_MAX, description="e.g. `trip`")] = None,
    limit: Limit = 100,
) -> ControlsView:
    """Every control that the meter obeyed, and how its contact moved: the last ones, oldest first."""
    if kind is not None and kind not in OBEYED:
        raise _no_such_kind(kind, "no control of a meter", OBEYED)
    memory = meter.works.memory
    return ControlsView(
        controls=[ControlView.of(one) for one in meter.obeyed(kind)[-limit:]],
        moves=list(memory.moves[-limit:]),
        turned_away=memory.turned_away,
    )


@router.get("/v1/happenings", tags=["happenings"], responses=told())
async def happenings(plant: Plant, limit: Limit = 100) -> list[HappeningView]:
    """What happens to meters, and how each has fared: the last ones, oldest first."""
    return [HappeningView.of(report) for report in plant.built.happenings.reports()[-limit:]]


@router.get("/v1/calls", tags=["plant"], responses=told("no-such-meter"))
async def calls(
    plant: Plant,
    line: Annotated[str | None, Query(max_length=PATTERN_MAX, description="only of this line")] = None,
    meter: Annotated[str | None, Query(max_length=40, description="only answers of this meter")] = None,
    before: Annotated[int | None, Query(ge=1, le=2**53, description="only those of a lower number")] = None,
    limit: Annotated[int, Query(ge=1, le=CALLS_LIMIT_MAX, description="rows at most")] = 50,
) -> list[CallView]:
    """The last exchanges, newest first, without secrets; the plant remembers 1,000."""
    if meter is not None:
        plant.meter(meter)
    return plant.exchanges.last(limit, line=line, meter=meter, before=before)


def _no_such_kind(kind: str, what: str, kinds: tuple[str, ...]) -> Problem:
    return Problem(
        "invalid",
        f"query.kind: {kind!r} is {what}",
        f"Write one of {', '.join(kinds)}.",
        near=near_words(kind, list(kinds)),
    )
