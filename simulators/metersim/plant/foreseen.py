"""A scenario and the meters of a plant in, what of it can never come true out.

A pattern that means no meter, and a happening that none of those it means can have, are slips of whoever
wrote them: the run would go on without them, and look as if the meters had stood it. Whether a meter can have
a happening is tried on a meter of its kind, made for that alone.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from metersim.line.fault_rules import FaultRule
from metersim.line.item_patterns import near
from metersim.line.line import Line, Station
from metersim.plant.checked import Misplaced
from metersim.plant.happening_runner import Happenings
from metersim.plant.happenings import Happening
from metersim.plant.making import Named, speaker
from metersim.plant.scenario import Scenario

_TRIED_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""When the meters of a plant that begins at any time are tried."""
_LINES_SHOWN_MAX: Final = 8


class _Still(NamedTuple):
    """A clock that stands."""

    at: datetime

    def utc_now(self) -> datetime:
        return self.at


def foreseen(
    scenario: Scenario, meters: Sequence[Named], *, start: datetime | None = None
) -> Iterator[Misplaced]:
    """What of a scenario can never come true, each with its place in it.

    Args:
        scenario: what is to go wrong.
        meters: of the plant, one or more.
        start: true time at which the plant begins; ``None``: any.

    """
    rows: tuple[tuple[str, Sequence[FaultRule | Happening]], ...] = (
        ("faults", scenario.faults),
        ("happenings", scenario.happenings),
    )
    for key, said in rows:
        for number, one in enumerate(said):
            meant = _meant(one, meters)
            if not any(True for _ in meant()):
                yield _nobody(one, meters, key, number)
            elif isinstance(one, Happening) and (why := _cannot(one, meant(), start or _TRIED_AT)):
                yield Misplaced(why, key, number)


def _meant(one: FaultRule | Happening, meters: Sequence[Named]) -> Callable[[], Iterator[Named]]:
    address, line = (re.compile(fnmatch.translate(pattern)).match for pattern in (one.meter, one.line))
    return lambda: (meter for meter in meters if address(meter.address) and line(meter.line))


def _nobody(one: FaultRule | Happening, meters: Sequence[Named], key: str, number: int) -> Misplaced:
    """Whom it names in vain, with those that there are."""
    lines = list(dict.fromkeys(meter.line for meter in meters))
    if not any(fnmatch.fnmatchcase(line, one.line) for line in lines):
        there = ", ".join(lines[:_LINES_SHOWN_MAX]) + (", ..." if len(lines) > _LINES_SHOWN_MAX else "")
        return Misplaced(
            f"no line of the plant is {one.line}{near(one.line, lines)}; there is {there}",
            key,
            number,
            "line",
        )
    on = "" if one.line == "*" else f" on a line {one.line}"
    there = f"{len(meters)} of them, the first {meters[0].address}"
    sentence = (
        f"no meter of the plant is {one.meter}{on}; there are {there} (`metersim check --json` lists all)"
    )
    return Misplaced(sentence, key, number, "meter")


def _cannot(happening: Happening, meters: Iterable[Named], at: datetime) -> str:
    """Why none of some meters can have a happening; empty: one can."""
    at_once = replace(happening, at=timedelta(), meter="*", line="*", probability=1.0, times=None)
    why, tried = "", set[tuple[object, ...]]()
    for meter in meters:
        row = meter.row
        kind = (row.profile.name, row.control, row.since)
        if kind in tried:
            continue
        tried.add(kind)
        try:
            _on_trial(meter, at).apply(at_once)
        except ValueError as error:
            why = why or str(error)
        else:
            return ""
    return why


def _on_trial(meter: Named, at: datetime) -> Happenings:
    clock = _Still(at if meter.row.since is None else max(at, meter.row.since))
    station = Station(meter=speaker(meter, seed=0, start=clock.at))
    return Happenings((), [Line([station], clock=clock, name=meter.line)], clock=clock)
