"""The API on a port and a unix socket, served by uvicorn on the loop of the daemon."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from meterlink.config.fault import unreadable
from meterlink.config.web import WebSettings, WebTlsSettings, endpoint_of
from meterlink.errors import ConfigError, LineBusy
from meterlink.transports.accepting import AT_ONCE, QUEUED, queue
from meterlink.transports.unix_listener import unix_listener
from meterlink.transports.unix_path import short_path
from meterlink.web.connections import ASKS_WITHIN_S, TAKES_WITHIN_S, ServerConfig
from meterlink.web.limits import HEAD_OCTETS_MAX

GRACE_S: Final = 1
"""Answers that are on their way may take so long when the daemon stops."""
CALLED: Final = "the socket of the API"

Supervisor = Callable[[str, Callable[[], Awaitable[None]]], Coroutine[Any, Any, None]]
"""Runs a part of a name until it ends by itself, and starts it again when it crashes."""


class _Server(uvicorn.Server):
    """Signals belong to the daemon; callers are taken one at a time (``accepting``)."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See ``uvicorn.Server.startup``."""
        await super().startup(sockets=sockets)
        queue(sockets or [], QUEUED)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Listener:
    """One place where callers come in.

    Args:
        app: answers them.
        listening: where they queue.
        tls: how they are spoken to; ``None``: in clear.
        asks_within_s: see ``connections``.
        takes_within_s: the same.

    """

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        *,
        tls: ssl.SSLContext | None,
        asks_within_s: float,
        takes_within_s: float,
    ) -> None:
        self._listening = listening
        self._tls = tls
        self._server: _Server | None = None
        self._is_over = False
        self._config = ServerConfig(
            app,
            loop="none",
            ws="none",
            lifespan="off",
            backlog=AT_ONCE,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=HEAD_OCTETS_MAX,
            timeout_graceful_shutdown=GRACE_S,
            asks_within_s=asks_within_s,
            takes_within_s=takes_within_s,
        )

    async def run(self) -> None:
        """Serve until told to stop."""
        if self._is_over:
            return
        self._config.load()
        self._config.ssl = self._tls
        self._server = _Server(self._config)
        await self._server.serve(sockets=[self._listening.dup()])  # which it closes at its end

    def stop(self) -> None:
        """Take no more callers, and let those go who are there."""
        self._is_over = True
        if self._server is not None:
            self._server.should_exit = True


async def _unsupervised(name: str, run: Callable[[], Awaitable[None]]) -> None:
    del name
    await run()


@asynccontextmanager
async def open_api(
    app: ASGIApp,
    settings: WebSettings,
    *,
    supervised: Supervisor = _unsupervised,
    asks_within_s: float = ASKS_WITHIN_S,
    takes_within_s: float = TAKES_WITHIN_S,
) -> AsyncIterator[list[str]]:
    """Serve an application until the block ends; gives where.

    Args:
        app: see ``app.application``.
        settings: where to listen.
        supervised: see ``Supervisor``.
        asks_within_s: seconds in which a request has to come whole; its connection is closed else.
        takes_within_s: seconds in which a caller has to take some of his answer; he is cut off else.

    Raises:
        ConfigError: the certificate or its key cannot be used.
        LineBusy, LineLost: somebody else listens there, or nobody can.

    """
    tls = None if settings.tls is None else _tls(settings.tls)
    with ExitStack() as stack:
        urls, listeners = [], []
        for url, listening, its_tls in _places(settings, tls, stack):
            urls.append(url)
            listeners.append(
                _Listener(
                    app, listening, tls=its_tls, asks_within_s=asks_within_s, takes_within_s=takes_within_s
                )
            )
        async with asyncio.TaskGroup() as group:
            for number, listener in enumerate(listeners):
                group.create_task(supervised("web", listener.run), name=f"web[{number}]")
            try:
                yield urls
            finally:
                for listener in listeners:
                    listener.stop()


def _places(
    settings: WebSettings, tls: ssl.SSLContext | None, stack: ExitStack
) -> Iterator[tuple[str, socket.socket, ssl.SSLContext | None]]:
    """Where we listen, each with its URL, and how callers are spoken to there."""
    if settings.listen:
        listening = stack.enter_context(_port(settings.listen))
        host, port, *_ = listening.getsockname()
        shown = f"[{host}]" if ":" in host else host
        yield f"{'http' if tls is None else 'https'}://{shown}:{port}", listening, tls
    if settings.socket is not None:
        path = settings.socket.expanduser()
        with short_path(path) as near:
            listening = stack.enter_context(unix_listener(path, near, called=CALLED))
        stack.callback(path.unlink, missing_ok=True)
        yield f"unix:{path}", listening, None


def _port(listen: str) -> socket.socket:
    host, port = endpoint_of(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=QUEUED)
    except OSError as error:
        raise LineBusy(f"[web] cannot listen on {listen}: {os.strerror(error.errno or 0)}") from None
    # Its connections take this over. asyncio sets it only where the socket names its protocol, which those of
    # create_server do not; without it each answer behind the first waits 40 ms for the caller's kernel.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _tls(settings: WebTlsSettings) -> ssl.SSLContext:
    for path in (settings.certificate, settings.key):
        _readable(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.certificate, settings.key, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or "no certificate and key in PEM"
        raise ConfigError(
            f"[web.tls] {settings.certificate} and {settings.key}: {reason}",
            f"[web.tls] {settings.certificate} 和 {settings.key}:不是可用的 PEM 证书和密钥({reason})",
        ) from None
    return context


def _no_password() -> str:
    """Nobody sits at the terminal of a daemon."""
    raise ValueError("the key is encrypted")


def _readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise unreadable(path, error).behind("[web.tls] ") from None
