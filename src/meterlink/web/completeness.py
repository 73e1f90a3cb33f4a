"""``GET /v1/completeness``: how complete a day is, as the ledger of the gateway has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from functools import partial
from typing import Annotated, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from meterlink.accounts.tokens import Scope
from meterlink.acquisition.explaining import completeness as told_of
from meterlink.acquisition.explaining import spans_of
from meterlink.billing import days
from meterlink.billing.manifest import Counts
from meterlink.billing.standing import DayStanding, FreezeValid, freeze_valid_of, places_on
from meterlink.journal import ledger_looks
from meterlink.journal.ledger_asked import SERIES_AT_ONCE
from meterlink.journal.ledger_rows import seconds
from meterlink.model.slot import Tally
from meterlink.web.access import needs
from meterlink.web.answers import JSON, accepted, document, whole
from meterlink.web.problems import told
from meterlink.web.queries import Limit, only_once
from meterlink.web.readers import Look
from meterlink.web.texts import Area, Behind, Day
from meterlink.web.views import CompletenessPage
from meterlink.web.world import Here, World

PATH: Final = "/v1/completeness"
PAGE_ROWS: Final = 1_000
"""Rows of a page, where the caller wants no other number."""

router = APIRouter(tags=["billing"])


class CompletenessQuery(BaseModel):
    """Of which day, and by what."""

    model_config = ConfigDict(extra="forbid")

    day: Day = Field(description="the day that the freezes end, and in which the curves begin")
    area: Area | None = Field(
        None,
        description="only of this transformer area, as meters stood at the end of the day; empty: of meters "
        "without one",
    )
    by: Literal["meter", "line", "area", "class"] = Field("class", description="what a row is for")
    cursor: Behind | None = Field(None, description="of the page before: only rows whose name is behind it")
    limit: Limit | None = Field(None, description=f"rows at most; {PAGE_ROWS} without it")


@router.get(
    PATH,
    operation_id="completeness",
    summary="How complete a day is",
    dependencies=[needs(Scope.COMPLETENESS), Depends(only_once)],
    response_model=CompletenessPage,
    responses={
        **told(),
        200: {
            "description": "Counts of slots, in the order of the rows' names.",
            "links": {
                "next": {"operationId": "completeness", "parameters": {"cursor": "$response.body#/cursor"}}
            },
        },
        304: {"description": "It is as the entity tag of If-None-Match says."},
    },
)
async def completeness(
    request: Request, here: Here, query: Annotated[CompletenessQuery, Query()]
) -> Response:
    """Of the slots that are due: how many are kept, on time or late, and why the others are not.

    `total` is that of all rows, also of those on other pages. Its `completeness` counts slots of all classes
    that are kept, whatever their marks; `freeze_valid` is that of FRZ-01: meters with a valid daily freeze of
    the day, of those in service at its end, as a seal of the day counts them.
    """
    accepted(request, JSON)
    day, now = days.parsed(query.day), here.clock.utc_now()
    tallies: list[Tally] = []
    last = await here.readers.run(lambda look: look.reader.look(ledger_looks.last_series))
    for first, end in ledger_looks.parts(last, SERIES_AT_ONCE):
        tallies += await here.readers.run(partial(_tallies, day, now, first, end))
    meters, today = {tally.meter for tally in tallies}, here.places()
    places = await here.readers.run(lambda look: places_on(look.freezes, day, today, meters))
    found = told_of(tallies, places, day=day, by=query.by, area=query.area)
    freeze_valid = await _freeze_valid(here, day, query.area)
    limit = query.limit or PAGE_ROWS
    behind = [one for one in found["rows"] if query.cursor is None or one["name"] > query.cursor]
    rows, more = behind[:limit], len(behind) > limit
    cursor = rows[-1]["name"] if rows else (query.cursor or "")
    heads = {}
    if more:
        kept = query.model_dump(exclude_none=True, exclude_defaults=True) | {"cursor": cursor}
        heads["Link"] = f'<{PATH}?{urlencode(kept)}>; rel="next"'
    page = {**found, "freeze_valid": freeze_valid, "rows": rows, "cursor": cursor, "more": more}
    return whole(request, document(page), JSON, headers=heads)


async def _freeze_valid(here: World, day: date, area: str | None) -> FreezeValid:
    """FRZ-01: how many of the meters in service have a valid freeze; some thousand freezes a look."""
    standing = DayStanding(day, area or "")
    until, seq = await here.readers.run(lambda look: look.freezes.newest()), 0
    while seq < until:
        take = partial(_add_freezes, standing, seq, until, day, area)
        seq = await here.readers.run(take)
    return freeze_valid_of(await here.readers.run(lambda look: _counts(standing, day, area, look)))


def _add_freezes(standing: DayStanding, seq: int, until: int, day: date, area: str | None, look: Look) -> int:
    rows, end = look.freezes.after(seq, until=until, day=day, area=area)
    for row in rows:
        standing.add(row)
    return end


def _counts(standing: DayStanding, day: date, area: str | None, look: Look) -> Counts:
    freezes = look.freezes
    return standing.counts(freezes.points.in_service(freezes.end_of(day), area))


def _tallies(day: date, now: datetime, first: int, last: int, look: Look) -> list[Tally]:
    """Of some series, how their slots of a day stand."""
    return list(_of_series(day, now, first, last, look))


def _of_series(day: date, now: datetime, first: int, last: int, look: Look) -> Iterator[Tally]:
    for classes, since, until in spans_of(day, look.freezes.zone):
        tallies = partial(
            ledger_looks.tallies,
            classes=json.dumps(classes),
            since=seconds(since),
            until=seconds(until),
            now=seconds(now),
            first=first,
            last=last,
        )
        yield from look.reader.look(tallies)
