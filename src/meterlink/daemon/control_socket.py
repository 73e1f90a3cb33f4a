"""The daemon's door for this machine: a unix socket, one line of JSON in, one line of JSON out, always.

A request is ``{"id": ..., "op": "order.show", "args": {...}}``, its answer ``{"id": ..., "ok": true,
"result": {...}}`` or ``{"id": ..., "ok": false, "error": {"code", "en", "zh"}}``. Who asks is not in the
request: the kernel says which user is at the other end, and that name is the actor. The file may be used by
its owner and group alone; who of them may do what is for the rules to say.

Requests of one connection are answered one after the other. A caller that goes away does not stop what he
asked for: it is brought to its end, and he can look at it under its id.
"""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from meterlink.daemon.refusals import told
from meterlink.daemon.sending import send
from meterlink.errors import BadRequest, BusFull
from meterlink.model.plain import read_json
from meterlink.transports.accepting import AT_ONCE, QUEUED, queue
from meterlink.transports.unix_listener import unix_listener
from meterlink.transports.unix_path import short_path

SOCKET_FILE: Final = "control.sock"
REQUEST_OCTETS_MAX: Final = 65_536
"""Longest request with its line feed."""
CONNECTIONS_MAX: Final = 128
"""Callers at one time; one more is heard for what is urgent, or told so and let go."""
CONNECTIONS_OF_ONE_MAX: Final = 100
"""Of these, callers of one local user: nobody alone keeps the others out."""
URGENT: Final = frozenset({"control.stop"})
"""What is done however many callers there are."""
URGENT_MAX: Final = 16
"""Callers beyond ``CONNECTIONS_MAX`` at one time, each for one urgent request."""
URGENT_OF_ONE_MAX: Final = 2
"""Of these, callers of one local user."""
URGENT_WITHIN_S: Final = 5.0
"""So soon an urgent request has to come."""
IDLE_MAX_S: Final = 300.0
"""A caller who says nothing for so long is let go."""
ID_MAX: Final = 64
"""Characters of a request's id."""
_CREDENTIALS: Final = struct.Struct("3i")
"""Process, user and group of the other end. Source: unix(7), SO_PEERCRED."""

