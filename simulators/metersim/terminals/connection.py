"""A connection with a master: what a concentrator knows it answers at once, the rest when it has it.

A request for meters is carried out beside the connection, so that reports, heartbeats and segments go on; a
request that comes meanwhile takes its place, and its answer is then given up.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from metersim.line.line import Duplex
from metersim.terminals.proxy import Proxy
from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.association import ConnectRequest, ConnectResponse, PasswordSecurity
from meterwire.dlt698.apdus.link_management import ServerErrorResponse
from meterwire.dlt698.sessions.server import ERROR_OTHER, Request, ServerSession
from meterwire.errors import LocalProtocolError

ANSWER_DELAY_S: Final = 0.05
"""How long it thinks about what it knows itself."""
PROXIES_MAX: Final = 8
"""Requests for meters in hand at once, of one connection; one more is refused (DAR 2)."""


class Served698(Protocol):
    """Who answers; `metersim.terminals.concentrator.Concentrator`."""

    def session(self) -> ServerSession:
        """Its end of a new connection."""

    def now(self) -> datetime:
        """The true time."""

    def worked_out(self, request: Request, *, associated: bool) -> Apdu:
        """The answer to what does not reach through."""

    async def passed_through(self, request: Request, *, associated: bool) -> Apdu:
        """The answer to what does."""

    def too_busy(self, request: Request) -> Apdu:
        """The answer to one request for meters too many."""

    def mishap_at(self, octets: bytes) -> bool:
        """Whether it is reset at these octets."""


class Connection:
    """One connection: an association, and the requests in hand.

    Args:
        concentrator: whose.
        duplex: what carries the octets.

    """

    def __init__(self, concentrator: Served698, duplex: Duplex) -> None:
        self._concentrator = concentrator
        self._duplex = duplex
        self._session = concentrator.session()
        self._by_password = False
        self._timeout = timedelta()
        self._heard_at = concentrator.now()
        self._passing: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Answer until the other side ends it."""
        async with asyncio.TaskGroup() as group:
            try:
                while octets := await self._duplex.receive():
                    await self._take(octets, group)
            except ConnectionError:
                pass  # nobody is left to answer
            finally:
                for task in self._passing:
                    task.cancel()

    async def _take(self, octets: bytes, group: asyncio.TaskGroup) -> None:
        now = self._concentrator.now()
        if self._session.connected and now - self._heard_at > self._timeout:
            self._session.time_out()
        self._heard_at = now
        for request in self._session.feed(octets):
            if not Proxy.is_meant(request.apdu) or request.envelope is not None:
                await asyncio.sleep(ANSWER_DELAY_S)
                self._reply(request, self._worked_out(request))
            elif len(self._passing) >= PROXIES_MAX:
                self._reply(request, self._concentrator.too_busy(request))
            else:
                task = group.create_task(self._pass(request), name="concentrator.passing")
                self._passing.add(task)
                task.add_done_callback(self._passing.discard)
        await self._send()

    async def _pass(self, request: Request) -> None:
        answer = await self._concentrator.passed_through(request, associated=self._associated)
        self._reply(request, answer)
        with suppress(ConnectionError):  # the reader of the connection sees it too, and ends
            await self._send()

    @property
    def _associated(self) -> bool:
        return self._by_password and self._session.connected

    def _worked_out(self, request: Request) -> Apdu:
        answer = self._concentrator.worked_out(request, associated=self._associated)
        if isinstance(request.apdu, ConnectRequest) and isinstance(answer, ConnectResponse):
            self._by_password = not answer.result and isinstance(request.apdu.auth, PasswordSecurity)
            self._timeout = timedelta(seconds=answer.timeout_s)
        return answer

    def _reply(self, request: Request, answer: Any) -> None:
        try:
            self._session.answer(request, answer)
        except LocalProtocolError:  # longer than the client takes
            self._session.answer(request, ServerErrorResponse(piid=answer.piid, error=ERROR_OTHER))

    async def _send(self) -> None:
        octets = self._session.octets_to_send()
        if octets and not self._concentrator.mishap_at(octets):
            await self._duplex.send(octets)
