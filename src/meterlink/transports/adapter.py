"""Streams to a program of the site: the standard input and output of a child of ours, or a socket.

These are no lines of meters: nobody else is kept from them, and a program may serve several daemons.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

from meterlink.errors import LineClosed, LineLost
from meterlink.transports.protocol_stream import ProtocolStream

END_TIMEOUT_S: Final = 1.0
"""How long a child may take to end after its input has ended, and again after it was asked to."""
_PIECE_OCTETS: Final = 4096


class AdapterStream(Protocol):
    """Octets both ways; one reader, one writer."""

    async def send(self, octets: bytes) -> None:
        """See ``ByteStream.send``."""

    async def receive(self, limit: int = 4096) -> bytes:
        """See ``ByteStream.receive``."""

    async def aclose(self) -> None:
        """See ``ByteStream.aclose``."""


async def open_process(command: Sequence[str]) -> AdapterStream:
    """Start a program and speak over its standard input and output; its standard error goes nowhere.

    Args:
        command: program and arguments, at least one; no shell sees it.

    Raises:
        LineLost: it cannot be started.

    """
    program, *arguments = command
    try:
        process = await asyncio.create_subprocess_exec(
            program, *arguments, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True
        )
    except OSError as error:
        raise LineLost(f"{program} cannot be started: {error.strerror}") from None
    return _ProcessStream(program, process)


async def open_tcp(host: str, port: int) -> AdapterStream:
    """Dial a program that listens.

    Raises:
        LineLost: nobody listens there.

    """
    loop, name = asyncio.get_running_loop(), f"{host}:{port}"
    try:
        _, stream = await loop.create_connection(lambda: ProtocolStream(name), host, port)
    except OSError as error:
        raise LineLost(f"{name}: {error.strerror or 'cannot be reached'}") from None
    return stream


async def open_unix(path: str) -> AdapterStream:
    """Dial a program that listens at a path.

    Raises:
        LineLost: nobody listens there.

    """
    loop = asyncio.get_running_loop()
    try:
        _, stream = await loop.create_unix_connection(lambda: ProtocolStream(path), path)
    except OSError as error:
        raise LineLost(f"{path}: {error.strerror or 'cannot be reached'}") from None
    return stream


class _ProcessStream:
    """A child, which ends when the stream is closed, and all that it has started with it."""

    def __init__(self, name: str, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._name = name
        self._process = process
        self._input = process.stdin
        self._output = process.stdout
        self._closed = False

    async def send(self, octets: bytes) -> None:
        """See ``ByteStream.send``."""
        self._check()
        try:
            if self._input.is_closing():  # asyncio says so when it is written to, uvloop breaks over that
                raise BrokenPipeError
            self._input.write(octets)
            await self._input.drain()
        except OSError:
            raise LineLost(f"{self._name} reads no more") from None

    async def receive(self, limit: int = 4096) -> bytes:
        """See ``ByteStream.receive``."""
        self._check()
        octets = await self._output.read(limit)
        if not octets:
            raise LineLost(f"{self._name} has ended its output")
        return octets

    async def aclose(self) -> None:
        """See ``ByteStream.aclose``: its input ends; who does not end then is asked to, and then made to."""
        if self._closed:
            return
        self._closed = True
        self._input.close()
        left = [signal.SIGTERM, signal.SIGKILL]
        try:
            while not await self._ended() and left:
                self._signal(left.pop(0))
        except asyncio.CancelledError:
            self._signal(signal.SIGKILL)
            raise

    async def _ended(self) -> bool:
        """Whether it ends in time, with everybody who could still write to us."""
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                while await self._output.read(_PIECE_OCTETS):
                    pass
                await self._process.wait()
        except TimeoutError:
            return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        """To the child and to what it has started; its group is its own."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _check(self) -> None:
        if self._closed:
            raise LineClosed(f"{self._name}: closed by us")
