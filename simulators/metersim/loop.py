"""Simulated time: an asyncio loop that jumps to the next timer instead of waiting for it.

A plain test function runs a coroutine in it, and a simulated day takes milliseconds::

    def test_a_day_has_96_quarters() -> None:
        sim = Simulation(seed=7)
        assert 96 == sim.run(count_quarters_of_a_day(sim.clock))

What holds inside: the same program with the same seed does the same things in the same order, on any
machine. What is not there: threads (``run_in_executor`` runs inline), sockets, pipes, signals and other
processes. Asking for one raises `OutsideSimulation`; put a memory stream in its place. A program that
would hang raises `SimulationStuck`, which says which task waits where.

Time belongs to the `Simulation`, not to its loop: a second ``run`` goes on where the first one stopped,
as a daemon does that was killed and started again.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NoReturn, TypeVar

START = datetime(2026, 1, 1, tzinfo=UTC)  # where simulated wall time begins unless told otherwise
STEPS_MAX = 10_000_000  # a day of 1,000 meters with 96 points each takes about a tenth of it
STUCK_TASKS_SHOWN_MAX = 20

_OUTSIDE = [
    "add_reader",
    "add_signal_handler",
    "add_writer",
    "connect_accepted_socket",
    "connect_read_pipe",
    "connect_write_pipe",
    "create_connection",
    "create_datagram_endpoint",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "getaddrinfo",
    "getnameinfo",
    "sendfile",
    "sock_accept",
    "sock_connect",
    "sock_recv",
    "sock_recv_into",
    "sock_recvfrom",
    "sock_recvfrom_into",
    "sock_sendall",
    "sock_sendfile",
    "sock_sendto",
    "start_tls",
    "subprocess_exec",
    "subprocess_shell",
]

_RESOLUTION_S = 1e-6
"""A timer is due when it is no further away. The system's nanosecond is less than a float of seconds can tell
after 194 days, and a due timer would never be due."""

_T = TypeVar("_T")


class OutsideSimulation(RuntimeError):
    """The program asked for something that has no simulated time: a socket, a process, a signal."""


class SimulationStuck(RuntimeError):
    """The program would wait for ever, or takes more steps than it may."""


class SimClock:
    """Wall time and monotonic time that stand still until the loop, or a test, moves them.

    Args:
        start: first wall time, aware.

    """

    def __init__(self, start: datetime = START) -> None:
        self._wall_at_zero = start.astimezone(UTC)
        self._now_s = 0.0

    def utc_now(self) -> datetime:
        """Wall time, aware, UTC."""
        return self._wall_at_zero + timedelta(seconds=self._now_s)

    def monotonic_s(self) -> float:
        """Seconds since the simulation began; never goes back."""
        return self._now_s

    def step_wall(self, by: timedelta) -> None:
        """Move the wall clock, and only it, as somebody who sets the time of the machine does."""
        self._wall_at_zero += by

    def advance(self, seconds: float) -> None:
        """Let time pass; the loop does this.

        Args:
            seconds: how long, not negative.

        """
        assert seconds >= 0, "time never goes back"
        self._now_s += seconds


class _JumpingSelector(selectors.SelectSelector):
    """Where a loop would sleep, this one moves the clock."""

    def __init__(self, clock: SimClock, steps_max: int) -> None:
        super().__init__()
        self._clock = clock
        self._steps_left = steps_max

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self._steps_left == 0:
            raise SimulationStuck("simulation stuck: it took all the steps it may")
        self._steps_left -= 1
        if timeout is None:
            raise SimulationStuck("simulation stuck: nothing is ready and no timer is set")
        self._clock.advance(timeout)
        return []


class SimLoop(asyncio.SelectorEventLoop):
    """An asyncio loop in simulated time; `Simulation.run` makes and closes one.

    Args:
        clock: whose time it lives in and moves.
        steps_max: turns of the loop before it gives up, so that a busy loop ends too.

    """

    def __init__(self, clock: SimClock, *, steps_max: int = STEPS_MAX) -> None:
        self._clock = clock
        super().__init__(_JumpingSelector(clock, steps_max))
        self._clock_resolution = _RESOLUTION_S

    def time(self) -> float:
        """Simulated monotonic time."""
        return self._clock.monotonic_s()

    def run_in_executor(  # type: ignore[override]  # the stubs of 3.11 and 3.13 differ here
        self, executor: object, func: Callable[..., _T], *args: Any
    ) -> asyncio.Future[_T]:
        """Call it here and now: there are no threads."""
        future: asyncio.Future[_T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  # it belongs to whoever awaits the future
            future.set_exception(error)
        return future


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(*_args: object, **_options: object) -> NoReturn:
        raise OutsideSimulation(f"{name}: not in simulated time; put a memory stream in its place")

    return refuse


for _name in _OUTSIDE:
    setattr(SimLoop, _name, _refusal(_name))


class Simulation:
    """A world with its own time and its own chance.

    Args:
        seed: the same seed gives the same run.
        start: first wall time, aware.
        steps_max: turns of the loop that one ``run`` may take.

    Attributes:
        clock: the world's time; tests may step its wall clock.
        random: the world's chance, seeded; hand it on, never use the global one.

    """

    def __init__(self, *, seed: int = 0, start: datetime = START, steps_max: int = STEPS_MAX) -> None:
        self.clock = SimClock(start)
        self.random = Random(seed)  # noqa: S311  # repeatable is what it has to be
        self._steps_max = steps_max

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run to the end, cancel what is left over, and return the result.

        Args:
            coroutine: the whole program.

        Raises:
            SimulationStuck: it would wait for ever; the message says which task waits where.
            Exception: what the coroutine raised, or else what a callback or a forgotten task raised.

        """
        loop = SimLoop(self.clock, steps_max=self._steps_max)
        unhandled: list[BaseException] = []
        loop.set_exception_handler(lambda _, context: unhandled.append(_error_of(context)))
        try:
            result = loop.run_until_complete(coroutine)
        except SimulationStuck as error:
            error.add_note(_waiting_tasks(loop))
            raise
        finally:
            _wind_up(loop)
        if unhandled:
            raise unhandled[0]
        return result


def _error_of(context: dict[str, Any]) -> BaseException:
    error = context.get("exception")
    return error if isinstance(error, BaseException) else RuntimeError(str(context.get("message")))


def _waiting_tasks(loop: asyncio.AbstractEventLoop) -> str:
    """One line a task: its name and the place where it waits."""
    lines = []
    for task in sorted(asyncio.all_tasks(loop), key=asyncio.Task.get_name)[:STUCK_TASKS_SHOWN_MAX]:
        frames = task.get_stack(limit=1)
        place = f"{frames[0].f_code.co_filename}:{frames[0].f_lineno}" if frames else "an unknown place"
        lines.append(f"{task.get_name()} waits at {place}")
    return "\n".join(lines)


def _wind_up(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what is left and close, also after the simulation got stuck."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    try:
        if tasks:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
