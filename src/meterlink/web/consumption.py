"""``GET /v1/consumption``: what meters counted over days, exact, or why that is not known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from meterlink.accounts.tokens import Scope
from meterlink.billing import cursors, days
from meterlink.billing.changed_since import changed_since, newest
from meterlink.billing.consumption import LACK_WORDS, Consumption
from meterlink.billing.estimates import measured, standing
from meterlink.billing.points import Points
from meterlink.journal import act_rows
from meterlink.journal.acts import READ_MAX
from meterlink.model.act import Topic
from meterlink.web.access import needs
from meterlink.web.answers import JSON, accepted, document, not_modified, tag_of, whole
from meterlink.web.problems import Problem, told
from meterlink.web.queries import ROWS_MAX, Limit, only_once
from meterlink.web.readers import Look, known
from meterlink.web.texts import Area, Behind, CursorOfAll, Day, Item
from meterlink.web.views import ConsumptionPage
from meterlink.web.world import Here

PATH: Final = "/v1/consumption"
PAGE_ROWS: Final = 500
"""Meters of a page, where the caller wants no other number."""
STEP_METERS: Final = 100
"""Meters of a step: some looks at the journal each."""
TOTAL: Final = "forward_active_energy"

router = APIRouter(tags=["billing"])


class ConsumptionQuery(BaseModel):
    """Whose consumption of which days is asked for."""

    model_config = ConfigDict(extra="forbid")

    first: Day = Field(alias="from", description="first day")
    last: Day = Field(alias="to", description="last day; the same for one day")
    area: Area | None = Field(None, description="only meters that stood in this transformer area at the end")
    meter: Area | None = Field(None, description="only this meter, or the one that stood there at the end")
    item: Item = Field(TOTAL, description="a register that counts up", examples=[f"{TOTAL}.t1"])
    cursor: Behind | None = Field(None, description="of the page before: only meters whose id is behind it")
    limit: Limit | None = Field(None, description=f"meters at most; {PAGE_ROWS} without it")
    since: CursorOfAll | None = Field(
        None,
        description="`as_of` of an earlier answer: only meters of which something was kept since that these "
        "days are worked out of, late and corrected freezes and what the roster was told",
    )
    as_of: CursorOfAll | None = Field(
        None, description="of the first page, for the pages behind it: `Link` has it, and they repeat it"
    )
    estimates: Literal["true", "false"] = Field(
        "false", description="`true`: tell the estimates that stand, beside the amounts; none is made"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The same, parsed.

    Args:
        first: see ``ConsumptionQuery``.
        last: the same.
        meters: our ids, in order.
        plates: what they may carry: another profile judges what they counted otherwise.
        gone: our ids of those in whose place there is no row any more, in order.
        more: whether there are others behind them.
        newest: the last freeze of the log.
        revision: of the roster.
        item: see ``ConsumptionQuery``.
        acts: the last act of the log, where estimates are told; ``None``: they are not.
        as_of: up to where the log was looked at, as a cursor.

    """

    first: date
    last: date
    meters: tuple[str, ...]
    plates: tuple[Decimal | None, ...]
    gone: tuple[str, ...]
    more: bool
    newest: int
    revision: int
    item: str
    acts: int | None
    as_of: str


@router.get(
    PATH,
    operation_id="consumption",
    summary="Consumption between two freezes",
    dependencies=[needs(Scope.CONSUMPTION), Depends(only_once)],
    response_model=ConsumptionPage,
    responses={
        **told("no-such-span", "wrong-cursor"),
        200: {
            "description": "Consumption by meter, in the order of their ids.",
            "links": {
                "next": {"operationId": "consumption", "parameters": {"cursor": "$response.body#/cursor"}},
                "since": {
                    "operationId": "consumption",
                    "description": "what has become another since",
                    "parameters": {"since": "$response.body#/as_of"},
                },
            },
        },
        304: {"description": "It is as the entity tag of If-None-Match says."},
    },
)
async def consumption(request: Request, here: Here, query: Annotated[ConsumptionQuery, Query()]) -> Response:
    """What customers consumed from the beginning of a day to the end of one: R(to) - R(from - 1).

    Across roll-over and exchange of the meter, times the multiplier that held. Each place has one row, that
    of the meter that stood there last, also where it was taken out for good within the span. Nothing is
    estimated: without an end that can be used, `amount` is null and `lack` says why; an estimate that
    somebody asked for at the gateway is told with `estimates=true`, and is no part of it.

    Whoever has asked for all of it keeps `as_of`: with `since` he gets the rows that may have become others.
    A row takes the place of those of all meters in `place`. Rows of meters in `gone` are to be dropped: their
    place has none any more, because it was told late that the meter was taken out, or stood in another area.
    """
    accepted(request, JSON)
    if query.last < query.first:
        raise Problem(
            "no-such-span",
            f"{query.first} is behind {query.last}",
            "Let `from` be the first day, `to` the last.",
        )
    asked = await here.readers.run(partial(_asked, query))
    tag = tag_of(PATH, asked)
    if (held := not_modified(request, tag)) is not None:
        return held
    rows: list[dict[str, Any]] = []
    for start in range(0, len(asked.meters), STEP_METERS):
        some = asked.meters[start : start + STEP_METERS]
        rows += await here.readers.run(partial(_rows, asked, some))
    cursor = max([*asked.meters, *asked.gone], default=query.cursor or "")
    page = {
        "consumption": rows,
        "gone": list(asked.gone),
        "cursor": cursor,
        "more": asked.more,
        "as_of": asked.as_of,
    }
    heads = {}
    if asked.more:
        kept = query.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
        kept |= {"cursor": cursor, "as_of": asked.as_of}
        heads["Link"] = f'<{PATH}?{urlencode(kept)}>; rel="next"'
    return whole(request, document(page), JSON, tag=tag, headers=heads)


