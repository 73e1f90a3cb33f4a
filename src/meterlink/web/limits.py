"""What a request may be before anybody looks into it; and the last place that a fault of ours comes to.

A request without a body is all that the API takes; a page of another site, opened by somebody who sits at
this machine, is refused by its ``Host`` or ``Origin``.
"""

from __future__ import annotations

from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meterlink.config.web import is_loopback
from meterlink.web.problems import TEXT_MAX, Problem, of_a_bug

BODY_OCTETS_MAX: Final = 8_192
"""Longest body of a request: none is needed, a short one is read and means nothing."""
HEAD_OCTETS_MAX: Final = 16_384
"""Longest head of a request: names and values, and as much of a head that has not ended."""
URL_OCTETS_MAX: Final = 4_096
"""Longest path with its query."""

_log = structlog.get_logger(__name__)


class _Gone(Exception):
    """Nobody waits for an answer, or for more of one."""


class Limits:
    """Stands before an application.

    Args:
        app: the application.
        anywhere: whether other machines may ask.

    """

    def __init__(self, app: ASGIApp, *, anywhere: bool) -> None:
        self._app = app
        self._anywhere = anywhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if (problem := self._objection(scope)) is not None:
            await problem.response(scope["path"])(scope, receive, send)
            return
        try:
            is_short = await _drained(receive)
        except _Gone:
            return
        if not is_short:
            await _too_long().response(scope["path"])(scope, receive, send)
            return
        await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun, is_head = False, scope["method"] == "HEAD"

        async def noted(message: Message) -> None:
            nonlocal has_begun
            if is_head and has_begun:
                raise _Gone  # all is said: a month that nobody is sent need not be read
            has_begun = has_begun or message["type"] == "http.response.start"
            await send(message)
            if is_head and has_begun:
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        first: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

        async def bodiless() -> Message:
            return first.pop() if first else await receive()

        try:
            # What GET would say, without its body. Source: RFC 9110, 9.3.2.
            await self._app({**scope, "method": "GET"} if is_head else scope, bodiless, noted)
        except Exception as error:  # noqa: BLE001 (a request that cannot be answered ends nothing else)
            if is_head and has_begun:
                return
            _log.error("web.failed", path=scope["path"][:TEXT_MAX], exc_info=error)
            if not has_begun:
                await of_a_bug(scope["path"]).response(scope["path"])(scope, receive, send)
            # Else the body ends before its end, and the server closes the connection: the caller sees it.

    def _objection(self, scope: Scope) -> Problem | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        octets = sum(len(name) + len(value) for name, value in scope["headers"])
        url = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        if url > URL_OCTETS_MAX:
            return Problem("url-too-long", f"the address has {url} octets", f"Send {URL_OCTETS_MAX} at most.")
        if octets > HEAD_OCTETS_MAX:
            return Problem(
                "head-too-long", f"the headers have {octets} octets", f"Send {HEAD_OCTETS_MAX} at most."
            )
        length = headers.get(b"content-length", "0")
        if length.isdecimal() and int(length[:20]) > BODY_OCTETS_MAX:
            return _too_long()
        return None if self._anywhere else _of_another_site(headers)


def _of_another_site(headers: dict[bytes, str]) -> Problem | None:
    """Why a request is not one of this machine; ``None``: it is."""
    host, origin = headers.get(b"host", ""), headers.get(b"origin")
    for name, told, here in (
        ("Host", host, _hostname(host)),
        ("Origin", origin, _hostname((origin or "").partition("://")[2])),
    ):
        if told is not None and not is_loopback(here):
            return Problem(
                "wrong-host",
                f"{name} {told[:100]!r} is not this machine",
                "Ask 127.0.0.1 or localhost without a browser; other machines need [web.tls].",
            )
    return None


async def _drained(receive: Receive) -> bool:
    """Read a body that means nothing; whether it was short enough.

    Raises:
        _Gone: the caller went before its end.

    """
    octets = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        octets += len(message.get("body", b""))
        if octets > BODY_OCTETS_MAX:
            return False
        if not message.get("more_body", False):
            return True


def _hostname(host: str) -> str:
    """A ``Host`` without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _too_long() -> Problem:
    return Problem(
        "too-long",
        f"the body has more than {BODY_OCTETS_MAX} octets",
        "Send none: what is asked for stands in the address.",
        {"Connection": "close"},
    )
