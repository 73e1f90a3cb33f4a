"""A port on loopback for programs that watch: /metrics, /livez and /readyz, answered from the event loop.

The loop answers because its answer is the first thing to be known of it: a thread of a server's own would say
"alive" for a loop that hangs. What there is to serve are three pages without arguments, so it is a reader of
request lines and no web framework. Whoever asks more, longer or slower than that is let go.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog

from meterlink.daemon.sending import send
from meterlink.errors import LineBusy
from meterlink.transports.accepting import AT_ONCE, queue

LOOPBACK: Final = "127.0.0.1"
REQUEST_OCTETS_MAX: Final = 8_192
"""Longest request with its header."""
REQUEST_S_MAX: Final = 5.0
"""Longest that a request may take to come, and its answer to go."""
CONNECTIONS_MAX: Final = 16
"""Callers at one time; one more is told so and let go."""

_WORDS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}
_JSON: Final = "application/json; charset=utf-8"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer.

    Args:
        status: of HTTP.
        content_type: of the body.
        body: octets.

    """

    status: int
    content_type: str
    body: bytes

    @classmethod
    def of(cls, status: int, document: Mapping[str, Any]) -> Page:
        """A page of JSON."""
        return cls(status, _JSON, json.dumps(document, ensure_ascii=False).encode() + b"\n")


Pages = Mapping[str, Callable[[], Awaitable[Page]]]
"""By path, who makes the page."""


@asynccontextmanager
async def monitor(port: int, pages: Pages) -> AsyncIterator[int]:
    """Answer on loopback until left; gives the port.

    Args:
        port: 0: any that is free.
        pages: what there is.

    Raises:
        LineBusy: another program has the port.

    """
    try:
        listener = socket.create_server((LOOPBACK, port))
    except OSError as error:
        where = f"port {port} of {LOOPBACK}"
        raise LineBusy(f"[monitoring] cannot listen on {where}: {os.strerror(error.errno or 0)}") from None
    async with asyncio.TaskGroup() as callers:
        asking: set[asyncio.Task[None]] = set()

        def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            is_full = len(asking) >= CONNECTIONS_MAX
            answering = _answer(reader, writer, {} if is_full else pages)
            task = callers.create_task(answering, name="monitor.caller")
            asking.add(task)
            task.add_done_callback(asking.discard)

        limit = REQUEST_OCTETS_MAX
        server = await asyncio.start_server(welcome, sock=listener, limit=limit, backlog=AT_ONCE)
        queue([listener], CONNECTIONS_MAX)
        try:
            yield listener.getsockname()[1]
        finally:
            server.close()
            for task in asking:
                task.cancel()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pages: Pages) -> None:
    """One request and its answer; without pages there are too many callers."""
    with suppress(OSError, TimeoutError), closing(writer):
        async with asyncio.timeout(REQUEST_S_MAX):
            page = await _page(reader, pages) if pages else _refused(503, "too many ask at one time")
            await send(writer, _response(page))


async def _page(reader: asyncio.StreamReader, pages: Pages) -> Page:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return _refused(400, f"a request has at most {REQUEST_OCTETS_MAX} octets and ends with an empty line")
    words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return _refused(400, "this is no request of HTTP/1")
    if words[0] != "GET":
        return _refused(405, "only GET")
    maker = pages.get(words[1].partition("?")[0])
    if maker is None:
        return _refused(404, f"there are {', '.join(pages)}")
    try:
        return await maker()
    except Exception as error:  # noqa: BLE001 (a number that cannot be had may not end the daemon)
        _log.error("monitor.failed", page=words[1], exc_info=error)
        return _refused(503, "this page cannot be made: see the log")


def _refused(status: int, words: str) -> Page:
    return Page.of(status, {"ok": False, "reason": words})


def _response(page: Page) -> bytes:
    head = (
        f"HTTP/1.1 {page.status} {_WORDS[page.status]}\r\nContent-Type: {page.content_type}\r\n"
        f"Content-Length: {len(page.body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + page.body