def _asked(query: ConsumptionQuery, look: Look) -> _Asked:
    first, last = days.parsed(query.first), days.parsed(query.last)
    points, end = look.freezes.points, look.freezes.end_of(last)
    found = points.billed(look.freezes.end_of(first - timedelta(days=1)), end, query.area)
    only = None if query.meter is None else points.last_of(query.meter, end)
    there = [one for one in found if only in {None, one}]
    gone: frozenset[str] = frozenset()
    if query.since is not None:
        touched = _touched(query, look, first, last)
        gone = _gone(query, points, touched, there)
        there = [one for one in there if one in touched]
    behind = sorted(one for one in {*there, *gone} if query.cursor is None or one > query.cursor)
    limit = min(query.limit or PAGE_ROWS, ROWS_MAX)
    of_page = behind[:limit]
    meters = tuple(one for one in of_page if one not in gone)
    return _Asked(
        first=first,
        last=last,
        meters=meters,
        plates=look.freezes.plates(meters),
        gone=tuple(one for one in of_page if one in gone),
        more=len(behind) > limit,
        newest=look.freezes.newest_freeze(),
        revision=look.revision,
        item=query.item,
        acts=look.reader.newest_number() if query.estimates == "true" else None,
        as_of=_as_of(query, look),
    )


def _touched(query: ConsumptionQuery, look: Look, first: date, last: date) -> frozenset[str]:
    since = known(look, cursors.parsed(query.since or ""))
    estimates = query.estimates == "true"
    return changed_since(look.freezes, look.reader, since, first, last, estimates=estimates)


def _gone(
    query: ConsumptionQuery, points: Points, touched: frozenset[str], there: list[str]
) -> frozenset[str]:
    """Those of some meters in whose place there is no row any more, of what was asked for."""
    of_rows = {one for meter in there for one in points.places_of(meter)}
    asked = touched if query.area is None else touched & points.ever_in(query.area)
    if query.meter is not None:
        asked &= {*points.places_of(query.meter)}
    return asked - of_rows


def _as_of(query: ConsumptionQuery, look: Look) -> str:
    """Of the first page: what is kept while somebody takes page after page would else be passed over."""
    if query.as_of is not None:
        known(look, cursors.parsed(query.as_of))
        return query.as_of
    seq = newest(look.freezes, look.reader, estimates=query.estimates == "true")
    return cursors.written(seq, look.freezes.origin(seq))


def _rows(asked: _Asked, meters: tuple[str, ...], look: Look) -> list[dict[str, Any]]:
    end = look.freezes.end_of(asked.last)
    found = []
    for meter in meters:
        place = look.freezes.points.last_place(meter, end)
        made = look.freezes.consumption(meter, asked.item, asked.first, asked.last)
        found.append(
            {
                "meter": meter,
                "place": list(look.freezes.points.places_of(meter)),
                "meter_number": place.meter_number,
                "customer_number": place.customer_number,
                "area": place.area,
                "from": asked.first.isoformat(),
                "to": asked.last.isoformat(),
                **_told(made),
                **({} if asked.acts is None else {"estimates": _estimates(asked, meter, look)}),
            }
        )
    return found


def _estimates(asked: _Asked, meter: str, look: Look) -> list[dict[str, Any]]:
    """Those that stand, less those that a reading has come for and nobody took back yet."""
    points, since = look.freezes.points, look.freezes.end_of(asked.first - timedelta(days=1))
    acts = [
        act
        for one in points.stood(meter, since, look.freezes.end_of(asked.last))
        for act in look.reader.look(
            partial(act_rows.of_meter, meter=one, topics=(Topic.ESTIMATE,), after=0, limit=READ_MAX)
        )
    ]
    return [
        one.as_json()
        for one in standing(acts)
        if one.item == asked.item
        and asked.first <= one.day <= asked.last
        and measured(look.freezes, one.meter, one.item, one.day) is None
    ]


def _told(made: Consumption) -> dict[str, Any]:
    lack: dict[str, str] | None = None
    if made.lack is not None:
        words = {str(lang): sentence for lang, sentence in LACK_WORDS[made.lack].items()}
        lack = {"reason": made.lack.value, "meter": made.at_meter, **words}
    return {
        "item": made.item,
        "kind": made.kind,
        "amount": None if made.amount is None else format(made.amount, "f"),
        "quality": None if made.amount is None else made.quality,
        "marks": list(made.marks.names),
        "lack": lack,
        "parts": [
            {"meter": meter, "counted": format(counted, "f"), "multiplier": format(multiplier, "f")}
            for meter, counted, multiplier in made.parts
        ],
        "seqs": list(made.seqs),
    }
