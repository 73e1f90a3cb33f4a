"""A line with a carrier module: the one owner of its port, and lanes that are lines like any other.

A meter has the same lane for as long as there are so many lanes, so no two exchanges of one meter are ever in
progress at once, and an order and its read-back are never between others' of the same meter. People see one
line: its lanes have its name, and its numbers are theirs together.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Callable, Iterable, Sequence
from datetime import tzinfo

from meterlink.bus.dialling import Opener
from meterlink.bus.work import LineWork
from meterlink.clock import Clock
from meterlink.config import LineSettings, MeterSettings
from meterlink.daemon.lines import LinePart
from meterlink.daemon.supervise import supervised
from meterlink.drivers.carrier.owner import CarrierOwner
from meterlink.drivers.carrier.tunnel import lane_opener
from meterlink.drivers.reports import Report

LANE_REPLY_TIMEOUT_MS = 120_000
"""A lane waits so long for what the owner brings: longer than a module takes, which has its own timeouts."""


class CarrierPart:
    """The part of one line with a module; see ``LinePart``.

    Args:
        owner: of the module.
        lanes: parts of the lanes that meters stand on.

    """

    def __init__(self, owner: CarrierOwner, lanes: Sequence[LinePart]) -> None:
        self.owner = owner
        self.name = owner.name
        self.is_at_work = False
        self._lanes = lanes

    @property
    def archivist(self) -> None:
        """A module is no concentrator; it has its own list of slaves."""
        return None

    @property
    def terminal_clock(self) -> None:
        """A module has no clock by which anything is filed."""
        return None

    @property
    def work(self) -> LineWork:
        """What all lanes have done and are at: numbers added up, the oldest request, the first trouble."""
        works = [lane.work for lane in self._lanes]
        found = LineWork(
            trouble=self.owner.trouble or next((one.trouble for one in works if one.trouble), "")
        )
        for one in works:
            found.exchanges += one.exchanges
            found.seconds += one.seconds
        found.since_s = min((one.since_s for one in works if one.since_s is not None), default=None)
        return found

    def stop(self) -> None:
        """See ``LinePart.stop``."""
        for lane in self._lanes:
            lane.stop()

    def stop_opening(self) -> None:
        """See ``LinePart.stop_opening``."""
        for lane in self._lanes:
            lane.stop_opening()

    def look_at_clock(self) -> None:
        """See ``LinePart.look_at_clock``."""
        for lane in self._lanes:
            lane.look_at_clock()

    async def run(self) -> None:
        """See ``LinePart.run``."""
        self.is_at_work = True
        try:
            async with asyncio.TaskGroup() as group:
                owning = f"carrier[{self.name}]"
                owner = group.create_task(supervised(owning, self.owner.run), name=owning)
                try:
                    async with asyncio.TaskGroup() as lanes:
                        for number, lane in enumerate(self._lanes):
                            name = f"line[{self.name}].lane{number}"
                            lanes.create_task(supervised(name, lane.run), name=name)
                finally:  # also where a meter took longer than a stop waits, and we are cancelled
                    await self.owner.leave()
                owner.cancel()
        finally:
            self.is_at_work = False


def lane_of(meter_id: str, lanes: int) -> int:
    """The lane of a meter, always the same.

    Args:
        meter_id: ours.
        lanes: how many there are.

    """
    return zlib.crc32(meter_id.encode()) % lanes


def carrier_part(
    line: LineSettings,
    meters: Iterable[MeterSettings],
    owner: CarrierOwner,
    lane_part: Callable[[LineSettings, tuple[MeterSettings, ...], Opener, int], LinePart],
) -> CarrierPart:
    """The part of a line with a module.

    Args:
        line: with a table ``carrier``.
        meters: who is on it.
        owner: of the module.
        lane_part: makes the part of one lane: of its settings, meters, way and number.

    """
    assert line.carrier is not None
    by_lane: dict[int, list[MeterSettings]] = {}
    for meter in meters:
        by_lane.setdefault(lane_of(meter.id, line.carrier.lanes), []).append(meter)
    settings, parts = lane_settings(line), dict[int, LinePart]()

    def opener_of(number: int) -> Opener:
        return lane_opener(owner, number, lambda: parts[number].is_pressed)

    for number, some in sorted(by_lane.items()):
        parts[number] = lane_part(settings, tuple(some), opener_of(number), number)
    return CarrierPart(owner, list(parts.values()))


def owner_of(
    line: LineSettings,
    meters: Iterable[MeterSettings],
    opener: Opener,
    *,
    clock: Clock,
    rng: random.Random,
    zone: tzinfo,
    report: Callable[[Report], None],
) -> CarrierOwner:
    """The owner of a line's module.

    Args:
        line: with a table ``carrier``.
        meters: who is on it.
        opener: opens the port.
        clock: wall time.
        rng: jitter.
        zone: what the meters' clocks show.
        report: where goes what is reported.

    """
    assert line.carrier is not None
    return CarrierOwner(
        line.name,
        line.carrier,
        opener=opener,
        meters={one.address: one.protocol for one in meters},
        clock=clock,
        rng=rng,
        zone=zone,
        character_s=line.character_s,
        report=report,
    )


def lane_settings(line: LineSettings) -> LineSettings:
    """The settings of a lane: the module keeps the time, and wants no FEH before a frame."""
    return line.model_copy(
        update={
            "reply_timeout_ms": LANE_REPLY_TIMEOUT_MS,
            "turnaround_ms": 0,
            "preamble": line.preamble or 0,
        }
    )
