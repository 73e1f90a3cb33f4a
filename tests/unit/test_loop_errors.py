"""What is said of a loop that has no descriptor for its callers."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import socket
from typing import Any

import pytest
from structlog.testing import capture_logs

from meterlink.daemon.loop_errors import TOLD_EVERY_S, LoopErrors
from meterlink.daemon.monitor import LOOPBACK, Page, monitor
from metersim import Simulation


def _used_up() -> dict[str, Any]:
    return {"message": "out of resource", "exception": OSError(errno.EMFILE, "Too many open files")}


def test_errors_of_a_minute_are_one_line_with_their_number() -> None:
    """Eight callers would write 46 MB of tracebacks a minute, and the disk would be full in a day."""

    async def program() -> None:
        loop = asyncio.get_running_loop()
        LoopErrors(loop)
        for _ in range(500):
            loop.call_exception_handler(_used_up())
        await asyncio.sleep(TOLD_EVERY_S + 1)
        loop.call_exception_handler(_used_up())
        await asyncio.sleep(3 * TOLD_EVERY_S)
        loop.call_exception_handler(_used_up())

    with capture_logs() as said:
        Simulation().run(program())
    told = [(one["event"], one["times"]) for one in said]
    assert [("callers_not_taken", n) for n in (1, 499, 1, 1)] == told
    assert all("exc_info" not in one for one in said)


def test_any_other_error_of_the_loop_is_told_as_ever(caplog: pytest.LogCaptureFixture) -> None:
    """A bug in a callback would pass without a word."""

    async def program() -> None:
        loop = asyncio.get_running_loop()
        LoopErrors(loop)
        loop.call_exception_handler({"message": "a bug", "exception": ValueError("no")})

    Simulation().run(program())
    assert "a bug" in caplog.text


@pytest.mark.asyncio
async def test_a_caller_without_a_descriptor_is_one_error_and_then_a_pause() -> None:
    """asyncio says it for each place in the queue, and begins a try for each: more and more of them."""
    errors: list[dict[str, Any]] = []
    seen = asyncio.Event()

    def note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        errors.append(context)
        seen.set()

    async def hello() -> Page:
        return Page.of(200, {"ok": True})

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(note)
    async with monitor(0, {"/": hello}) as port:
        with socket.socket() as caller:
            caller.setblocking(False)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            spare = os.open("/dev/null", os.O_RDONLY)
            os.close(spare)
            resource.setrlimit(resource.RLIMIT_NOFILE, (spare, hard))
            try:
                with contextlib.suppress(BlockingIOError):
                    caller.connect((LOOPBACK, port))
                await asyncio.wait_for(seen.wait(), 5)
                for _ in range(20):
                    await asyncio.sleep(0)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert 1 == len(errors)
            await loop.sock_sendall(caller, b"GET / HTTP/1.1\r\n\r\n")
            assert (await loop.sock_recv(caller, 4096)).startswith(b"HTTP/1.1 200")
