"""``GET /v1/daily-freeze``: the freezes in the order in which the gateway got them, late ones too.

A caller keeps the cursor of his last answer, and is given what came behind it: each row once.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Annotated, Any, BinaryIO, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from meterlink.accounts.tokens import Scope
from meterlink.billing import cursors, days
from meterlink.billing.formats import MEDIA_TYPES, CsvWriter, JsonWriter, RowWriter, as_json
from meterlink.billing.freezes import FreezeRow
from meterlink.errors import WrongCursor
from meterlink.web.access import needs
from meterlink.web.answers import (
    JSON,
    Packer,
    accepted,
    document,
    in_pieces,
    not_modified,
    tag_of,
    whole,
)
from meterlink.web.problems import told
from meterlink.web.queries import Limit, only_once
from meterlink.web.readers import Look
from meterlink.web.texts import Area, Cursor, Day
from meterlink.web.views import FreezePage
from meterlink.web.world import Here

PATH: Final = "/v1/daily-freeze"
PAGE_ROWS: Final = 1_000
"""Rows of a page, where the caller wants no other number."""
PIECE_ROWS: Final = 1_000
"""Rows that a step reads: some tenths of a second, some megabytes."""
CURSOR: Final = "Meterlink-Cursor"
"""Header that says where an answer ends."""
_MEDIA: Final = {"json": JSON, "ndjson": MEDIA_TYPES["json"], "csv": MEDIA_TYPES["csv"]}

Writer = Callable[[BinaryIO], RowWriter]
_WRITERS: Final[Mapping[str, Writer]] = {"ndjson": JsonWriter, "csv": CsvWriter}

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
        description=f"rows at most; without it {PAGE_ROWS} of `json`, and all there are of the other formats",
    )
    format: Literal["json", "ndjson", "csv"] = Field("json", description="`csv` has a row a register")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The same, parsed.

    Args:
        after: row of the log.
        until: row of the log: the newest one that is of concern.
        day: see ``FreezeQuery``.
        area: see ``FreezeQuery``.
        revision: of the roster.

    """

    after: int
    until: int
    day: date | None
    area: str | None
    revision: int

    def cursor(self, end: int) -> str:
        """Where an answer ends."""
        return cursors.written(end, day=self.day, area=self.area)


@router.get(
    PATH,
    operation_id="daily_freeze",
    summary="Daily freezes, in the order in which the gateway got them",
    dependencies=[needs(Scope.FREEZE), Depends(only_once)],
    response_model=FreezePage,
    responses={
        **told("wrong-cursor"),
        200: {
            "description": "The freezes. `Link: rel=next` where there are more already.",
            "content": {
                _MEDIA[kind].partition(";")[0]: {"schema": {"type": "string"}} for kind in ("ndjson", "csv")
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
                }
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
    media_type = _MEDIA[query.format]
    accepted(request, media_type)
    asked = await here.readers.run(partial(_asked, query))
    tag = tag_of(PATH, asked, query.limit, query.format)
    if (known := not_modified(request, tag)) is not None:
        return known
    if query.format == "json":
        page = await here.readers.run(partial(_page, asked, query.limit or PAGE_ROWS))
        return whole(request, page.body, JSON, tag=tag, headers=_heads(query, asked, page.end))
    if query.limit is None:
        step = _Steps(asked, here.readers.run, _WRITERS[query.format])
        return in_pieces(request, step.piece, media_type, tag=tag, headers=_heads(query, asked, asked.until))
    piece = await here.readers.run(partial(_rows, asked, query.limit, _WRITERS[query.format]))
    return whole(request, piece.body, media_type, tag=tag, headers=_heads(query, asked, piece.end))


@dataclass(frozen=True, slots=True)
class _Part:
    """Some rows as they go, and where they end."""

    body: bytes
    end: int


class _Steps:
    """All rows up to the newest one, step by step."""

    def __init__(self, asked: _Asked, run: Callable[..., Any], writer: Writer) -> None:
        self._asked = asked
        self._run = run
        self._writer = writer
        self._at = asked.after
        self._is_first = True

    async def piece(self, packer: Packer) -> bytes | None:
        """The next piece; ``None``: that was all."""
        if self._at >= self._asked.until and not self._is_first:
            return None
        body: bytes = await self._run(partial(self._step, packer))
        return body

    def _step(self, packer: Packer, look: Look) -> bytes:
        rows, self._at = _found(look, self._asked, self._at, PIECE_ROWS)
        made = packer.packed(_written(rows, self._writer, has_head=self._is_first))
        self._is_first = False
        return made


def _asked(query: FreezeQuery, look: Look) -> _Asked:
    day = None if query.day is None else days.parsed(query.day)
    after = cursors.parsed(query.cursor or "", day=day, area=query.area)
    if after > look.freezes.newest():
        raise WrongCursor("the cursor is behind the end of the log: it is one of another journal")
    return _Asked(
        after=after,
        until=max(after, look.freezes.newest_freeze(day)),
        day=day,
        area=query.area,
        revision=look.revision,
    )


def _found(look: Look, asked: _Asked, after: int, limit: int) -> tuple[list[FreezeRow], int]:
    return look.freezes.after(after, until=asked.until, day=asked.day, area=asked.area, limit=limit)


def _page(asked: _Asked, limit: int, look: Look) -> _Part:
    rows, end = _found(look, asked, asked.after, limit)
    page = {"freezes": list(map(as_json, rows)), "cursor": asked.cursor(end), "more": end < asked.until}
    return _Part(document(page), end)


def _rows(asked: _Asked, limit: int, writer: Writer, look: Look) -> _Part:
    rows, end = _found(look, asked, asked.after, limit)
    return _Part(_written(rows, writer, has_head=True), end)


def _written(rows: list[FreezeRow], writer: Writer, *, has_head: bool) -> bytes:
    file = io.BytesIO()
    out = writer(file)
    for row in rows:
        out.add(row)
    out.close()
    written = file.getvalue()
    return written if has_head or writer is not CsvWriter else written.partition(b"\r\n")[2]


def _heads(query: FreezeQuery, asked: _Asked, end: int) -> dict[str, str]:
    cursor = asked.cursor(end)
    if end >= asked.until:
        return {CURSOR: cursor}
    kept = query.model_dump(exclude_none=True, exclude_defaults=True) | {"cursor": cursor}
    return {CURSOR: cursor, "Link": f'<{PATH}?{urlencode(kept)}>; rel="next"'}
