"""What goes wrong as RFC 9457 tells it: what, where, and what to do; in ``application/problem+json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from meterlink.errors import BadRequest, JournalError, MeterlinkError, SettlementBroken, Unknown, WrongCursor

MEDIA_TYPE: Final = "application/problem+json"
FAULTS_MAX: Final = 20
"""Faults of one request that are told."""
TEXT_MAX: Final = 500
"""Longest sentence about one fault, in characters."""
BUSY_RETRY_S: Final = 5
"""Who finds us busy is told to come again after so long."""

KINDS: Final[Mapping[str, tuple[int, str]]] = {
    "bad-request": (400, "The request cannot be read"),
    "no-token": (401, "A token is needed"),
    "wrong-token": (401, "The token is not good"),
    "wrong-scope": (403, "The token is not good for this"),
    "wrong-host": (403, "The API answers on this machine only"),
    "no-such-path": (404, "There is no such path"),
    "no-such-day": (404, "Nothing is sealed of this day"),
    "no-such-file": (404, "There is no such sealed file"),
    "no-such-span": (404, "There is no such span of days"),
    "wrong-method": (405, "The path has no such method"),
    "not-acceptable": (406, "What there is is not accepted"),
    "wrong-cursor": (409, "The cursor is not one of this question"),
    "too-long": (413, "The request is too long"),
    "url-too-long": (414, "The address is too long"),
    "invalid": (422, "The request says something that cannot be"),
    "too-many": (429, "Too many requests were refused"),
    "head-too-long": (431, "The head of the request is too long"),
    "internal": (500, "A fault of the daemon"),
    "unavailable": (503, "The journal cannot be read"),
    "broken": (503, "A sealed day is not as it was sealed"),
    "busy": (503, "Too many callers"),
    "no-room": (503, "The gateway has no room for a workbook"),
}
"""Kinds of problems: status, and what they mean."""
_SCHEMA: Final = "see /v1/openapi.json for what may stand there"
_SENTENCES: Final = {
    "missing": "is missing",
    "unknown_parameter": "",
    "string_pattern_mismatch": f"is not written as it should be; {_SCHEMA}",
    "extra_forbidden": f"is not known here; {_SCHEMA}",
}
_DAYS: Final = {"day", "from", "to"}
_PREFIXES: Final = ("Input ", "Value error, ")
"""Words of the library's that say nothing to who asked."""
_log = structlog.get_logger(__name__)


class Fault(BaseModel):
    """One fault of a request."""

    where: str = Field(description="place, e.g. `query.day`")
    detail: str = Field(description="what is wrong there")