Handler = Callable[[str, str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""The name of a local user, what he wants, and its arguments: the result, or an error of ours."""
_Serve = Callable[[str, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Serves a local user, by name, at his connection."""
DeskOpener = Callable[[Path, Handler], AbstractAsyncContextManager[None]]
"""Opens the door at a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request.

    Args:
        id: the caller's; comes back with the answer.
        op: what is wanted.
        args: of it.

    """

    id: str
    op: str
    args: Mapping[str, Any]

    @classmethod
    def of(cls, line: bytes) -> Request:
        """The request of a line.

        Raises:
            BadRequest: it is none; the message says why.

        """
        try:
            document = read_json(line)
            _encoded(document)  # half a surrogate pair is text that nothing can be told, kept or sent in
        except (ValueError, RecursionError):
            raise BadRequest("a request is one line of JSON, in UTF-8, with each key once") from None
        match document:
            case {"id": str(name), "op": str(op)} if set(document) <= {"id", "op", "args"}:
                args = document.get("args", {})
            case _:
                raise BadRequest('a request is {"id": text, "op": text, "args": {...}} and nothing more')
        if len(name) > ID_MAX or not isinstance(args, dict):
            raise BadRequest(f"a request's id has at most {ID_MAX} characters, and its args are a table")
        return cls(id=name, op=op, args=args)


@asynccontextmanager
async def control_socket(path: Path, handler: Handler) -> AsyncIterator[None]:
    """Answer at ``path`` until left.

    Args:
        path: of the socket; what is left there of a daemon that died is taken away.
        handler: does what is asked for.

    Raises:
        LineBusy: another daemon answers there, or the file is no socket of ours.
        LineLost: it cannot be made.

    """
    with short_path(path) as near:
        listener = unix_listener(path, near, called="the control socket")
    async with asyncio.TaskGroup() as callers:
        desk = _Desk(handler, callers)
        limit = REQUEST_OCTETS_MAX
        server = await asyncio.start_unix_server(desk.welcome, sock=listener, limit=limit, backlog=AT_ONCE)
        queue([listener], QUEUED)
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)  # noqa: ASYNC240 (one entry of a folder)
            desk.close()


class _Seats:
    """Places for callers, of whom each local user gets a share at most.

    Args:
        total: how many there are.
        of_one: of them, for one user.

    """

    def __init__(self, total: int, of_one: int) -> None:
        self._total = total
        self._of_one = of_one
        self._taken: dict[asyncio.Task[None], int] = {}

    def are_free_for(self, uid: int) -> bool:
        """Whether one more of a user finds a place."""
        of_user = sum(1 for one in self._taken.values() if one == uid)
        return len(self._taken) < self._total and of_user < self._of_one

    def take(self, task: asyncio.Task[None], uid: int) -> None:
        """Give a place to a caller until he has gone."""
        self._taken[task] = uid
        task.add_done_callback(lambda gone: self._taken.pop(gone, None))

    def close(self) -> None:
        """Let everybody go; what is being done for them is cancelled."""
        for task in self._taken:
            task.cancel()


class _Desk:
    """Everybody who stands at the door.

    Args:
        handler: does what is asked for.
        group: holds a task for each caller.

    """

    def __init__(self, handler: Handler, group: asyncio.TaskGroup) -> None:
        self._handler = handler
        self._group = group
        self._callers = _Seats(CONNECTIONS_MAX, CONNECTIONS_OF_ONE_MAX)
        self._urgent = _Seats(URGENT_MAX, URGENT_OF_ONE_MAX)

    def welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one caller until he goes."""
        uid = uid_of(writer.get_extra_info("socket"))
        seats: _Seats | None
        serve: _Serve
        if self._callers.are_free_for(uid):
            seats, serve = self._callers, self._converse
        elif self._urgent.are_free_for(uid):
            seats, serve = self._urgent, self._hear
        else:
            seats, serve = None, self._turn_away
        serving = self._serve(serve, uid, reader, writer)
        task = self._group.create_task(serving, name="control_socket.caller")
        if seats is not None:
            seats.take(task, uid)

    def close(self) -> None:
        """Let everybody go; what is being done for them is cancelled."""
        self._callers.close()
        self._urgent.close()

    async def _serve(
        self,
        serve: _Serve,
        uid: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        with suppress(ConnectionError, TimeoutError), closing(writer):
            await serve(_named(uid), reader, writer)

    async def _turn_away(
        self, _user: str, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await _send(writer, _refusal("", _full()))

    async def _hear(self, user: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Do the one urgent thing for which a caller comes in although all places are taken."""
        try:
            line = await _line(reader, writer, URGENT_WITHIN_S)
        except TimeoutError:
            await _send(writer, _refusal("", _full()))
            return
        if line is None:
            return
        name, is_urgent = _wanted(line)
        if is_urgent:
            await self._handle(user, line, writer)
        else:
            await _send(writer, _refusal(name, _full()))

    async def _converse(self, user: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (line := await _line(reader, writer, IDLE_MAX_S)) is not None:
            await self._handle(user, line, writer)

    async def _handle(self, user: str, line: bytes, writer: asyncio.StreamWriter) -> None:
        name = ""
        try:
            request = Request.of(line)
            name = request.id
            result = await self._handler(user, request.op, request.args)
            answer = _encoded({"id": name, "ok": True, "result": result})
        except Exception as error:  # noqa: BLE001 (a caller is answered, whatever happens)
            answer = _refusal(name, error)
        await _send(writer, answer)


async def _line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, within_s: float) -> bytes | None:
    """The next request; ``None``: there is none, and the caller was told why.

    Raises:
        TimeoutError: he said nothing for so long.

    """
    try:
        async with asyncio.timeout(within_s):
            return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as end:
        if end.partial:
            await _send(writer, _refusal("", BadRequest("a request ends with a line feed")))
    except asyncio.LimitOverrunError:
        told_long = BadRequest(f"a request has at most {REQUEST_OCTETS_MAX} octets")
        await _send(writer, _refusal("", told_long))
    return None


def _wanted(line: bytes) -> tuple[str, bool]:
    """The id of a request, and whether it is urgent."""
    try:
        request = Request.of(line)
    except BadRequest:
        return "", False
    return request.id, request.op in URGENT


def _full() -> BusFull:
    return BusFull(
        f"{CONNECTIONS_MAX} callers are served already, or {CONNECTIONS_OF_ONE_MAX} of yours; try again"
    )


def _refusal(name: str, error: Exception) -> bytes:
    return _encoded({"id": name, "ok": False, "error": told(error)})


def _encoded(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


async def _send(writer: asyncio.StreamWriter, answer: bytes) -> None:
    await send(writer, answer + b"\n")


def uid_of(peer: socket.socket) -> int:
    """The local user at the other end of a unix socket, by number."""
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(raw)
    return int(uid)


def owners() -> frozenset[str]:
    """Who may do with this process what he likes, whatever we say: the user that it runs as, and root."""
    return frozenset({_named(os.geteuid()), _named(0)})


def _named(uid: int) -> str:
    """The name of a local user; ``uid:N`` where the machine has none for him."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid:{uid}"
