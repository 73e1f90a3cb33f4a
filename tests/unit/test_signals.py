"""A daemon that is told to stop must stop, however busy it was."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from meterlink.daemon.signals import hearing

_CALLS = 2_000
"""More than the loop's pipe takes."""


@pytest.mark.asyncio
async def test_a_signal_is_heard_while_the_pipe_of_the_loop_is_full() -> None:
    """A daemon whose threads have ended much while its loop was busy would go on for ever after SIGTERM."""
    loop, heard = asyncio.get_running_loop(), asyncio.Event()
    with hearing({signal.SIGTERM: heard.set}):
        for _ in range(_CALLS):
            loop.call_soon_threadsafe(lambda: None)
        os.kill(os.getpid(), signal.SIGTERM)
        await heard.wait()


@pytest.mark.asyncio
async def test_signals_mean_afterwards_what_they_meant() -> None:
    """Whoever runs a program in a program would have a signal that nobody hears."""
    before = signal.getsignal(signal.SIGHUP)
    with hearing({signal.SIGHUP: lambda: None}):
        assert before != signal.getsignal(signal.SIGHUP)
    assert before == signal.getsignal(signal.SIGHUP)
