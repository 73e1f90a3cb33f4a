"""The endpoint of assertions: "meter M obeyed exactly one trip" is granted, or told what was seen instead."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter
from fastapi.encoders import jsonable_encoder
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from metersim.api.items import item_of
from metersim.api.problems import BODY, Problem, told
from metersim.api.served import Plant, Served
from metersim.api.strict import NumberOrText, StrictRoute
from metersim.api.views import AnswerView, ControlView
from metersim.line.item_patterns import check_item
from metersim.line.numbers import Number, number_of
from metersim.plant.built_line import BuiltMeter
from metersim.works.orders import Kind, OfWallet

SEEN_MAX: Final = 100
"""Controls or answers that are shown as seen, the last ones."""
TIMES_MAX: Final = 1_000_000

Obeyed = Literal[Kind, OfWallet]

router = APIRouter(route_class=StrictRoute)


class Assertion(BaseModel):
    """What is asserted of a meter: one of `obeyed`, `answered` and `item`."""

    model_config = ConfigDict(extra="forbid")

    meter: str = Field(max_length=40, description="12 digits")
    obeyed: Obeyed | None = Field(None, description="it obeyed a control of this kind")
    answered: str | None = Field(
        None,
        max_length=128,
        description="it answered a question for this identifier or item; a pattern, `*` for any",
    )
    item: str | None = Field(None, max_length=128, description="it shows this item now")
    times: Annotated[int, Field(ge=0, le=TIMES_MAX)] | None = Field(
        None, description="of `obeyed` and `answered`: exactly so often; left out: once or more"
    )
    since: AwareDatetime | None = Field(
        None, description="of `obeyed` and `answered`: only from this true time of the plant on"
    )
    equals: NumberOrText | None = Field(None, description="of `item`: what it shows, a number or a text")
    within: Number = Field(Decimal(0), ge=0, allow_inf_nan=False, description="of `item`: tolerance")

    @model_validator(mode="after")
    def _goes_together(self) -> Assertion:
        asserted = [key for key in ("obeyed", "answered", "item") if getattr(self, key) is not None]
        if len(asserted) != 1:
            raise ValueError("write exactly one of obeyed, answered and item")
        if (self.item is not None) != (self.equals is not None):
            raise ValueError("item goes with equals")
        if self.item is not None and (self.times is not None or self.since is not None):
            raise ValueError("times and since go with obeyed or answered")
        if self.item is None and self.within:
            raise ValueError("within goes with item")
        if any(sign.isdecimal() and not sign.isascii() for sign in self.equals or ""):
            raise ValueError("equals: a meter shows the digits 0 to 9 alone")
        if self.answered is not None:
            check_item(self.answered)  # one that means nothing would be "never answered" for ever
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen.

    Args:
        times: how often; of an item 1 or 0.
        controls: of ``obeyed``: the controls, the last 100 at most.
        answers: of ``answered``: the answers, the same.
        value: of ``item``: what the meter shows.

    """

    times: int
    controls: Sequence[ControlView] = ()
    answers: Sequence[AnswerView] = ()
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An assertion that holds.

    Args:
        holds: true.
        seen: what was seen.

    """

    holds: Literal[True]
    seen: Seen


@router.post(
    "/v1/assertions",
    tags=["assertions"],
    responses=told("no-such-meter", "no-such-item", "assertion-failed", "forgotten", *BODY),
)
async def assert_that(plant: Plant, body: Assertion) -> Held:
    """Whether a meter obeyed, answered or shows what is asserted: 200 if so, else 409 with what was seen."""
    meter = plant.meter(body.meter)
    seen = _seen(plant, meter, body)
    if not _holds(seen, body):
        shown: Any = jsonable_encoder(seen)
        raise Problem("assertion-failed", _words(seen, body), "Look at what was seen.", seen=shown)
    return Held(holds=True, seen=seen)


def _seen(plant: Served, meter: BuiltMeter, body: Assertion) -> Seen:
    if body.obeyed is not None:
        controls = [
            one for one in meter.obeyed(body.obeyed) if body.since is None or one.obeyed_at >= body.since
        ]
        return Seen(times=len(controls), controls=[ControlView.of(one) for one in controls[-SEEN_MAX:]])
    if body.answered is not None:
        return _answered(plant, meter, body.answered, body.since)
    assert body.item is not None, "checked when it was made"
    value = item_of(meter, body.item, meter.works.advance(plant.now())).value
    return Seen(times=int(_is(value, body)), value=value)


def _answered(plant: Served, meter: BuiltMeter, wanted: str, since: datetime | None) -> Seen:
    calls = plant.built.calls
    if calls and calls[0].number > 1 and (since is None or calls[0].answer.at >= since):
        oldest = calls[0].answer.at.isoformat()
        raise Problem(
            "forgotten",
            f"the plant remembers its last {len(calls)} answers, back to {oldest}",
            "Write a later time into since.",
        )
    views = [
        AnswerView.of(one.answer)
        for one in calls
        if one.answer.address == meter.address and (since is None or one.answer.at >= since)
    ]
    found = [one for one in views if _means(wanted, one)]
    return Seen(times=len(found), answers=found[-SEEN_MAX:])


def _means(wanted: str, answer: AnswerView) -> bool:
    names = (answer.asked or "", *answer.values)
    return any(fnmatch.fnmatchcase(name, wanted) for name in names)


def _holds(seen: Seen, body: Assertion) -> bool:
    return seen.times >= 1 if body.times is None else seen.times == body.times


def _is(value: str | None, body: Assertion) -> bool:
    """Numbers are compared as numbers."""
    if value == body.equals:
        return True
    try:
        return abs(number_of(value or "") - number_of(body.equals or "")) <= body.within
    except ValueError:
        return False


def _words(seen: Seen, body: Assertion) -> str:
    if body.item is not None:
        give = f" (give or take {body.within})" if body.within else ""
        return f"meter {body.meter} shows {seen.value} for {body.item}, not {body.equals}{give}"
    wanted = "once or more" if body.times is None else f"{body.times} times"
    verb = f"obeyed {body.obeyed}" if body.obeyed else f"answered {body.answered}"
    since = f" since {body.since.isoformat()}" if body.since else ""
    return f"meter {body.meter} {verb} {seen.times} times{since}, not {wanted}"
