"""Simulated time behaves as real time does, only faster, and says what it cannot do."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from meterlink.clock import Clock
from metersim.loop import OutsideSimulation, SimClock, Simulation, SimulationStuck

TICK_S = 0.02  # programs on the real loop wait a few of these; only their order is compared

Program = Callable[[], Coroutine[Any, Any, list[str]]]


async def _timers() -> list[str]:
    seen: list[str] = []
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.call_later(3 * TICK_S, done.set)
    loop.call_later(2 * TICK_S, seen.append, "second")
    loop.call_later(1 * TICK_S, seen.append, "first")
    loop.call_later(1.5 * TICK_S, seen.append, "never").cancel()
    loop.call_soon(seen.append, "soon")
    await done.wait()
    return seen


async def _timeouts() -> list[str]:
    seen = []
    try:
        async with asyncio.timeout(TICK_S):
            await asyncio.sleep(50 * TICK_S)
    except TimeoutError:
        seen.append("expired")
    async with asyncio.timeout(50 * TICK_S):
        await asyncio.sleep(TICK_S)
        seen.append("in time")
    try:
        await asyncio.wait_for(asyncio.Event().wait(), TICK_S)
    except TimeoutError:
        seen.append("wait_for expired")
    return seen


async def _task_group() -> list[str]:
    seen: list[str] = []

    async def worker(name: str, ticks: int) -> None:
        try:
            await asyncio.sleep(ticks * TICK_S)
            seen.append(name)
        except asyncio.CancelledError:
            seen.append(f"{name} cancelled")
            raise

    async def fail() -> None:
        await asyncio.sleep(2 * TICK_S)
        raise ValueError

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(worker("a", 1), name="a")
            group.create_task(fail(), name="fail")
            group.create_task(worker("b", 50), name="b")
    except* ValueError:
        seen.append("group failed")
    return seen


async def _cancellation() -> list[str]:
    seen = []

    async def stubborn() -> str:
        try:
            await asyncio.sleep(50 * TICK_S)
        except asyncio.CancelledError:
            await asyncio.sleep(TICK_S)
            return "cleaned up"
        return "slept"

    async with asyncio.TaskGroup() as group:
        task = group.create_task(stubborn(), name="stubborn")
        await asyncio.sleep(TICK_S)
        task.cancel()
    seen.append(task.result())
    return seen


async def _queues() -> list[str]:
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=2)
    seen = []

    async def produce() -> None:
        for number in range(5):
            await queue.put(number)
            await asyncio.sleep(TICK_S if number % 2 else 0)

    async with asyncio.TaskGroup() as group:
        group.create_task(produce(), name="produce")
        for _ in range(5):
            seen.append(str(await queue.get()))
    return [*seen, f"left {queue.qsize()}"]


async def _executor() -> list[str]:
    def divide(by: int) -> int:
        return 6 // by

    seen = [str(await asyncio.to_thread(divide, 3))]
    try:
        await asyncio.get_running_loop().run_in_executor(None, divide, 0)
    except ZeroDivisionError:
        seen.append("its error comes back")
    return seen


@pytest.mark.parametrize("program", [_timers, _timeouts, _task_group, _cancellation, _queues, _executor])
def test_a_program_does_the_same_in_simulated_and_in_real_time(program: Program) -> None:
    """A simulated test would prove nothing if asyncio meant something else there."""
    real = asyncio.run(program())
    assert len(real) > 0
    assert real == Simulation().run(program())


def test_a_simulated_day_costs_no_real_day() -> None:
    """Waiting must move the simulated clock, both of its hands, by exactly what was waited."""
    sim = Simulation(start=datetime(2026, 3, 1, tzinfo=UTC))

    async def day() -> None:
        for _ in range(96):
            await asyncio.sleep(900)

    sim.run(day())
    assert datetime(2026, 3, 2, tzinfo=UTC) == sim.clock.utc_now()
    assert 86_400.0 == sim.clock.monotonic_s()


def test_time_goes_on_in_a_second_run() -> None:
    """A daemon that is killed and started again must not find itself in the past."""
    sim = Simulation()
    sim.run(asyncio.sleep(10))
    sim.run(asyncio.sleep(5))
    assert 15.0 == sim.clock.monotonic_s()


def test_the_wall_clock_steps_alone() -> None:
    """Setting the machine's time must not move a deadline."""
    clock: Clock = SimClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert isinstance(clock, SimClock)
    clock.advance(1.5)
    clock.step_wall(timedelta(hours=-1))
    assert datetime(2026, 3, 1, 11, 0, 1, 500_000, tzinfo=UTC) == clock.utc_now()
    assert 1.5 == clock.monotonic_s()


