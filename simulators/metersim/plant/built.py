"""A plant at work: its lines, its meters by address, and what they said; what every way in stands on."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from metersim.carrier.module import CarrierModule
from metersim.carrier.ways import PROTOCOLS, CarrierWays
from metersim.gdw1376.terminal import Terminal1376
from metersim.line.answers import AnswerRecord, Recorder
from metersim.line.fault_rules import FaultRules
from metersim.line.faults import NO_FAULTS
from metersim.line.line import Clock, Line, Station
from metersim.line.medium import CLEAN
from metersim.line.memory import MemoryDuplex
from metersim.plant.built_line import BuiltLine, BuiltMeter, connected
from metersim.plant.clocks import PlantClock
from metersim.plant.concentrator_row import ConcentratorRow
from metersim.plant.happening_runner import HappeningReport, Happenings
from metersim.plant.happenings import Happening
from metersim.plant.making import Named, speaker
from metersim.plant.plant import Plant
from metersim.plant.rows import LineRow
from metersim.plant.scenario import Scenario
from metersim.plant.terminal_row import TerminalRow
from metersim.plant.watched import Direction, Tap
from metersim.terminals.concentrator import Concentrator
from meterwire.dlt698.axdr.selection import Oad

CALLS_MAX: Final = 1_000
"""Answers that a plant remembers; the oldest go first."""

Capture = Callable[[str, Direction, bytes], None]
"""Is told of octets as they pass: name of the line, direction, octets."""


class Call(NamedTuple):
    """One answer given.

    Args:
        number: of the plant's answers, from 1.
        line: name of the line.
        answer: what was said.

    """

    number: int
    line: str
    answer: AnswerRecord


_new_call = functools.partial(tuple.__new__, Call)


class BuiltPlant:
    """A plant at work.

    Args:
        plant: what stands where.
        clock: asked for the true time of every answer.
        record: gets every answer just before it leaves; ``None``: nobody does.
        capture: gets all octets that pass; ``None``: nobody does.

    Attributes:
        plant: as given.
        clock: as given.
        lines: by name, in their order.
        meters: by address, in their order.
        concentrators: by address, in their order; at work while the plant runs.
        terminals: the same of 1376.1.
        started_at: true time at which it began.
        rules: faults that strike where they are told to; may be added to at any time.
        happenings: what befalls its meters; may be added to at any time.
        calls: the last answers, 1,000 at most, newest last.

    """

    def __init__(
        self, plant: Plant, *, clock: Clock, record: Recorder | None = None, capture: Capture | None = None
    ) -> None:
        self.plant = plant
        self.clock = clock
        self.calls: deque[Call] = deque(maxlen=CALLS_MAX)
        self._record = record
        self._calls = 0
        self.started_at = plant.start or clock.utc_now()
        scenario = plant.scenario or Scenario(scenario="none")
        seed = scenario.seed or plant.seed
        self.rules = FaultRules(scenario.faults, seed=seed, start=self.started_at)
        rows = dict(zip(plant.line_names, plant.all_lines, strict=True))
        lines = {
            name: BuiltLine(name, row, clock=clock, tap=_tap(name, capture)) for name, row in rows.items()
        }
        on_line: dict[str, list[Named]] = {name: [] for name in lines}
        for named in plant.meters():
            on_line[named.line].append(named)
        for name, line in lines.items():
            self._hang(line, on_line[name])
        self.lines: Mapping[str, BuiltLine] = MappingProxyType(lines)
        self.meters: Mapping[str, BuiltMeter] = MappingProxyType(
            {address: meter for line in lines.values() for address, meter in line.meters.items()}
        )
        self.concentrators: Mapping[str, Concentrator] = MappingProxyType(
            {row.address: self._concentrator(row) for row in plant.concentrators}
        )
        self.terminals: Mapping[str, Terminal1376] = MappingProxyType(
            {row.address: self._terminal(row) for row in plant.terminals}
        )
        self.happenings = Happenings(
            scenario.happenings,
            [line.wires for line in lines.values()],
            clock=clock,
            seed=seed,
            start=self.started_at,
        )
        for line in lines.values():  # what is due happens before somebody asks, however late the loop is
            line.traffic.before_question = self.happenings.advance
        if isinstance(clock, PlantClock):
            clock.when_changed(self._count_again)

    async def run(self) -> None:
        """Let happenings happen, each in its time, and concentrators work; for ever, so cancel it.

        Whoever connects to a line has it running beside; what is due happens before the next question too.
        """
        async with asyncio.TaskGroup() as group:
            for address, concentrator in self.concentrators.items():
                group.create_task(concentrator.run(), name=f"plant.concentrator[{address}]")
            for name, line in self.lines.items():
                if line.carrier is not None:
                    group.create_task(line.carrier.run(), name=f"plant.carrier[{name}]")
            for address, terminal in self.terminals.items():
                group.create_task(terminal.run(), name=f"plant.terminal[{address}]")
            await self.happenings.run(speed=self._speed)

    def _count_again(self) -> None:
        """The clock jumped, or goes at another speed: what sleeps would wake up late."""
        self.happenings.wake()
        for concentrator in self.concentrators.values():
            concentrator.collector.changed()
        for terminal in self.terminals.values():
            terminal.gatherer.changed()

    def _speed(self) -> int:
        return self.clock.speed if isinstance(self.clock, PlantClock) else 1

    def meter(self, address: str) -> BuiltMeter:
        """The meter of that address.

        Raises:
            KeyError: there is none.

        """
        return self.meters[address]

    def connect(self, name: str | None = None) -> AbstractAsyncContextManager[MemoryDuplex]:
        """A connection from the same process, to what is open under the name in other plants.

        Args:
            name: of a line; of one behind a concentrator or terminal, the connection is to that, which logs
                in. ``None``: the first line, or the first concentrator of a plant without lines.

        Raises:
            KeyError: there is no line of that name.

        """
        found = next(iter(self.lines)) if name is None else name
        for row in self.plant.concentrators:
            if row.line.name == found:
                return connected(self.concentrators[row.address].terminal, found)
        for one in self.plant.terminals:
            if one.line.name == found:
                return connected(self.terminals[one.address], found)
        return self.lines[found].connect()

    def digest(self, line: str) -> str:
        """SHA-256 over direction, time and octets of everything on a line so far, hexadecimal.

        Raises:
            KeyError: there is no line of that name.

        """
        return self.lines[line].traffic.digest

    def garbage(self, line: str) -> list[str]:
        """Addresses of the meters on a line of which nothing can be relied on.

        Raises:
            KeyError: there is no line of that name.

        """
        meters = self.lines[line].meters
        return [address for address, meter in meters.items() if meter.row.is_garbage]

    def _hang(self, line: BuiltLine, named: list[Named]) -> None:
        row, seed = line.row, self.plant.seed
        stations = [self._station(one, row) for one in named]
        meters = {
            one.address: BuiltMeter(one, station.meter, line, self.clock, self._befall)
            for one, station in zip(named, stations, strict=True)
        }
        wires = self._wires(line, stations)
        carrier = None if row.carrier is None else self._carrier(line, row.carrier, named, stations)
        line.hang(meters, wires, seed=seed, carrier=carrier)

    def _wires(self, line: BuiltLine, stations: Sequence[Station]) -> Line:
        row, seed = line.row, self.plant.seed
        medium = row.medium if row.medium == CLEAN or row.medium.seed else replace(row.medium, seed=seed)
        return Line(
            stations,
            clock=self.clock,
            record=functools.partial(self._answered, line),
            client=row.client,
            medium=medium,
            paced=row.paced,
            rules=self.rules,
            name=line.name,
        )

    def _carrier(
        self, line: BuiltLine, ways: CarrierWays, named: Sequence[Named], stations: Sequence[Station]
    ) -> CarrierModule:
        """The module before the meters of a line; each of them has wires of its own."""
        addresses = [one.address for one in named]
        return CarrierModule(
            {address: self._wires(line, [one]) for address, one in zip(addresses, stations, strict=True)},
            protocols={one.address: PROTOCOLS[one.row.profile.protocol] for one in named},
            ways=ways if ways.seed else replace(ways, seed=self.plant.seed),
        )

    def _concentrator(self, row: ConcentratorRow) -> Concentrator:
        lines, behind = self._behind(row)
        return row.plan(self.plant.seed).build(lines, clock=self.clock, **behind)

    def _terminal(self, row: TerminalRow) -> Terminal1376:
        lines, behind = self._behind(row)
        return row.plan(self.plant.seed).build(lines, clock=self.clock, **behind)

    def _behind(self, row: ConcentratorRow | TerminalRow) -> tuple[dict[Oad, Line], dict[str, Any]]:
        """The line behind a concentrator by its port, and what else one is built with."""
        behind = self.lines[row.line.name]
        bauds = {address: meter.row.port.baud for address, meter in behind.meters.items()}
        around = {"served": {row.oad: behind}, "speed": self._speed, "bauds": bauds}
        return {row.oad: behind.wires}, around

    def _befall(self, happening: Happening) -> HappeningReport:
        return self.happenings.apply(happening)

    def _answered(self, line: BuiltLine, answer: AnswerRecord) -> None:
        self._calls += 1
        self.calls.append(_new_call((self._calls, line.name, answer)))
        counts, address = line.counts, answer.address
        counts.answers += 1
        counts.faulty += bool(answer.faults)
        counts.last = address
        line.meters[address].answers += 1
        if self._record is not None:
            self._record(answer)

    def _station(self, named: Named, line: LineRow) -> Station:
        row, seed = named.row, self.plant.seed
        profile = row.profile
        faults = NO_FAULTS if row.faults == NO_FAULTS else row.faults  # lines ask whether it is that one
        if faults is not NO_FAULTS and not faults.seed:
            faults = replace(faults, seed=seed)
        delay_ms = profile.timing.reply_delay_ms if row.reply_delay_ms is None else row.reply_delay_ms
        return Station(
            meter=speaker(named, seed=seed, start=self.started_at),
            reply_delay_ms=delay_ms,
            preamble=profile.line.answer_preamble,
            faults=faults,
            port=row.port if line.minds_ports else None,
            octet_gap_ms=row.octet_gap_ms,
        )


def _tap(line: str, capture: Capture | None) -> Tap | None:
    return None if capture is None else functools.partial(capture, line)
