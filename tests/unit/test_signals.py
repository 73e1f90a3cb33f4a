"""A daemon that is told to stop must stop, however busy it was."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys

import pytest

from meterlink.daemon.interpreter import GARBAGE_AFTER, LOOP_BACK_S
from meterlink.daemon.programs import LEFT_EXIT, until_signal
from meterlink.daemon.signals import hearing

_CALLS = 2_000
"""More than the loop's pipe takes."""


@pytest.mark.asyncio
async def test_a_signal_is_heard_while_the_pipe_of_the_loop_is_full() -> None:
    """A daemon whose threads have ended much while its loop was busy would go on for ever after SIGTERM."""
    loop, calls = asyncio.get_running_loop(), list[str]()
    turned = loop.create_future()
    with hearing({signal.SIGTERM: lambda: calls.append("stop")}):
        for _ in range(_CALLS):
            loop.call_soon_threadsafe(calls.append, "a thread has ended")
        os.kill(os.getpid(), signal.SIGTERM)
        loop.call_soon(turned.set_result, None)
        await turned
    assert [*["a thread has ended"] * _CALLS, "stop"] == calls


@pytest.mark.asyncio
async def test_signals_mean_afterwards_what_they_meant() -> None:
    """Whoever runs a program in a program would have a signal that nobody hears."""
    before = signal.getsignal(signal.SIGHUP)
    with hearing({signal.SIGHUP: lambda: None}):
        assert before != signal.getsignal(signal.SIGHUP)
    assert before == signal.getsignal(signal.SIGHUP)


def test_a_program_has_the_interpreter_back_soon_and_leaves_it_as_it_was() -> None:
    """While the journal works each call of a socket would cost the loop 5 ms, and a stop take a minute.

    And of the time of a busy loop the search for garbage that is not there would take a tenth.
    """
    seen: list[float] = []

    async def program(stop: asyncio.Event) -> None:
        seen.extend((sys.getswitchinterval(), gc.get_threshold()[0]))
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()

    before = sys.getswitchinterval(), gc.get_threshold()
    until_signal(program)
    assert [pytest.approx(LOOP_BACK_S), GARBAGE_AFTER] == seen
    assert before == (sys.getswitchinterval(), gc.get_threshold())


LEAVES_SOMETHING = """
import asyncio, signal
from meterlink.daemon import supervise
from meterlink.daemon.programs import until_signal
supervise.CUT_PATIENCE_S = supervise.CUT_AGAIN_S = 0.05

async def stubborn():
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass

async def program(stop):
    task = asyncio.get_running_loop().create_task(stubborn(), name="stubborn")
    await asyncio.sleep(0)
    signal.raise_signal(signal.SIGTERM)
    await stop.wait()

until_signal(program)
"""


def test_a_program_ends_whatever_is_left() -> None:
    """A task that nobody can end would keep the process until it is killed."""
    done = subprocess.run(
        [sys.executable, "-c", LEAVES_SOMETHING], capture_output=True, text=True, timeout=15, check=False
    )
    assert LEFT_EXIT == done.returncode
    assert "left_behind" in done.stdout + done.stderr
    assert "stubborn" in done.stdout + done.stderr