def test_threads_are_inline() -> None:
    """Work in a real thread would end at an unknown simulated time."""
    assert threading.get_ident() == Simulation().run(asyncio.to_thread(threading.get_ident))


async def _connect() -> object:
    return await asyncio.open_connection("127.0.0.1", 1)


async def _listen() -> object:
    return await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)


async def _resolve() -> object:
    return await asyncio.get_running_loop().getaddrinfo("localhost", 1)


async def _subprocess() -> object:
    return await asyncio.create_subprocess_exec("true")


async def _shell() -> object:
    return await asyncio.create_subprocess_shell("true")


async def _datagram() -> object:
    return await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
    )


async def _unix() -> object:
    return await asyncio.open_unix_connection("/nowhere")


async def _socket() -> object:
    with socket.socket() as plain:
        plain.setblocking(False)
        return await asyncio.get_running_loop().sock_recv(plain, 1)


async def _signal() -> object:
    return asyncio.get_running_loop().add_signal_handler(15, print)


@pytest.mark.parametrize(
    "forbidden",
    [_connect, _listen, _resolve, _subprocess, _shell, _datagram, _unix, _socket, _signal],
)
def test_what_has_no_simulated_time_is_refused(forbidden: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """A socket or a process would answer in real time, and the run would no longer be repeatable."""
    with pytest.raises(OutsideSimulation, match="memory stream"):
        Simulation().run(forbidden())


def test_a_program_that_would_hang_says_where() -> None:
    """A hanging test would be killed after 20 s without a word about the cause."""

    async def hang() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait(), name="waits-for-nobody")

    with pytest.raises(SimulationStuck, match="no timer") as caught:
        Simulation().run(hang())
    assert "waits-for-nobody waits at" in "".join(caught.value.__notes__)


def test_a_program_that_never_rests_ends_at_the_limit() -> None:
    """A busy loop does not hang on a timer, so only counting its turns ends it."""

    async def spin(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    Simulation(steps_max=100).run(spin(90))
    with pytest.raises(SimulationStuck, match="steps"):
        Simulation(steps_max=100).run(spin(200))


def test_what_is_left_over_is_cancelled_and_its_cleanup_runs() -> None:
    """A task that outlives the test would leak its line into the next one."""
    seen = []

    async def left_over() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(1)
            seen.append("cleaned up")

    async def main() -> asyncio.Task[None]:
        task = asyncio.ensure_future(left_over())
        await asyncio.sleep(1)
        return task

    task = Simulation().run(main())
    assert task.cancelled()
    assert ["cleaned up"] == seen


def test_an_error_in_a_callback_fails_the_run() -> None:
    """asyncio only logs such an error; a test that goes on after it proves nothing."""

    def fail() -> None:
        raise ValueError("in a callback")

    async def main() -> None:
        asyncio.get_running_loop().call_soon(fail)
        await asyncio.sleep(1)

    with pytest.raises(ValueError, match="in a callback"):
        Simulation().run(main())


def _race(seed: int) -> list[tuple[float, int]]:
    sim = Simulation(seed=seed)
    seen: list[tuple[float, int]] = []

    async def worker(number: int, random: Random, pause: Callable[[float], Awaitable[None]]) -> None:
        for _ in range(10):
            await pause(random.choice([0.0, 0.5, 0.5, 1.0]))
            seen.append((sim.clock.monotonic_s(), number))

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(worker(number, sim.random, asyncio.sleep), name=f"worker[{number}]")

    sim.run(main())
    return seen


def test_the_same_seed_gives_the_same_order() -> None:
    """A failing seed could not be replayed otherwise."""
    assert 200 == len(_race(1))
    assert _race(1) == _race(1)
    assert _race(1) != _race(2)


def test_two_years_are_no_end_of_time() -> None:
    """After 194 days a nanosecond is less than a float of seconds can tell: no timer was ever due again."""
    sim = Simulation(seed=1)

    async def main() -> int:
        for _ in range(2 * 365):
            await asyncio.sleep(86_400 - 0.001)
            await asyncio.sleep(0.001)
        return round(asyncio.get_running_loop().time())

    assert 2 * 365 * 86_400 == sim.run(main())
