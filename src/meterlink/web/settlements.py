"""``GET /v1/settlements``: the sealed days, what each says of itself, and its files as they were sealed."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any, BinaryIO, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from meterlink.accounts.tokens import Scope
from meterlink.billing import cursors, days
from meterlink.billing.formats import FORMATS, MEDIA_TYPES, SUFFIXES
from meterlink.billing.sealed_since import sealed_since
from meterlink.billing.settlements import NUMBERS_MAX, Sealed, Settlements
from meterlink.web.access import needs
from meterlink.web.answers import JSON, accepted, document, tag_of, tagged, whole
from meterlink.web.problems import Problem, told
from meterlink.web.queries import Limit, number_up_to, only_once
from meterlink.web.readers import Look, known
from meterlink.web.texts import FILE_PATTERN, Area, Day, SealsCursor
from meterlink.web.views import SealedDay, SealedDays
from meterlink.web.world import Here

PATH: Final = "/v1/settlements"
PAGE_SEALS: Final = 1_000
"""Seals and supplements of a page, where the caller wants no other number."""
PIECE_OCTETS: Final = 256 * 1024
"""Octets of a file that are read at once."""
_MEDIA: Final = {"json": JSON, **{SUFFIXES[kind]: MEDIA_TYPES[kind] for kind in FORMATS}}
"""By the ending of a file's name."""
_ANY: Final = "application/octet-stream"
_NOT_MODIFIED: Final[dict[int | str, dict[str, Any]]] = {
    304: {"description": "It is as the entity tag of If-None-Match says."}
}
_DAY_LINK: Final = {
    "day": {"operationId": "settlements_of_day", "parameters": {"day": "$response.body#/days/0"}},
    "since": {
        "operationId": "settlements",
        "description": "what was sealed since",
        "parameters": {"cursor": "$response.body#/cursor"},
    },
}
_FILE_LINK: Final = {
    "file": {
        "operationId": "settlement_file",
        "parameters": {
            "day": "$response.body#/day",
            "area": "$response.body#/sealed/0/area",
            "number": "$response.body#/sealed/0/number",
            "name": "$response.body#/sealed/0/files/0/name",
        },
    }
}
Number = Annotated[int, Field(ge=1, le=NUMBERS_MAX), number_up_to(NUMBERS_MAX)]

router = APIRouter(tags=["billing"])


class SealsQuery(BaseModel):
    """Which seals and supplements are asked for."""

    model_config = ConfigDict(extra="forbid")

    cursor: SealsCursor | None = Field(
        None, description="of the last answer: only what was sealed since, of any day"
    )
    limit: Limit | None = Field(None, description=f"seals and supplements at most; {PAGE_SEALS} without it")


class DayQuery(BaseModel):
    """What of a sealed day is asked for."""

    model_config = ConfigDict(extra="forbid")

    area: Area | None = Field(None, description="only of this transformer area")


class FileQuery(BaseModel):
    """Whose file is asked for."""

    model_config = ConfigDict(extra="forbid")

    area: Area = Field("", description="transformer area; empty: of meters without one")
    number: Number = Field(1, description="1 is the seal, 2 its first supplement")


@router.get(
    PATH,
    operation_id="settlements",
    summary="What was sealed, in the order in which it was",
    dependencies=[needs(Scope.SETTLEMENT), Depends(only_once)],
    response_model=SealedDays,
    responses={
        **told("wrong-cursor"),
        200: {
            "description": "Seals and supplements. `Link: rel=next` where there are more already.",
            "links": _DAY_LINK,
        },
        **_NOT_MODIFIED,
    },
)
async def settlements(request: Request, here: Here, query: Annotated[SealsQuery, Query()]) -> Response:
    """The seals and supplements of all days and areas, in the order in which the gateway sealed them.

    A day that is sealed late, and a supplement of a day long ago, come at the end like any other: whoever
    keeps the cursor misses none, and gets each once. What is in one is asked of its day.
    """
    accepted(request, JSON)
    page = await here.readers.run(partial(_since, query))
    kept = query.model_dump(exclude_none=True) | {"cursor": page["cursor"]}
    heads = {"Link": f'<{PATH}?{urlencode(kept)}>; rel="next"'} if page["more"] else {}
    return whole(request, document(page), JSON, headers=heads)


