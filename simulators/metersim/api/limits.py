"""What a request may be before anybody looks into it: not too long, and no page of another site sent it."""

from __future__ import annotations

import ipaddress
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from metersim.api.problems import Problem

BODY_OCTETS_MAX: Final = 65_536
"""Longest body of a request."""
HEAD_OCTETS_MAX: Final = 16_384
"""Longest head of a request: names and values, and as much of a head that has not ended."""


class _Gone(Exception):
    """Nobody waits for an answer."""


class Limits:
    """Stands before an application.

    Args:
        app: the application.
        anywhere: whether it is asked from other machines; otherwise a ``Host`` or an ``Origin`` that is not
            this machine is refused, so that no page of another site can use the browser of who sits here.

    """

    def __init__(self, app: ASGIApp, *, anywhere: bool) -> None:
        self._app = app
        self._anywhere = anywhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        octets = sum(len(name) + len(value) for name, value in scope["headers"])
        if (problem := self._objection(headers, octets)) is not None:
            await problem.response(scope["path"])(scope, receive, send)
            return
        try:
            body = await _whole(receive)
        except _Gone:
            return
        if body is None:
            await _too_long(f"more than {BODY_OCTETS_MAX} octets").response(scope["path"])(
                scope, receive, send
            )
            return
        await self._app(scope, _again(body, receive), send)

    def _objection(self, headers: dict[bytes, str], octets: int) -> Problem | None:
        if octets > HEAD_OCTETS_MAX:
            return Problem(
                "head-too-long",
                f"the headers have {octets} octets",
                f"Send {HEAD_OCTETS_MAX} at most; the API needs none but Host and Content-Type.",
            )
        host = headers.get(b"host", "")
        if not self._anywhere and not is_loopback(_hostname(host)):
            return Problem(
                "wrong-host",
                f"Host {host[:100]!r} is not this machine",
                "Ask 127.0.0.1, or start the plant with --api-anywhere.",
            )
        origin = headers.get(b"origin")
        if (
            origin is not None
            and not self._anywhere
            and not is_loopback(_hostname(origin.partition("://")[2]))
        ):
            return Problem(
                "wrong-host",
                f"Origin {origin[:100]!r}: a page of another site asks",
                "Ask without a browser, or start the plant with --api-anywhere.",
            )
        length = headers.get(b"content-length", "0")
        if length.isdecimal() and int(length[:20]) > BODY_OCTETS_MAX:
            return _too_long(f"{length[:20]} octets")
        return None


async def _whole(receive: Receive) -> bytes | None:
    """The body of a request; ``None``: it is too long.

    Raises:
        _Gone: the client went before its end; half a request is none.

    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        body += message.get("body", b"")
        if len(body) > BODY_OCTETS_MAX:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives a body that was read, and then what comes behind it."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return first.pop() if first else await receive()

    return next_message


def is_loopback(host: str) -> bool:
    """Whether a name or an address is that of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _hostname(host: str) -> str:
    """A ``Host`` without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _too_long(words: str) -> Problem:
    return Problem("too-long", f"the body has {words}", f"Send {BODY_OCTETS_MAX} octets at most.")
