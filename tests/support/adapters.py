"""Security providers for tests: the laboratory's in this process, and one that does what it is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

from meterlink.errors import LineError, LineLost
from meterlink.security.adapter import Adapter
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from metersim.security.hsm import Hsm, Lines
from metersim.security.provider import LabProvider

Behaviour = Callable[["Program", dict[str, Any]], Awaitable[None]]
"""What a program does about a request."""


class Program:
    """A provider's program behind a memory stream; opened again, it is started again.

    Args:
        group: of its tasks.
        behaviour: of each request but ``health``; by default it is answered as a laboratory does.
        name: as ``health`` tells it.
        version: of the protocol, likewise.

    Attributes:
        starts: how often it was opened.
        asked: operations that came, in order, without ``health``.
        refuses: it cannot be started while this is set.

    """

    def __init__(
        self,
        group: asyncio.TaskGroup,
        behaviour: Behaviour | None = None,
        *,
        name: str = "site",
        version: int = 1,
    ) -> None:
        self.starts = 0
        self.asked: list[str] = []
        self.refuses = False
        self.behaviour = behaviour
        self.name = name
        self._version = version
        self._group = group
        self._hsm = Hsm(LabProvider(random.Random(7).randbytes))
        self._end: ByteStream | None = None

    async def open(self) -> ByteStream:
        """The way to it; see ``Opener``."""
        if self.refuses:
            raise LineLost("no such program")
        self.starts += 1
        ours, theirs = memory_line()
        self._end = theirs
        self._group.create_task(self._serve(theirs), name="program")
        return ours

    async def say(self, octets: bytes) -> None:
        """Put out octets."""
        assert self._end is not None
        with contextlib.suppress(LineError):
            await self._end.send(octets)

    async def answer(self, request: dict[str, Any]) -> None:
        """Answer as a laboratory does."""
        await self.say(self._hsm.answer(json.dumps(request).encode()))

    async def end(self) -> None:
        """Die."""
        assert self._end is not None
        await self._end.aclose()

    async def _serve(self, end: ByteStream) -> None:
        lines = Lines()
        with contextlib.suppress(LineError):
            while True:
                for line in lines.feed(await end.receive()):
                    assert line is not None
                    await self._take(json.loads(line))

    async def _take(self, request: dict[str, Any]) -> None:
        if request["op"] == "health":
            told = {"name": self.name, "protocol_version": self._version}
            await self.say(json.dumps({"id": request["id"], "ok": True, "result": told}).encode() + b"\n")
            return
        self.asked.append(request["op"])
        await (self.behaviour(self, request) if self.behaviour else self.answer(request))


def adapter_of(program: Program, *, timeout_s: float = 10.0) -> Adapter:
    """What asks it."""
    return Adapter("site", program.open, rng=random.Random(3), timeout_s=timeout_s)
