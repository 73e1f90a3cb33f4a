"""A plant at work: its lines, its meters by address, and what they said; what every way in stands on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from meterprofiles.schema import DLT698
from metersim.dlt645.meter import Meter
from metersim.dlt698 import Limits, Meter698
from metersim.dlt698.terminal import Habits, Terminal
from metersim.line.answers import AnswerRecord, Recorder
from metersim.line.fault_rules import FaultRules
from metersim.line.faults import NO_FAULTS
from metersim.line.language import Speaker
from metersim.line.line import Clock, Duplex, Line, Station
from metersim.line.medium import CLEAN
from metersim.line.memory import MemoryDuplex, memory_pair
from metersim.plant.rows import LineRow, MeterRow
from metersim.plant.watched import Direction, Tap, Traffic, watched
from metersim.works.load import Load
from metersim.works.moments import INSTALLED_AT
from metersim.works.plate import Plate
from metersim.works.works import Works

if TYPE_CHECKING:
    from metersim.plant.plant import Plant

CALLS_MAX: Final = 1_000
"""Answers that a plant remembers; the oldest go first."""
ANSWER_WAIT_S: Final = 5.0
OCTET_GAP_S: Final = 0.5


Capture = Callable[[str, Direction, bytes], None]
"""Is told of octets as they pass: name of the line, direction, octets."""


class Named(NamedTuple):
    """A meter of a plant.

    Args:
        address: 12 digits.
        line: name of its line.
        row: what it is.

    """

    address: str
    line: str
    row: MeterRow


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


@dataclass(slots=True)
class Counts:
    """What a line has seen.

    Args:
        answers: that left.
        faulty: of them, those that a fault befell.
        last: address of the meter that answered last; empty: none has.

    """

    answers: int = 0
    faulty: int = 0
    last: str = ""


class BuiltMeter:
    """One meter of a plant.

    Args:
        named: its place in the plant.
        speaker: the meter as its line hears it.
        clock: the true time.

    Attributes:
        address: 12 digits.
        row: what it is.
        speaker: as given.
        answers: that it gave, whatever befell them.

    """

    __slots__ = ("_clock", "answers", "line", "row", "speaker")

    def __init__(self, named: Named, speaker: Speaker, line: BuiltLine, clock: Clock) -> None:
        self.row = named.row
        self.speaker = speaker
        self.line = line
        self.answers = 0
        self._clock = clock

    @property
    def address(self) -> str:
        """12 digits."""
        return self.speaker.address

    @property
    def works(self) -> Works:
        """What it measures with."""
        assert isinstance(self.speaker, Meter | Meter698), "a plant is built of these"
        return self.speaker.works

    def value(self, item: str, at: datetime | None = None) -> Decimal | None:
        """What it shows for an item; ``None`` when it has no such number.

        Args:
            item: of the catalogue, e.g. ``"forward_active_energy.t1"``.
            at: true time, aware, past or now; ``None``: now.

        """
        return self.speaker.value(item, at or self._clock.utc_now())

    async def exchange(self, request: bytes, *, wait_s: float = ANSWER_WAIT_S) -> bytes:
        """Ask over a new connection to its line; all octets that come back, ``b""`` for silence.

        Args:
            request: octets of a frame.
            wait_s: how long to wait for the first octet of an answer, over 0 s; it has ended when nothing
                came for half a second.

        """
        heard = b""
        async with self.line.connect() as client:
            await client.send(request)
            try:
                while True:
                    async with asyncio.timeout(OCTET_GAP_S if heard else wait_s):
                        heard += await client.receive()
            except TimeoutError:
                return heard


class BuiltLine:
    """One line of a plant.

    Args:
        name: how it is called.
        row: what the plant says of it.

    Attributes:
        counts: what it has seen.
        traffic: what went over it.

    """

    def __init__(self, name: str, row: LineRow, *, clock: Clock, tap: Tap | None = None) -> None:
        self.name = name
        self.row = row
        self.counts = Counts()
        self.traffic = Traffic(clock, tap)
        self.meters: Mapping[str, BuiltMeter] = {}
        self._clock = clock
        self._line: Line | None = None
        self.terminal: Terminal | None = None

    def hang(self, meters: Mapping[str, BuiltMeter], line: Line) -> None:
        """Put the meters on it; done once, by who builds it."""
        self.meters = MappingProxyType(dict(meters))
        self._line = line
        if self.row.logs_in:
            habits = Habits(heartbeat_s=self.row.heartbeat_s)
            self.terminal = WatchedTerminal(line, clock=self._clock, habits=habits, traffic=self.traffic)

    async def serve(self, duplex: Duplex) -> None:
        """Answer what comes over ``duplex`` until the other side ends it.

        Args:
            duplex: the connection; several may be served at once.

        """
        assert self._line is not None, "a line is built with its meters"
        if self.terminal is not None:
            await self.terminal.serve(duplex)
        else:
            await self._line.serve(watched(duplex, self.traffic))

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[MemoryDuplex]:
        """A connection from the same process; gives the client's end of it."""
        ours, theirs = memory_pair()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.serve(ours), name=f"plant[{self.name}].client")
            try:
                yield theirs
            finally:
                theirs.close()


