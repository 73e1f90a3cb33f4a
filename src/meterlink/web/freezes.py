"""``GET /v1/daily-freeze``: the freezes in the order in which the gateway got them, late ones too.

A caller keeps the cursor of his last answer, and is given what came behind it: each row once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Annotated, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from meterlink.accounts.tokens import Scope
from meterlink.billing import cursors, days
from meterlink.billing.formats import MEDIA_TYPES, Format
from meterlink.billing.freeze_json import json_of
from meterlink.billing.freezes import FreezeRow
from meterlink.web.access import needs
from meterlink.web.answers import (
    JSON,
    accepted,
    document,
    in_pieces,
    not_modified,
    tag_of,
    tagged,
    whole,
)
from meterlink.web.freeze_files import (
    WORKBOOK_FREEZES_MAX,
    FreezeStream,
    pieces_made,
    pieces_of,
    written,
)
from meterlink.web.problems import told
from meterlink.web.queries import Limit, only_once
from meterlink.web.readers import Look, known
from meterlink.web.texts import Area, Cursor, Day
from meterlink.web.views import FreezePage
from meterlink.web.world import Here

PATH: Final = "/v1/daily-freeze"
PAGE_ROWS: Final = 1_000
"""Rows of a page, where the caller wants no other number."""
CURSOR: Final = "Meterlink-Cursor"
"""Header that says where an answer ends."""
_KINDS: Final[Mapping[str, Format]] = {"ndjson": "json", "csv": "csv", "xlsx": "xlsx", "parquet": "parquet"}
"""By name in a question, the format of a file."""
_MEDIA: Final = {"json": JSON, **{name: MEDIA_TYPES[kind] for name, kind in _KINDS.items()}}
_PACKED: Final = frozenset({"xlsx", "parquet"})
"""They are packed as they are: gzip would take time, and gain nothing."""

router = APIRouter(tags=["billing"])


class FreezeQuery(BaseModel):
    """What of the freezes is asked for."""

    model_config = ConfigDict(extra="forbid")

    day: Day | None = Field(None, description="only freezes that end this day; without it, of all days")
    area: Area | None = Field(None, description="only of this transformer area; empty: of meters without one")
    cursor: Cursor | None = Field(
        None, description="of the last answer to the same question: only what came behind it"
    )
    limit: Limit | None = Field(
        None,
        description=f"rows at most; without it {PAGE_ROWS} of `json`, {WORKBOOK_FREEZES_MAX} of `xlsx`, "
        "and all there are of the other formats",
    )
    format: Literal["json", "ndjson", "csv", "xlsx", "parquet"] = Field(
        "json", description="`csv`, `xlsx` and `parquet` have a row a register"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The same, parsed.

    Args:
        after: row of the log.
        until: row of the log: the newest one that is of concern.
        day: see ``FreezeQuery``.
        area: see ``FreezeQuery``.
        revision: of the roster.
        origin: of the row ``until``.

    """

    after: int
    until: int
    day: date | None
    area: str | None
    revision: int
    origin: str

    def cursor(self, end: int, look: Look) -> str:
        """Where an answer ends."""
        return cursors.written(end, look.freezes.origin(end), day=self.day, area=self.area)

    @property
    def last_cursor(self) -> str:
        """Where one ends behind which there is no more."""
        return cursors.written(self.until, self.origin, day=self.day, area=self.area)


