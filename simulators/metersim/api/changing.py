"""Endpoints that change: items, the key, happenings, fault rules, and the clock of the plant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Final

from fastapi import APIRouter
from fastapi import Path as PathPart
from pydantic import BaseModel, ConfigDict, Field

from metersim.api.items import item_of, set_item
from metersim.api.problems import BODY, Problem, told
from metersim.api.seeing import ItemName
from metersim.api.served import Meter, Plant, Served
from metersim.api.strict import NumberOrText, StrictRoute
from metersim.api.views import FaultView, HappeningView, ItemView, SwitchView
from metersim.line.fault_rules import RULES_MAX, FaultRule
from metersim.plant.clocks import JUMP_MAX, SPEED_MAX, PlantClock
from metersim.plant.happening_runner import HAPPENINGS_MAX, TooMuchHappens
from metersim.plant.happenings import Happening
from metersim.plant.whens import When

NOW: Final = timedelta()

router = APIRouter(route_class=StrictRoute)


class Value(BaseModel):
    """What an item shall show."""

    model_config = ConfigDict(extra="forbid")

    value: NumberOrText = Field(description="a number in the item's unit, also as a text, or a time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """What pressing the key did.

    Args:
        closed: whether it closed the contact.
        switch: how the switch stands now.

    """

    closed: bool
    switch: SwitchView


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHappening(Happening):
    """Something that shall happen; left out, ``at`` is now. An offset counts from now."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    at: When = NOW


class ClockChange(BaseModel):
    """How the clock of the plant shall go on."""

    model_config = ConfigDict(extra="forbid")

    speed: int | None = Field(None, ge=1, le=SPEED_MAX, description="times as fast as the wall clock")
    jump_s: float | None = Field(
        None, ge=0, le=JUMP_MAX.total_seconds(), allow_inf_nan=False, description="seconds to skip"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantClockView:
    """The clock of the plant.

    Args:
        now: the plant's true time.
        speed: how many times as fast as the wall clock it runs.
        settable: whether it may be changed; a plant on the wall clock stays there.

    """

    now: datetime
    speed: int
    settable: bool


@contextmanager
def _as_problems(where: str) -> Iterator[None]:
    """What a plant refuses, as problems.

    Raises:
        Problem: it refused.

    """
    try:
        yield
    except TooMuchHappens as error:
        raise Problem(
            "full",
            f"{where}: {error}",
            f"{HAPPENINGS_MAX} have room; wait until some end, or start anew.",
        ) from None
    except ValueError as error:
        raise Problem("cannot-happen", f"{where}: {error}", "Change what is named in the detail.") from None


@router.put(
    "/v1/meters/{address}/items/{item}",
    tags=["meters"],
    responses=told("no-such-meter", "no-such-item", "full", "cannot-happen", "not-settable", *BODY),
)
async def put_item(plant: Plant, meter: Meter, item: ItemName, body: Value) -> ItemView:
    """Set a register (a number in its unit), or `meter_clock` (a time, UTC+8 where it names no zone)."""
    at = meter.works.advance(plant.now())
    with _as_problems(item):
        set_item(meter, item, body.value, at)
    return item_of(meter, item, meter.works.advance(plant.now()))


@router.post("/v1/meters/{address}/key", tags=["controls"], responses=told("no-such-meter"))
async def press_key(meter: Meter) -> Pressed:
    """Press the key at the meter: one that waits for it closes its contact."""
    closed = meter.press_key()
    return Pressed(closed=closed, switch=SwitchView.of(meter.works))


@router.post(
    "/v1/meters/{address}/happenings",
    tags=["happenings"],
    status_code=201,
    responses=told("no-such-meter", "full", "cannot-happen", *BODY),
)
async def happen_to_meter(plant: Plant, meter: Meter, body: NewHappening) -> HappeningView:
    """Let something happen to one meter: now, or at a time."""
    if body.meter not in ("*", meter.address) or body.line != "*":
        raise Problem(
            "invalid",
            "body: meter and line are said by the path",
            "Leave meter and line out, or post to /v1/happenings.",
        )
    return _happen(plant, replace(body, meter=meter.address))


@router.post(
    "/v1/happenings", tags=["happenings"], status_code=201, responses=told("full", "cannot-happen", *BODY)
)
async def happen(plant: Plant, body: NewHappening) -> HappeningView:
    """Let something happen to every meter that `meter` and `line` name: now, or at a time."""
    return _happen(plant, body)


@router.post("/v1/faults", tags=["faults"], status_code=201, responses=told("full", *BODY))
async def add_fault(plant: Plant, body: FaultRule) -> FaultView:
    """Add a fault rule; offsets in `between` count from now."""
    rules = plant.built.rules
    if len(rules.reports()) >= RULES_MAX:
        raise Problem("full", f"there are {RULES_MAX} fault rules", "Delete one that is spent.")
    with _as_problems("body"):
        number = rules.add(body, at=plant.now())
    return next(FaultView.of(report) for report in rules.reports() if report.number == number)


@router.get("/v1/faults", tags=["faults"], responses=told())
async def faults(plant: Plant) -> list[FaultView]:
    """Every fault rule, and how often it struck."""
    return [FaultView.of(report) for report in plant.built.rules.reports()]


@router.delete("/v1/faults/{number}", tags=["faults"], responses=told("no-such-fault"))
async def remove_fault(
    plant: Plant, number: Annotated[int, PathPart(ge=1, le=2**53, description="of the rule")]
) -> FaultView:
    """Take a fault rule away; says how it has fared."""
    try:
        return FaultView.of(plant.built.rules.remove(number))
    except KeyError:
        raise Problem(
            "no-such-fault", f"{number}: no fault rule has this number", "GET /v1/faults lists all."
        ) from None


@router.get("/v1/clock", tags=["plant"], responses=told())
async def clock(plant: Plant) -> PlantClockView:
    """The plant's true time, and how fast it goes."""
    return _clock(plant)


@router.post("/v1/clock", tags=["plant"], responses=told("wall-clock", *BODY))
async def change_clock(plant: Plant, body: ClockChange) -> PlantClockView:
    """Skip time, or run at another speed; what was due in between has happened, each in its time."""
    found = plant.built.clock
    if not isinstance(found, PlantClock) or not _clock(plant).settable:
        raise Problem(
            "wall-clock",
            "the clock of this plant is the machine's",
            "Write `time: x60` or `start:` into the plant file.",
        )
    if body.jump_s is not None:
        found.jump(timedelta(seconds=body.jump_s))
    if body.speed is not None:
        found.run_at(body.speed)
    plant.now()
    return _clock(plant)


def _clock(plant: Served) -> PlantClockView:
    says, found = plant.built.plant, plant.built.clock
    settable = isinstance(found, PlantClock) and (says.time > 1 or says.start is not None)
    return PlantClockView(now=plant.now(), speed=getattr(found, "speed", 1), settable=settable)


def _happen(plant: Served, happening: Happening) -> HappeningView:
    happenings = plant.built.happenings
    with _as_problems("body"):
        if happening.at == NOW:
            return HappeningView.of(happenings.apply(happening))
        number = happenings.add(happening, start=plant.now())
    return next(HappeningView.of(one) for one in happenings.reports() if one.number == number)
