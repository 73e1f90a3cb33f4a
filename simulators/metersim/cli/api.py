"""The REST API of ``metersim run``: where it waits, who may ask, and that it can be left uninstalled."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, NamedTuple, ParamSpec

import typer

from metersim.api.exchanges import Exchanges
from metersim.cli.common import endpoints
from metersim.line.line import Clock
from metersim.plant.built import BuiltPlant
from metersim.plant.plant import Plant
from metersim.serving.refused import refused

Api = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Serve the REST API there; port 0 takes a free one. It goes before `api:` of the plant file.",
    ),
]
Anywhere = Annotated[
    bool,
    typer.Option(
        "--api-anywhere",
        help="Let other machines ask the REST API, which has no password.",
    ),
]

_P = ParamSpec("_P")
_NEEDED = ("fastapi", "uvicorn")
_INSTALL = "install it with: pip install 'meterlink[web]'"


class ApiPlace(NamedTuple):
    """Where an API waits, and whether other machines may ask."""

    host: str
    port: int
    anywhere: bool


def api_place(text: str, *, anywhere: bool) -> ApiPlace | None:
    """Where the API is to wait; ``None``: nowhere.

    Args:
        text: ``HOST:PORT``; empty: nowhere.
        anywhere: whether other machines may ask.

    Raises:
        ValueError: no endpoint, one that other machines reach though they may not, or the extra is not
            installed.

    """
    if not text:
        if anywhere:
            raise ValueError("--api-anywhere goes with --api HOST:PORT, or with api: in the plant file")
        return None
    host, port = endpoints("--api", text)
    if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
        raise ValueError(f"--api {text}: the extra web is not here ({', '.join(missing)}); {_INSTALL}")
    if not anywhere and not _is_loopback(host):
        raise ValueError(
            f"--api {text}: other machines could change the plant, as the API has no password; "
            "write 127.0.0.1, or add --api-anywhere"
        )
    return ApiPlace(host, port, anywhere)


class ServedAt(NamedTuple):
    """An API about to be served: its socket, what passes on the lines, and who may ask."""

    listening: socket.socket
    exchanges: Exchanges
    anywhere: bool


@contextmanager
def bound(place: ApiPlace | None, plant: Plant, clock: Clock) -> Iterator[ServedAt | None]:
    """Take the port of an API, before anything else is opened; ``None`` where none is wanted.

    Raises:
        OSError: the port cannot be had.

    """
    if place is None:
        yield None
        return
    [(family, _, _, _, address), *_] = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    try:
        socket_of_api = socket.create_server(address[:2], family=family)
    except OSError as error:
        raise refused(error, f"--api {place.host}:{place.port}") from None
    with socket_of_api as listening:
        listening.setblocking(False)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # its connections take it over
        yield ServedAt(listening, Exchanges(plant, clock=clock), place.anywhere)


@asynccontextmanager
async def opened(
    served_at: ServedAt | None, built: BuiltPlant, urls: Mapping[str, str]
) -> AsyncIterator[str | None]:
    """The API while the block lasts; gives its URL, ``None`` where none is wanted."""
    if served_at is None:
        yield None
        return
    from metersim.api.served import Served  # noqa: PLC0415  # of the extra web
    from metersim.api.serving import open_api  # noqa: PLC0415

    served = Served(built=built, exchanges=served_at.exchanges, urls=urls)
    async with open_api(served, served_at.listening, anywhere=served_at.anywhere) as url:
        yield url


def both(first: Callable[_P, None] | None, second: Callable[_P, None] | None) -> Callable[_P, None] | None:
    """Tells two the same, where there are two."""
    if first is None or second is None:
        return first or second

    def tell(*args: _P.args, **kwargs: _P.kwargs) -> None:
        first(*args, **kwargs)
        second(*args, **kwargs)

    return tell


def _is_loopback(host: str) -> bool:
    """Whether only this machine reaches a name or an address."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ValueError(f"--api {host}: no such host: {error}") from None
    return all(str(address[0]).startswith("127.") or address[0] == "::1" for *_, address in found)
