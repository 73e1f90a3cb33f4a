"""The application: (a plant at work) -> a REST API with OpenAPI."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI

from metersim.api import asserting, changing, seeing
from metersim.api.limits import Limits
from metersim.api.problems import ProblemDetails, install
from metersim.api.served import Served

_SAYS = "A simulated plant of electricity meters: seen, changed, and asked what its meters did."
_TAGS = ("plant", "meters", "controls", "happenings", "faults", "assertions")


def application(served: Served, *, anywhere: bool = False) -> Limits:
    """The API of a plant, for an ASGI server or a test in the same process.

    It is used by the loop on which the plant runs, so nobody needs a lock.

    Args:
        served: the plant.
        anywhere: whether other machines may ask.

    """
    app = bare_application()
    app.state.served = served
    return Limits(app, anywhere=anywhere)


def bare_application() -> FastAPI:
    """The endpoints without a plant: what the OpenAPI is made from."""
    app = FastAPI(
        title="metersim",
        description=_SAYS,
        version=version("meterlink"),
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        openapi_tags=[{"name": name} for name in _TAGS],
    )
    install(app)
    for part in (seeing, changing, asserting):
        app.include_router(part.router)
    plain = app.openapi

    def openapi() -> dict[str, object]:
        found = plain()
        schemas = found["components"]["schemas"]
        schemas.setdefault(
            "ProblemDetails",
            ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}"),
        )
        for name, schema in schemas["ProblemDetails"].pop("$defs", {}).items():
            schemas.setdefault(name, schema)
        return found

    app.openapi = openapi  # type: ignore[method-assign]
    return app