@router.get(
    PATH,
    operation_id="daily_freeze",
    summary="Daily freezes, in the order in which the gateway got them",
    dependencies=[needs(Scope.FREEZE), Depends(only_once)],
    response_model=FreezePage,
    responses={
        **told("wrong-cursor", "no-room"),
        200: {
            "description": "The freezes. `Link: rel=next` where there are more already.",
            "content": {
                MEDIA_TYPES["json"]: {"schema": {"type": "string"}},
                "text/csv": {"schema": {"type": "string"}},
                MEDIA_TYPES["xlsx"]: {"schema": {}},
                MEDIA_TYPES["parquet"]: {"schema": {}},
            },
            "headers": {CURSOR: {"description": "where it ends", "schema": {"type": "string"}}},
            "links": {
                "next": {
                    "operationId": "daily_freeze",
                    "parameters": {
                        "cursor": f"$response.header.{CURSOR}",
                        "day": "$request.query.day",
                        "area": "$request.query.area",
                    },
                },
                "since": {
                    "operationId": "daily_freeze",
                    "description": "what came since, of a question about all days and areas",
                    "parameters": {"cursor": f"$response.header.{CURSOR}"},
                },
            },
        },
        304: {"description": "It is as the entity tag of If-None-Match says."},
    },
)
async def daily_freeze(request: Request, here: Here, query: Annotated[FreezeQuery, Query()]) -> Response:
    """The daily freezes that the gateway got behind a cursor, each once.

    A row that is late, or takes the place of another (`supersedes`), comes at the end like any other, so
    whoever keeps the cursor misses none. A cursor is good for the question that it is the answer to: the same
    `day` and `area`; one of an answer about all days and areas is good for each of them as well.
    """
    media_type, kind = _MEDIA[query.format], _KINDS.get(query.format, "json")
    accepted(request, media_type)
    asked = await here.readers.run(partial(_asked, query))
    tag = tag_of(PATH, asked, query.limit, query.format)
    if query.format in _PACKED:
        return await _as_file(request, here, query, asked, tag)
    if (held := not_modified(request, tag)) is not None:
        return held
    if query.format == "json":
        page = await here.readers.run(partial(_page, asked, query.limit or PAGE_ROWS))
        return whole(request, page.body, JSON, tag=tag, headers=_heads(query, asked, page.cursor))
    if query.limit is None:
        stream = FreezeStream(partial(_found, asked), kind, after=asked.after, until=asked.until)
        return in_pieces(
            request,
            lambda packer: here.readers.run(partial(stream.step, packer)),
            media_type,
            tag=tag,
            headers=_heads(query, asked, asked.last_cursor),
        )
    piece = await here.readers.run(partial(_rows, asked, query.limit, kind))
    return whole(request, piece.body, media_type, tag=tag, headers=_heads(query, asked, piece.cursor))


async def _as_file(request: Request, here: Here, query: FreezeQuery, asked: _Asked, tag: str) -> Response:
    """A workbook or Parquet: packed as it is, and so never packed again."""
    sent, kind, media_type = tagged(request, tag), _KINDS[query.format], _MEDIA[query.format]
    if sent.is_held:
        return Response(status_code=304, headers=sent.headers)
    found = partial(_found, asked)
    if kind == "xlsx":
        file, end = await here.workbooks.made(
            here.readers, found, after=asked.after, until=asked.until, limit=query.limit
        )
        cursor = await here.readers.run(partial(asked.cursor, end))
        body = pieces_of(file, here.readers)
    elif query.limit is None:
        make = partial(FreezeStream, found, kind, after=asked.after, until=asked.until)
        stream, cursor = await here.readers.beside(make), asked.last_cursor
        body = pieces_made(lambda: here.readers.run(partial(stream.step, None)))
    else:
        piece = await here.readers.run(partial(_rows, asked, query.limit, kind))
        return Response(
            piece.body, headers={**sent.headers, **_heads(query, asked, piece.cursor)}, media_type=media_type
        )
    return StreamingResponse(
        body, headers={**sent.headers, **_heads(query, asked, cursor)}, media_type=media_type
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """Some rows as they go, and the cursor at their end."""

    body: bytes
    cursor: str


def _asked(query: FreezeQuery, look: Look) -> _Asked:
    day = None if query.day is None else days.parsed(query.day)
    after = known(look, cursors.parsed(query.cursor or "", day=day, area=query.area))
    until = max(after, look.freezes.newest_freeze(day))
    return _Asked(
        after=after,
        until=until,
        day=day,
        area=query.area,
        revision=look.revision,
        origin=look.freezes.origin(until),
    )


def _found(asked: _Asked, look: Look, after: int, limit: int) -> tuple[list[FreezeRow], int]:
    return look.freezes.after(after, until=asked.until, day=asked.day, area=asked.area, limit=limit)


def _page(asked: _Asked, limit: int, look: Look) -> _Part:
    rows, end = _found(asked, look, asked.after, limit)
    cursor = asked.cursor(end, look)
    rest = document({"cursor": cursor, "more": end < asked.until})
    body = f'{{"freezes":[{",".join(map(json_of, rows))}],'.encode() + rest.removeprefix(b"{")
    return _Part(body, cursor)


def _rows(asked: _Asked, limit: int, kind: Format, look: Look) -> _Part:
    rows, end = _found(asked, look, asked.after, limit)
    return _Part(written(rows, kind), asked.cursor(end, look))


def _heads(query: FreezeQuery, asked: _Asked, cursor: str) -> dict[str, str]:
    if cursor == asked.last_cursor:
        return {CURSOR: cursor}
    kept = query.model_dump(exclude_none=True, exclude_defaults=True) | {"cursor": cursor}
    return {CURSOR: cursor, "Link": f'<{PATH}?{urlencode(kept)}>; rel="next"'}