class WatchedTerminal(Terminal):
    """A terminal whose octets are noticed, its own logins too."""

    def __init__(self, line: Line, *, clock: Clock, habits: Habits, traffic: Traffic) -> None:
        super().__init__(line, clock=clock, habits=habits)
        self._traffic = traffic

    async def serve(self, duplex: Duplex) -> None:
        """As of every terminal."""
        await super().serve(watched(duplex, self._traffic))


class BuiltPlant:
    """A plant at work.

    Args:
        plant: what stands where.
        clock: asked for the true time of every answer.
        record: gets every answer just before it leaves.
        capture: gets all octets that pass; ``None``: nobody does.

    Attributes:
        plant: as given.
        clock: as given.
        lines: by name, in their order.
        meters: by address, in their order.
        started_at: true time at which it began.
        rules: faults that strike where they are told to; may be added to at any time.
        calls: the last answers, 1,000 at most, newest last.

    """

    def __init__(
        self, plant: Plant, *, clock: Clock, record: Recorder, capture: Capture | None = None
    ) -> None:
        self.plant = plant
        self.clock = clock
        self.calls: deque[Call] = deque(maxlen=CALLS_MAX)
        self._record = record
        self._calls = 0
        self.started_at = plant.start or clock.utc_now()
        self.rules = FaultRules(seed=plant.seed, start=self.started_at)
        rows = {plant.line_name(number): row for number, row in enumerate(plant.lines)}
        lines = {
            name: BuiltLine(name, row, clock=clock, tap=partial(capture, name) if capture else None)
            for name, row in rows.items()
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

    def meter(self, address: str) -> BuiltMeter:
        """The meter of that address.

        Raises:
            KeyError: there is none.

        """
        return self.meters[address]

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

        def record(answer: AnswerRecord) -> None:
            self._answered(line, answer)

        meters = {
            one.address: BuiltMeter(one, station.meter, line, self.clock)
            for one, station in zip(named, stations, strict=True)
        }
        medium = row.medium if row.medium == CLEAN or row.medium.seed else replace(row.medium, seed=seed)
        wires = Line(
            stations,
            clock=self.clock,
            record=record,
            client=row.client,
            medium=medium,
            paced=row.paced,
            rules=self.rules,
            name=line.name,
        )
        line.hang(meters, wires)

    def _answered(self, line: BuiltLine, answer: AnswerRecord) -> None:
        self._calls += 1
        self.calls.append(Call(self._calls, line.name, answer))
        line.counts.answers += 1
        line.counts.faulty += bool(answer.faults)
        line.counts.last = answer.address
        line.meters[answer.address].answers += 1
        self._record(answer)

    def _station(self, named: Named, line: LineRow) -> Station:
        row, seed = named.row, self.plant.seed
        profile = row.profile
        faults = NO_FAULTS if row.faults == NO_FAULTS else row.faults  # lines ask whether it is that one
        if faults is not NO_FAULTS and not faults.seed:
            faults = replace(faults, seed=seed)
        delay_ms = profile.timing.reply_delay_ms if row.reply_delay_ms is None else row.reply_delay_ms
        return Station(
            meter=speaker(named, seed=seed),
            reply_delay_ms=delay_ms,
            preamble=profile.line.answer_preamble,
            faults=faults,
            port=row.port if line.minds_ports else None,
            octet_gap_ms=row.octet_gap_ms,
        )


def speaker(named: Named, *, seed: int) -> Speaker:
    """The meter of a row.

    Args:
        named: which.
        seed: of the plant.

    """
    row = named.row
    works = works_of(named, seed=seed)
    if row.profile.protocol == DLT698:
        limits = Limits(first_block=row.first_block)
        return Meter698(named.address, seed=seed, limits=limits, works=works)
    return Meter(named.address, seed=seed, profile=row.profile, piece_octets=row.piece_octets, works=works)


def works_of(named: Named, *, seed: int) -> Works:
    """What a meter of a row measures with.

    Args:
        named: which.
        seed: of the plant.

    """
    row, traits = named.row, named.row.profile.meter
    plate = Plate(
        address=named.address,
        meter_number=row.meter_number or "",
        customer_number=row.customer_number or "",
        phases=traits.phases,
        ct_ratio=row.ct_ratio,
        pt_ratio=row.pt_ratio,
        voltage_v=Decimal(traits.voltage_v),
        basic_current_a=Decimal(traits.basic_current_a),
        max_current_a=Decimal(traits.max_current_a),
        sums=row.sums,
        settlement_day=row.settlement_day,
    )
    return Works(
        plate,
        seed=seed,
        load=Load(kind=row.load, mean_kw=row.mean_kw, feed_in_share=row.feed_in_share),
        since=row.since or INSTALLED_AT,
        clock_ahead=timedelta(microseconds=int(row.clock_ahead_s * 1_000_000)),
        drift_s_per_day=row.clock_drift_s_per_day,
    )
