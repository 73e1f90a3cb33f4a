"""Callers who are slow, who are many, or who say nothing: none of them costs another one anything."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from meterlink.config.web import WebSettings
from meterlink.web.serving import open_api
from tests.support.web import Served, served

Way = tuple[asyncio.StreamReader, asyncio.StreamWriter]
ASK = b"GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
PIECE = b"x" * 262_144


@asynccontextmanager
async def _way(path: Path, *, limit: int = 65_536) -> AsyncIterator[Way]:
    reader, writer = await asyncio.open_unix_connection(str(path), limit=limit)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _status(way: Way, ask: bytes = ASK) -> int:
    reader, writer = way
    writer.write(ask)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    body = await reader.readexactly(int(length.partition(b":")[2]))
    status = int(head.split(b" ")[1])
    assert status == 200 or json.loads(body)["status"] == status
    return status


def _settings(folder: Path) -> WebSettings:
    return WebSettings.model_validate({"listen": "", "socket": str(folder / "s")})


@asynccontextmanager
async def _serving(folder: Path, **limits: Any) -> AsyncIterator[tuple[Served, Path]]:
    (folder / "journal.sqlite3").touch()
    async with served(folder) as api, open_api(api.app, _settings(folder), **limits):
        yield api, folder / "s"


@pytest.mark.asyncio
async def test_one_caller_too_many_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens connections without an end would take the daemon's files, and shut billing out."""
    monkeypatch.setattr("meterlink.web.connections.CONNECTIONS_MAX", 2)
    async with _serving(tmp_path) as (_, path), _way(path) as first, _way(path) as second:
        assert [200, 200] == [await _status(first), await _status(second)]
        async with _way(path) as third:
            assert 503 == await _status(third)
        assert 200 == await _status(first), "those that were there first are served on"


@pytest.mark.asyncio
async def test_an_answer_waits_for_no_acknowledgement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks page after page over one connection would wait 40 ms for each."""
    seen: list[socket.socket] = []
    begun = H11Protocol.connection_made

    def begin(self: H11Protocol, transport: asyncio.Transport) -> None:
        seen.append(transport.get_extra_info("socket"))
        begun(self, transport)

    monkeypatch.setattr(H11Protocol, "connection_made", begin)
    (tmp_path / "journal.sqlite3").touch()
    settings = WebSettings.model_validate({"listen": "127.0.0.1:0"})
    async with served(tmp_path) as api, open_api(api.app, settings) as [url]:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        assert 200 == await _status((reader, writer))
        assert [1] == [one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for one in seen]
        writer.close()


@pytest.mark.asyncio
async def test_who_asks_nothing_is_let_go(tmp_path: Path) -> None:
    """Connections that say nothing would be all that there are."""
    async with _serving(tmp_path, asks_within_s=0.05) as (_, path), _way(path) as way:
        way[1].write(b"GET /v1/openapi.json HTTP/1.1\r\n")
        assert b"" == await way[0].read()


@pytest.mark.asyncio
async def test_who_takes_nothing_is_cut_off_and_costs_nobody_anything(tmp_path: Path) -> None:
    """A caller who stands still would hold an answer in memory for ever, and others would wait for him."""
    made, ended = 0, asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal made
        if scope["path"] != "/endless":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while scope["path"]:
                await send({"type": "http.response.body", "body": PIECE, "more_body": True})
                made += 1
                await asyncio.sleep(0)
                if made > 100:
                    break
        finally:
            ended.set()

    async with (
        open_api(endless, _settings(tmp_path), takes_within_s=0.2),
        _way(tmp_path / "s", limit=1_024) as slow,
        _way(tmp_path / "s") as quick,
    ):
        slow[1].write(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await slow[0].readuntil(b"\r\n\r\n")
        assert 200 == await _status(quick, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert made < 20, "an answer waits for who takes it"
        assert not ended.is_set()
        async with asyncio.timeout(10):
            await ended.wait()  # he was cut off: there is nobody left to wait for