class ProblemDetails(BaseModel):
    """An RFC 9457 problem."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="`urn:meterlink:problem:` and the name of the kind")
    title: str = Field(description="the kind in words")
    status: int = Field(description="HTTP status")
    detail: str = Field(description="what is wrong, and where")
    instance: str = Field(description="path that was asked")
    remedy: str = Field(description="what to do")
    faults: list[Fault] | None = Field(None, description="of `invalid`: each one by itself")


class Problem(Exception):
    """A request that is not granted.

    Args:
        kind: a name of `KINDS`.
        detail: what is wrong, and where.
        remedy: what to do.
        headers: of the answer.
        members: what else the problem says.

    """

    def __init__(
        self, kind: str, detail: str, remedy: str, headers: Mapping[str, str] | None = None, **members: object
    ) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.remedy = kind, detail, remedy
        self.headers, self.members = dict(headers or {}), members

    @property
    def status(self) -> int:
        """Of HTTP."""
        return KINDS[self.kind][0]

    def document(self, path: str) -> dict[str, object]:
        """As who asked for ``path`` reads it."""
        status, title = KINDS[self.kind]
        return {
            "type": f"urn:meterlink:problem:{self.kind}",
            "title": title,
            "status": status,
            "detail": self.detail,
            "instance": path[:TEXT_MAX],
            "remedy": self.remedy,
            **self.members,
        }

    def octets(self, path: str) -> bytes:
        """The same as it goes over the wire."""
        return json.dumps(self.document(path), ensure_ascii=False).encode(errors="replace")

    def response(self, path: str) -> JSONResponse:
        """As it goes to who asked for ``path``."""
        found = JSONResponse(None, self.status, {"Cache-Control": "no-store", **self.headers}, MEDIA_TYPE)
        found.body = self.octets(path)
        found.headers["content-length"] = str(len(found.body))
        return found


def problem_of(error: MeterlinkError) -> Problem | None:
    """What an error of ours is to who asked; ``None``: a bug."""
    match error:
        case BadRequest():
            return Problem("invalid", str(error), f"Change what is named; {_SCHEMA}.")
        case WrongCursor():
            return Problem(
                "wrong-cursor",
                str(error),
                "Go on with the cursor of the same `day` and `area`, or with none.",
            )
        case Unknown():
            return Problem("no-such-file", str(error), "GET /v1/settlements/{day} lists what there is.")
        case SettlementBroken():
            _log.error("web.settlement_broken", reason=str(error))
            return Problem(
                "broken",
                "a sealed day is not as it was sealed: see the daemon's log",
                "Run `meterlink settlement verify` on the gateway.",
            )
        case JournalError():
            _log.error("web.journal_unreadable", reason=str(error))
            retry = {"Retry-After": str(BUSY_RETRY_S)}
            return Problem(
                "unavailable", "the journal cannot be read: see the daemon's log", "Try again later.", retry
            )
    return None


def told(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """The answers of an endpoint that are problems, for its OpenAPI; with those of every one."""
    common = {
        "bad-request",
        "no-token",
        "wrong-token",
        "wrong-scope",
        "wrong-host",
        "not-acceptable",
        "too-long",
        "url-too-long",
        "invalid",
        "too-many",
        "head-too-long",
        "internal",
        "unavailable",
        "busy",
    }
    found: dict[int | str, list[str]] = {}
    for kind in sorted(common | set(kinds), key=lambda kind: (KINDS[kind][0], kind)):
        found.setdefault(KINDS[kind][0], []).append(f"{KINDS[kind][1]} (`{kind}`)")
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {
        status: {"description": "; ".join(words), "content": {MEDIA_TYPE: {"schema": schema}}}
        for status, words in found.items()
    }


def install(app: FastAPI) -> None:
    """Let every fault of an application be told as a problem."""
    app.add_exception_handler(Problem, _of_ours)
    app.add_exception_handler(MeterlinkError, _of_daemon)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _of_a_bug)


def of_a_bug(path: str) -> Problem:
    """What who asked is told of a fault of ours: nothing of its inside."""
    detail = f"{path[:TEXT_MAX]}: a fault of ours"
    return Problem("internal", detail, "Please report it; the log has the rest.")


def _of_a_bug(request: Request, error: Exception) -> JSONResponse:
    """The error goes on to ``limits``, which logs it."""
    del error
    return of_a_bug(request.url.path).response(request.url.path)


def _of_ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem), "registered for it"
    return error.response(request.url.path)


def _of_daemon(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, MeterlinkError), "registered for it"
    if (problem := problem_of(error)) is None:
        raise error
    return problem.response(request.url.path)


def _of_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError), "registered for it"
    faults = [_fault(one) for one in error.errors()[:FAULTS_MAX]]
    detail = "; ".join(f"{one['where']}: {one['detail']}" for one in faults[:3])
    problem = Problem("invalid", detail, f"Change what is named; {_SCHEMA}.", faults=faults)
    return problem.response(request.url.path)


def _fault(error: Mapping[str, Any]) -> dict[str, str]:
    """Without what was sent: it may be long."""
    where = [str(part) for part in error["loc"]]
    words = _SENTENCES.get(error["type"]) or str(error["msg"])
    if error["type"] == "string_pattern_mismatch" and where[-1] in _DAYS:
        words = "write a day of the calendar as 2026-11-21"
    if error["type"] == "string_pattern_mismatch" and where[-1] == "item":
        words = "is no register of the catalogue; `meterlink items` lists them"
    for prefix in _PREFIXES:
        words = words.removeprefix(prefix)
    return {"where": ".".join(where)[:TEXT_MAX], "detail": words[:TEXT_MAX]}


def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException), "registered for it"
    kind = {404: "no-such-path", 405: "wrong-method"}.get(error.status_code, "bad-request")
    detail = f"{request.method[:16]} {request.url.path[:TEXT_MAX]}: {str(error.detail).rstrip('.')}"
    remedy = "GET /v1/openapi.json lists paths and methods."
    headers = {"Allow": "GET, HEAD"} if error.status_code == 405 else error.headers
    return Problem(kind, detail, remedy, headers).response(request.url.path)
