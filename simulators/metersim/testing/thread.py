"""A plant in a thread of its own: the loop that it lives in, how others call into it, and its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from metersim.plant.built import BuiltPlant
from metersim.plant.capture import CaptureFile
from metersim.plant.clocks import PlantClock
from metersim.plant.opening import open_plant
from metersim.plant.plant import Plant
from metersim.serving.served import SystemClock

START_TIMEOUT_S: Final = 60.0
"""How long a plant may take to open its lines; 10,000 meters take some seconds."""
CALL_TIMEOUT_S: Final = 30.0
"""How long a call into a plant may take."""
STOP_TIMEOUT_S: Final = 30.0
_LOOK_EVERY_S: Final = 0.5
"""Between looks at whether a plant that does not answer is still alive."""

_T = TypeVar("_T")


class PlantEnded(RuntimeError):
    """A plant that is asked for something is not there any more; the cause says why."""


class Open(NamedTuple):
    """A plant whose lines are open.

    Args:
        built: the plant; it belongs to its thread.
        clock: its time.
        urls: of its lines, by name.

    """

    built: BuiltPlant
    clock: PlantClock
    urls: dict[str, str]


class PlantThread:
    """A plant whose lines are open until it is told to stop.

    Args:
        plant: what stands where.
        capture: file for all octets that pass.

    Raises:
        OSError: a line or the file cannot be opened.

    """

    def __init__(self, plant: Plant, capture: Path) -> None:
        self._plant = plant
        self._capture = capture
        self._opened: Future[Open] = Future()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=f"plant[{plant.plant}]", daemon=True)
        self._thread.start()
        self.urls = self._opened.result(START_TIMEOUT_S).urls

    def call(self, function: Callable[[Open], _T]) -> _T:
        """Call a function in the thread of the plant; what it returns or raises.

        Args:
            function: gets the plant; short, for the meters wait meanwhile.

        Raises:
            PlantEnded: the plant has ended, or did not answer for 30 s.

        """
        answer: Future[_T] = Future()

        def do() -> None:
            try:
                answer.set_result(function(self._opened.result(0)))
            except BaseException as error:  # noqa: BLE001  # it belongs to the caller
                answer.set_exception(error)

        assert self._loop is not None, "a plant that was opened has a loop"
        try:
            self._loop.call_soon_threadsafe(do)
        except RuntimeError:  # closed
            raise PlantEnded(f"the plant {self._plant.plant} has ended") from self._failure
        self._wait(answer)
        return answer.result(0)

    def stop(self) -> None:
        """Close every line and wait until the plant has ended; a second time does nothing.

        Raises:
            PlantEnded: it had ended before with a failure, or does not end.

        """
        if self._thread.is_alive() and self._loop is not None:
            with suppress(RuntimeError):  # it ended meanwhile
                self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(STOP_TIMEOUT_S)
            if self._thread.is_alive():
                raise PlantEnded(f"the plant {self._plant.plant} does not end")
        failure, self._failure = self._failure, None
        if failure is not None:
            raise PlantEnded(f"the plant {self._plant.plant} failed") from failure

    def _wait(self, answer: Future[_T]) -> None:
        """Until the answer is there, or nobody is left to give it."""
        done = threading.Event()
        answer.add_done_callback(lambda _: done.set())
        waited_s = 0.0
        while not done.wait(_LOOK_EVERY_S):
            waited_s += _LOOK_EVERY_S
            if not self._thread.is_alive() and not done.is_set():
                raise PlantEnded(f"the plant {self._plant.plant} has ended") from self._failure
            if waited_s >= CALL_TIMEOUT_S:
                raise PlantEnded(f"the plant {self._plant.plant} did not answer for {waited_s:.0f} s")

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as error:  # noqa: BLE001  # raised to whoever opened, called or stops it
            if self._opened.done():
                self._failure = error
            else:
                self._opened.set_exception(error)

    async def _live(self) -> None:
        plant = self._plant
        self._loop = asyncio.get_running_loop()
        with ExitStack() as stack:
            capture = stack.enter_context(CaptureFile(self._capture, SystemClock()))
            clock = PlantClock(wall=SystemClock(), start=plant.start, speed=plant.time)
            built = BuiltPlant(plant, clock=clock, capture=capture)
            async with open_plant(built) as urls, asyncio.TaskGroup() as group:
                happening = group.create_task(built.run(), name="plant.happenings")
                self._opened.set_result(Open(built, clock, urls))
                await self._stop.wait()
                happening.cancel()
