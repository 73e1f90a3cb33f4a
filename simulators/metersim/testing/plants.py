"""A plant as a test sees it: one whose lines are open, and one in simulated time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from metersim.line.fault_rules import FaultRule
from metersim.line.memory import MemoryDuplex
from metersim.loop import START, SimClock, Simulation
from metersim.plant.beside import beside
from metersim.plant.built import BuiltPlant
from metersim.plant.happening_runner import HappeningReport
from metersim.plant.happenings import Happening
from metersim.plant.plant import Plant
from metersim.testing.meters import Called, Fault, RunningMeter, let_happen, put_fault
from metersim.testing.sources import check_keys
from metersim.testing.thread import Open, PlantThread

_T = TypeVar("_T")


class _AnyPlant:
    """What both have.

    Attributes:
        plant: what stands where.
        urls: of its lines, by name; none in simulated time.
        meters: by address, in their order.

    """

    def __init__(self, plant: Plant, urls: Mapping[str, str], call: Called) -> None:
        self.plant = plant
        self.urls = dict(urls)
        self._call = call
        self.meters = {
            named.address: RunningMeter(named.address, named.line, self.urls.get(named.line, ""), call)
            for named in plant.meters()
        }

    @property
    def seed(self) -> int:
        """Of everything in it that looks random."""
        return self.plant.seed

    @property
    def url(self) -> str:
        """Of its first line.

        Raises:
            ValueError: none of its lines is open.

        """
        if not self.urls:
            raise ValueError(f"plant {self.plant.plant} has no open line; in simulated time use connect()")
        return next(iter(self.urls.values()))

    def meter(self, address: str | int | None = None) -> RunningMeter:
        """One of its meters.

        Args:
            address: 1 to 12 digits; ``None``: the first one.

        Raises:
            KeyError: there is none of that address; the message names those that there are.

        """
        if address is None:
            return next(iter(self.meters.values()))
        wanted = str(address).zfill(12)
        if wanted not in self.meters:
            raise KeyError(f"no meter {wanted}; the plant has {', '.join([*self.meters][:8])}, ...")
        return self.meters[wanted]

    def fault(self, what: str, **figures: Any) -> Fault:
        """Let a fault befall exchanges from now on, with any meter unless ``meter`` or ``line`` say which.

        Args:
            what: e.g. ``"silence"``.
            figures: as of `metersim.FaultRule`.

        Raises:
            TypeError: no figure is called so; the message has those that there are.
            ValueError: there is no such fault, or a figure is wrong.

        """
        check_keys(figures, FaultRule, without=("what",))
        return put_fault(self._call, FaultRule(what=what, **figures))

    def happen(self, what: str, *, after: timedelta = timedelta(), **figures: Any) -> HappeningReport:
        """Let something happen, to every meter unless ``meter`` or ``line`` say to which.

        Args:
            what: e.g. ``"power_outage"``.
            after: how long from now, 0 or more.
            figures: as of `metersim.plant.happenings.Happening`.

        Raises:
            TypeError: no figure is called so; the message has those that there are.
            ValueError: there is no such thing, a figure is wrong, or no meter can have it.

        """
        check_keys(figures, Happening, without=("what", "at"))
        return let_happen(self._call, Happening(what=what, at=after, **figures))

    def digests(self) -> dict[str, str]:
        """SHA-256 over direction, time and octets of everything on each line so far, by name."""
        return self._call(lambda built: {name: built.digest(name) for name in built.lines})

    def traffic(self) -> dict[str, tuple[int, int]]:
        """Octets from clients and from meters on each line so far, by name."""
        return self._call(
            lambda built: {
                name: (line.traffic.octets_out, line.traffic.octets_in) for name, line in built.lines.items()
            }
        )


class RunningPlant(_AnyPlant):
    """A plant whose lines are open, in a thread of its own.

    Args:
        plant: what stands where.
        capture: file for all octets that pass.

    Attributes:
        capture: as given.

    Raises:
        OSError: a line or the file cannot be opened.

    """

    def __init__(self, plant: Plant, capture: Path) -> None:
        self._thread = PlantThread(plant, capture)
        self.capture = capture
        super().__init__(plant, self._thread.urls, self._in_thread)

    def jump(self, by: timedelta) -> None:
        """Skip some time, as if it had passed at once; what is due in it happens.

        Args:
            by: 0 to ten years.

        Raises:
            ValueError: ``by`` is out of range.

        """

        def do(opened: Open) -> None:
            opened.clock.jump(by)
            opened.built.happenings.advance(opened.clock.utc_now())

        self._thread.call(do)

    def stop(self) -> None:
        """Close every line; a second time does nothing.

        Raises:
            PlantEnded: it had failed before.

        """
        self._thread.stop()

    def _in_thread(self, function: Callable[[BuiltPlant], _T]) -> _T:
        return self._thread.call(lambda opened: function(opened.built))


class SimulatedPlant(_AnyPlant):
    """A plant in simulated time: it lives while `run` runs, and time jumps to whatever comes next.

    Args:
        plant: what stands where.

    Attributes:
        clock: the plant's time.

    """

    def __init__(self, plant: Plant) -> None:
        self._simulation = Simulation(seed=plant.seed, start=plant.start or START)
        self.clock: SimClock = self._simulation.clock
        self._built = BuiltPlant(plant, clock=self.clock)
        super().__init__(plant, {}, self._here)

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run to the end with the plant beside; what it returns. A second run goes on from there.

        Args:
            coroutine: the test's program; no socket, thread or process in it.

        Raises:
            SimulationStuck: it would wait for ever; the message says which task waits where.
            Exception: what the coroutine raised.

        """
        __tracebackhide__ = True  # pytest shows where the test failed, not how it got there
        return self._simulation.run(self._beside(coroutine))

    def connect(self, line: str | None = None) -> AbstractAsyncContextManager[MemoryDuplex]:
        """A connection to a line, to be entered inside of `run`: ``send(octets)``, ``receive()``.

        Args:
            line: its name; of one behind a concentrator, the connection is to the concentrator, which logs
                in. ``None``: the first one.

        Raises:
            KeyError: there is no line of that name.

        """
        return self._built.connect(line)

    async def _beside(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        __tracebackhide__ = True
        async with beside(self._built.run(), name="plant.happenings"):
            return await coroutine

    def _here(self, function: Callable[[BuiltPlant], _T]) -> _T:
        return function(self._built)
