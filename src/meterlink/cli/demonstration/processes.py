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


class Program:
    """One of our programs at work.

    Args:
        name: how it is called.
        process: in which it runs.
        log: where its standard error goes.
        ready: its ready line.

    """

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, log: Path, ready: dict[str, Any]
    ) -> None:
        self.ready = ready
        self._name = name
        self._process = process
        self._log = log

    @property
    def has_ended(self) -> bool:
        """Whether it works no more."""
        return self._process.returncode is not None

    def check(self) -> None:
        """Whether it still works.

        Raises:
            DemoFailed: it ended too early.

        """
        code = self._process.returncode
        if code is not None:
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            raise DemoFailed(f"{self._name} {how} while the demonstration ran; see {self._log}")


@asynccontextmanager
async def started(program: str, arguments: Sequence[str], log: Path) -> AsyncIterator[Program]:
    """Run one of our commands until the end of the block; gives it as soon as it is ready.

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
        yield Program(program, process, log, await _ready(process, program, log))
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
