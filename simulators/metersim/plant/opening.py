"""The lines of a plant, open to other processes: TCP ports, pseudo-terminals, and calls to a master."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from metersim.gdw1376.calling import open_calling
from metersim.gdw1376.terminal import Terminal1376
from metersim.plant.at import At
from metersim.plant.built import BuiltPlant
from metersim.plant.built_line import BuiltLine
from metersim.plant.terminal_row import TerminalRow
from metersim.serving.pty import open_pty
from metersim.serving.served import Served
from metersim.serving.tcp import open_dial, open_tcp


@asynccontextmanager
async def open_plant(built: BuiltPlant) -> AsyncIterator[dict[str, str]]:
    """Open every line that is reached from outside; gives their URLs by name.

    A line whose place is ``listen`` is not among them.

    Args:
        built: the plant.

    Raises:
        OSError: a port or a pseudo-terminal cannot be had.

    """
    failure: OSError | None = None
    urls: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        try:
            for name, line in built.lines.items():
                if line.row.at.kind != "listen":
                    urls[name] = await stack.enter_async_context(_opened(line))
            for row in built.plant.concentrators:
                terminal = built.concentrators[row.address].terminal
                opened = _called(terminal, row.at)
                if opened is not None:
                    urls[row.line.name] = await stack.enter_async_context(opened)
            for one in built.plant.terminals:
                opened = _terminal_called(built.terminals[one.address], one)
                if opened is not None:
                    urls[one.line.name] = await stack.enter_async_context(opened)
        except OSError as error:
            failure = error  # raised below, where no line's task group wraps it
        else:
            yield urls
    if failure:
        raise failure


def _called(terminal: Served, at: At) -> AbstractAsyncContextManager[str] | None:
    """How a concentrator and its master find each other; ``None``: only in the same process."""
    if at.kind == "listen":
        return None
    return (open_dial if at.kind == "dial" else open_tcp)(terminal, at.host, at.port)


def _terminal_called(terminal: Terminal1376, row: TerminalRow) -> AbstractAsyncContextManager[str] | None:
    """The same of a terminal of 1376.1, which may get another address now and then."""
    if row.at.kind == "dial":
        return open_calling(terminal, row.at.host, row.at.port, roaming=row.roaming)
    return _called(terminal, row.at)


def _opened(line: BuiltLine) -> AbstractAsyncContextManager[str]:
    at = line.row.at
    if at.kind == "pty":
        return open_pty(line, at.link, line.row.meters[0].profile.line)
    if at.kind == "dial":
        return open_dial(line, at.host, at.port, name=f"plant[{line.name}]")
    return open_tcp(line, at.host, at.port)
