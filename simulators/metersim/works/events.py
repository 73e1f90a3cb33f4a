"""Events of a meter, worked out of what happened to it: kind, beginning, end.

An event is a stretch of time in which its cause lasts, or one instant; the same cause in two conditions that
follow each other is one event. Of each kind a meter keeps the last ten, and goes on counting. An order to
clear events forgets them all, or those of one kind, and counts from 0, but not that they were cleared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from metersim.works.causes import CAUSES, PHASE_CAUSES, Scene, holds
from metersim.works.clock import MeterClock
from metersim.works.conditions import EVERYTHING, Happened, History, Row
from metersim.works.load import CYCLE_QUARTERS, PARTS, Phasor
from metersim.works.memory import LOCAL_CAUSE, ControlMemory
from metersim.works.moments import PLANT_TIME, QUARTER_US, of_us, to_us
from metersim.works.plate import PHASES, Plate
from metersim.works.registers import Registers
from meterwire.item_value import Content

EVENT_DEPTH: Final = 10
"""Records that a meter keeps of each kind. Source: DL/T 645-2007, class 03: last 1 to 10."""
OVER_CURRENT_PERCENT: Final = 120
"""Of Imax, and of the power that it makes at the nominal voltage."""

LOAD_KINDS: Final = ("over_current", "overload")
"""Events of each phase that come and go with the load."""
_INSTANTS: Final[dict[str, Happened]] = {
    "programming": "programmed",
    "meter_clear": "registers_cleared",
    "demand_clear": "demand_cleared",
    "event_clear": "events_cleared",
}
_CLOCK_SETTINGS: Final = {"clock_set": False, "broadcast_time_set": True}
_RELAY: Final = {"relay_trip": True, "relay_close": False}
_MONEY: Final = {"purchase_event": frozenset({"top_up", "open_account"}), "refund": frozenset({"refund"})}
"""The controls that bring money and take it away; an account is opened with the first of it."""
RELAY_KINDS: Final = tuple(_RELAY)
MONEY_KINDS: Final = tuple(_MONEY)
_WRITTEN: Final = "written_di"
_NEVER_CLEARED: Final = "event_clear"

KINDS: Final = (*CAUSES, *PHASE_CAUSES, *LOAD_KINDS, *_INSTANTS, *_CLOCK_SETTINGS, *_RELAY, *_MONEY)
"""All events that happen to a meter here; those of phases also with the phase behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event.

    Args:
        kind: name of the catalogue without ``_record``, with a phase behind where it has one:
            ``power_down``, ``voltage_loss.a``, ``clock_set``.
        number: how manieth of its kind, from 1.
        started_at: true time.
        ended_at: true time; ``None``: it lasts. An instant ends as it starts.
        details: what a record of it holds besides what the registers showed then.

    """

    kind: str
    number: int
    started_at: datetime
    ended_at: datetime | None
    details: Mapping[str, Content] = field(default_factory=dict)


class Stretch(NamedTuple):
    """From when to when a cause lasted, in true microseconds; an end of ``None``: it lasts."""

    from_us: int
    until_us: int | None
    details: Mapping[str, Content]


class EventLog:
    """The events of one meter.

    Args:
        history: of the meter.
        clock: of the meter.
        registers: of the meter, for what flows.
        memory: of its switch and wallet.
        usual: what its load draws while nothing is wrong.
        plate: true time -> the plate of the meter that hung there.
        since: true time -> when that meter was switched on.

    """

    def __init__(
        self,
        *,
        history: History,
        clock: MeterClock,
        registers: Registers,
        memory: ControlMemory,
        usual: tuple[Phasor, ...],
        plate: Callable[[int], Plate],
        since: Callable[[int], datetime],
    ) -> None:
        self._history, self._clock, self._registers = history, clock, registers
        self._memory, self._usual = memory, usual
        self._course = registers.course
        self._plate, self._since = plate, since

    def events(self, kind: str, until: datetime) -> tuple[Event, ...]:
        """The last ones of a kind that had begun at ``until``, newest last.

        Args:
            kind: one of `KINDS`, those of phases with or without a phase; another one has no events.
            until: true time, aware.

        """
        return tuple(self._all(kind, until)[-EVENT_DEPTH:])

    def count(self, kind: str, until: datetime) -> int:
        """How many of a kind had begun at ``until``, also those whose record is forgotten."""
        return len(self._all(kind, until))

    def duration(self, kind: str, until: datetime) -> timedelta:
        """How long all of a kind lasted up to ``until``, together."""
        ends = ((event.ended_at or until) - event.started_at for event in self._all(kind, until))
        return sum(ends, timedelta())

    def lasts(self, kind: str, at: datetime) -> bool:
        """Whether an event of the kind lasts at ``at``."""
        us = to_us(at)
        name, _, phase = kind.partition(".")
        if name in LOAD_KINDS:
            return self._is_over(name, phase, us)
        return holds(kind, self.scene(us))

    def scene(self, us: int) -> Scene:
        """What causes are judged by at a moment."""
        return Scene(self._history.at_us(us), self._registers.flow(us), self._usual, self._plate(us))

    def _all(self, kind: str, until: datetime) -> list[Event]:
        name, _, phase = kind.partition(".")
        if not phase and (name in PHASE_CAUSES or name in LOAD_KINDS):
            each = [event for p in PHASES for event in self._all(f"{name}.{p}", until)]
            return sorted(each, key=lambda event: (event.started_at, event.kind))
        until_us = to_us(until)
        begin_us = self._forgotten_until(kind, until_us)
        stretches = (one for one in self._stretches(kind, until_us) if begin_us <= one.from_us <= until_us)
        return [
            Event(
                kind=kind,
                number=number,
                started_at=of_us(start),
                ended_at=None if end is None or end > until_us else of_us(end),
                details=details,
            )
            for number, (start, end, details) in enumerate(stretches, start=1)
        ]

    def _forgotten_until(self, kind: str, us: int) -> int:
        begin = to_us(self._since(us))
        if kind == _NEVER_CLEARED:
            return begin
        for row in self._history.since_last(us, "events_cleared", "registers_cleared"):
            if _forgets(row, kind):
                return max(begin, to_us(row.at))
        return begin

    def _stretches(self, kind: str, until_us: int) -> Iterator[Stretch]:
        name, _, phase = kind.partition(".")
        if name in _INSTANTS:
            rows = (row for row in self._history.rows if row.happened == _INSTANTS[name])
            return (Stretch(to_us(row.at), to_us(row.at), row.details) for row in rows)
        if name in _CLOCK_SETTINGS:
            return self._settings(_CLOCK_SETTINGS[name])
        if name in _RELAY:
            return self._moves(opens=_RELAY[name]) if self._memory.tells_moves else iter(())
        if name in _MONEY:
            return self._paid(_MONEY[name])
        if name in LOAD_KINDS:
            return _joined(self._over(name, phase, until_us))
        return _joined(self._caused(kind))

    def _settings(self, broadcast: bool) -> Iterator[Stretch]:
        for setting in self._clock.settings:
            if setting.broadcast is broadcast:
                us = to_us(setting.at)
                times = {"clock_before": _civil(setting.before), "clock_after": _civil(setting.after)}
                yield Stretch(us, us, times | self._written_by(setting.at))

    def _written_by(self, at: datetime) -> dict[str, Content]:
        """Who set the clock by writing it; of what came otherwise nobody knows."""
        rows = self._history.since_last(to_us(at), "programmed")
        told = (row.details.get("operator_code") for row in rows if row.at == at and _WRITTEN in row.details)
        return next(({"operator_code": who} for who in told if who is not None), {})

    def _moves(self, *, opens: bool) -> Iterator[Stretch]:
        """The first one is the trial of the relay before the meter left its factory."""
        if not self._memory.tells_moves:
            return
        tried = [move for move in self._memory.moves if move.came_by == "factory" and move.opened is opens]
        yield from (Stretch(us, us, _by(move.operator)) for move in tried for us in [to_us(move.moved_at)])
        was_open = self._history.rows[0].conditions.contact_open
        exchanged = {row.at for row in self._history.rows if row.happened == "meter_exchanged"}
        for row in self._history.rows:
            is_open = row.conditions.contact_open
            if is_open != was_open and is_open is opens and row.at not in exchanged:
                yield Stretch(to_us(row.at), to_us(row.at), _by(self._ordered_by(row.at)))
            was_open = is_open

    def _ordered_by(self, at: datetime) -> str:
        """Whose order moved the contact; a contact that moves without its switch was nobody's."""
        return next((move.operator for move in self._memory.moves if move.moved_at == at), LOCAL_CAUSE)

    def _paid(self, kinds: frozenset[str]) -> Iterator[Stretch]:
        for control in self._memory.controls:
            if control.kind in kinds:
                us = to_us(control.obeyed_at)
                yield Stretch(us, us, {"operator_code": control.operator, **control.details})

    def _caused(self, kind: str) -> Iterator[tuple[int, int | None]]:
        spans = self._registers.spans
        for number, span in enumerate(spans):
            end = spans[number + 1].from_us if number + 1 < len(spans) else None
            if span.from_us != end and holds(kind, self.scene(span.from_us)):
                yield span.from_us, end

    def _over(self, name: str, phase: str, until_us: int) -> Iterator[tuple[int, int | None]]:
        """Quarters in which the load was too high, in spans in which it can be."""
        spans = self._registers.spans
        for number, span in enumerate(spans):
            end = spans[number + 1].from_us if number + 1 < len(spans) else until_us + QUARTER_US
            first, last = span.from_us // QUARTER_US, -(-end // QUARTER_US)
            heaviest, _ = self._course.heaviest(0, CYCLE_QUARTERS)
            if span.from_us >= end or not self._exceeds(name, phase, span.from_us, heaviest):
                continue
            for quarter in range(first, last):
                us = max(quarter * QUARTER_US, span.from_us)
                if self._exceeds(name, phase, us, self._course.weight(us)):
                    yield us, min((quarter + 1) * QUARTER_US, end)

    def _is_over(self, name: str, phase: str, us: int) -> bool:
        return self._exceeds(name, phase, us, self._course.weight(us))

    def _exceeds(self, name: str, phase: str, us: int, weight: int) -> bool:
        plate = self._plate(us)
        if phase not in plate.phase_names:
            return False
        phasor = self._registers.flow(us).measured[PHASES.index(phase)]
        figure = phasor.apparent if name == "over_current" else abs(phasor.active)
        limit = plate.max_current_a * plate.voltage_v * 10 * PARTS * OVER_CURRENT_PERCENT / 100
        return figure * weight > limit


def _forgets(row: Row, kind: str) -> bool:
    """Whether a clear forgets the events of a kind: of one kind, of all, or of the whole meter but itself."""
    if row.happened == "registers_cleared":
        return EVERYTHING in row.details and kind != "meter_clear"
    return row.details.get("kind", kind) in {kind, kind.partition(".")[0]}


def _joined(pieces: Iterator[tuple[int, int | None]]) -> Iterator[Stretch]:
    """Pieces that touch each other are one stretch."""
    start: int | None = None
    end: int | None = None
    for piece_start, piece_end in pieces:
        if start is not None and end == piece_start:
            end = piece_end
            continue
        if start is not None:
            yield Stretch(start, end, {})
        start, end = piece_start, piece_end
    if start is not None:
        yield Stretch(start, end, {})


def _by(operator: str) -> Mapping[str, Content]:
    return {"operator_code": operator}


def _civil(moment: datetime) -> str:
    return f"{moment.astimezone(PLANT_TIME):%Y-%m-%d %H:%M:%S}"
