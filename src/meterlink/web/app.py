"""The application: (a world) -> the API of the daemon, with OpenAPI."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI, Request, Response

from meterlink.web import completeness, consumption, freezes, settlements
from meterlink.web.answers import JSON, accepted, document, whole
from meterlink.web.limits import Limits
from meterlink.web.problems import ProblemDetails, install
from meterlink.web.world import World

OPENAPI: Final = "/v1/openapi.json"
_SAYS: Final = (
    "What billing pulls from a gateway: frozen readings with their marks, consumption, sealed days, and how "
    "complete a day is. Decimals and times are text. Every error is a problem of RFC 9457."
)


def application(world: World, *, anywhere: bool = False) -> Limits:
    """The API of a daemon, for an ASGI server or a test in the same process.

    Args:
        world: what it serves.
        anywhere: whether other machines may ask.

    """
    app = bare_application()
    app.state.world = world
    return Limits(app, anywhere=anywhere)


def bare_application() -> FastAPI:
    """The endpoints without a world: what the OpenAPI is made from."""
    app = FastAPI(
        title="meterlink",
        description=_SAYS,
        version=version("meterlink"),
        openapi_url=None,  # served below, with an entity tag
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
    )
    install(app)
    for part in (freezes, consumption, settlements, completeness):
        app.include_router(part.router)
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        found = plain()
        schemas = found.setdefault("components", {}).setdefault("schemas", {})
        made = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(made.pop("$defs", {}))
        schemas["ProblemDetails"] = made
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        return found

    app.openapi = openapi  # type: ignore[method-assign]

    @app.get(OPENAPI, include_in_schema=False)
    async def described(request: Request) -> Response:
        accepted(request, JSON)
        return whole(request, document(openapi()), JSON)

    return app
