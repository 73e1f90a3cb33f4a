"""The demonstration's two programs: the simulator and the daemon, as anybody would start them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from meterlink.errors import MeterlinkError

READY_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 10.0


class DemoFailed(MeterlinkError):
    """A program of the demonstration did not start, or ended too early."""


@asynccontextmanager
async def started(program: str, arguments: Sequence[str], log: Path) -> AsyncIterator[dict[str, Any]]:
    """Run one of our commands until the end of the block; gives its ready line.

    Args:
        program: ``metersim`` or ``meterlink``, from the same environment as this process.
        arguments: of the command.
        log: where its standard error goes.

    Raises:
        DemoFailed: it does not start or says nothing.

    """
    command = Path(sys.executable).with_name(program)
    with log.open("wb") as errors:
        # A session of its own: Ctrl-C reaches only us, and we stop it in order.
        process = await asyncio.create_subprocess_exec(
            command,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    try:
        yield await _ready(process, program, log)
    finally:
        await _stop(process)


async def _ready(process: asyncio.subprocess.Process, program: str, log: Path) -> dict[str, Any]:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            line = await process.stdout.readline()
    except TimeoutError:
        raise DemoFailed(f"{program} was not ready within {READY_TIMEOUT_S:g} s; see {log}") from None
    try:
        ready = json.loads(line)
    except ValueError:
        raise DemoFailed(f"{program} did not start; see {log}") from None
    assert isinstance(ready, dict)
    return ready


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
