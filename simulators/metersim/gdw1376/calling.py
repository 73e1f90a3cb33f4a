"""How a terminal calls its master, and again: after a connection ended, or from another address before.

A mobile network gives a terminal another address now and then; the connection that it had is then dead and
nobody closes it. The terminal dials again at once, so that for a while its master has two connections, the
older of which says nothing any more. Source: field practice, section 4.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, Protocol

from metersim.gdw1376.terminal import Terminal1376
from metersim.line.line import Duplex
from metersim.serving.tcp import REDIAL_S, TcpDuplex

LINGER_S: Final = 120.0
"""How long a connection that is dead stays."""
LINGERING_MAX: Final = 8
"""Dead connections of one terminal at once; with one more the oldest is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roaming:
    """How often a terminal gets another address.

    Args:
        every_s: how long it has one, over 0 s; ``None``: for ever.
        linger_s: how long the connection from the old one stays, 0 s or more.
        redial_s: pause before it calls again after a connection ended, 0 s or more.

    Raises:
        ValueError: a figure out of its range.

    """

    every_s: float | None = None
    linger_s: float = LINGER_S
    redial_s: float = REDIAL_S

    def __post_init__(self) -> None:
        """Check the ranges."""
        if (self.every_s is not None and self.every_s <= 0) or self.linger_s < 0 or self.redial_s < 0:
            raise ValueError("a terminal has an address for over 0 s, and lingers and pauses for 0 s or more")


SETTLED: Final = Roaming()


class Closable(Duplex, Protocol):
    """A connection that can be cut."""

    def close(self) -> None:
        """Cut it."""


async def keep_calling(
    terminal: Terminal1376, connect: Callable[[], Awaitable[Closable]], *, roaming: Roaming = SETTLED
) -> None:
    """Call a master, and again each time the connection ends or cannot be made; until cancelled.

    Args:
        terminal: who calls.
        connect: makes a connection; an ``OSError`` when it cannot.
        roaming: how often it gets another address.

    """
    dead: list[Closable] = []
    async with asyncio.TaskGroup() as group:
        try:
            while True:
                duplex = None
                with suppress(OSError):
                    duplex = await connect()
                if duplex is not None and await _served(terminal, duplex, roaming.every_s):
                    dead.append(duplex)
                    for oldest in dead[:-LINGERING_MAX]:
                        oldest.close()
                    del dead[:-LINGERING_MAX]
                    group.create_task(_lingering(duplex, dead, roaming.linger_s), name="terminal.lingering")
                    continue
                await asyncio.sleep(roaming.redial_s)
        finally:
            for duplex in dead:
                duplex.close()


async def _served(terminal: Terminal1376, duplex: Closable, every_s: float | None) -> bool:
    """Serve a connection; whether it was left behind, still open."""
    left = False
    try:
        async with asyncio.timeout(every_s):
            await terminal.serve(duplex)
    except TimeoutError:
        left = True
    except ConnectionError:
        pass
    finally:
        if not left:
            duplex.close()
    return left


async def _lingering(duplex: Closable, dead: list[Closable], linger_s: float) -> None:
    await asyncio.sleep(linger_s)
    duplex.close()
    if duplex in dead:
        dead.remove(duplex)


class _Tcp(TcpDuplex):
    """A TCP connection that can be cut as one in memory can."""

    def close(self) -> None:
        """Drop it."""
        self.abort()


@asynccontextmanager
async def open_calling(
    terminal: Terminal1376, host: str, port: int, *, roaming: Roaming = SETTLED
) -> AsyncIterator[str]:
    """Keep a terminal calling a master over TCP; gives ``dial://host:port``.

    Args:
        terminal: who calls.
        host: the master's.
        port: the master's.
        roaming: how often it gets another address.

    """

    async def connect() -> _Tcp:
        _, duplex = await asyncio.get_running_loop().create_connection(_Tcp, host, port)
        return duplex

    async with asyncio.TaskGroup() as group:
        name = f"terminal[{terminal.name}].dial"
        calling = group.create_task(keep_calling(terminal, connect, roaming=roaming), name=name)
        try:
            yield f"dial://{f'[{host}]' if ':' in host else host}:{port}"
        finally:
            calling.cancel()
