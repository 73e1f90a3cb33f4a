"""What goes wrong as RFC 9457 tells it: what, where, and what to do; in ``application/problem+json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from metersim.plant.checked import SENTENCES

MEDIA_TYPE: Final = "application/problem+json"
FAULTS_MAX: Final = 20
"""Faults of one request that are told."""
TEXT_MAX: Final = 500
"""Longest sentence about one fault, in characters."""

_SCHEMA: Final = "see /openapi.json for what may stand there"
_SENTENCES: Final = {**SENTENCES, "tuple_type": "write a list", "list_type": "write a list"}
KINDS: Final[Mapping[str, tuple[int, str]]] = {
    "bad-request": (400, "The request cannot be read"),
    "wrong-host": (403, "The API answers on this machine only"),
    "no-such-path": (404, "There is no such path"),
    "no-such-meter": (404, "There is no such meter"),
    "no-such-item": (404, "The meter has no such item"),
    "no-such-fault": (404, "There is no such fault rule"),
    "wrong-method": (405, "The path has no such method"),
    "assertion-failed": (409, "It is not as asserted"),
    "wall-clock": (409, "The plant runs on the wall clock"),
    "full": (409, "There is no more room"),
    "too-long": (413, "The request is too long"),
    "wrong-media-type": (415, "The body is no JSON"),
    "invalid": (422, "The request says something that cannot be"),
    "cannot-happen": (422, "The meter cannot have this"),
    "not-settable": (422, "The item cannot be set"),
    "forgotten": (422, "The plant does not remember that far back"),
    "head-too-long": (431, "The head of the request is too long"),
    "internal": (500, "A fault of the simulator"),
}
"""Kinds of problems: status, and what they mean."""
BODY: Final = ("wrong-media-type",)
"""Kinds that every endpoint with a body has."""


class Fault(BaseModel):
    """One fault of a request."""

    where: str = Field(description="place, e.g. `body.times` or `query.limit`")
    detail: str = Field(description="what is wrong there")


class ProblemDetails(BaseModel):
    """An RFC 9457 problem."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="`urn:metersim:problem:` and the name of the kind")
    title: str = Field(description="the kind in words")
    status: int = Field(description="HTTP status")
    detail: str = Field(description="what is wrong, and where")
    instance: str = Field(description="path that was asked")
    remedy: str = Field(description="what to do")
    faults: list[Fault] | None = Field(None, description="of `invalid`: each one by itself")
    near: list[str] | None = Field(None, description="what may have been meant")
    seen: Any = Field(None, description="of `assertion-failed`: what was seen in its place")


class Problem(Exception):
    """A request that is not granted.

    Args:
        kind: a name of `KINDS`.
        detail: what is wrong, and where.
        remedy: what to do.
        members: what else the problem says.

    """

    def __init__(self, kind: str, detail: str, remedy: str, **members: object) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.remedy, self.members = kind, detail, remedy, members

    def response(self, path: str) -> JSONResponse:
        """As it goes to who asked for ``path``."""
        status, title = KINDS[self.kind]
        content = {
            "type": f"urn:metersim:problem:{self.kind}",
            "title": title,
            "status": status,
            "detail": self.detail,
            "instance": path,
            "remedy": self.remedy,
            **self.members,
        }
        return JSONResponse(content, status, media_type=MEDIA_TYPE)


def told(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """The answers of an endpoint that are problems, for its OpenAPI; ``invalid`` is always among them."""
    found: dict[int | str, list[str]] = {}
    for kind in sorted({*kinds, "invalid"}, key=lambda kind: KINDS[kind][0]):
        found.setdefault(KINDS[kind][0], []).append(f"{KINDS[kind][1]} (`{kind}`)")
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {
        status: {"description": "; ".join(words), "content": {MEDIA_TYPE: {"schema": schema}}}
        for status, words in found.items()
    }


def install(app: FastAPI) -> None:
    """Let every fault of an application be told as a problem."""
    app.add_exception_handler(Problem, _of_ours)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _of_a_bug)


def _of_ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem), "registered for it"
    return error.response(request.url.path)


def _of_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError), "registered for it"
    sent = request.headers.get("content-type", "")
    if not is_json(sent) and any(
        one["loc"] == ("body",) and one["type"] != "missing" for one in error.errors()
    ):
        what = f"{sent[:100]!r} is not what bodies are in" if sent else "nothing says what the body is in"
        return Problem("wrong-media-type", what, "Send content-type: application/json.").response(
            request.url.path
        )
    faults = [_fault(one) for one in error.errors()[:FAULTS_MAX]]
    detail = "; ".join(f"{one['where']}: {one['detail']}" for one in faults[:3])
    return Problem("invalid", detail, f"Change what is named; {_SCHEMA}.", faults=faults).response(
        request.url.path
    )


def is_json(content_type: str) -> bool:
    """What FastAPI reads as JSON; it hands on anything else unread."""
    kind, _, subtype = content_type.partition(";")[0].strip().lower().partition("/")
    return kind == "application" and (subtype == "json" or subtype.endswith("+json"))


def _fault(error: Mapping[str, Any]) -> dict[str, str]:
    """Without what was sent: it may be long, and no JSON."""
    loc: Sequence[str | int] = error["loc"]
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, ValueError):
        words = str(cause)
    else:
        words = _SENTENCES.get(error["type"]) or str(error["msg"]).replace("Input ", "", 1)
    if error["type"] == "json_invalid":
        words = f"is no JSON: {words}"
    if error["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        words = f"unknown key; {_SCHEMA}"
    return {"where": ".".join(map(str, loc))[:TEXT_MAX], "detail": words[:TEXT_MAX]}


def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException), "registered for it"
    method, path = request.method, request.url.path
    kinds = {404: "no-such-path", 405: "wrong-method", 415: "wrong-media-type"}
    kind = kinds.get(error.status_code, "bad-request")
    detail = f"{method} {path[:TEXT_MAX]}: {str(error.detail).rstrip('.')}"
    found = Problem(kind, detail, "GET /openapi.json lists paths, methods and bodies.").response(path)
    found.headers.update(error.headers or {})
    return found


def _of_a_bug(request: Request, error: Exception) -> JSONResponse:
    detail = f"{request.method} {request.url.path[:TEXT_MAX]}: {type(error).__name__}"
    return Problem("internal", detail, "Please report it; the log has the rest.").response(request.url.path)
