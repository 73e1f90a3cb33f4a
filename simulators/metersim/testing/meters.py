"""One meter of a plant as a test sees it, and a fault that it has put there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from metersim.line.fault_rules import FaultRule, RuleReport
from metersim.plant.built import BuiltPlant
from metersim.plant.built_line import BuiltMeter
from metersim.plant.happening_runner import HappeningReport
from metersim.plant.happenings import Happening
from metersim.testing.sources import check_keys
from metersim.works.memory import Control

_T = TypeVar("_T")


class Called(Protocol):
    """Calls a function where the plant lives, and gives what it returns."""

    def __call__(self, function: Callable[[BuiltPlant], _T], /) -> _T:
        """Call it."""


class Fault:
    """A fault that a test has put into a plant.

    Args:
        number: of its rule.
        call: of the plant.

    """

    def __init__(self, number: int, call: Called) -> None:
        self._number = number
        self._call = call
        self._last: RuleReport | None = None

    @property
    def seen(self) -> int:
        """Exchanges that it could have struck."""
        return self._report().seen

    @property
    def struck(self) -> int:
        """Exchanges that it struck."""
        return self._report().struck

    def remove(self) -> None:
        """Take it away; it goes on telling how often it struck."""
        if self._last is None:
            self._last = self._call(lambda built: built.rules.remove(self._number))

    def _report(self) -> RuleReport:
        if self._last is not None:
            return self._last
        reports = self._call(lambda built: built.rules.reports())
        return next(one for one in reports if one.number == self._number)


def put_fault(call: Called, rule: FaultRule) -> Fault:
    """Put a rule into a plant; its times count from now.

    Args:
        call: of the plant.
        rule: the rule.

    Raises:
        ValueError: there are 256 rules already.

    """
    return Fault(call(lambda built: built.rules.add(rule, at=built.clock.utc_now())), call)


def let_happen(call: Called, happening: Happening) -> HappeningReport:
    """Let something happen: now, when it comes after no time at all, or else in its time from now.

    Args:
        call: of the plant.
        happening: what.

    Raises:
        ValueError: no meter can have it, or a plant has no room for more; the message says why.

    """

    def do(built: BuiltPlant) -> HappeningReport:
        if happening.at == timedelta():
            return built.happenings.apply(happening)
        number = built.happenings.add(happening, start=built.clock.utc_now())
        return next(one for one in built.happenings.reports() if one.number == number)

    return call(do)


class RunningMeter:
    """A meter that can be asked.

    Args:
        address: 12 digits.
        line: name of its line.
        url: of its line; empty: of a plant in simulated time.
        call: of its plant.

    Attributes:
        address: as given.
        line: as given.
        url: ``tcp://HOST:PORT``, or ``serial:///dev/pts/N?baud=..&parity=..``.

    """

    def __init__(self, address: str, line: str, url: str, call: Called) -> None:
        self.address = address
        self.line = line
        self.url = url
        self._call = call

    def __repr__(self) -> str:
        """Who and where."""
        return f"<meter {self.address} at {self.url or self.line}>"

    @property
    def host(self) -> str:
        """Where its line listens; only over TCP.

        Raises:
            ValueError: its line is none of TCP.

        """
        return self._tcp().hostname or ""

    @property
    def port(self) -> int:
        """Port of its line; only over TCP.

        Raises:
            ValueError: its line is none of TCP.

        """
        return self._tcp().port or 0

    @property
    def device(self) -> str:
        """Path of its pseudo-terminal.

        Raises:
            ValueError: its line has none.

        """
        parts = urlsplit(self.url)
        if parts.scheme != "serial":
            raise ValueError(f"{self!r} has no pseudo-terminal; make the plant with over='pty'")
        return parts.path

    @property
    def answers(self) -> int:
        """Answers that left it, whole or not."""
        return self._ask(lambda meter: meter.answers)

    @property
    def contact_open(self) -> bool:
        """Whether its switch has cut the customer off."""

        def look(built: BuiltPlant) -> bool:
            works = built.meters[self.address].works
            works.advance(built.clock.utc_now())
            return works.switch.contact_open

        return self._call(look)

    def value(self, item: str) -> Decimal:
        """What it shows for an item now.

        Args:
            item: of the catalogue, e.g. ``"forward_active_energy.t1"`` (``meterlink items`` lists them).

        Raises:
            ValueError: it has no such number.

        """
        value = self._ask(lambda meter: meter.value(item))
        if value is None:
            raise ValueError(f"meter {self.address} has no number for {item!r}")
        return value

    def set(self, item: str, value: Decimal | int | str) -> None:
        """Set a register; the load goes on from there.

        Args:
            item: e.g. ``"forward_active_energy"``.
            value: in its unit, 0 or more.

        Raises:
            ValueError: it is no register of this meter, or the value has no room.

        """
        self._ask(lambda meter: meter.set(item, Decimal(value)))

    def obeyed(self, kind: str | None = None) -> tuple[Control, ...]:
        """Every control that it obeyed, oldest first.

        Args:
            kind: e.g. ``"trip"``; ``None``: of every kind.

        """
        return self._ask(lambda meter: meter.obeyed(kind))

    def press_key(self) -> bool:
        """Press the key at the meter; whether that closed its contact."""
        return self._ask(lambda meter: meter.press_key())

    def fault(self, what: str, **figures: Any) -> Fault:
        """Let a fault befall exchanges with this meter from now on.

        Args:
            what: e.g. ``"silence"``.
            figures: as of `metersim.FaultRule`: ``times=1``, ``nth=3``, ``item="voltage.a"``, ``ms=500``, ...

        Raises:
            TypeError: no figure is called so; the message has those that there are.
            ValueError: there is no such fault, or a figure is wrong.

        """
        check_keys(figures, FaultRule, without=("what", "meter"))
        return put_fault(self._call, FaultRule(what=what, meter=self.address, **figures))

    def happen(self, what: str, *, after: timedelta = timedelta(), **figures: Any) -> HappeningReport:
        """Let something happen to this meter.

        Args:
            what: e.g. ``"clock_jump"``, ``"power_outage"``, ``"tampering"``.
            after: how long from now, 0 or more.
            figures: as of `metersim.plant.happenings.Happening`: ``by=timedelta(hours=1)``, ...

        Raises:
            TypeError: no figure is called so; the message has those that there are.
            ValueError: there is no such thing, a figure is wrong, or this meter cannot have it.

        """
        check_keys(figures, Happening, without=("what", "at"))
        happening = Happening(what=what, at=after, **figures)
        return let_happen(self._call, replace(happening, meter=self.address))

    def _ask(self, question: Callable[[BuiltMeter], _T]) -> _T:
        return self._call(lambda built: question(built.meters[self.address]))

    def _tcp(self) -> Any:
        parts = urlsplit(self.url)
        if parts.scheme != "tcp":
            raise ValueError(f"{self!r} is not reached over TCP")
        return parts