@router.get(
    f"{PATH}/{{day}}",
    operation_id="settlements_of_day",
    summary="A sealed day: its seals and supplements, by area",
    dependencies=[needs(Scope.SETTLEMENT), Depends(only_once)],
    response_model=SealedDay,
    responses={
        **told("no-such-day", "broken"),
        200: {"description": "What each says of itself.", "links": _FILE_LINK},
        **_NOT_MODIFIED,
    },
)
async def settlements_of_day(
    request: Request, here: Here, day: Annotated[Day, Path()], query: Annotated[DayQuery, Query()]
) -> Response:
    """The seals of a day and their supplements: counts, files with their hashes, and up to which row they go.

    The meters without a freeze, each with its reason, stand in the file `manifest.json`.
    """
    accepted(request, JSON)
    found = await here.readers.beside(partial(_of_day, here.settlements, day, query.area))
    if not found:
        raise Problem("no-such-day", f"{day}: nothing is sealed of it", f"GET {PATH} lists the days.")
    return whole(request, document({"day": day, "sealed": found}), JSON)


@router.get(
    f"{PATH}/{{day}}/files/{{name}}",
    operation_id="settlement_file",
    summary="A file as it was sealed",
    dependencies=[needs(Scope.SETTLEMENT), Depends(only_once)],
    response_class=StreamingResponse,
    responses={
        **told("no-such-file", "broken"),
        200: {
            "description": "Its octets.",
            "content": {kind.partition(";")[0]: {"schema": {}} for kind in (*_MEDIA.values(), _ANY)},
        },
        **_NOT_MODIFIED,
    },
)
async def settlement_file(
    request: Request,
    here: Here,
    day: Annotated[Day, Path()],
    name: Annotated[str, Path(pattern=FILE_PATTERN)],
    query: Annotated[FileQuery, Query()],
) -> Response:
    """A file of a seal or supplement, octet by octet as its hash was taken: never packed on the way."""
    media_type = _MEDIA.get(name.rpartition(".")[2], _ANY)
    accepted(request, media_type)
    opened = await here.readers.beside(partial(_open, here.settlements, day, query, name))
    sent = tagged(request, tag_of(PATH, day, query.area, query.number, name, opened.stamp))
    if sent.is_held:
        await here.readers.beside(opened.file.close)
        return Response(status_code=304, headers=sent.headers)

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while piece := await here.readers.beside(partial(opened.file.read, PIECE_OCTETS)):
                yield piece
        finally:
            opened.file.close()

    heads = {**sent.headers, "Content-Length": str(opened.octets)}
    return StreamingResponse(pieces(), headers=heads, media_type=media_type)


def _since(query: SealsQuery, look: Look) -> dict[str, Any]:
    after = known(look, cursors.parsed(query.cursor or "", kind=cursors.SEALS))
    limit = query.limit or PAGE_SEALS
    behind = sealed_since(look.reader, after, limit + 1)
    found = behind[:limit]
    end = found[-1].seq if found else after
    return {
        "days": sorted({one.day for one in found}),
        "sealed": [one.as_json() for one in found],
        "cursor": cursors.written(end, look.freezes.origin(end), kind=cursors.SEALS),
        "more": len(behind) > limit,
    }


class _Opened:
    """A file that is open.

    Args:
        file: for reading.

    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        found = os.fstat(file.fileno())
        self.octets = found.st_size
        self.stamp = (found.st_ino, found.st_mtime_ns, found.st_size)


def _open(settlements: Settlements, day: str, query: FileQuery, name: str) -> _Opened:
    return _Opened(settlements.open_file(days.parsed(day), query.area, query.number, name))


def _of_day(settlements: Settlements, day: str, area: str | None) -> list[dict[str, Any]]:
    parsed = days.parsed(day)
    found = settlements.list(parsed) if area is None else settlements.of(parsed, area)
    return [_told(one) for one in found]


def _told(one: Sealed) -> dict[str, Any]:
    """Without the meters that are missing: there may be many, and the manifest has them."""
    told_ = one.manifest.as_json()
    told_.pop("missing")
    return {**told_, "manifest_sha256": one.sha256}
